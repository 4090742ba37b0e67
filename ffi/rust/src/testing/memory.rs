//! Batches for tests.

use crate::abi;
use crate::event::{self, Event, Origin};
use crate::record::{Content, Operation, Record, Walk};

/// Words behind an arena that must stay as they are.
const GUARD: usize = 8;
const UNTOUCHED: u64 = 0xa5a5_a5a5_a5a5_a5a5;

/// A record, copied out of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owned {
    /// Names the element it concerns.
    pub key: Vec<u8>,
    /// The event itself.
    pub payload: Vec<u8>,
    /// Names and values.
    pub attributes: Vec<(String, Vec<u8>)>,
    /// When it happened, in nanoseconds since 1970.
    pub timestamp: i64,
    /// Its number within its source.
    pub sequence: u64,
    /// Which source it came from.
    pub source: u16,
    /// What it says about the element named by the key.
    pub operation: Operation,
    /// What the payload is written in.
    pub content: Content,
    /// `RECORD_*` of [`abi`].
    pub flags: u32,
}

impl Owned {
    /// The payload as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

impl From<Record<'_>> for Owned {
    fn from(record: Record<'_>) -> Self {
        let owned = |(name, value): (&[u8], &[u8])| {
            (String::from_utf8_lossy(name).into_owned(), value.to_vec())
        };
        Self {
            key: record.key().to_vec(),
            payload: record.payload().to_vec(),
            attributes: record.attributes().map(owned).collect(),
            timestamp: record.timestamp(),
            sequence: record.sequence(),
            source: record.source(),
            operation: record.operation(),
            content: record.content(),
            flags: record.flags(),
        }
    }
}

/// A batch and its memory.
pub(super) struct Memory {
    pub(super) batch: Box<abi::Batch>,
    words: Vec<u64>,
    position: Vec<u8>,
    /// What a reader must leave as it is.
    before: Vec<u64>,
}

impl Memory {
    /// An empty batch to be written to.
    pub(super) fn new(bytes: usize, limit: u32) -> Self {
        let mut words = vec![0; bytes.div_ceil(8)];
        words.resize(words.len() + GUARD, UNTOUCHED);
        let mut position = vec![0; abi::POSITION_MAX as usize];
        // SAFETY: all zero is a valid batch.
        let mut batch: Box<abi::Batch> = Box::new(unsafe { std::mem::zeroed() });
        batch.size = size_of::<abi::Batch>() as u32;
        batch.data = words.as_mut_ptr().cast();
        batch.capacity = (bytes / 8 * 8) as u64;
        batch.limit = limit;
        batch.position = position.as_mut_ptr();
        batch.position_capacity = abi::POSITION_MAX;
        Self { batch, words, position, before: Vec::new() }
    }

    /// A batch with these events to be read, numbered from `sequence`.
    pub(super) fn filled(events: &[Event<'_>], sequence: u64) -> Self {
        let parts =
            |event: &Event<'_>| event.key.len() + event.payload.len() + event.attributes.len();
        let bytes: u64 = events.iter().map(|event| event::record_size(parts(event) as u64)).sum();
        let mut memory = Self::new(bytes as usize, events.len() as u32);
        for (sequence, event) in (sequence..).zip(events) {
            // SAFETY: the batch describes this memory.
            unsafe { event::put(&mut memory.batch, event, Origin { source: 0, sequence }) }
                .expect("there is room for all");
        }
        memory.batch.capacity = 0;
        memory.before = memory.words.clone();
        memory
    }

    /// Panics unless what was written keeps the bounds, and what was only to be read is as it was. The records.
    pub(super) fn check(&self, call: &str) -> Vec<Owned> {
        let guard = &self.words[self.words.len() - GUARD..];
        assert!(guard.iter().all(|word| *word == UNTOUCHED), "{call} wrote past the arena");
        assert!(
            self.before.is_empty() || self.before == self.words,
            "{call} wrote to a batch that it was given to read"
        );
        let batch = &self.batch;
        assert!(batch.count <= batch.limit, "{call}: {} of {} records", batch.count, batch.limit);
        assert!(batch.position_length as usize <= self.position.len(), "{call}: position too long");
        // SAFETY: the batch describes this memory, or a loan.
        let mut walk = unsafe { Walk::new(&**batch, 0) };
        let mut records = Vec::new();
        while let Some(record) = walk.next().unwrap_or_else(|error| panic!("{call}: {error}")) {
            records.push(record.into());
        }
        assert_eq!(records.len(), batch.count as usize, "{call}: count and records differ");
        records
    }

    pub(super) fn position(&self) -> &[u8] {
        &self.position[..self.batch.position_length as usize]
    }
}
