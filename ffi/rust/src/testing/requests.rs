//! The calls of services and hooks.

use std::collections::HashSet;
use std::ffi::c_void;
use std::thread::ScopedJoinHandle;

use super::{ErrorBuffer, Failure, Harness};
use crate::abi;
use crate::calls::Exported;
use crate::request::{Answer, Call, Flow, Slot};

impl<C: Exported> Harness<C> {
    /// Makes a call of a service.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn execute(&mut self, request: &Request<'_>) -> Result<Answer, Failure> {
        // SAFETY: the table of a service.
        let table: &abi::Service =
            unsafe { &*self.definition(abi::SERVICE, "execute").table.cast() };
        let instance = Living(self.living());
        instance.request("execute", table.execute, request).map(|(_, answer)| answer)
    }

    /// Makes calls of a service at once, each on a thread and in the slot that it names. What each answered, in their order.
    ///
    /// # Panics
    /// Where two name the same slot.
    pub fn execute_at_once(&mut self, requests: &[Request<'_>]) -> Vec<Result<Answer, Failure>> {
        // SAFETY: the table of a service.
        let table: &abi::Service =
            unsafe { &*self.definition(abi::SERVICE, "execute").table.cast() };
        let slots: HashSet<_> = requests.iter().map(|request| request.slot).collect();
        assert_eq!(slots.len(), requests.len(), "calls at once are made in different slots");
        let instance = Living(self.living());
        std::thread::scope(|scope| {
            let execute =
                |request| scope.spawn(move || instance.request("execute", table.execute, request));
            let calls: Vec<_> = requests.iter().map(execute).collect();
            let answer_of = |call: ScopedJoinHandle<'_, _>| match call.join() {
                Ok(result) => Result::map(result, |(_, answer)| answer),
                Err(panic) => std::panic::resume_unwind(panic),
            };
            calls.into_iter().map(answer_of).collect()
        })
    }

    /// Has a hook look at a request. What it answered, and the request as it is now.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn before_request(&mut self, request: &Request<'_>) -> Result<Flow, Failure> {
        let call = self.hook().before_request;
        self.ask("before_request", call, request)
    }

    /// Has a hook answer a request.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn handle(&mut self, request: &Request<'_>) -> Result<Flow, Failure> {
        let call = self.hook().handle;
        self.ask("handle", call, request)
    }

    /// Has a hook look at an answered request.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn after_response(&mut self, request: &Request<'_>) -> Result<Flow, Failure> {
        let call = self.hook().after_response;
        self.ask("after_response", call, request)
    }

    fn hook(&self) -> &'static abi::Hook {
        // SAFETY: the table of a hook.
        unsafe { &*self.definition(abi::HOOK, "this").table.cast() }
    }

    fn ask(
        &mut self,
        name: &str,
        call: Option<abi::RequestCall>,
        request: &Request<'_>,
    ) -> Result<Flow, Failure> {
        let Some(call) = call else { return Ok(Flow::Continue) };
        let (status, answer) = Living(self.living()).request(name, call, request)?;
        Ok(if status == abi::DONE { Flow::Answered(answer) } else { Flow::Continue })
    }
}

/// An instance that is not destroyed while this is used.
#[derive(Clone, Copy)]
struct Living(*mut c_void);

// SAFETY: services and hooks are called from several threads at once.
unsafe impl Send for Living {}

impl Living {
    fn request(
        self,
        name: &str,
        call: abi::RequestCall,
        request: &Request<'_>,
    ) -> Result<(i32, Answer), Failure> {
        let headers: Vec<_> = request
            .headers
            .iter()
            .map(|(name, value)| abi::Header {
                name: abi::Text::new(name),
                value: abi::Text::new(value),
            })
            .collect();
        // SAFETY: all zero is a valid call.
        let mut raw: abi::Call = unsafe { std::mem::zeroed() };
        raw.size = size_of::<abi::Call>() as u32;
        raw.slot = request.slot;
        raw.id = 1;
        raw.deadline = i64::MAX;
        raw.method = abi::Text::new(request.method);
        raw.path = abi::Text::new(request.path);
        raw.query = abi::Text::new(request.query);
        raw.body = abi::Bytes::new(request.body);
        raw.headers = headers.as_ptr();
        raw.header_count = headers.len() as u32;
        let mut error = ErrorBuffer::new();
        raw.error = error.pointer();
        raw.error_capacity = abi::ERROR_CAPACITY;
        // SAFETY: see `poll`.
        let status = unsafe { call(self.0, &mut raw) };
        error.result(name, status, &[abi::FAILED, abi::INVALID, abi::FATAL])?;
        assert!(
            [abi::OK, abi::DONE].contains(&status),
            "{name} answered {}",
            super::status_name(status)
        );
        let answer = Call::new(&mut raw, &mut Slot::default()).answer();
        Ok((status, answer))
    }
}

/// A request for a service or hook.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// Such as `GET`.
    pub method: &'a str,
    /// Such as `/a/b`.
    pub path: &'a str,
    /// What follows the question mark.
    pub query: &'a str,
    /// Names in lower case, and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body, or a service's input.
    pub body: &'a [u8],
    /// Below `CONCURRENCY`.
    pub slot: u32,
}
