//! The macros of the crate `busbar`, which documents them. Written without a parser library, so that a plugin needs
//! nothing from a registry.
#![deny(missing_docs)]

mod component;
mod config;
mod tokens;

use proc_macro::TokenStream;

/// Makes the type a component, and finds out which of the optional calls its `impl` holds: only those are offered to
/// the host. Stands above `impl Source for …`, or that of another kind.
#[proc_macro_attribute]
pub fn component(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut output = item.clone();
    output.extend(component::expand(&arguments, item).unwrap_or_else(tokens::Fault::into_tokens));
    output
}

/// Makes a struct the settings of a component, or a part of them: gives it a JSON Schema, with the fields' doc comments
/// as descriptions, and reads it from JSON. An enum without data becomes one of several texts, in `snake_case`.
///
/// | in `#[config(…)]` | means |
/// |---|---|
/// | `default = 5`, `default = "5s"`, `default = ["a"]` | the value when it is missing |
/// | `default` | `0`, `false`, `""`, `[]` or `{}` when it is missing |
/// | `min`, `max`, `exclusive_min`, `exclusive_max` | bounds of a number, or as text of a duration, size or rate |
/// | `min_length`, `max_length`, `pattern` | of text; the pattern is checked by the host alone |
/// | `min_items`, `max_items` | of an array |
/// | `secret` | neither shown nor logged |
/// | `reload` | a change may be applied by replacing the component |
/// | `rename = "type"` | its name in the JSON |
/// | `format = "uri"` | a remark for people and tools |
///
/// A field without a default must be there, unless it is an `Option`.
#[proc_macro_derive(Config, attributes(config))]
pub fn config(item: TokenStream) -> TokenStream {
    config::expand(item).unwrap_or_else(tokens::Fault::into_tokens)
}
