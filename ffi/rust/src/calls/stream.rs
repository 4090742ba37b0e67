//! poll, process, write and their like.

use std::ffi::c_void;
use std::sync::atomic::Ordering;

use super::lifecycle::Instance;
use crate::abi;
use crate::batch::{Batch, Offer, Written};
use crate::components::{Bootstrap, Flushed, Polled, Processor, Reaction, Source};
use crate::error::{Error, Kind, Result};
use crate::log_record::{Level, Line};
use crate::output::{Appender, NO_MARKS, Tick, Transform};
use crate::record_buffer::RecordBuffer;

pub(crate) unsafe extern "C" fn poll<T: Source>(this: *mut c_void, batch: *mut abi::Batch) -> i32 {
    // SAFETY: the host serialises calls on a living instance, with a batch that is theirs alone; so in all that follow.
    let (instance, batch) = unsafe { (Instance::<T>::from_raw(this), &mut *batch) };
    instance.call("poll", || {
        let mut appender = Appender::new(batch, 0);
        // SAFETY: as above.
        let result = unsafe { instance.component() }.poll(&mut appender);
        let has_some = !appender.is_empty() || appender.wants_more();
        match result {
            Ok(Polled::Done) => abi::DONE,
            Ok(Polled::More) if has_some => abi::OK,
            Ok(_) => abi::AGAIN,
            Err(error) if error.kind() == Kind::Full => {
                if has_some {
                    abi::OK
                } else {
                    abi::AGAIN
                }
            }
            Err(error) => instance.failed(&error),
        }
    })
}

pub(crate) unsafe extern "C" fn commit<T: Source>(
    this: *mut c_void,
    position: *const abi::Bytes,
) -> i32 {
    // SAFETY: as in `poll`.
    let (instance, position) = unsafe { (Instance::<T>::from_raw(this), (*position).slice()) };
    let status = instance.call("commit", || {
        // SAFETY: as in `poll`.
        match unsafe { instance.component() }.commit(position) {
            Ok(()) => abi::OK,
            Err(error) => instance.fail(abi::FAILED, &error.to_string()),
        }
    });
    // The contract knows only OK and FAILED here.
    if status == abi::OK { abi::OK } else { abi::FAILED }
}

pub(crate) unsafe extern "C" fn release<T: Source>(this: *mut c_void, loan: *mut c_void) {
    // SAFETY: `Appender::lend` made the loan, and it comes back once.
    let (instance, buffer) =
        unsafe { (Instance::<T>::from_raw(this), Box::from_raw(loan.cast::<RecordBuffer>())) };
    instance.call("release", || {
        // SAFETY: as in `poll`.
        unsafe { instance.component() }.release(*buffer);
        abi::OK
    });
}

pub(crate) unsafe extern "C" fn process<T: Processor>(
    this: *mut c_void,
    batch: *mut abi::Batch,
) -> i32 {
    // SAFETY: as in `poll`.
    let instance = unsafe { Instance::<T>::from_raw(this) };
    instance.call("process", || {
        let mut marks = NO_MARKS;
        // SAFETY: as in `poll`.
        let (mut transform, component) =
            unsafe { (Transform::new(batch, &mut marks), instance.component()) };
        let Err(error) = component.process(&mut transform) else { return abi::OK };
        let (at, index) = transform.abandon();
        // SAFETY: as in `poll`; nothing borrows from the batch any more.
        let batch = unsafe { &mut *batch };
        batch.done = error.done().unwrap_or(index);
        match error.kind() {
            Kind::Full => {
                batch.cursor = at as u64 - batch.data as u64;
                abi::MORE
            }
            Kind::Invalid => instance.fail(abi::INVALID, &error.to_string()),
            Kind::Failed | Kind::Fatal => instance.failed(&error),
        }
    })
}

pub(crate) unsafe extern "C" fn tick_processor<T: Processor>(
    this: *mut c_void,
    batch: *mut abi::Batch,
) -> i32 {
    // SAFETY: as in `poll`.
    let instance = unsafe { Instance::<T>::from_raw(this) };
    instance.call("tick", || {
        let mut marks = NO_MARKS;
        // SAFETY: as in `poll`.
        let result = unsafe { instance.component().tick(&mut Tick::new(batch, &mut marks)) };
        ticked(instance, result, abi::MORE)
    })
}

pub(crate) unsafe extern "C" fn tick_reaction<T: Reaction>(
    this: *mut c_void,
    batch: *mut abi::Batch,
) -> i32 {
    // SAFETY: as in `poll`.
    let instance = unsafe { Instance::<T>::from_raw(this) };
    instance.call("tick", || {
        let mut marks = NO_MARKS;
        // SAFETY: as in `poll`.
        let result = unsafe { instance.component().tick(&mut Tick::new(batch, &mut marks)) };
        ticked(instance, result, abi::FAILED)
    })
}

fn ticked<T>(instance: &Instance<T>, result: Result<()>, full: i32) -> i32 {
    match result {
        Ok(()) => abi::OK,
        Err(error) if error.kind() == Kind::Full && full == abi::MORE => abi::MORE,
        Err(error) => instance.failed(&error),
    }
}

pub(crate) unsafe extern "C" fn write<T: Reaction>(
    this: *mut c_void,
    batch: *mut abi::Batch,
) -> i32 {
    // SAFETY: as in `poll`.
    let instance = unsafe { Instance::<T>::from_raw(this) };
    let offer = Offer::default();
    let status = instance.call("write", || {
        let offered = Batch::new(batch, &instance.context, &offer);
        // SAFETY: as in `poll`.
        let result = unsafe { instance.component() }.write(offered);
        if offer.kept.get() {
            if let Err(error) = result {
                log_error(instance, &error);
            }
            return abi::PENDING;
        }
        // SAFETY: as in `poll`; nothing borrows from the batch any more.
        let batch = unsafe { &mut *batch };
        match result {
            Ok(Written::All) => {
                batch.done = batch.count;
                abi::OK
            }
            Ok(Written::Again) => abi::AGAIN,
            Ok(Written::Pending(_)) => instance
                .fail(abi::FATAL, "Cannot write: answered Pending with what another batch gave"),
            Err(error) => {
                let invalid = error.kind() == Kind::Invalid;
                let last = if invalid { offer.last.load(Ordering::Relaxed) } else { 0 };
                batch.done = error.done().unwrap_or(last).min(batch.count);
                if invalid {
                    instance.fail(abi::INVALID, &error.to_string())
                } else {
                    instance.failed(&error)
                }
            }
        }
    });
    // After a panic, what was kept has been completed as it was dropped, and must not be answered twice.
    if status == abi::FATAL && offer.kept.get() { abi::PENDING } else { status }
}

fn log_error<T>(instance: &Instance<T>, error: &Error) {
    instance.context.inner().log(&Line::new(Level::Error, "", error.to_string()));
}

pub(crate) unsafe extern "C" fn flush<T: Reaction>(this: *mut c_void) -> i32 {
    // SAFETY: as in `poll`.
    let instance = unsafe { Instance::<T>::from_raw(this) };
    instance.call("flush", || {
        // SAFETY: as in `poll`.
        match unsafe { instance.component() }.flush() {
            Ok(Flushed::Done) => abi::OK,
            Ok(Flushed::Again) => abi::AGAIN,
            Err(error) => instance.failed(&error),
        }
    })
}

pub(crate) unsafe extern "C" fn fetch<T: Bootstrap>(
    this: *mut c_void,
    batch: *mut abi::Batch,
) -> i32 {
    // SAFETY: as in `poll`.
    let (instance, batch) = unsafe { (Instance::<T>::from_raw(this), &mut *batch) };
    instance.call("fetch", || {
        let mut appender = Appender::new(batch, abi::RECORD_BOOTSTRAP);
        // SAFETY: as in `poll`.
        match unsafe { instance.component() }.fetch(&mut appender) {
            Ok(Polled::More) => abi::MORE,
            Ok(Polled::Again) => abi::AGAIN,
            Ok(Polled::Done) => abi::DONE,
            Err(error) if error.kind() == Kind::Full => abi::MORE,
            Err(error) => instance.failed(&error),
        }
    })
}
