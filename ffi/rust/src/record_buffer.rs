//! Records in memory of the plugin's own, to be lent to the host.

use crate::abi;
use crate::error::Full;
use crate::event::{self, Event, Origin};
use crate::record::{Record, Walk};

/// Records that were built before the host asked for them, on another thread perhaps, and are lent to it with
/// [`Appender::lend`](crate::Appender::lend).
///
/// ```
/// use busbar::{Event, RecordBuffer};
///
/// let mut buffer = RecordBuffer::with_capacity(4096);
/// buffer.push(&Event::text("a line"))?;
/// assert_eq!(buffer.len(), 1);
/// # Ok::<(), busbar::Full>(())
/// ```
#[derive(Default)]
pub struct RecordBuffer {
    /// Words, as records are aligned to them.
    memory: Vec<u64>,
    /// Bytes in use.
    length: usize,
    count: u32,
}

impl RecordBuffer {
    /// An empty buffer that allocates when it is first written to.
    pub const fn new() -> Self {
        Self { memory: Vec::new(), length: 0, count: 0 }
    }

    /// An empty buffer with room for so many bytes of records.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { memory: vec![0; bytes.div_ceil(8)], length: 0, count: 0 }
    }

    /// Appends an event; grows where needed.
    ///
    /// # Errors
    /// [`Full`] for an event that is larger than a record may be.
    pub fn push(&mut self, event: &Event<'_>) -> Result<(), Full> {
        let parts = event.key.len() + event.payload.len() + event.attributes.len();
        let size = event::record_size(parts as u64);
        if size > u64::from(abi::RECORD_MAX) {
            return Err(Full { required: Some(size) });
        }
        let needed = (self.length + size as usize) / 8;
        if needed > self.memory.len() {
            self.memory.resize(needed.max(self.memory.len() * 2), 0);
        }
        // SAFETY: all zero is a valid batch.
        let mut batch: abi::Batch = unsafe { std::mem::zeroed() };
        batch.data = self.memory.as_mut_ptr().cast();
        batch.capacity = self.memory.len() as u64 * 8;
        batch.length = self.length as u64;
        batch.limit = u32::MAX;
        // SAFETY: the batch describes this buffer's memory.
        unsafe { event::put(&mut batch, event, Origin { source: 0, sequence: 0 })? };
        self.length = batch.length as usize;
        self.count += 1;
        Ok(())
    }

    /// How many records it holds.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of all records, with their headers.
    pub fn size(&self) -> usize {
        self.length
    }

    /// Removes all records, and keeps the memory.
    pub fn clear(&mut self) {
        self.length = 0;
        self.count = 0;
    }

    /// The records.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let batch = self.as_batch();
        // SAFETY: the batch describes this buffer, which is borrowed.
        let mut walk = unsafe { Walk::new(&batch, 0) };
        std::iter::from_fn(move || walk.next().ok().flatten())
    }

    pub(crate) fn as_batch(&self) -> abi::Batch {
        // SAFETY: all zero is a valid batch.
        let mut batch: abi::Batch = unsafe { std::mem::zeroed() };
        batch.size = size_of::<abi::Batch>() as u32;
        batch.data = self.memory.as_ptr().cast_mut().cast();
        batch.length = self.length as u64;
        batch.count = self.count;
        batch
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `length` bytes of the words are in use, and bytes need no alignment.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().cast(), self.length) }
    }

    /// Gives each record its source and sequence, beginning with `first`.
    pub(crate) fn stamp(&mut self, first: Origin, flags: u32) {
        let mut at = 0;
        let mut sequence = first.sequence;
        while at < self.length {
            // SAFETY: `push` wrote a header here.
            let header = unsafe {
                &mut *self.memory.as_mut_ptr().cast::<u8>().add(at).cast::<abi::Record>()
            };
            header.source = first.source;
            header.sequence = sequence;
            header.flags |= flags;
            sequence += 1;
            at += header.size as usize;
        }
    }
}
