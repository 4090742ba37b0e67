//! What the host calls: functions of the C contract around the components' own, and the tables that hold them.

pub(crate) mod lifecycle;
mod request;
mod stream;

use std::ffi::c_void;

use crate::abi;
use crate::components::{Bootstrap, Hook, Processor, Reaction, Service, Source};
use crate::config::{Config, Schema};
use lifecycle::{Managed, kind};

/// Which optional calls a component implements. `#[busbar::component]` finds out.
pub trait Offers {
    /// Bits of [`offer`].
    const CALLS: u32;
}

/// A component that [`export_plugin!`](crate::export_plugin) and the test host take: `#[busbar::component]` makes it one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a component",
    note = "put #[busbar::component] above its impl of Source, Processor, Reaction, Bootstrap, Service or Hook"
)]
pub trait Exported: Offers {
    /// What it is, and the table of its functions.
    const DEFINITION: Definition;
}

/// The bits of [`Offers::CALLS`].
pub mod offer {
    #![allow(missing_docs)]
    pub const START: u32 = 1;
    pub const STOP: u32 = 2;
    pub const SAVE: u32 = 4;
    pub const RESTORE: u32 = 8;
    pub const HEALTH: u32 = 16;
    pub const COMMIT: u32 = 32;
    pub const RELEASE: u32 = 64;
    pub const TICK: u32 = 128;
    pub const FLUSH: u32 = 256;
    pub const BEFORE_REQUEST: u32 = 512;
    pub const HANDLE: u32 = 1024;
    pub const AFTER_RESPONSE: u32 = 2048;
}

/// What the manifest says of a component, and the table of its functions.
#[derive(Clone, Copy)]
pub struct Definition {
    pub(crate) kind: u32,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) blocking: bool,
    pub(crate) replayable: bool,
    pub(crate) partitioned: bool,
    pub(crate) concurrency: u32,
    pub(crate) outputs: &'static [&'static str],
    pub(crate) tick_ms: Option<u32>,
    pub(crate) schema: Schema,
    pub(crate) table: *const c_void,
}

impl Definition {
    const fn new<C: Config>(
        kind: u32,
        (name, description): (&'static str, &'static str),
        blocking: bool,
        table: *const c_void,
    ) -> Self {
        Self {
            kind,
            name,
            description,
            blocking,
            replayable: false,
            partitioned: false,
            concurrency: 1,
            outputs: &[],
            tick_ms: None,
            schema: C::SCHEMA,
            table,
        }
    }

    /// Its entry in the plugin's root table. `name` is [`Definition::name`] with a NUL.
    #[doc(hidden)]
    pub const fn component(&self, name: &'static [u8]) -> abi::Component {
        abi::Component {
            size: size_of::<abi::Component>() as u32,
            kind: self.kind,
            name: name.as_ptr().cast(),
            table: self.table,
        }
    }

    /// Bytes of its name with a NUL.
    #[doc(hidden)]
    pub const fn name_size(&self) -> usize {
        self.name.len() + 1
    }

    /// Its name with a NUL.
    #[doc(hidden)]
    pub const fn name_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        let mut at = 0;
        while at < self.name.len() {
            bytes[at] = self.name.as_bytes()[at];
            at += 1;
        }
        bytes
    }
}

/// `function`, if the component implements it.
macro_rules! offered {
    ($component:ty, $call:ident, $function:expr) => {
        if <$component as Offers>::CALLS & offer::$call != 0 { Some($function) } else { None }
    };
}

const fn lifecycle_of<K, T: Managed<K> + Offers>(size: usize) -> abi::Lifecycle {
    abi::Lifecycle {
        size: size as u32,
        reserved0: 0,
        create: lifecycle::create::<K, T>,
        restore: offered!(T, RESTORE, lifecycle::restore::<K, T>),
        start: offered!(T, START, lifecycle::start::<K, T>),
        stop: offered!(T, STOP, lifecycle::stop::<K, T>),
        save: offered!(T, SAVE, lifecycle::save::<K, T>),
        destroy: lifecycle::destroy::<K, T>,
        health: offered!(T, HEALTH, lifecycle::health::<K, T>),
        reserved: [None; 4],
    }
}

/// Tables are made for every component of a kind, and named by `#[busbar::component]` for one.
macro_rules! export {
    ($export:ident, $component:ident, $kind:ident, $number:ident,
     { $($entry:ident: $value:expr),* }, { $($about:ident: $constant:expr),* }) => {
        #[doc(hidden)]
        pub trait $export: $component + Offers {
            const TABLE: abi::$component = abi::$component {
                lifecycle: lifecycle_of::<kind::$kind, Self>(size_of::<abi::$component>()),
                $($entry: $value),*
            };
            const TABLE_REF: &'static abi::$component = &Self::TABLE;
            const DEFINITION: Definition = Definition {
                $($about: $constant,)*
                ..Definition::new::<Self::Config>(
                    abi::$number,
                    (Self::NAME, Self::DESCRIPTION),
                    Self::BLOCKING,
                    (Self::TABLE_REF as *const abi::$component).cast(),
                )
            };
        }
        impl<T: $component + Offers> $export for T {}
    };
}

export!(ExportSource, Source, Source, SOURCE, {
    poll: stream::poll::<Self>,
    commit: offered!(Self, COMMIT, stream::commit::<Self>),
    release: Some(stream::release::<Self>)
}, { replayable: Self::REPLAYABLE, partitioned: Self::PARTITIONED });

export!(ExportProcessor, Processor, Processor, PROCESSOR, {
    process: stream::process::<Self>,
    tick: offered!(Self, TICK, stream::tick_processor::<Self>)
}, { outputs: Self::OUTPUTS, tick_ms: Self::TICK_MS });

export!(ExportReaction, Reaction, Reaction, REACTION, {
    write: stream::write::<Self>,
    flush: offered!(Self, FLUSH, stream::flush::<Self>),
    tick: offered!(Self, TICK, stream::tick_reaction::<Self>)
}, { tick_ms: Self::TICK_MS });

export!(ExportBootstrap, Bootstrap, Bootstrap, BOOTSTRAP, {
    fetch: stream::fetch::<Self>
}, {});

export!(ExportService, Service, Service, SERVICE, {
    execute: request::execute::<Self>
}, { concurrency: Self::CONCURRENCY });

export!(ExportHook, Hook, Hook, HOOK, {
    before_request: offered!(Self, BEFORE_REQUEST, request::before_request::<Self>),
    handle: offered!(Self, HANDLE, request::handle::<Self>),
    after_response: offered!(Self, AFTER_RESPONSE, request::after_response::<Self>)
}, { concurrency: Self::CONCURRENCY });
