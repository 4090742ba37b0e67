//! Write plugins for busbar in Rust.
//!
//! A plugin is a `cdylib` that holds components: implement [`Source`], [`Processor`], [`Reaction`], [`Bootstrap`],
//! [`Service`] or [`Hook`], put [`#[busbar::component]`](component) above the `impl`, and name the types in
//! [`export_plugin!`]. Settings are structs that [derive `Config`](macro@Config). Unit tests drive the same code through
//! [`testing`].
//!
//! Nothing is copied to hand an event over: a [`Record`] is a view into the host's memory, and what is appended is
//! written straight into the next batch.
//!
//! # Threads
//! Calls on one instance come one after the other, but not always from the same thread; hence components are [`Send`],
//! and keep nothing in thread-local storage. Services and hooks are called from several threads at once; hence they are
//! [`Sync`], and borrowed shared. A [`Context`] is for any thread.
//!
//! # Panics
//! Every call catches them. The host gets FATAL, with the message and the place, and replaces the cell.
//!
//! # Features
//! None is on by default, and then nothing is needed but this crate: `log` and `tracing` send what these crates record
//! to the host, `async` runs components with async functions on a tokio runtime.
#![deny(missing_docs)]
#![deny(unsafe_op_in_unsafe_fn)]

extern crate self as busbar;

pub mod abi;
#[cfg(feature = "async")]
mod asynchronous;
mod batch;
pub mod build;
mod calls;
mod components;
pub mod config;
mod context;
mod error;
mod event;
mod export;
pub mod json;
#[cfg(feature = "log")]
mod log_bridge;
mod log_record;
#[doc(hidden)]
pub mod manifest;
mod output;
mod record;
mod record_buffer;
mod request;
mod scope;
pub mod testing;
#[cfg(feature = "tracing")]
mod tracing_bridge;

#[doc(hidden)]
pub use export::private as __private;

#[cfg(feature = "async")]
pub use asynchronous::{Acknowledgements, AsyncReaction, AsyncSource, Sink};
pub use batch::{Batch, Kept, PendingBatch, Records, Written};
pub use busbar_macros::{Config, component};
pub use calls::Exported;
pub use components::{
    Acknowledged, Bootstrap, Fetched, Flushed, Hook, Polled, Processor, Reaction, Service, Source,
    Start, State,
};
pub use config::{Config, NoConfig};
pub use context::Context;
pub use error::{Error, Full, Result, ResultExt};
pub use event::{Attributes, Event, Slot};
pub use log_record::{Level, Value};
pub use output::{Appender, Output, Tick, Transform};
pub use record::{Content, Operation, Record};
pub use record_buffer::RecordBuffer;
pub use request::{Answer, Call, Flow};
