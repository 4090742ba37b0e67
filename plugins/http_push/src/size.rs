//! How much is sent in one request: more while the endpoint takes it quickly, less when it does not.

use std::sync::Mutex;
use std::time::Duration;

/// Part of the largest size that a success adds.
const STEP: f64 = 1.0 / 16.0;
/// What is left of a limit after a slow answer.
const SLOWER: f64 = 0.75;

/// Events and bytes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub events: usize,
    pub bytes: usize,
}

/// Limits of a request that grow by a fixed step and shrink by a factor (AIMD).
pub struct Size {
    max: Extent,
    target: Duration,
    now: Mutex<(f64, f64)>,
}

impl Size {
    /// Begins with the largest size; answers that take longer than `target` make it smaller.
    pub fn new(max: Extent, target: Duration) -> Self {
        Self { max, target, now: Mutex::new((max.events as f64, max.bytes as f64)) }
    }

    /// What the next request may hold; one event is always allowed.
    pub fn limits(&self) -> Extent {
        let (events, bytes) = *self.now.lock().unwrap();
        Extent { events: events as usize, bytes: bytes as usize }
    }

    /// A request of this extent was answered after this time.
    pub fn answered(&self, sent: Extent, after: Duration) {
        if after > self.target {
            return self.shrink(sent, SLOWER);
        }
        let mut now = self.now.lock().unwrap();
        // Only what was used to a good part has shown that more may be taken.
        if 2 * sent.events > now.0 as usize {
            now.0 = (now.0 + (self.max.events as f64 * STEP).max(1.0)).min(self.max.events as f64);
        }
        if 2 * sent.bytes > now.1 as usize {
            now.1 = (now.1 + (self.max.bytes as f64 * STEP).max(1.0)).min(self.max.bytes as f64);
        }
    }

    /// A request of this extent got no answer in time.
    pub fn timed_out(&self, sent: Extent) {
        self.shrink(sent, 0.5);
    }

    /// The endpoint does not take a body this large.
    pub fn too_large(&self, sent: Extent) {
        let mut now = self.now.lock().unwrap();
        now.1 = now.1.min(sent.bytes as f64 / 2.0).max(1.0);
    }

    fn shrink(&self, sent: Extent, factor: f64) {
        let mut now = self.now.lock().unwrap();
        now.0 = now.0.min(sent.events as f64 * factor).max(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Extent = Extent { events: 160, bytes: 16_000 };
    const QUICK: Duration = Duration::from_millis(10);

    fn size() -> Size {
        Size::new(MAX, Duration::from_secs(1))
    }

    #[test]
    fn begins_large_and_stays_within_its_bounds() {
        let size = size();
        size.answered(MAX, QUICK);
        assert_eq!(size.limits(), MAX);
        for _ in 0..20 {
            size.timed_out(size.limits());
            size.too_large(size.limits());
        }
        assert_eq!(size.limits(), Extent { events: 1, bytes: 1 });
    }

    #[test]
    fn a_timeout_halves_the_events_and_413_the_bytes() {
        let size = size();
        size.timed_out(Extent { events: 100, bytes: 100 });
        assert_eq!(size.limits(), Extent { events: 50, bytes: 16_000 });
        size.too_large(Extent { events: 10, bytes: 2000 });
        assert_eq!(size.limits(), Extent { events: 50, bytes: 1000 });
    }

    #[test]
    fn a_slow_answer_shrinks_a_little() {
        let size = size();
        size.answered(Extent { events: 100, bytes: 100 }, Duration::from_secs(2));
        assert_eq!(size.limits().events, 75);
    }

    #[test]
    fn success_grows_step_by_step_up_to_the_bound() {
        let size = size();
        size.timed_out(Extent { events: 2, bytes: 0 });
        assert_eq!(size.limits().events, 1);
        size.answered(Extent { events: 1, bytes: 1 }, QUICK);
        assert_eq!(size.limits().events, 11);
        for _ in 0..20 {
            size.answered(size.limits(), QUICK);
        }
        assert_eq!(size.limits(), MAX);
    }

    #[test]
    fn requests_that_are_small_anyway_prove_nothing() {
        let size = size();
        size.timed_out(Extent { events: 100, bytes: 0 });
        size.answered(Extent { events: 5, bytes: 5 }, QUICK);
        assert_eq!(size.limits().events, 50);
    }
}
