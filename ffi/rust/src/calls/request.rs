//! Calls of services and hooks, several at once.

use std::ffi::c_void;

use super::lifecycle::Instance;
use crate::abi;
use crate::components::{Hook, Service};
use crate::context::write_error;
use crate::error::{Error, Kind, Result};
use crate::request::{Call, Flow};

/// Makes a call that answers through its slot.
///
/// # Safety
/// `this` is a living instance, `raw` the host's call.
unsafe fn with_slot<T: Sync>(
    (this, raw): (*mut c_void, *mut abi::Call),
    name: &str,
    body: impl FnOnce(&T, &mut Call<'_>) -> Result<i32>,
) -> i32 {
    // SAFETY: the caller's promise.
    let (instance, raw) = unsafe { (Instance::<T>::from_raw(this), &mut *raw) };
    let result = instance.attempt(name, || {
        let slot = instance.slots.get(raw.slot as usize).ok_or_else(|| {
            Error::fatal(format!("Cannot {name}: slot {} of {}", raw.slot, instance.slots.len()))
        })?;
        // SAFETY: calls with the same slot come one after the other, and the component is only used shared.
        let (slot, component) = unsafe { (&mut *slot.get(), instance.shared()) };
        slot.clear();
        body(component, &mut Call::new(raw, slot))
    });
    let (status, message) = match result {
        Ok(Ok(status)) => return status,
        Ok(Err(error)) => (status_of(&error), error.to_string()),
        Err(panic) => (abi::FATAL, panic),
    };
    // SAFETY: within the call that the buffer is for.
    unsafe { write_error((raw.error, raw.error_capacity), &message) };
    status
}

fn status_of(error: &Error) -> i32 {
    match error.kind() {
        Kind::Invalid => abi::INVALID,
        Kind::Fatal => abi::FATAL,
        Kind::Failed | Kind::Full => abi::FAILED,
    }
}

pub(crate) unsafe extern "C" fn execute<T: Service>(this: *mut c_void, raw: *mut abi::Call) -> i32 {
    // SAFETY: the host's instance and call; so in all that follow.
    unsafe {
        with_slot::<T>((this, raw), "execute", |service, call| {
            let answer = service.execute(call)?;
            call.set_answer(answer);
            Ok(abi::OK)
        })
    }
}

fn flow(call: &mut Call<'_>, flow: Flow) -> i32 {
    match flow {
        Flow::Continue => abi::OK,
        Flow::Answered(answer) => {
            call.set_answer(answer);
            abi::DONE
        }
    }
}

macro_rules! hook_call {
    ($call:ident, $name:literal) => {
        pub(crate) unsafe extern "C" fn $call<T: Hook>(
            this: *mut c_void,
            raw: *mut abi::Call,
        ) -> i32 {
            // SAFETY: as in `execute`.
            unsafe {
                with_slot::<T>((this, raw), $name, |hook, call| {
                    let answer = hook.$call(call)?;
                    Ok(flow(call, answer))
                })
            }
        }
    };
}
hook_call!(before_request, "look at a request");
hook_call!(handle, "handle a request");
hook_call!(after_response, "look at an answer");
