//! Which component this thread works for at the moment, and what holds for the whole plugin.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Once};

use crate::abi;
use crate::context::Inner;
use crate::log_record::{Level, Line};

/// The host that loaded the plugin; valid as long as the process.
static HOST: AtomicPtr<abi::Host> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    /// The component whose call this thread is in. Put back when the call ends, so that nothing of an instance stays.
    static CURRENT: Cell<*const Inner> = const { Cell::new(ptr::null()) };
    /// What the last panic in a call said.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Calls of components that this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Puts back what was the current component before.
pub(crate) struct Entered(*const Inner);

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        let before = self.0;
        let _ = CURRENT.try_with(|current| current.set(before));
    }
}

/// Makes a component this thread's current one. It must live until what is returned was dropped.
#[inline]
pub(crate) fn enter(inner: &Arc<Inner>) -> Entered {
    Entered(CURRENT.replace(Arc::as_ptr(inner)))
}

/// Makes a thread of a component's own belong to it until [`abandon`].
#[cfg(feature = "async")]
pub(crate) fn adopt(inner: Arc<Inner>) {
    CURRENT.set(Arc::into_raw(inner));
}

/// Undoes [`adopt`].
#[cfg(feature = "async")]
pub(crate) fn abandon() {
    let inner = CURRENT.replace(ptr::null());
    if !inner.is_null() {
        // SAFETY: `adopt` left this reference here.
        drop(unsafe { Arc::from_raw(inner) });
    }
}

pub(crate) fn current() -> Option<Arc<Inner>> {
    let inner = CURRENT.try_with(Cell::get).unwrap_or(ptr::null());
    if inner.is_null() {
        return None;
    }
    // SAFETY: whoever entered it keeps it alive until it is left, and the pointer is one of an `Arc`.
    unsafe {
        Arc::increment_strong_count(inner);
        Some(Arc::from_raw(inner))
    }
}

/// Whether records of this level are kept by `host`.
#[inline]
pub(crate) fn enabled(host: *const abi::Host, level: Level) -> bool {
    // SAFETY: the host's level is never null, and may change at any time.
    !host.is_null() && level as i32 >= unsafe { (*host).log_level.read_volatile() }
}

/// As [`enabled`], for records that belong to no instance.
#[cfg(any(feature = "log", feature = "tracing"))]
#[inline]
pub(crate) fn enabled_anywhere(level: Level) -> bool {
    enabled(HOST.load(Ordering::Relaxed), level)
}

/// Logs for a component, or for none.
pub(crate) fn log(owner: Option<&Arc<Inner>>, line: &Line<'_>) {
    if let Some(inner) = owner {
        return inner.log(line);
    }
    let host = HOST.load(Ordering::Relaxed);
    if !host.is_null() {
        // SAFETY: the host stays as long as the process, and takes a null context.
        unsafe { line.send(&*host, ptr::null()) };
    }
}

/// Prepares the plugin for its first call: panics and records of `log` and `tracing` go to the host. The first host stays.
pub(crate) fn install(host: *const abi::Host) {
    let _ = HOST.compare_exchange(
        ptr::null_mut(),
        host.cast_mut(),
        Ordering::Release,
        Ordering::Relaxed,
    );
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if DEPTH.try_with(Cell::get).unwrap_or(0) > 0 {
                let text = describe(panic);
                let _ = PANIC.try_with(|last| *last.borrow_mut() = Some(text));
                return;
            }
            log(current().as_ref(), &Line::new(Level::Error, "panic", describe(panic)));
            before(panic);
        }));
        #[cfg(feature = "log")]
        crate::log_bridge::install();
        #[cfg(feature = "tracing")]
        crate::tracing_bridge::install();
    });
}

fn describe(panic: &std::panic::PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("no message");
    match panic.location() {
        Some(place) => format!("panic at {place}: {text}"),
        None => format!("panic: {text}"),
    }
}

/// Runs a call; a panic in it becomes an error, with its message and place.
#[inline]
pub(crate) fn catch<T>(inner: Option<&Arc<Inner>>, call: impl FnOnce() -> T) -> Result<T, String> {
    let _entered = inner.map(enter);
    DEPTH.set(DEPTH.get() + 1);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|payload| {
        // What was thrown may itself panic when it is dropped.
        std::mem::forget(payload);
        PANIC.take().unwrap_or_else(|| "panic".to_owned())
    })
}
