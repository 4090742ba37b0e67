//! When a request is made again.

use std::time::{Duration, SystemTime};

/// Waits that grow by a factor of two, partly left to chance.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    pub initial: Duration,
    pub max: Duration,
    /// Part of a wait that is left to chance, from 0 to 1.
    pub jitter: f64,
}

impl Backoff {
    /// How long to wait after the `attempt`th failure, counted from 1; `chance` is from 0 to 1.
    pub fn wait(&self, attempt: u32, chance: f64) -> Duration {
        let factor = 2f64.powi(attempt.saturating_sub(1).min(60) as i32);
        let wait = (self.initial.as_secs_f64() * factor).min(self.max.as_secs_f64());
        Duration::from_secs_f64(wait * (1.0 - self.jitter * chance))
    }
}

/// The wait that a `Retry-After` header asks for: seconds, or an HTTP date.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff {
            initial: Duration::from_millis(100),
            max: Duration::from_secs(1),
            jitter: 0.0,
        };
        let waits: Vec<u128> =
            (1..=6).map(|attempt| backoff.wait(attempt, 0.5).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.wait(u32::MAX, 0.5), backoff.max);
    }

    #[test]
    fn chance_shortens_a_wait_by_its_part() {
        let backoff =
            Backoff { initial: Duration::from_secs(1), max: Duration::from_secs(1), jitter: 0.2 };
        assert_eq!(backoff.wait(1, 0.0), Duration::from_secs(1));
        assert_eq!(backoff.wait(1, 1.0), Duration::from_millis(800));
    }

    #[test]
    fn reads_seconds_and_dates() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        assert_eq!(
            retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now),
            Some(Duration::from_secs(10))
        );
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
    }
}
