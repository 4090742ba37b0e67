//! What goes wrong in a component, and what the host makes of it.

use std::any::Any;
use std::fmt::{self, Debug, Display};

use crate::abi;

/// What every call of a component returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call did not succeed. `?` makes one of anything that implements [`std::error::Error`]: the call has then
/// *failed*, with the sources of the error in its message.
///
/// It does not implement [`std::error::Error`] itself, as that would make this conversion impossible.
///
/// ```
/// use busbar::{Error, Result};
///
/// fn port(text: &str) -> Result<u16> {
///     let port: u16 = text.parse()?;
///     if port == 0 {
///         return Err(Error::fatal("Cannot use port 0"));
///     }
///     Ok(port)
/// }
/// assert_eq!(port("80").unwrap(), 80);
/// assert_eq!(port("x").unwrap_err().to_string(), "invalid digit found in string");
/// ```
pub struct Error(Repr);

enum Repr {
    /// An output or batch is full: the host comes again. Never shown to anybody.
    Full,
    Other(Box<Failure>),
}

struct Failure {
    kind: Kind,
    message: String,
    done: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Full,
    Failed,
    Invalid,
    Fatal,
}

impl Error {
    /// It did not work now and may work later: what was not accepted is offered again after a backoff.
    pub fn failed(message: impl Display) -> Self {
        Self::new(Kind::Failed, message.to_string())
    }

    /// The record can never be accepted, and goes to where the pipeline sends such records; those before it are
    /// accepted, the rest is offered again. Means the record that was read last, unless [`Error::at`] names another.
    ///
    /// Of a service or hook: the request is a bad one.
    pub fn invalid(message: impl Display) -> Self {
        Self::new(Kind::Invalid, message.to_string())
    }

    /// This instance is beyond repair: its cell is replaced, and what was under way is delivered again.
    pub fn fatal(message: impl Display) -> Self {
        Self::new(Kind::Fatal, message.to_string())
    }

    /// Says which record is meant, by [`Record::index`](crate::Record::index).
    pub fn at(self, index: u32) -> Self {
        self.with_done(index)
    }

    /// Says that the first `count` records of a failed `write` are accepted, and only the rest is to be offered again.
    pub fn accepted(self, count: u32) -> Self {
        self.with_done(count)
    }

    pub(crate) fn new(kind: Kind, message: String) -> Self {
        Self(Repr::Other(Box::new(Failure { kind, message, done: None })))
    }

    pub(crate) fn kind(&self) -> Kind {
        match &self.0 {
            Repr::Full => Kind::Full,
            Repr::Other(failure) => failure.kind,
        }
    }

    pub(crate) fn done(&self) -> Option<u32> {
        match &self.0 {
            Repr::Full => None,
            Repr::Other(failure) => failure.done,
        }
    }

    fn with_done(mut self, done: u32) -> Self {
        if let Repr::Other(failure) = &mut self.0 {
            failure.done = Some(done);
        }
        self
    }

    fn edit(mut self, change: impl FnOnce(&mut Failure)) -> Self {
        if let Repr::Other(failure) = &mut self.0 {
            change(failure);
        }
        self
    }
}

impl Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Full => formatter.write_str("The batch is full"),
            Repr::Other(failure) => formatter.write_str(&failure.message),
        }
    }
}

impl Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {self}", self.kind())
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        if let Some(full) = (&error as &dyn Any).downcast_ref::<Full>() {
            return match full.required {
                Some(bytes) if bytes > u64::from(abi::RECORD_MAX) => Self::invalid(full),
                _ => Self(Repr::Full),
            };
        }
        Self::failed(chain(&error))
    }
}

/// The message of an error and of its sources, unless one repeats the next.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

/// An event does not fit into what is left of a batch, or the batch has its number of records. Pass it on with `?`: the
/// host then comes again with an empty batch, and a larger one where needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// Bytes that even an empty batch would lack.
    pub(crate) required: Option<u64>,
}

impl Full {
    /// Whether the event has more bytes than a record may have, so that it never fits.
    pub fn is_too_large(&self) -> bool {
        self.required.is_some_and(|bytes| bytes > u64::from(abi::RECORD_MAX))
    }
}

impl Display for Full {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.required {
            Some(bytes) if self.is_too_large() => write!(
                formatter,
                "Cannot append an event of {bytes} bytes: a record has at most {}",
                abi::RECORD_MAX
            ),
            _ => formatter.write_str("The batch is full"),
        }
    }
}

impl std::error::Error for Full {}

/// What makes errors say more, on any `Result` that `?` takes.
///
/// ```
/// use busbar::{Result, ResultExt};
///
/// fn read(path: &str) -> Result<Vec<u8>> {
///     std::fs::read(path).explain(|| format!("Cannot read \"{path}\""))
/// }
/// let error = read("/nowhere").unwrap_err();
/// assert!(error.to_string().starts_with("Cannot read \"/nowhere\": No such file"));
/// ```
pub trait ResultExt<T> {
    /// Puts what was tried before the error's own message, with a colon between.
    fn explain(self, what: impl FnOnce() -> String) -> Result<T>;
    /// Makes the error one that ends the instance: see [`Error::fatal`].
    fn or_fatal(self) -> Result<T>;
    /// Blames the record that was read last: see [`Error::invalid`].
    fn or_invalid(self) -> Result<T>;
}

impl<T, E: Into<Error>> ResultExt<T> for std::result::Result<T, E> {
    fn explain(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| {
            error
                .into()
                .edit(|failure| failure.message = format!("{}: {}", what(), failure.message))
        })
    }

    fn or_fatal(self) -> Result<T> {
        self.map_err(|error| error.into().edit(|failure| failure.kind = Kind::Fatal))
    }

    fn or_invalid(self) -> Result<T> {
        self.map_err(|error| error.into().edit(|failure| failure.kind = Kind::Invalid))
    }
}

/// Returns [`Error::failed`] with a formatted message.
#[macro_export]
macro_rules! bail {
    ($($message:tt)+) => {
        return ::std::result::Result::Err($crate::Error::failed(::std::format_args!($($message)+)))
    };
}
