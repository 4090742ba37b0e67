//! Reading settings from JSON.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display};
use std::path::PathBuf;
use std::time::Duration;

use super::schema::{Property, Schema};
use super::units::{Rate, Secret, Size, parse_duration, parse_rate, parse_size};
use super::{Field, Result};
use crate::json::Value;

/// What is wrong with a setting, and its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    path: String,
    what: String,
}

impl Fault {
    /// About the value itself: `what` follows its path, as in `is missing`.
    pub fn new(what: impl Display) -> Self {
        Self { path: String::new(), what: what.to_string() }
    }

    /// About a member of an object.
    pub fn within(mut self, name: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{dot}{}", self.path);
        self
    }

    fn item(mut self, index: usize) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{index}]{dot}{}", self.path);
        self
    }
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return write!(formatter, "it {}", self.what);
        }
        write!(formatter, "\"{}\" {}", self.path, self.what)
    }
}

impl std::error::Error for Fault {}

fn unlike(value: &Value, expected: &str) -> Fault {
    Fault::new(format_args!("is {}, not {expected}", value.kind()))
}

/// Reads the members of an object, for what `#[derive(Config)]` writes.
pub struct Reader<'a> {
    value: &'a Value,
    properties: &'a [Property],
}

impl<'a> Reader<'a> {
    /// Of an object that has no other members than these.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn new(value: &'a Value, properties: &'a [Property]) -> Result<Self, Fault> {
        let Value::Object(members) = value else { return Err(unlike(value, "an object")) };
        for (name, _) in members {
            if !properties.iter().any(|property| property.name == name) {
                return Err(Fault::new("is not a setting").within(name));
            }
        }
        Ok(Self { value, properties })
    }

    /// The member that the property at `index` describes.
    ///
    /// # Errors
    /// Where it is missing, or not what the property says.
    pub fn field<T: Field>(&self, index: usize) -> Result<T, Fault> {
        let property = &self.properties[index];
        let read = || match (self.value.get(property.name), property.default) {
            (Some(value), _) => {
                check(value, property)?;
                T::read(value)
            }
            (None, Some(default)) => T::read(&Value::parse(default).map_err(|error| {
                Fault::new(format_args!("has a default that is no JSON: {error}"))
            })?),
            (None, None) => T::missing().ok_or_else(|| Fault::new("is missing")),
        };
        read().map_err(|fault| fault.within(property.name))
    }
}

/// Compares a value with the keywords; patterns and formats are left to the host.
fn check(value: &Value, property: &Property) -> Result<(), Fault> {
    let schema = match &property.schema {
        Schema::Optional(inner) => inner,
        schema => schema,
    };
    for (keyword, bound) in property.keywords {
        let Ok(bound) = Value::parse(bound) else { continue };
        let (Some(actual), Some(limit)) = (measure(value, schema, keyword), number(&bound, schema))
        else {
            continue;
        };
        let (fits, words) = match *keyword {
            "minimum" => (actual >= limit, "at least"),
            "maximum" => (actual <= limit, "at most"),
            "exclusiveMinimum" => (actual > limit, "more than"),
            "exclusiveMaximum" => (actual < limit, "less than"),
            "minLength" => (actual >= limit, "as many characters as"),
            "maxLength" => (actual <= limit, "no more characters than"),
            "minItems" => (actual >= limit, "as many items as"),
            "maxItems" => (actual <= limit, "no more items than"),
            _ => continue,
        };
        if !fits {
            let bound = bound.as_str().map_or_else(|| bound.to_string(), str::to_owned);
            return Err(Fault::new(format_args!("must be or have {words} {bound}")));
        }
    }
    Ok(())
}

/// What of a value a keyword is about.
fn measure(value: &Value, schema: &Schema, keyword: &str) -> Option<f64> {
    match (keyword, value) {
        ("minLength" | "maxLength", Value::String(text)) => Some(text.chars().count() as f64),
        ("minItems" | "maxItems", Value::Array(items)) => Some(items.len() as f64),
        ("minLength" | "maxLength" | "minItems" | "maxItems", _) => None,
        _ => number(value, schema),
    }
}

fn number(value: &Value, schema: &Schema) -> Option<f64> {
    match (value, schema) {
        (Value::String(text), Schema::Duration) => {
            parse_duration(text).ok().map(|duration| duration.as_secs_f64())
        }
        (Value::String(text), Schema::Size) => parse_size(text).ok().map(|bytes| bytes as f64),
        (Value::String(text), Schema::Rate) => parse_rate(text).ok(),
        _ => value.as_f64(),
    }
}

impl Field for bool {
    const SCHEMA: Schema = Schema::Boolean;
    const EMPTY: Option<&'static str> = Some("false");

    fn read(value: &Value) -> Result<Self, Fault> {
        if let Value::Bool(value) = value {
            Ok(*value)
        } else {
            Err(unlike(value, "true or false"))
        }
    }
}

macro_rules! integers {
    ($($integer:ty: $least:expr, $greatest:expr);+) => {
        $(impl Field for $integer {
            const SCHEMA: Schema = Schema::Integer($least, $greatest);
            const EMPTY: Option<&'static str> = Some("0");

            fn read(value: &Value) -> Result<Self, Fault> {
                let Value::Number(text) = value else { return Err(unlike(value, "a whole number")) };
                if let Ok(number) = text.parse() {
                    return Ok(number);
                }
                // 1e3 and 2.0 are whole numbers too; beyond 2^53 a float does not tell one from the next.
                let number: f64 = text.parse().unwrap_or(f64::NAN);
                let exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
                let whole = exact.then_some(number as i64);
                whole.and_then(|number| number.try_into().ok()).ok_or_else(|| {
                    Fault::new(format_args!(
                        "is {text}, not a whole number from {} to {}", <$integer>::MIN, <$integer>::MAX
                    ))
                })
            }
        })+
    };
}
integers! {
    u8: Some("0"), Some("255");
    u16: Some("0"), Some("65535");
    u32: Some("0"), Some("4294967295");
    u64: Some("0"), None;
    usize: Some("0"), None;
    i8: Some("-128"), Some("127");
    i16: Some("-32768"), Some("32767");
    i32: Some("-2147483648"), Some("2147483647");
    i64: None, None;
    isize: None, None
}

impl Field for f64 {
    const SCHEMA: Schema = Schema::Number;
    const EMPTY: Option<&'static str> = Some("0");

    fn read(value: &Value) -> Result<Self, Fault> {
        value.as_f64().filter(|number| number.is_finite()).ok_or_else(|| unlike(value, "a number"))
    }
}

impl Field for f32 {
    const SCHEMA: Schema = Schema::Number;
    const EMPTY: Option<&'static str> = Some("0");

    fn read(value: &Value) -> Result<Self, Fault> {
        f64::read(value).map(|number| number as Self)
    }
}

impl Field for String {
    const SCHEMA: Schema = Schema::String;
    const EMPTY: Option<&'static str> = Some("\"\"");

    fn read(value: &Value) -> Result<Self, Fault> {
        value.as_str().map(str::to_owned).ok_or_else(|| unlike(value, "text"))
    }
}

impl Field for PathBuf {
    const SCHEMA: Schema = Schema::String;

    fn read(value: &Value) -> Result<Self, Fault> {
        String::read(value).map(Self::from)
    }
}

impl Field for Secret {
    const SCHEMA: Schema = Schema::Secret;

    fn read(value: &Value) -> Result<Self, Fault> {
        String::read(value).map(Self::new)
    }
}

impl Field for Duration {
    const SCHEMA: Schema = Schema::Duration;
    const EMPTY: Option<&'static str> = Some("\"0s\"");

    fn read(value: &Value) -> Result<Self, Fault> {
        let text = value.as_str().ok_or_else(|| unlike(value, "a duration such as \"5s\""))?;
        parse_duration(text).map_err(Fault::new)
    }
}

impl Field for Size {
    const SCHEMA: Schema = Schema::Size;
    const EMPTY: Option<&'static str> = Some("0");

    fn read(value: &Value) -> Result<Self, Fault> {
        let text = match value {
            Value::String(text) | Value::Number(text) => text,
            _ => return Err(unlike(value, "a size such as \"64MiB\"")),
        };
        parse_size(text).map(Self).map_err(Fault::new)
    }
}

impl Field for Rate {
    const SCHEMA: Schema = Schema::Rate;

    fn read(value: &Value) -> Result<Self, Fault> {
        let text = match value {
            Value::String(text) | Value::Number(text) => text,
            _ => return Err(unlike(value, "a rate such as \"100/s\"")),
        };
        parse_rate(text).map(Self).map_err(Fault::new)
    }
}

impl Field for Value {
    const SCHEMA: Schema = Schema::Any;

    fn read(value: &Value) -> Result<Self, Fault> {
        Ok(value.clone())
    }
}

impl<T: Field> Field for Option<T> {
    const SCHEMA: Schema = Schema::Optional(&T::SCHEMA);
    const OPTIONAL: bool = true;

    fn read(value: &Value) -> Result<Self, Fault> {
        if *value == Value::Null { Ok(None) } else { T::read(value).map(Some) }
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

impl<T: Field> Field for Vec<T> {
    const SCHEMA: Schema = Schema::Array(&T::SCHEMA);
    const EMPTY: Option<&'static str> = Some("[]");

    fn read(value: &Value) -> Result<Self, Fault> {
        let Value::Array(items) = value else { return Err(unlike(value, "an array")) };
        let read = |(index, item)| T::read(item).map_err(|fault| fault.item(index));
        items.iter().enumerate().map(read).collect()
    }
}

macro_rules! maps {
    ($($map:ident),+) => {
        $(impl<T: Field> Field for $map<String, T> {
            const SCHEMA: Schema = Schema::Map(&T::SCHEMA);
            const EMPTY: Option<&'static str> = Some("{}");

            fn read(value: &Value) -> Result<Self, Fault> {
                let Value::Object(members) = value else { return Err(unlike(value, "an object")) };
                let read = |(name, member): &(String, Value)| {
                    let member = T::read(member).map_err(|fault| fault.within(name))?;
                    Ok((name.clone(), member))
                };
                members.iter().map(read).collect()
            }
        })+
    };
}
maps!(BTreeMap, HashMap);

/// One of several texts, for what `#[derive(Config)]` writes for an enum. Its index.
///
/// # Errors
/// Where it is none of them.
pub fn choice(value: &Value, names: &[&str]) -> Result<usize, Fault> {
    let text = value.as_str().ok_or_else(|| unlike(value, "text"))?;
    names.iter().position(|name| *name == text).ok_or_else(|| {
        let list: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
        Fault::new(format_args!("is \"{text}\", not one of {}", list.join(", ")))
    })
}
