//! What a reaction is given.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::abi;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::record::{Record, Walk};

/// How a reaction answers to `write`.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    /// All records are accepted.
    All,
    /// None is taken now: the batch is offered again after a wake, or after a short while.
    Again,
    /// The batch was kept; [`Batch::pending`] gives this answer.
    Pending(Kept),
}

/// Says that a batch was kept. Only [`Batch::pending`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept(());

/// What the thunk of `write` wants to know afterwards.
#[derive(Default)]
pub(crate) struct Offer {
    pub(crate) kept: Cell<bool>,
    pub(crate) last: AtomicU32,
}

/// A batch of records that a reaction is offered. Valid during the call; [`Batch::pending`] keeps it longer.
pub struct Batch<'a> {
    raw: *const abi::Batch,
    context: &'a Context,
    offer: &'a Offer,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(raw: *const abi::Batch, context: &'a Context, offer: &'a Offer) -> Self {
        Self { raw, context, offer }
    }

    fn raw(&self) -> &'a abi::Batch {
        // SAFETY: the host's batch is valid during the call.
        unsafe { &*self.raw }
    }

    /// How many records it holds.
    pub fn len(&self) -> u32 {
        self.raw().count
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all records, with their headers.
    pub fn size(&self) -> u64 {
        self.raw().length
    }

    /// Whether it was offered before, perhaps by a process that crashed: then sequences should be compared, if it matters.
    pub fn is_replay(&self) -> bool {
        self.raw().flags & abi::BATCH_REPLAY != 0
    }

    /// The records, in order. An error says that one's lengths do not fit: pass it on with `?`.
    pub fn records(&self) -> Records<'_> {
        // SAFETY: as above.
        Records { walk: unsafe { Walk::new(self.raw, 0) }, last: &self.offer.last }
    }

    /// Keeps the batch beyond the call, on any thread. The reaction returns the second value, and later completes the
    /// first, before its `stop` returns.
    pub fn pending(self) -> (PendingBatch, Written) {
        self.offer.kept.set(true);
        self.context.inner().begin_pending();
        let batch = PendingBatch {
            raw: self.raw,
            id: self.raw().id,
            context: self.context.clone(),
            last: AtomicU32::new(0),
            completed: false,
        };
        (batch, Written::Pending(Kept(())))
    }
}

/// A batch that outlives the call it was offered in. Completed exactly once: by [`complete`](Self::complete), or as
/// FAILED where it is dropped.
pub struct PendingBatch {
    raw: *const abi::Batch,
    id: u64,
    context: Context,
    last: AtomicU32,
    completed: bool,
}

// SAFETY: a batch that is pending stays as it is until it is completed, and nobody writes to it.
unsafe impl Send for PendingBatch {}
// SAFETY: as above.
unsafe impl Sync for PendingBatch {}

impl PendingBatch {
    fn raw(&self) -> &abi::Batch {
        // SAFETY: not completed yet, so the batch is there.
        unsafe { &*self.raw }
    }

    /// The number that the host gave it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// How many records it holds.
    pub fn len(&self) -> u32 {
        self.raw().count
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all records, with their headers.
    pub fn size(&self) -> u64 {
        self.raw().length
    }

    /// As [`Batch::is_replay`].
    pub fn is_replay(&self) -> bool {
        self.raw().flags & abi::BATCH_REPLAY != 0
    }

    /// As [`Batch::records`].
    pub fn records(&self) -> Records<'_> {
        // SAFETY: the batch stays until it is completed, which takes `self`.
        Records { walk: unsafe { Walk::new(self.raw, 0) }, last: &self.last }
    }

    /// Reports the end: `Ok` for all of it, or an error as `write` would return it.
    pub fn complete(mut self, result: Result<()>) {
        self.report(result);
    }

    fn report(&mut self, result: Result<()>) {
        let length = self.len();
        let (status, done, message) = match &result {
            Ok(()) => (abi::OK, length, String::new()),
            Err(error) => match error.kind() {
                Kind::Invalid => {
                    let last = self.last.load(Ordering::Relaxed);
                    (abi::INVALID, error.done().unwrap_or(last), error.to_string())
                }
                Kind::Fatal => (abi::FATAL, 0, error.to_string()),
                Kind::Failed | Kind::Full => {
                    (abi::FAILED, error.done().unwrap_or(0), error.to_string())
                }
            },
        };
        self.completed = true;
        self.context.inner().complete(self.id, (status, done.min(length)), &message);
    }
}

impl Drop for PendingBatch {
    fn drop(&mut self) {
        if !self.completed {
            self.report(Err(if std::thread::panicking() {
                Error::fatal("Cannot complete the batch: a panic")
            } else {
                Error::failed("Cannot complete the batch: it was dropped")
            }));
        }
        self.context.inner().end_pending();
    }
}

/// The records of a batch.
pub struct Records<'a> {
    walk: Walk<'a>,
    last: &'a AtomicU32,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let record = self.walk.next().transpose()?;
        if let Ok(record) = &record {
            self.last.store(record.index(), Ordering::Relaxed);
        }
        Some(record)
    }
}
