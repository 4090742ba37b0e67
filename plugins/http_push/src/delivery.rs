//! Takes the events of one batch to the endpoint, each until it is delivered, refused, or the endpoint has failed too often.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use busbar::Record;
use futures_util::future::join_all;

use crate::endpoint::{Endpoint, Outcome};

/// What is known of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Open,
    Delivered,
    Refused(String),
}

/// How the events of a batch are spread over requests that are made at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Each of so many workers takes the events that come next; with one, all stay in order.
    Any(usize),
    /// Each of so many workers has its share of the keys, so that the events of a key stay in order.
    ByKey(usize),
}

/// What came of a batch.
pub struct Delivered {
    /// For each event.
    pub states: Vec<State>,
    /// Why some are open still.
    pub failure: Option<String>,
}

/// A batch on its way.
pub struct Delivery<'a> {
    endpoint: &'a Endpoint,
    records: &'a [Record<'a>],
    states: Mutex<Vec<State>>,
    failure: Mutex<Option<String>>,
}

impl<'a> Delivery<'a> {
    /// `states` is what is known of each event already.
    pub fn new(endpoint: &'a Endpoint, records: &'a [Record<'a>], states: Vec<State>) -> Self {
        Self { endpoint, records, states: Mutex::new(states), failure: Mutex::new(None) }
    }

    /// Sends what is open.
    pub async fn run(self, spread: Spread) -> Delivered {
        let open = self.open();
        match spread {
            Spread::Any(workers) => {
                let lane = Lane { shared: workers > 1, ..Lane::new(open) };
                join_all((0..workers).map(|_| self.work(&lane))).await;
            }
            Spread::ByKey(workers) => {
                let mut shares = vec![Vec::new(); workers];
                for index in open {
                    shares[share_of(self.records[index].key(), workers)].push(index);
                }
                let lanes: Vec<Lane> = shares.into_iter().map(Lane::new).collect();
                join_all(lanes.iter().map(|lane| self.work(lane))).await;
            }
        }
        Delivered {
            states: self.states.into_inner().unwrap(),
            failure: self.failure.into_inner().unwrap(),
        }
    }

    fn open(&self) -> Vec<usize> {
        let states = self.states.lock().unwrap();
        (0..states.len()).filter(|index| states[*index] == State::Open).collect()
    }

    async fn work(&self, lane: &Lane) {
        while let Some(part) = lane.take(self.endpoint.limit_events()) {
            self.deliver(part).await;
            if self.failure.lock().unwrap().is_some() {
                return;
            }
        }
    }

    /// Sends the events in order, in as many requests as it takes. A request that is refused is halved until the events at fault
    /// are found.
    async fn deliver(&self, part: &[usize]) {
        let mut parts = vec![part];
        let mut attempt = 1;
        while let Some(part) = parts.pop() {
            let records: Vec<&Record<'_>> =
                part.iter().map(|index| &self.records[*index]).collect();
            let sent = self.endpoint.send(&records, attempt).await;
            let (part, rest) = part.split_at(sent.events);
            if !rest.is_empty() {
                parts.push(rest);
            }
            match sent.outcome {
                Outcome::Accepted => self.note(part, &State::Delivered),
                Outcome::Refused(message) if part.len() == 1 => {
                    self.note(part, &State::Refused(message));
                }
                Outcome::Refused(_) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.push(second);
                    parts.push(first);
                }
                Outcome::Failed { message, wait } => {
                    let last = attempt >= self.endpoint.attempts();
                    if last || !self.endpoint.pause(wait).await {
                        *self.failure.lock().unwrap() = Some(message);
                        return;
                    }
                    parts.push(part);
                    attempt += 1;
                    continue;
                }
            }
            attempt = 1;
        }
    }

    fn note(&self, part: &[usize], state: &State) {
        let mut states = self.states.lock().unwrap();
        for index in part {
            states[*index] = state.clone();
        }
    }
}

/// Events that workers take from the front.
struct Lane {
    events: Vec<usize>,
    taken: AtomicUsize,
    /// Several workers take from it, each what fits one request. A single one takes all.
    shared: bool,
}

impl Lane {
    fn new(events: Vec<usize>) -> Self {
        Self { events, taken: AtomicUsize::new(0), shared: false }
    }

    /// The events that a worker is to deliver next; `fitting` is how many fit one request.
    fn take(&self, fitting: usize) -> Option<&[usize]> {
        let count = self.events.len();
        let most = if self.shared { fitting.min(count) } else { count };
        let from = self.taken.fetch_add(most, Ordering::Relaxed).min(count);
        let to = (from + most).min(count);
        (from < to).then(|| &self.events[from..to])
    }
}

fn share_of(key: &[u8], shares: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish() % shares as u64) as usize
}
