//! Records for the host's log.

use crate::abi;

/// How important a log record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
pub enum Level {
    /// Each step.
    Trace = abi::LOG_TRACE,
    /// For whoever looks for a fault.
    Debug = abi::LOG_DEBUG,
    /// What an operator wants to know.
    Info = abi::LOG_INFO,
    /// What an operator should look at.
    Warning = abi::LOG_WARNING,
    /// Something did not work.
    Error = abi::LOG_ERROR,
    /// Nothing works any more.
    Fatal = abi::LOG_FATAL,
}

/// Value of a field of a log record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// A whole number.
    Int(i64),
    /// A whole number that is not negative.
    Uint(u64),
    /// Any number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// JSON, passed on as it is.
    Json(&'a str),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

macro_rules! numbers {
    ($($variant:ident($wide:ty): $($narrow:ty),+);+) => {
        $($(impl From<$narrow> for Value<'_> {
            fn from(value: $narrow) -> Self {
                Self::$variant(value as $wide)
            }
        })+)+
    };
}
numbers!(Int(i64): i8, i16, i32, i64, isize; Uint(u64): u8, u16, u32, u64, usize; Float(f64): f32, f64);

/// A field that owns its text.
#[cfg_attr(feature = "tracing", derive(Clone))]
pub(crate) struct Field {
    pub(crate) name: String,
    value: String,
    kind: u32,
}

impl Field {
    pub(crate) fn new(name: &str, value: Value<'_>) -> Self {
        let (value, kind) = match value {
            Value::Text(text) => (text.to_owned(), abi::FIELD_STRING),
            Value::Int(number) => (number.to_string(), abi::FIELD_NUMBER),
            Value::Uint(number) => (number.to_string(), abi::FIELD_NUMBER),
            // Debug writes 1e300 as JSON has it; what JSON cannot say stays text.
            Value::Float(number) if number.is_finite() => {
                (format!("{number:?}"), abi::FIELD_NUMBER)
            }
            Value::Float(number) => (number.to_string(), abi::FIELD_STRING),
            Value::Bool(value) => (value.to_string(), abi::FIELD_BOOL),
            Value::Json(json) => (json.to_owned(), abi::FIELD_JSON),
        };
        Self { name: name.to_owned(), value, kind }
    }

    fn as_raw(&self) -> abi::Field {
        abi::Field {
            name: abi::Text::new(&self.name),
            value: abi::Text::new(&self.value),
            kind: self.kind,
            reserved0: 0,
        }
    }
}

/// One record.
pub(crate) struct Line<'a> {
    pub(crate) level: Level,
    pub(crate) target: &'a str,
    pub(crate) message: String,
    pub(crate) span: u64,
    pub(crate) parent_span: u64,
    pub(crate) fields: Vec<Field>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(level: Level, target: &'a str, message: String) -> Self {
        Self { level, target, message, span: 0, parent_span: 0, fields: Vec::new() }
    }

    /// # Safety
    /// Host and context are valid, or the context is null.
    pub(crate) unsafe fn send(&self, host: &abi::Host, context: *const abi::Context) {
        let fields: Vec<abi::Field> = self.fields.iter().map(Field::as_raw).collect();
        let record = abi::LogRecord {
            size: size_of::<abi::LogRecord>() as u32,
            level: self.level as i32,
            target: abi::Text::new(self.target),
            message: abi::Text::new(&self.message),
            timestamp: 0,
            span_id: self.span,
            parent_span_id: self.parent_span,
            fields: fields.as_ptr(),
            field_count: fields.len() as u32,
            reserved0: 0,
        };
        // SAFETY: the record lives until `log` returns, which copies it.
        unsafe { (host.log)(context, &record) };
    }
}
