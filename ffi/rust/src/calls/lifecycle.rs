//! create, start, stop, save, restore, health, destroy: the same for every kind.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::abi;
use crate::components::{Bootstrap, Hook, Processor, Reaction, Service, Source, Start, State};
use crate::config::{self, Config};
use crate::context::{self, Context};
use crate::error::{Error, Kind, Result};
use crate::request::Slot;
use crate::scope;

/// Names of the kinds, for [`Managed`].
pub mod kind {
    #![allow(missing_docs)]
    pub struct Source;
    pub struct Processor;
    pub struct Reaction;
    pub struct Bootstrap;
    pub struct Service;
    pub struct Hook;
}

/// What all kinds have in common. `K` is the kind, so that each can be implemented for all components of it.
///
/// # Safety
/// All but `create`: `this` is a living component, and the call is serialised as the contract says for its kind.
pub trait Managed<K>: Sized + Send + 'static {
    /// See the kind's trait for this and all that follows.
    type Config: Config;
    /// Calls at once.
    const SLOTS: u32;
    #[allow(missing_docs)]
    fn create(context: &Context, config: Self::Config) -> Result<Self>;
    #[allow(missing_docs, clippy::missing_safety_doc)]
    unsafe fn start(this: *mut Self, start: &Start<'_>) -> Result<()>;
    #[allow(missing_docs, clippy::missing_safety_doc)]
    unsafe fn stop(this: *mut Self) -> Result<()>;
    #[allow(missing_docs, clippy::missing_safety_doc)]
    unsafe fn save(this: *mut Self) -> Result<State>;
    #[allow(missing_docs, clippy::missing_safety_doc)]
    unsafe fn restore(this: *mut Self, version: u32, data: &[u8]) -> Result<()>;
    #[allow(missing_docs, clippy::missing_safety_doc)]
    unsafe fn health(this: *mut Self) -> Result<()>;
}

macro_rules! managed {
    ($kind:ident, $slots:expr, $($borrow:tt)+) => {
        impl<T: $kind> Managed<kind::$kind> for T {
            type Config = T::Config;
            const SLOTS: u32 = $slots;
            fn create(context: &Context, config: Self::Config) -> Result<Self> {
                <T as $kind>::create(context, config)
            }
            unsafe fn start(this: *mut Self, start: &Start<'_>) -> Result<()> {
                // SAFETY: the caller's promise; so in all that follow.
                <T as $kind>::start(unsafe { $($borrow)+ *this }, start)
            }
            unsafe fn stop(this: *mut Self) -> Result<()> {
                // SAFETY: as above.
                <T as $kind>::stop(unsafe { $($borrow)+ *this })
            }
            unsafe fn save(this: *mut Self) -> Result<State> {
                // SAFETY: as above.
                <T as $kind>::save(unsafe { $($borrow)+ *this })
            }
            unsafe fn restore(this: *mut Self, version: u32, data: &[u8]) -> Result<()> {
                // SAFETY: as above.
                <T as $kind>::restore(unsafe { $($borrow)+ *this }, version, data)
            }
            unsafe fn health(this: *mut Self) -> Result<()> {
                // SAFETY: as above.
                <T as $kind>::health(unsafe { $($borrow)+ *this })
            }
        }
    };
}
managed!(Source, 0, &mut);
managed!(Processor, 0, &mut);
managed!(Reaction, 0, &mut);
managed!(Bootstrap, 0, &mut);
// Shared: their lifecycle may be asked while calls are under way.
managed!(Service, T::CONCURRENCY, &);
managed!(Hook, T::CONCURRENCY, &);

/// What `self` points to.
pub(crate) struct Instance<T> {
    component: UnsafeCell<T>,
    pub(crate) context: Context,
    /// A panic went through it: nothing of it is called any more.
    broken: AtomicBool,
    pub(crate) slots: Box<[UnsafeCell<Slot>]>,
    /// What the last `save` gave, as the host reads it later.
    saved: UnsafeCell<State>,
    /// What the last `health` said.
    message: UnsafeCell<String>,
}

impl<T> Instance<T> {
    /// # Safety
    /// `this` came from `create` and is not destroyed.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(this: *mut c_void) -> &'a Self {
        // SAFETY: the caller's promise.
        unsafe { &*this.cast::<Self>() }
    }

    /// # Safety
    /// Within a call that is serialised with all others that want it.
    #[inline]
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn component(&self) -> &mut T {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.component.get() }
    }

    fn pointer(&self) -> *mut T {
        self.component.get()
    }

    /// # Safety
    /// Of a component that is only ever used shared, as services and hooks are.
    pub(crate) unsafe fn shared(&self) -> &T {
        // SAFETY: the caller's promise.
        unsafe { &*self.component.get() }
    }

    /// Makes a call: a panic in it is FATAL, and so is every call after it.
    #[inline]
    pub(crate) fn call(&self, name: &str, call: impl FnOnce() -> i32) -> i32 {
        self.attempt(name, call).unwrap_or_else(|message| self.fail(abi::FATAL, &message))
    }

    /// As [`call`](Self::call), with the message of a panic to write where it belongs.
    #[inline]
    pub(crate) fn attempt<R>(
        &self,
        name: &str,
        call: impl FnOnce() -> R,
    ) -> std::result::Result<R, String> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(format!("Cannot {name}: there was a panic before"));
        }
        scope::catch(Some(self.context.inner()), call).map_err(|panic| {
            self.broken.store(true, Ordering::Relaxed);
            format!("Cannot {name}: {panic}")
        })
    }

    /// Gives `status` its message.
    #[cold]
    pub(crate) fn fail(&self, status: i32, message: &str) -> i32 {
        // SAFETY: only within calls.
        unsafe { self.context.inner().write_error(message) };
        status
    }

    /// FAILED or FATAL with the error's message.
    #[cold]
    pub(crate) fn failed(&self, error: &Error) -> i32 {
        let fatal = error.kind() == Kind::Fatal;
        self.fail(if fatal { abi::FATAL } else { abi::FAILED }, &error.to_string())
    }
}

pub(crate) unsafe extern "C" fn create<K, T: Managed<K>>(
    raw: *const abi::Context,
    this: *mut *mut c_void,
) -> i32 {
    // SAFETY: the host's context, valid until `destroy` has ended; everything but its error is read only.
    let context = unsafe {
        scope::install((*raw).host);
        Context::new(raw)
    };
    let inner = context.inner().clone();
    let result = scope::catch(Some(&inner), || -> Result<_> {
        let settings = config::read::<T::Config>(context.config_json())?;
        let component = T::create(&context, settings)?;
        Ok(Box::new(Instance {
            component: UnsafeCell::new(component),
            context,
            broken: AtomicBool::new(false),
            slots: (0..T::SLOTS).map(|_| UnsafeCell::default()).collect(),
            saved: UnsafeCell::default(),
            message: UnsafeCell::default(),
        }))
    });
    let (status, message) = match result {
        Ok(Ok(instance)) => {
            // SAFETY: the host's place for it.
            unsafe { *this = Box::into_raw(instance).cast() };
            return abi::OK;
        }
        Ok(Err(error)) if error.kind() == Kind::Fatal => (abi::FATAL, error.to_string()),
        Ok(Err(error)) => (abi::FAILED, error.to_string()),
        Err(panic) => (abi::FATAL, format!("Cannot create: {panic}")),
    };
    inner.close();
    // SAFETY: within the call.
    unsafe { context::write_error(((*raw).error, (*raw).error_capacity), &message) };
    status
}

pub(crate) unsafe extern "C" fn start<K, T: Managed<K>>(this: *mut c_void) -> i32 {
    // SAFETY: the host serialises calls on a living instance; so in all that follow.
    let (instance, start) = unsafe {
        let instance = Instance::<T>::from_raw(this);
        (instance, Start::new(instance.context.inner()))
    };
    instance.call("start", || {
        // SAFETY: as above.
        match unsafe { T::start(instance.pointer(), &start) } {
            Ok(()) => abi::OK,
            Err(error) => instance.failed(&error),
        }
    })
}

pub(crate) unsafe extern "C" fn stop<K, T: Managed<K>>(this: *mut c_void) -> i32 {
    // SAFETY: as in `start`.
    let instance = unsafe { Instance::<T>::from_raw(this) };
    let status = instance.call("stop", || {
        // SAFETY: as in `start`.
        let result = unsafe { T::stop(instance.pointer()) };
        match (result, instance.context.inner().wait_pending()) {
            (Err(error), _) => instance.fail(abi::FAILED, &error.to_string()),
            (Ok(()), 0) => abi::OK,
            (Ok(()), left) => {
                let message = format!("Cannot stop cleanly: {left} batches are not completed");
                instance.fail(abi::FAILED, &message)
            }
        }
    });
    // The contract knows only OK and FAILED here.
    if status == abi::OK { abi::OK } else { abi::FAILED }
}

pub(crate) unsafe extern "C" fn save<K, T: Managed<K>>(
    this: *mut c_void,
    state: *mut abi::State,
) -> i32 {
    // SAFETY: as in `start`.
    let instance = unsafe { Instance::<T>::from_raw(this) };
    instance.call("save", || {
        // SAFETY: as in `start`.
        match unsafe { T::save(instance.pointer()) } {
            Ok(made) => {
                // SAFETY: the host reads what the last call left before it makes the next.
                unsafe {
                    let saved = &mut *instance.saved.get();
                    *saved = made;
                    (*state).version = saved.version;
                    (*state).data = abi::Bytes::new(&saved.data);
                }
                abi::OK
            }
            Err(error) => instance.failed(&error),
        }
    })
}

pub(crate) unsafe extern "C" fn restore<K, T: Managed<K>>(
    this: *mut c_void,
    state: *const abi::State,
) -> i32 {
    // SAFETY: as in `start`.
    let (instance, version, data) =
        unsafe { (Instance::<T>::from_raw(this), (*state).version, (*state).data.slice()) };
    instance.call("restore", || {
        // SAFETY: as in `start`.
        match unsafe { T::restore(instance.pointer(), version, data) } {
            Ok(()) => abi::OK,
            Err(error) if error.kind() == Kind::Fatal => instance.failed(&error),
            Err(error) => instance.fail(abi::INVALID, &error.to_string()),
        }
    })
}

pub(crate) unsafe extern "C" fn health<K, T: Managed<K>>(
    this: *mut c_void,
    health: *mut abi::Health,
) -> i32 {
    // SAFETY: as in `start`.
    let instance = unsafe { Instance::<T>::from_raw(this) };
    let mut answer = Ok(());
    let status = instance.call("say how it is", || {
        // SAFETY: as in `start`.
        answer = unsafe { T::health(instance.pointer()) };
        abi::OK
    });
    let message = match (answer, status) {
        (Ok(()), abi::OK) => String::new(),
        (Err(error), _) => error.to_string(),
        (Ok(()), _) => "there was a panic".to_owned(),
    };
    let failed = !message.is_empty();
    // SAFETY: the host reads what the last call left before it makes the next.
    unsafe {
        let kept = &mut *instance.message.get();
        *kept = message;
        (*health).message = if failed { abi::Text::new(kept) } else { abi::Text::EMPTY };
    }
    if failed {
        // SAFETY: as above.
        instance.fail(abi::FAILED, unsafe { &*instance.message.get() })
    } else {
        abi::OK
    }
}

pub(crate) unsafe extern "C" fn destroy<K, T: Managed<K>>(this: *mut c_void) {
    // SAFETY: the last call, on what `create` made.
    let instance = unsafe { Box::from_raw(this.cast::<Instance<T>>()) };
    let inner = instance.context.inner().clone();
    // A panic here is logged by the hook's caller; there is nobody left to tell.
    if let Err(panic) = scope::catch(Some(&inner), move || drop(instance)) {
        let message = format!("Cannot destroy cleanly: {panic}");
        inner.log(&crate::log_record::Line::new(crate::Level::Error, "panic", message));
    }
    inner.close();
}
