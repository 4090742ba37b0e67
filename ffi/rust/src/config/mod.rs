//! Settings: structs whose JSON Schema goes into the manifest, and which are read from what the host gives.
//!
//! ```
//! use std::time::Duration;
//! use busbar::Config;
//!
//! #[derive(Config)]
//! struct Settings {
//!     /// Where to connect to
//!     #[config(min_length = 1)]
//!     address: String,
//!     /// How long to wait for an answer
//!     #[config(default = "5s", min = "1ms")]
//!     timeout: Duration,
//!     /// What is sent along
//!     #[config(default)]
//!     headers: std::collections::BTreeMap<String, String>,
//! }
//!
//! let settings: Settings = busbar::config::read(r#"{"address": "db:1"}"#).unwrap();
//! assert_eq!(settings.timeout, Duration::from_secs(5));
//! let error = busbar::config::read::<Settings>("{}").err().unwrap();
//! assert_eq!(error.to_string(), "Cannot read config: \"address\" is missing");
//! ```

mod read;
mod schema;
mod units;

pub use read::{Fault, Reader, choice};
pub use schema::{Keyword, Property, Schema};
pub use units::{Rate, Secret, Size, parse_duration, parse_rate, parse_size};

pub(crate) use schema::write_schema;

use crate::error::{Error, Result};
use crate::json::Value;

/// A type that a setting may have.
pub trait Field: Sized {
    /// What the manifest says of it.
    const SCHEMA: Schema;
    /// JSON of what `#[config(default)]` means.
    const EMPTY: Option<&'static str> = None;

    /// Reads it.
    ///
    /// # Errors
    /// Where the value is not what [`SCHEMA`](Self::SCHEMA) says.
    fn read(value: &Value) -> Result<Self, Fault>;

    /// What a setting without a default is when it is missing; `None`: it must be there.
    fn missing() -> Option<Self> {
        None
    }

    /// Whether [`missing`](Self::missing) gives something.
    const OPTIONAL: bool = false;
}

/// The settings of a component: an object. Derive it.
pub trait Config: Field {}

/// No settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoConfig;

impl Field for NoConfig {
    const SCHEMA: Schema = Schema::Object(&[]);
    const EMPTY: Option<&'static str> = Some("{}");

    fn read(value: &Value) -> Result<Self, Fault> {
        Reader::new(value, &[])?;
        Ok(Self)
    }
}

impl Config for NoConfig {}

/// Reads settings from JSON, and fills in defaults.
///
/// # Errors
/// FAILED, with the path of the setting that does not fit.
pub fn read<C: Config>(json: &str) -> Result<C> {
    let json = if json.trim().is_empty() { "{}" } else { json };
    let value = Value::parse(json)
        .map_err(|error| Error::failed(format_args!("Cannot read config: not JSON: {error}")))?;
    C::read(&value).map_err(|fault| Error::failed(format_args!("Cannot read config: {fault}")))
}

/// The JSON Schema of settings, as it stands in the manifest.
pub fn schema<C: Config>() -> String {
    let mut size = crate::manifest::Writer::measure();
    write_schema(&mut size, &C::SCHEMA, true);
    let mut bytes = vec![0; size.len()];
    let mut writer = crate::manifest::Writer::into(&mut bytes);
    write_schema(&mut writer, &C::SCHEMA, true);
    String::from_utf8(bytes).expect("JSON is UTF-8")
}
