//! What is appended to a batch.

use std::ptr;

use crate::abi;
use crate::error::Full;
use crate::record::{Content, Operation};

const HEADER: u64 = size_of::<abi::Record>() as u64;

/// An event to append. Borrows everything: the bytes are written straight into the batch.
///
/// ```
/// use busbar::{Content, Event, Operation};
///
/// let event = Event::new(b"{\"count\":3}").key(b"word").content(Content::JSON).operation(Operation::UPDATE);
/// assert_eq!(event.payload, b"{\"count\":3}");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event itself.
    pub payload: &'a [u8],
    /// Names the element that the event concerns.
    pub key: &'a [u8],
    /// As [`Attributes`] encodes them.
    pub attributes: &'a [u8],
    /// When it happened, in nanoseconds since 1970; 0: not known.
    pub timestamp: i64,
    /// What it says about the element named by the key.
    pub operation: Operation,
    /// What the payload is written in.
    pub content: Content,
    /// `RECORD_*` of [`abi`].
    pub flags: u32,
}

impl<'a> Event<'a> {
    /// A message with opaque bytes.
    pub const fn new(payload: &'a [u8]) -> Self {
        Self {
            payload,
            key: &[],
            attributes: &[],
            timestamp: 0,
            operation: Operation::MESSAGE,
            content: Content::BYTES,
            flags: 0,
        }
    }

    /// A message with text.
    pub const fn text(payload: &'a str) -> Self {
        Self::new(payload.as_bytes()).content(Content::TEXT)
    }

    /// A message with one JSON value.
    pub const fn json(payload: &'a [u8]) -> Self {
        Self::new(payload).content(Content::JSON)
    }

    /// Sets the payload.
    pub const fn payload<'b>(self, payload: &'b [u8]) -> Event<'b>
    where
        'a: 'b,
    {
        Event { payload, ..self }
    }

    /// Sets the key.
    pub const fn key(self, key: &'a [u8]) -> Self {
        Self { key, ..self }
    }

    /// Sets the attributes, as [`Attributes`] or [`Record::encoded_attributes`](crate::Record::encoded_attributes)
    /// gives them.
    pub fn attributes(self, attributes: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { attributes: attributes.as_ref(), ..self }
    }

    /// Sets the time, in nanoseconds since 1970.
    pub const fn timestamp(self, timestamp: i64) -> Self {
        Self { timestamp, ..self }
    }

    /// Sets the operation.
    pub const fn operation(self, operation: Operation) -> Self {
        Self { operation, ..self }
    }

    /// Sets what the payload is written in.
    pub const fn content(self, content: Content) -> Self {
        Self { content, ..self }
    }

    /// Sets all flags.
    pub const fn flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    /// Says that it is passed on without having been understood.
    pub const fn marked(self) -> Self {
        let flags = self.flags | abi::RECORD_MARKED;
        self.flags(flags)
    }

    /// Says that the payload was cut.
    pub const fn truncated(self) -> Self {
        let flags = self.flags | abi::RECORD_TRUNCATED;
        self.flags(flags)
    }
}

/// Names and values that go with an event, encoded.
///
/// ```
/// use busbar::{Attributes, Event};
///
/// let attributes = Attributes::new().with("path", b"/var/log/syslog");
/// let event = Event::text("a line").attributes(&attributes);
/// # assert!(!event.attributes.is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one.
    pub fn with(mut self, name: &str, value: &[u8]) -> Self {
        self.push(name, value);
        self
    }

    /// Adds one.
    ///
    /// # Panics
    /// Where name or value has 4 GiB or more.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("an attribute below 4 GiB");
        self.0.extend_from_slice(&length(name.as_bytes()).to_ne_bytes());
        self.0.extend_from_slice(&length(value).to_ne_bytes());
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(value);
    }

    /// Removes all, and keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl AsRef<[u8]> for Attributes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Where a record comes from: what it is stamped with.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) source: u16,
    pub(crate) sequence: u64,
}

/// Bytes of a record with parts of this length in all.
pub(crate) fn record_size(parts: u64) -> u64 {
    (HEADER + parts + 7) & !7
}

/// Whether a record of `size` bytes fits; sets `required` where even an empty batch is too small.
#[inline]
pub(crate) fn make_room(batch: &mut abi::Batch, size: u64) -> Result<(), Full> {
    if batch.count < batch.limit && size <= batch.capacity - batch.length {
        return Ok(());
    }
    Err(full(batch, size))
}

#[cold]
fn full(batch: &mut abi::Batch, size: u64) -> Full {
    if batch.count < batch.limit && size > batch.capacity {
        batch.required = size;
        return Full { required: Some(size) };
    }
    Full { required: None }
}

/// Writes header, key and attributes around a payload of `payload` bytes that is already there, or follows, and counts
/// the record.
///
/// # Safety
/// `make_room` said yes to a record with at least these parts.
#[inline]
pub(crate) unsafe fn write_around(
    batch: &mut abi::Batch,
    event: &Event<'_>,
    origin: Origin,
    payload: u64,
) -> *mut u8 {
    let parts = event.key.len() as u64 + payload + event.attributes.len() as u64;
    let size = record_size(parts);
    // SAFETY: all of it lies within the room that was made.
    unsafe {
        let start = batch.data.add(batch.length as usize);
        // The last 8 bytes hold the padding, if any; what belongs to the record there is written below, or kept.
        if size > HEADER + parts {
            let last = start.add(size as usize - 8).cast::<u64>();
            let kept = u64::MAX >> (8 * (size - HEADER - parts));
            last.write(last.read() & kept);
        }
        start.cast::<abi::Record>().write(abi::Record {
            size: size as u32,
            operation: event.operation.0,
            content_type: event.content.0,
            source: origin.source,
            timestamp: event.timestamp,
            sequence: origin.sequence,
            key_length: event.key.len() as u32,
            payload_length: payload as u32,
            attributes_length: event.attributes.len() as u32,
            flags: event.flags,
        });
        let key = start.add(HEADER as usize);
        ptr::copy_nonoverlapping(event.key.as_ptr(), key, event.key.len());
        let body = key.add(event.key.len());
        let attributes = body.add(payload as usize);
        ptr::copy_nonoverlapping(event.attributes.as_ptr(), attributes, event.attributes.len());
        batch.length += size;
        batch.count += 1;
        body
    }
}

/// Appends an event.
///
/// # Safety
/// The batch's memory is as the contract says.
#[inline]
pub(crate) unsafe fn put(
    batch: &mut abi::Batch,
    event: &Event<'_>,
    origin: Origin,
) -> Result<(), Full> {
    let parts = event.key.len() + event.payload.len() + event.attributes.len();
    make_room(batch, record_size(parts as u64))?;
    // SAFETY: room was made.
    unsafe {
        let body = write_around(batch, event, origin, event.payload.len() as u64);
        ptr::copy_nonoverlapping(event.payload.as_ptr(), body, event.payload.len());
    }
    Ok(())
}

/// Room for a record whose payload is written in place. Nothing is appended unless [`Slot::commit`] is called.
pub struct Slot<'a> {
    batch: &'a mut abi::Batch,
    event: Event<'a>,
    origin: Origin,
    capacity: usize,
    counted: bool,
}

impl<'a> Slot<'a> {
    /// # Safety
    /// The batch's memory is as the contract says. `counted`: `next_sequence` is counted on by the commit.
    pub(crate) unsafe fn new(
        batch: &'a mut abi::Batch,
        event: Event<'a>,
        (origin, counted): (Origin, bool),
        capacity: usize,
    ) -> Result<Self, Full> {
        let parts = event.key.len() + capacity + event.attributes.len();
        make_room(batch, record_size(parts as u64))?;
        Ok(Self { batch, event, origin, capacity, counted })
    }

    fn body(&self) -> *mut u8 {
        let skip = self.batch.length as usize + HEADER as usize + self.event.key.len();
        // SAFETY: within the room that was made.
        unsafe { self.batch.data.add(skip) }
    }

    /// Appends the record, with the first `length` bytes as its payload.
    ///
    /// # Panics
    /// Where `length` is more than was reserved.
    pub fn commit(self, length: usize) {
        assert!(length <= self.capacity, "{length} bytes in a slot of {}", self.capacity);
        // SAFETY: room was made for more than this.
        unsafe { write_around(self.batch, &self.event, self.origin, length as u64) };
        if self.counted {
            self.batch.next_sequence += 1;
        }
    }
}

impl std::ops::Deref for Slot<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: room was made, and the host's memory is initialised.
        unsafe { std::slice::from_raw_parts(self.body(), self.capacity) }
    }
}

impl std::ops::DerefMut for Slot<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nobody else has this part of the batch.
        unsafe { std::slice::from_raw_parts_mut(self.body(), self.capacity) }
    }
}
