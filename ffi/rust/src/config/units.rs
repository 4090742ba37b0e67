//! Texts with units, as the host's own configuration has them.

use std::fmt;
use std::time::Duration;

/// A number of bytes, written as `64MiB`, `10MB`, `1024B` or a bare number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

impl Size {
    /// It in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

/// A rate, written as `100/s`, `6000/m`, `3600/h` or a bare number a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

impl Rate {
    /// It a second.
    pub fn per_second(self) -> f64 {
        self.0
    }
}

/// Text that neither the host nor `{:?}` shows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

const DURATIONS: &[(&str, f64)] =
    &[("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0)];

const SIZES: &[(&str, f64)] = &[
    ("", 1.0),
    ("B", 1.0),
    ("kB", 1e3),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

const RATES: &[(&str, f64)] = &[("", 1.0), ("/s", 1.0), ("/m", 1.0 / 60.0), ("/h", 1.0 / 3600.0)];

/// The number and its factor.
fn split(text: &str, units: &[(&str, f64)]) -> Option<(f64, f64)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if !number.starts_with(|c: char| c.is_ascii_digit()) || number.ends_with('.') {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    let factor = units.iter().find(|(name, _)| *name == unit.trim_start())?.1;
    (number * factor).is_finite().then_some((number, factor))
}

/// Reads `500ms`, `30s`, `5m`, `1h` or `1d`; `0` needs no unit.
///
/// # Errors
/// With what follows the setting's name in a message.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let seconds = match split(text, DURATIONS) {
        Some((number, factor)) => number * factor,
        None if text.trim() == "0" => 0.0,
        None => return Err(format!("is \"{text}\", not a duration such as 500ms, 30s or 5m")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("is \"{text}\", which is too long"))
}

/// Reads `64MiB`, `10MB`, `1024B` or a bare number of bytes.
///
/// # Errors
/// With what follows the setting's name in a message.
pub fn parse_size(text: &str) -> Result<u64, String> {
    match split(text, SIZES) {
        Some((number, factor)) => Ok((number * factor) as u64),
        None => Err(format!("is \"{text}\", not a size such as 64MiB, 10MB or a number of bytes")),
    }
}

/// Reads `100/s`, `6000/m`, `3600/h` or a bare number a second.
///
/// # Errors
/// With what follows the setting's name in a message.
pub fn parse_rate(text: &str) -> Result<f64, String> {
    match split(text, RATES) {
        Some((number, factor)) => Ok(number * factor),
        None => Err(format!("is \"{text}\", not a rate such as 100/s or 6000/m")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_sizes_and_rates_as_the_host_does() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1.5 m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("1.5kB"), Ok(1500));
        assert_eq!(parse_size("17"), Ok(17));
        assert_eq!(parse_rate("6000/m"), Ok(100.0));
    }

    #[test]
    fn refuses_what_has_no_number_or_no_known_unit() {
        for text in ["", "s", "5", "5x", "-5s", "5.s", "1..5s", "5 seconds"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_size("5mib").is_err());
        assert!(parse_rate("5/d").is_err());
    }
}
