//! The three symbols of a plugin.

/// Makes a library a plugin that holds these components, of any kind: exports `busbar_abi_hash`, `busbar_manifest` and
/// `busbar_plugin`. Once in a crate, whose build script calls [`busbar::build::emit()`](crate::build::emit).
///
/// ```text
/// busbar::export_plugin!(Tail, Parse);
/// ```
#[macro_export]
macro_rules! export_plugin {
    ($($component:ty),+ $(,)?) => {
        #[cfg(panic = "abort")]
        ::core::compile_error!("a plugin catches panics: remove panic = \"abort\" from the profile");

        #[allow(non_upper_case_globals, long_running_const_eval)]
        const _: () = {
            use $crate::__private as p;

            const COMPONENTS: &[p::Definition] =
                &[$(<$component as p::Exported>::DEFINITION),+];
            const PARTS: (&str, &str) = (
                ::core::include_str!(::core::concat!(
                    ::core::env!("OUT_DIR", "build.rs is missing: fn main() { busbar::build::emit(); }"),
                    "/busbar_head.json"
                )),
                ::core::include_str!(::core::concat!(::core::env!("OUT_DIR"), "/busbar_build.json")),
            );
            const SIZE: usize = p::manifest::size(PARTS, COMPONENTS);

            #[unsafe(no_mangle)]
            #[used]
            pub static busbar_manifest: [u8; SIZE] = p::manifest::bytes(PARTS, COMPONENTS);

            #[unsafe(no_mangle)]
            #[used]
            pub static busbar_abi_hash: [u8; 65] = p::manifest::abi_hash();

            static TABLES: &[&p::abi::Component] = &[$({
                const DEFINITION: p::Definition = <$component as p::Exported>::DEFINITION;
                static NAME: [u8; DEFINITION.name_size()] = DEFINITION.name_bytes();
                static COMPONENT: p::abi::Component = DEFINITION.component(&NAME);
                &COMPONENT
            }),+];
            static PLUGIN: p::abi::Plugin = p::root(TABLES);

            #[unsafe(no_mangle)]
            pub extern "C" fn busbar_plugin(host: *const p::abi::Host) -> *const p::abi::Plugin {
                p::load(host);
                &PLUGIN
            }
        };
    };
}

/// What the macros of this crate write code against. Not for anybody else.
#[doc(hidden)]
pub mod private {
    #[cfg(feature = "async")]
    pub use crate::asynchronous::{ExportAsyncReaction, ExportAsyncSource};
    pub use crate::calls::{
        Definition, ExportBootstrap, ExportHook, ExportProcessor, ExportReaction, ExportService,
        ExportSource, Exported, Offers, offer,
    };
    pub use crate::config::{Fault, Field, Property, Reader, Schema, choice};
    pub use crate::{abi, json, manifest};

    /// The root table.
    pub const fn root(components: &'static [&'static abi::Component]) -> abi::Plugin {
        abi::Plugin {
            size: size_of::<abi::Plugin>() as u32,
            component_count: components.len() as u32,
            components: components.as_ptr().cast(),
            extension: None,
            reserved: [0; 4],
        }
    }

    /// The first call of the host.
    pub fn load(host: *const abi::Host) {
        crate::scope::install(host);
    }
}
