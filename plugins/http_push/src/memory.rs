//! What is known of events that the host offers again, because one before them was refused or failed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

use busbar::Record;

use crate::delivery::State;

/// Batches whose rest is to come again. Without it, events that were delivered beside one that was refused would be sent twice.
pub struct Memory {
    rests: Mutex<Vec<Rest>>,
    most: usize,
}

struct Rest {
    events: Vec<u64>,
    states: Vec<State>,
}

impl Memory {
    /// Remembers so many batches at most; what is forgotten is sent again.
    pub fn new(most: usize) -> Self {
        Self { rests: Mutex::new(Vec::new()), most }
    }

    /// Keeps the states of events that the host is about to offer again.
    pub fn keep(&self, records: &[Record<'_>], states: &[State]) {
        if states.iter().all(|state| *state == State::Open) {
            return;
        }
        let rest = Rest { events: fingerprints(records), states: states.to_vec() };
        let mut rests = self.rests.lock().unwrap();
        if rests.len() >= self.most {
            rests.remove(0);
        }
        rests.push(rest);
    }

    /// What is known of the events: they are what is left of a batch, or they are new.
    pub fn recall(&self, records: &[Record<'_>]) -> Vec<State> {
        let mut rests = self.rests.lock().unwrap();
        if !rests.is_empty() {
            let events = fingerprints(records);
            if let Some(found) = rests.iter().position(|rest| rest.events.ends_with(&events)) {
                let Rest { mut states, .. } = rests.remove(found);
                return states.split_off(states.len() - events.len());
            }
        }
        vec![State::Open; records.len()]
    }
}

/// Tells events apart, also those that have no sequence.
fn fingerprints(records: &[Record<'_>]) -> Vec<u64> {
    let fingerprint = |record: &Record<'_>| {
        let mut hasher = DefaultHasher::new();
        (record.source(), record.sequence(), record.timestamp()).hash(&mut hasher);
        (record.key(), record.payload()).hash(&mut hasher);
        hasher.finish()
    };
    records.iter().map(fingerprint).collect()
}
