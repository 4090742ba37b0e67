//! The host's services, which write down what they are asked for.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Logged;
use crate::abi;

/// What one component asked of the host.
#[derive(Default)]
pub(super) struct Recorder {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct Seen {
    pub(super) logs: Vec<Logged>,
    pub(super) metrics: BTreeMap<String, f64>,
    pub(super) wakes: u64,
    pub(super) completions: Vec<Completion>,
    /// What the contract forbids, found where no panic may leave.
    pub(super) faults: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Completion {
    pub(super) id: u64,
    pub(super) status: i32,
    pub(super) done: u32,
    pub(super) message: String,
}

impl Recorder {
    pub(super) fn read<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Waits until `look` finds something.
    pub(super) fn wait<T>(
        &self,
        what: &str,
        patience: Duration,
        look: impl Fn(&Seen) -> Option<T>,
    ) -> T {
        let until = Instant::now() + patience;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = look(&seen) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited {patience:?} for {what}");
            seen = self.changed.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

static LEVEL: AtomicI32 = AtomicI32::new(abi::LOG_TRACE);
static NOBODY: LazyLock<Recorder> = LazyLock::new(Recorder::default);

pub(super) fn set_level(level: i32) {
    LEVEL.store(level, Ordering::Relaxed);
}

/// For what belongs to no component.
pub(super) fn nobody() -> &'static Recorder {
    &NOBODY
}

struct Table(abi::Host);

// SAFETY: constant data, but for the level, which is atomic.
unsafe impl Sync for Table {}
// SAFETY: as above.
unsafe impl Send for Table {}

pub(super) fn table() -> *const abi::Host {
    static TABLE: Table = Table(abi::Host {
        size: size_of::<abi::Host>() as u32,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        reserved0: 0,
        log_level: (&raw const LEVEL).cast(),
        log,
        counter,
        gauge,
        histogram,
        wake,
        complete,
        extension: Some(extension),
        reserved: [0; 8],
    });
    &TABLE.0
}

/// # Safety
/// A harness's context, or null.
unsafe fn recorder<'a>(context: *const abi::Context) -> &'a Recorder {
    if context.is_null() {
        return nobody();
    }
    // SAFETY: the harness put its recorder there.
    unsafe { &*(*context).internal.cast() }
}

unsafe extern "C" fn log(context: *const abi::Context, record: *const abi::LogRecord) {
    // SAFETY: the caller's context and record, as the contract says.
    unsafe {
        let record = &*record;
        let fields = if record.field_count == 0 {
            &[]
        } else {
            std::slice::from_raw_parts(record.fields, record.field_count as usize)
        };
        let logged = Logged {
            level: record.level,
            target: record.target.to_text(),
            message: record.message.to_text(),
            fields: fields
                .iter()
                .map(|field| (field.name.to_text(), field.value.to_text(), field.kind))
                .collect(),
            span: record.span_id,
            parent_span: record.parent_span_id,
        };
        recorder(context).write(|seen| seen.logs.push(logged));
    }
}

/// # Safety
/// As for `log`.
unsafe fn observe(context: *const abi::Context, name: abi::Text, change: impl FnOnce(&mut f64)) {
    // SAFETY: as above.
    let (recorder, name) = unsafe { (recorder(context), name.to_text()) };
    recorder.write(|seen| {
        if name.is_empty() || name.len() > 63 {
            seen.faults.push(format!("a metric named \"{name}\""));
        }
        change(seen.metrics.entry(name).or_default());
    });
}

unsafe extern "C" fn counter(context: *const abi::Context, name: abi::Text, add: u64) {
    // SAFETY: the caller's context and text; so in all that follow.
    unsafe { observe(context, name, |value| *value += add as f64) }
}

unsafe extern "C" fn gauge(context: *const abi::Context, name: abi::Text, new: f64) {
    // SAFETY: as above.
    unsafe { observe(context, name, |value| *value = new) }
}

unsafe extern "C" fn histogram(context: *const abi::Context, name: abi::Text, add: f64) {
    // SAFETY: as above.
    unsafe { observe(context, name, |value| *value += add) }
}

unsafe extern "C" fn wake(context: *const abi::Context) {
    // SAFETY: as above.
    unsafe { recorder(context) }.write(|seen| seen.wakes += 1);
}

unsafe extern "C" fn complete(
    context: *const abi::Context,
    id: u64,
    status: i32,
    done: u32,
    message: abi::Text,
) {
    // SAFETY: as above.
    let (recorder, message) = unsafe { (recorder(context), message.to_text()) };
    recorder.write(|seen| {
        if ![abi::OK, abi::FAILED, abi::INVALID, abi::FATAL].contains(&status) {
            seen.faults.push(format!("a completion with status {status}"));
        }
        if seen.completions.iter().any(|completion| completion.id == id) {
            seen.faults.push(format!("batch {id} completed twice"));
        }
        seen.completions.push(Completion { id, status, done, message });
    });
}

unsafe extern "C" fn extension(_: *const c_char) -> *const c_void {
    ptr::null()
}
