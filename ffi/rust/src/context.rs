//! Who an instance is, and what the host does for it.

use std::ffi::c_char;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::abi;
use crate::log_record::{Field, Level, Line, Value};
use crate::scope;

/// How long `stop` waits for batches that were kept, once the component's own `stop` has returned.
const PENDING_GRACE: Duration = Duration::from_secs(10);

/// One component in one pipeline: its names, folders, log and metrics. Cheap to clone, and usable from any thread; once
/// the instance is destroyed its functions do nothing.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Context").field(&self.component_id()).finish()
    }
}

pub(crate) struct Inner {
    raw: *const abi::Context,
    host: *const abi::Host,
    /// Calls into the host that are under way, and [`CLOSED`] once the instance is gone.
    gate: AtomicUsize,
    pending: Mutex<usize>,
    settled: Condvar,
    pipeline_id: String,
    component_id: String,
    component: String,
    config: String,
    plugin_directory: PathBuf,
    data_directory: PathBuf,
    partition: (u32, u32),
    #[cfg(feature = "async")]
    stopping: tokio::sync::watch::Sender<bool>,
}

/// Set in `gate` when nothing of the host may be used any more.
const CLOSED: usize = 1 << (usize::BITS - 1);

// SAFETY: host services may be called from any thread, and `gate` keeps them from being called too late.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl Context {
    /// # Safety
    /// The host's context, valid until [`Inner::close`] was called.
    pub(crate) unsafe fn new(raw: *const abi::Context) -> Self {
        // SAFETY: the caller's promise.
        let inner = unsafe {
            let c = &*raw;
            Inner {
                raw,
                host: c.host,
                gate: AtomicUsize::new(0),
                pending: Mutex::new(0),
                settled: Condvar::new(),
                pipeline_id: c.pipeline_id.to_text(),
                component_id: c.component_id.to_text(),
                component: c.component.to_text(),
                config: c.config.to_text(),
                plugin_directory: path(c.plugin_directory),
                data_directory: path(c.data_directory),
                partition: (c.partition_index, c.partition_count.max(1)),
                #[cfg(feature = "async")]
                stopping: tokio::sync::watch::Sender::new(false),
            }
        };
        Self(Arc::new(inner))
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// The component whose call this thread is in, or whose [`scope`](Self::scope).
    pub fn current() -> Option<Self> {
        scope::current().map(Self)
    }

    /// Its id in the pipeline.
    pub fn component_id(&self) -> &str {
        &self.0.component_id
    }

    /// The component's `NAME`.
    pub fn component(&self) -> &str {
        &self.0.component
    }

    /// The pipeline's id.
    pub fn pipeline_id(&self) -> &str {
        &self.0.pipeline_id
    }

    /// The settings as the host gave them: a JSON object.
    pub fn config_json(&self) -> &str {
        &self.0.config
    }

    /// The folder of the plugin's files, read-only.
    pub fn plugin_directory(&self) -> &Path {
        &self.0.plugin_directory
    }

    /// A folder private to this component, kept over restarts.
    pub fn data_directory(&self) -> &Path {
        &self.0.data_directory
    }

    /// Which of how many cells this is; a source that declares `PARTITIONED` gives each its share of the keys.
    pub fn partition(&self) -> (u32, u32) {
        self.0.partition
    }

    /// Asks for a call soon: `poll` of a source, `tick` of a processor or reaction, `write` of a reaction that answered
    /// [`Written::Again`](crate::Written::Again). Any number of wakes before that call are one.
    pub fn wake(&self) {
        // SAFETY: `with` gives the host's own pointers.
        self.0.with(|host, raw| unsafe { (host.wake)(raw) });
    }

    /// Adds to a counter. The name is in snake_case with its unit, at most 63 bytes; so for the other two.
    pub fn counter(&self, name: &str, add: u64) {
        // SAFETY: as above.
        self.0.with(|host, raw| unsafe { (host.counter)(raw, abi::Text::new(name), add) });
    }

    /// Sets a gauge.
    pub fn gauge(&self, name: &str, value: f64) {
        // SAFETY: as above.
        self.0.with(|host, raw| unsafe { (host.gauge)(raw, abi::Text::new(name), value) });
    }

    /// Records one observation.
    pub fn histogram(&self, name: &str, value: f64) {
        // SAFETY: as above.
        self.0.with(|host, raw| unsafe { (host.histogram)(raw, abi::Text::new(name), value) });
    }

    /// Whether records of this level are kept: one load.
    pub fn enabled(&self, level: Level) -> bool {
        scope::enabled(self.0.host, level)
    }

    /// Logs a message. Nothing is formatted when the level is off.
    ///
    /// ```no_run
    /// # let (context, path) = (busbar::Context::current().unwrap(), "a.log");
    /// context.log(busbar::Level::Info, format_args!("opened \"{path}\""));
    /// ```
    pub fn log(&self, level: Level, message: impl Display) {
        self.log_with(level, message, &[]);
    }

    /// Logs a message with fields.
    ///
    /// ```no_run
    /// # let context = busbar::Context::current().unwrap();
    /// context.log_with(busbar::Level::Info, "opened", &[("path", "a.log".into()), ("bytes", 17.into())]);
    /// ```
    pub fn log_with(&self, level: Level, message: impl Display, fields: &[(&str, Value<'_>)]) {
        if !self.enabled(level) {
            return;
        }
        let mut line = Line::new(level, "", message.to_string());
        line.fields.extend(fields.iter().map(|(name, value)| Field::new(name, *value)));
        self.0.log(&line);
    }

    /// Logs at [`Level::Trace`].
    pub fn trace(&self, message: impl Display) {
        self.log(Level::Trace, message);
    }

    /// Logs at [`Level::Debug`].
    pub fn debug(&self, message: impl Display) {
        self.log(Level::Debug, message);
    }

    /// Logs at [`Level::Info`].
    pub fn info(&self, message: impl Display) {
        self.log(Level::Info, message);
    }

    /// Logs at [`Level::Warning`].
    pub fn warn(&self, message: impl Display) {
        self.log(Level::Warning, message);
    }

    /// Logs at [`Level::Error`].
    pub fn error(&self, message: impl Display) {
        self.log(Level::Error, message);
    }

    /// Waits until an async component is being stopped: for writes that only wait to try again.
    #[cfg(feature = "async")]
    pub async fn stopping(&self) {
        // The sender lives as long as `self`, so this ends only when the value is true.
        let _ = self.0.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Runs `body`, on a thread of the plugin's own, as if it were a call of this component: what it logs through the
    /// crates `log` and `tracing` belongs to it.
    pub fn scope<T>(&self, body: impl FnOnce() -> T) -> T {
        let _entered = scope::enter(&self.0);
        body()
    }
}

/// # Safety
/// The host's text is valid.
unsafe fn path(text: abi::Text) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    // SAFETY: the caller's promise.
    std::ffi::OsStr::from_bytes(unsafe { text.bytes() }).into()
}

impl Inner {
    /// Calls into the host, unless the instance is gone.
    fn with(&self, call: impl FnOnce(&abi::Host, *const abi::Context)) {
        if self.gate.fetch_add(1, Ordering::Acquire) & CLOSED == 0 {
            // SAFETY: the gate is open, so both are valid.
            call(unsafe { &*self.host }, self.raw);
        }
        self.gate.fetch_sub(1, Ordering::Release);
    }

    /// From now on nothing of the host is used. Waits for calls that are under way on other threads.
    pub(crate) fn close(&self) {
        self.gate.fetch_or(CLOSED, Ordering::AcqRel);
        while self.gate.load(Ordering::Acquire) & !CLOSED != 0 {
            std::thread::yield_now();
        }
    }

    pub(crate) fn log(&self, line: &Line<'_>) {
        // SAFETY: `with` gives the host's own pointers.
        self.with(|host, raw| unsafe { line.send(host, raw) });
    }

    pub(crate) fn complete(&self, id: u64, (status, done): (i32, u32), message: &str) {
        // SAFETY: as above.
        self.with(|host, raw| unsafe {
            (host.complete)(raw, id, status, done, abi::Text::new(message));
        });
    }

    #[cfg(feature = "async")]
    pub(crate) fn set_stopping(&self, stopping: bool) {
        self.stopping.send_replace(stopping);
    }

    pub(crate) fn begin_pending(&self) {
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    pub(crate) fn end_pending(&self) {
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.settled.notify_all();
    }

    /// Waits until no batch is kept any more. How many still are after a while.
    pub(crate) fn wait_pending(&self) -> usize {
        let until = Instant::now() + PENDING_GRACE;
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        while *pending > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            pending =
                self.settled.wait_timeout(pending, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *pending
    }

    /// Writes the message that goes with a negative status, cut to what the host has room for.
    ///
    /// # Safety
    /// Within a call of the instance.
    pub(crate) unsafe fn write_error(&self, message: &str) {
        // SAFETY: such calls are serialised, and the host's context is valid in them.
        unsafe { write_error(((*self.raw).error, (*self.raw).error_capacity), message) }
    }

    /// # Safety
    /// Within `start`.
    pub(crate) unsafe fn position<'a>(&self) -> &'a [u8] {
        // SAFETY: set before start.
        unsafe { (*self.raw).position.slice() }
    }

    /// # Safety
    /// Within `start`.
    pub(crate) unsafe fn acknowledged<'a>(&self) -> &'a [abi::Acknowledged] {
        // SAFETY: set before start.
        unsafe {
            let count = (*self.raw).acknowledged_count as usize;
            if count == 0 {
                return &[];
            }
            std::slice::from_raw_parts((*self.raw).acknowledged, count)
        }
    }
}

/// # Safety
/// A buffer of the host's and its capacity, within the call that it is for.
pub(crate) unsafe fn write_error((buffer, capacity): (*mut c_char, u32), message: &str) {
    if capacity == 0 {
        return;
    }
    let length = fitting(message, capacity as usize - 1);
    // SAFETY: the caller's promise.
    unsafe {
        std::ptr::copy_nonoverlapping(message.as_ptr().cast(), buffer, length);
        buffer.add(length).write(0);
    }
}

/// Bytes of the longest beginning of `text` that fits and has no NUL in it.
fn fitting(text: &str, capacity: usize) -> usize {
    let mut end = text.find('\0').unwrap_or(text.len()).min(capacity);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}
