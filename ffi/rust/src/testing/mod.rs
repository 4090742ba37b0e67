//! A host for unit tests, in the same process: `cargo test` drives components without busbar.
//!
//! Every call goes through the table of C functions that the real host uses. What a component does wrong by the contract
//! (bounds, sequences, statuses, writing to what it reads) panics without being asked for.
//!
//! ```
//! use busbar::testing::Harness;
//! use busbar::{Context, Event, NoConfig, Processor, Result, Transform};
//!
//! struct NonEmpty(Context);
//!
//! #[busbar::component]
//! impl Processor for NonEmpty {
//!     type Config = NoConfig;
//!     const NAME: &'static str = "non-empty";
//!
//!     fn create(context: &Context, _: NoConfig) -> Result<Self> {
//!         Ok(Self(context.clone()))
//!     }
//!
//!     fn process(&mut self, batch: &mut Transform<'_>) -> Result<()> {
//!         while let Some(record) = batch.next_record()? {
//!             if record.payload().is_empty() {
//!                 self.0.counter("dropped_total", 1);
//!             } else {
//!                 batch.out(0).copy(&record)?;
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let mut test = Harness::<NonEmpty>::create("{}").unwrap();
//! test.start().unwrap();
//! let outputs = test.process(&[Event::text("a"), Event::text("")]).unwrap();
//! assert_eq!(outputs[0].len(), 1);
//! assert_eq!(test.metric("dropped_total"), 1.0);
//! ```

mod calls;
mod host;
mod memory;
mod requests;

use std::ffi::{c_char, c_void};
use std::marker::PhantomData;
use std::path::Path;
use std::ptr;
use std::time::Duration;

use crate::abi;
use crate::calls::{Definition, Exported};
use crate::components::State;
use crate::log_record::Level;

use host::Recorder;
use memory::Memory;

pub use calls::Offered;
pub use memory::Owned;
pub use requests::Request;

/// How long what waits for something waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a call answered that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// `FAILED`, `INVALID` or `FATAL` of [`abi`].
    pub status: i32,
    /// The message for the operator.
    pub message: String,
    /// Which record, or how many are accepted.
    pub done: u32,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", status_name(self.status), self.message)
    }
}

impl std::error::Error for Failure {}

pub(crate) fn status_name(status: i32) -> &'static str {
    match status {
        abi::OK => "OK",
        abi::AGAIN => "AGAIN",
        abi::MORE => "MORE",
        abi::DONE => "DONE",
        abi::PENDING => "PENDING",
        abi::FAILED => "FAILED",
        abi::INVALID => "INVALID",
        abi::FATAL => "FATAL",
        _ => "an unknown status",
    }
}

/// A record that the component logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// How important it is; a number, `LOG_*` of [`abi`].
    pub level: i32,
    /// Module or logger it comes from.
    pub target: String,
    /// The message.
    pub message: String,
    /// Names, values as text, and types, `FIELD_*` of [`abi`].
    pub fields: Vec<(String, String, u32)>,
    /// 0: none.
    pub span: u64,
    /// 0: none.
    pub parent_span: u64,
}

impl Logged {
    /// Value of the first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(found, ..)| found == name).map(|(_, value, _)| value.as_str())
    }
}

/// What a component writes its messages to, with bytes behind it that must not change.
struct ErrorBuffer(Vec<u8>);

impl ErrorBuffer {
    fn new() -> Self {
        let mut buffer = Self(vec![0x5a; abi::ERROR_CAPACITY as usize + 64]);
        buffer.clear();
        buffer
    }

    fn pointer(&mut self) -> *mut c_char {
        self.0.as_mut_ptr().cast()
    }

    fn clear(&mut self) {
        self.0[0] = 0;
    }

    /// Checks what a call answered, with its message.
    fn result(&self, call: &str, status: i32, errors: &[i32]) -> Result<(), Failure> {
        let capacity = abi::ERROR_CAPACITY as usize;
        let untouched = self.0[capacity..].iter().all(|byte| *byte == 0x5a);
        assert!(untouched, "{call} wrote past the buffer for errors");
        if status >= 0 {
            assert!(status <= abi::PENDING, "{call} answered {status}");
            return Ok(());
        }
        assert!(errors.contains(&status), "{call} answered {}", status_name(status));
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(capacity);
        let message = String::from_utf8_lossy(&self.0[..end]).into_owned();
        assert!(
            end > 0 && end < capacity,
            "{call} answered {} without a message",
            status_name(status)
        );
        Err(Failure { status, message, done: 0 })
    }
}

/// One instance of a component, and its host.
pub struct Harness<C: Exported> {
    context: Box<abi::Context>,
    recorder: Box<Recorder>,
    error: ErrorBuffer,
    texts: Vec<Box<[u8]>>,
    acknowledged: Vec<abi::Acknowledged>,
    this: *mut c_void,
    started: bool,
    arena: (usize, u32),
    next_sequence: u64,
    position: Vec<u8>,
    next_id: u64,
    kept: Vec<(u64, Memory)>,
    component: PhantomData<C>,
}

// SAFETY: what the pointers lead to belongs to the harness, and components are Send.
unsafe impl<C: Exported> Send for Harness<C> {}

impl<C: Exported> Harness<C> {
    /// A host for one component with these settings; nothing is created yet. Defaults need not be filled in.
    pub fn new(config: &str) -> Self {
        let mut harness = Self {
            // SAFETY: all zero is a valid context.
            context: Box::new(unsafe { std::mem::zeroed() }),
            recorder: Box::default(),
            error: ErrorBuffer::new(),
            texts: Vec::new(),
            acknowledged: Vec::new(),
            this: ptr::null_mut(),
            started: false,
            arena: (1 << 16, 1024),
            next_sequence: 1,
            position: Vec::new(),
            next_id: 1,
            kept: Vec::new(),
            component: PhantomData,
        };
        harness.context.size = size_of::<abi::Context>() as u32;
        harness.context.host = host::table();
        harness.context.pipeline_id = harness.keep(b"test");
        harness.context.component_id = harness.keep(C::DEFINITION.name.as_bytes());
        harness.context.component = harness.context.component_id;
        harness.context.config = harness.keep(config.as_bytes());
        harness.context.error = harness.error.pointer();
        harness.context.error_capacity = abi::ERROR_CAPACITY;
        harness.context.partition_count = 1;
        harness.context.internal = (&raw const *harness.recorder).cast_mut().cast();
        harness
    }

    /// [`new`](Self::new), and the component created.
    ///
    /// # Errors
    /// What `create` answered.
    pub fn create(config: &str) -> Result<Self, Failure> {
        Self::new(config).build()
    }

    /// Creates the component.
    ///
    /// # Errors
    /// What `create` answered.
    pub fn build(mut self) -> Result<Self, Failure> {
        let mut this = ptr::null_mut();
        // SAFETY: the context lives until after `destroy`.
        let status = unsafe { (self.lifecycle().create)(&*self.context, &mut this) };
        self.result("create", status, &[abi::FAILED, abi::FATAL])?;
        assert!(!this.is_null(), "create answered OK without an instance");
        self.this = this;
        Ok(self)
    }

    /// Sets where a source resumes, before `start`.
    pub fn at_position(mut self, position: &[u8], next_sequence: u64) -> Self {
        self.set_position(position, next_sequence);
        self
    }

    /// Says that a source is finished up to `sequence`, before `start`.
    pub fn acknowledged(mut self, source_id: &str, source: u16, sequence: u64) -> Self {
        let source_id = self.keep(source_id.as_bytes());
        let source = source.into();
        self.acknowledged.push(abi::Acknowledged { source_id, sequence, source, reserved0: 0 });
        self.context.acknowledged = self.acknowledged.as_ptr();
        self.context.acknowledged_count = self.acknowledged.len() as u32;
        self
    }

    /// Sets the private folder, before [`build`](Self::build).
    pub fn data_directory(mut self, path: &Path) -> Self {
        self.context.data_directory = self.keep(path.as_os_str().as_encoded_bytes());
        self
    }

    /// Sets the folder of the plugin's files, before [`build`](Self::build).
    pub fn plugin_directory(mut self, path: &Path) -> Self {
        self.context.plugin_directory = self.keep(path.as_os_str().as_encoded_bytes());
        self
    }

    /// Sets which of how many cells this is, before [`build`](Self::build).
    pub fn partition(mut self, index: u32, count: u32) -> Self {
        self.context.partition_index = index;
        self.context.partition_count = count;
        self
    }

    /// Sets bytes and records of the batches that the component is given to write to. 64 KiB and 1024 unless told; a
    /// record that does not fit gets a larger one, as from the real host.
    pub fn arena(&mut self, bytes: usize, limit: u32) -> &mut Self {
        self.arena = (bytes, limit);
        self
    }

    /// Opens, binds, locks.
    ///
    /// # Errors
    /// What the component answered; the same for all that follow.
    pub fn start(&mut self) -> Result<(), Failure> {
        if let Some(start) = self.lifecycle().start {
            // SAFETY: `self.this` is a living instance; so in all that follow.
            let status = unsafe { start(self.living()) };
            self.result("start", status, &[abi::FAILED, abi::FATAL])?;
        }
        self.started = true;
        Ok(())
    }

    /// Releases what `start` took.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn stop(&mut self) -> Result<(), Failure> {
        self.started = false;
        if let Some(stop) = self.lifecycle().stop {
            // SAFETY: see `start`.
            let status = unsafe { stop(self.living()) };
            self.result("stop", status, &[abi::FAILED])?;
        }
        Ok(())
    }

    /// What `restore` needs. `None`: the component keeps nothing.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn save(&mut self) -> Result<Option<State>, Failure> {
        let Some(save) = self.lifecycle().save else { return Ok(None) };
        let size = size_of::<abi::State>() as u32;
        let mut state = abi::State { size, version: 0, data: abi::Bytes::EMPTY };
        // SAFETY: see `start`.
        let status = unsafe { save(self.living(), &mut state) };
        self.result("save", status, &[abi::FAILED, abi::FATAL])?;
        // SAFETY: the component's bytes stay until the next call.
        let data = unsafe { state.data.slice() }.to_vec();
        Ok(Some(State { version: state.version, data }))
    }

    /// Hands a state over, before `start`.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    ///
    /// # Panics
    /// Where the component does not implement it.
    pub fn restore(&mut self, state: &State) -> Result<(), Failure> {
        let restore = self.lifecycle().restore.expect("the component implements restore");
        let size = size_of::<abi::State>() as u32;
        let data = abi::Bytes::new(&state.data);
        let raw = abi::State { size, version: state.version, data };
        // SAFETY: see `start`.
        let status = unsafe { restore(self.living(), &raw) };
        self.result("restore", status, &[abi::INVALID, abi::FATAL])
    }

    /// Asks whether it is well.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn health(&mut self) -> Result<(), Failure> {
        let Some(health) = self.lifecycle().health else { return Ok(()) };
        let size = size_of::<abi::Health>() as u32;
        let mut raw = abi::Health { size, reserved0: 0, message: abi::Text::EMPTY };
        // SAFETY: see `start`.
        let status = unsafe { health(self.living(), &mut raw) };
        self.result("health", status, &[abi::FAILED])
    }

    fn lifecycle(&self) -> &'static abi::Lifecycle {
        // SAFETY: every table begins with it, and is constant.
        unsafe { &*C::DEFINITION.table.cast() }
    }

    fn definition(&self, kind: u32, call: &str) -> Definition {
        let definition = C::DEFINITION;
        assert_eq!(definition.kind, kind, "{call} is no call of this kind of component");
        definition
    }

    fn living(&self) -> *mut c_void {
        assert!(!self.this.is_null(), "nothing is created: call build()");
        self.this
    }

    fn keep(&mut self, bytes: &[u8]) -> abi::Text {
        self.texts.push(bytes.into());
        let kept = self.texts.last().expect("just pushed");
        abi::Text { data: kept.as_ptr().cast(), length: kept.len() as u64 }
    }

    fn set_position(&mut self, position: &[u8], next_sequence: u64) {
        let text = self.keep(position);
        self.context.position = abi::Bytes { data: text.data.cast(), length: text.length };
        self.position = position.to_vec();
        self.next_sequence = next_sequence;
    }

    /// Checks what a call answered, and takes its message.
    fn result(&mut self, call: &str, status: i32, errors: &[i32]) -> Result<(), Failure> {
        let result = self.error.result(call, status, errors);
        self.error.clear();
        result
    }

    /// What the component logged so far.
    pub fn logs(&self) -> Vec<Logged> {
        self.recorder.read(|seen| seen.logs.clone())
    }

    /// What was logged so far by any plugin code of this process that belongs to no component.
    pub fn logs_of_nobody() -> Vec<Logged> {
        host::nobody().read(|seen| seen.logs.clone())
    }

    /// Whether something of at least this level was logged that contains `part`.
    pub fn logged(&self, level: Level, part: &str) -> bool {
        let matches = |log: &Logged| log.level >= level as i32 && log.message.contains(part);
        self.recorder.read(|seen| seen.logs.iter().any(matches))
    }

    /// Value of a counter or gauge, sum of a histogram; 0 when never reported.
    pub fn metric(&self, name: &str) -> f64 {
        self.recorder.read(|seen| seen.metrics.get(name).copied().unwrap_or(0.0))
    }

    /// How often the component asked to be called.
    pub fn wakes(&self) -> u64 {
        self.recorder.read(|seen| seen.wakes)
    }

    /// Waits until it has asked more often than `seen`.
    ///
    /// # Panics
    /// When it does not, for half a minute.
    pub fn wait_wake(&self, seen: u64) {
        self.recorder.wait("a wake", PATIENCE, |now| (now.wakes > seen).then_some(()));
    }

    /// Sets which records are kept, for all harnesses of the process. Everything unless told.
    pub fn set_log_level(level: Level) {
        host::set_level(level as i32);
    }
}

impl<C: Exported> Drop for Harness<C> {
    fn drop(&mut self) {
        if self.this.is_null() {
            return;
        }
        if self.started && !std::thread::panicking() {
            if let Err(failure) = self.stop() {
                panic!("Cannot stop at the end of the test: {failure}");
            }
        }
        // SAFETY: the last call.
        unsafe { (self.lifecycle().destroy)(self.this) };
    }
}
