//! Reading events where they lie.

use std::fmt;
use std::marker::PhantomData;
use std::slice;

use crate::abi;
use crate::event::Event;
use crate::{Error, Result};

const HEADER: usize = size_of::<abi::Record>();

/// What an event says about the element it concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Operation(pub u8);

impl Operation {
    /// Something happened; appended, never replaced.
    pub const MESSAGE: Self = Self(abi::OP_MESSAGE);
    /// The element named by the key exists from now on.
    pub const INSERT: Self = Self(abi::OP_INSERT);
    /// The element named by the key changed; what the payload leaves out keeps its value.
    pub const UPDATE: Self = Self(abi::OP_UPDATE);
    /// The element named by the key is gone.
    pub const DELETE: Self = Self(abi::OP_DELETE);
}

/// What a payload is written in. 8 to 127 are reserved, 128 to 255 are private between plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Content(pub u8);

impl Content {
    /// Opaque.
    pub const BYTES: Self = Self(abi::CONTENT_BYTES);
    /// UTF-8 is expected, not promised.
    pub const TEXT: Self = Self(abi::CONTENT_TEXT);
    /// One JSON value in UTF-8.
    pub const JSON: Self = Self(abi::CONTENT_JSON);
    /// MessagePack.
    pub const MSGPACK: Self = Self(abi::CONTENT_MSGPACK);
    /// CBOR.
    pub const CBOR: Self = Self(abi::CONTENT_CBOR);
    /// Protocol Buffers.
    pub const PROTOBUF: Self = Self(abi::CONTENT_PROTOBUF);
    /// Avro.
    pub const AVRO: Self = Self(abi::CONTENT_AVRO);
    /// One stream of Arrow IPC.
    pub const ARROW: Self = Self(abi::CONTENT_ARROW);
}

/// One event in a batch: a view, which copies nothing. Valid as long as the call that it was read in, or as the
/// [`PendingBatch`](crate::PendingBatch) it came from.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    start: *const u8,
    index: u32,
    memory: PhantomData<&'a [u8]>,
}

// SAFETY: readers never write to the memory of a batch.
unsafe impl Send for Record<'_> {}
// SAFETY: as above.
unsafe impl Sync for Record<'_> {}

impl<'a> Record<'a> {
    #[inline]
    fn header(&self) -> &'a abi::Record {
        // SAFETY: only `Walk::next` makes records, of memory that it has checked.
        unsafe { &*self.start.cast() }
    }

    #[inline]
    fn part(&self, skip: u64, length: u32) -> &'a [u8] {
        // SAFETY: `Walk::next` has checked that all parts lie within the record.
        unsafe { slice::from_raw_parts(self.start.add(HEADER + skip as usize), length as usize) }
    }

    /// Names the element that the event concerns; empty where there is none.
    #[inline]
    pub fn key(&self) -> &'a [u8] {
        self.part(0, self.header().key_length)
    }

    /// The event itself.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.part(self.header().key_length.into(), self.header().payload_length)
    }

    /// The attributes as they lie in the record.
    #[inline]
    pub fn encoded_attributes(&self) -> &'a [u8] {
        let header = self.header();
        let skip = u64::from(header.key_length) + u64::from(header.payload_length);
        self.part(skip, header.attributes_length)
    }

    /// Names and values such as `traceparent`, in their order. Ends where lengths do not fit.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.encoded_attributes();
        std::iter::from_fn(move || {
            let (name, value, more) = split_attribute(rest)?;
            rest = more;
            Some((name, value))
        })
    }

    /// Value of the first attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&'a [u8]> {
        self.attributes().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    /// What it says about the element named by the key.
    #[inline]
    pub fn operation(&self) -> Operation {
        Operation(self.header().operation)
    }

    /// What the payload is written in.
    #[inline]
    pub fn content(&self) -> Content {
        Content(self.header().content_type)
    }

    /// When it happened, in nanoseconds since 1970; 0 where the source does not know.
    #[inline]
    pub fn timestamp(&self) -> i64 {
        self.header().timestamp
    }

    /// Its number within its source, from 1; a replay keeps it. 0: it stems from no single event.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.header().sequence
    }

    /// Which source of the pipeline it came from.
    #[inline]
    pub fn source(&self) -> u16 {
        self.header().source
    }

    /// All flags, `RECORD_*` of [`abi`].
    #[inline]
    pub fn flags(&self) -> u32 {
        self.header().flags
    }

    /// Whether a processor passed this on without having understood it.
    pub fn is_marked(&self) -> bool {
        self.flags() & abi::RECORD_MARKED != 0
    }

    /// Whether it is an element that existed before the source was started.
    pub fn is_bootstrap(&self) -> bool {
        self.flags() & abi::RECORD_BOOTSTRAP != 0
    }

    /// Whether the payload was longer than the source's limit.
    pub fn is_truncated(&self) -> bool {
        self.flags() & abi::RECORD_TRUNCATED != 0
    }

    /// Counted from 0 within what the call was given: what [`Error::at`] takes.
    #[inline]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Everything about it, to be changed and appended elsewhere.
    pub fn event(&self) -> Event<'a> {
        Event {
            payload: self.payload(),
            key: self.key(),
            attributes: self.encoded_attributes(),
            timestamp: self.timestamp(),
            operation: self.operation(),
            content: self.content(),
            flags: self.flags(),
        }
    }

    /// The record with its header and padding.
    #[inline]
    pub(crate) fn whole(&self) -> &'a [u8] {
        // SAFETY: `Walk::next` has checked the size.
        unsafe { slice::from_raw_parts(self.start, self.header().size as usize) }
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Record")
            .field("source", &self.source())
            .field("sequence", &self.sequence())
            .field("operation", &self.operation())
            .field("key", &String::from_utf8_lossy(self.key()))
            .field("payload", &String::from_utf8_lossy(self.payload()))
            .finish_non_exhaustive()
    }
}

/// Name and value of the first attribute, and what follows it.
fn split_attribute(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, rest) = bytes.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_first_chunk::<4>()?;
    let (name, rest) = rest.split_at_checked(u32::from_ne_bytes(*name) as usize)?;
    let (value, rest) = rest.split_at_checked(u32::from_ne_bytes(*value) as usize)?;
    Some((name, value, rest))
}

/// Goes from record to record and checks bounds on the way.
#[derive(Clone)]
pub(crate) struct Walk<'a> {
    pub(crate) at: *const u8,
    end: *const u8,
    pub(crate) index: u32,
    memory: PhantomData<&'a [u8]>,
}

// SAFETY: as for `Record`.
unsafe impl Send for Walk<'_> {}
// SAFETY: as for `Record`.
unsafe impl Sync for Walk<'_> {}

impl<'a> Walk<'a> {
    /// # Safety
    /// The batch's memory is as the contract says, and nobody writes to it during `'a`.
    pub(crate) unsafe fn new(batch: *const abi::Batch, cursor: u64) -> Self {
        // SAFETY: the caller's batch.
        let (data, length) = unsafe { ((*batch).data.cast_const(), (*batch).length) };
        let start = cursor.min(length);
        Self {
            at: data.wrapping_add(start as usize),
            end: data.wrapping_add(length as usize),
            index: 0,
            memory: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Record<'a>>> {
        let left = self.end as usize - self.at as usize;
        if left < HEADER {
            if left == 0 {
                return Ok(None);
            }
            self.at = self.end;
            return Err(malformed(self.index));
        }
        // SAFETY: there are enough bytes, and the contract aligns records.
        let header = unsafe { &*self.at.cast::<abi::Record>() };
        let size = header.size as usize;
        let used = u64::from(header.key_length)
            + u64::from(header.payload_length)
            + u64::from(header.attributes_length);
        if size < HEADER || size > left || size % 8 != 0 || used > (size - HEADER) as u64 {
            self.at = self.end;
            return Err(malformed(self.index));
        }
        let record = Record { start: self.at, index: self.index, memory: PhantomData };
        self.at = self.at.wrapping_add(size);
        self.index += 1;
        Ok(Some(record))
    }
}

#[cold]
fn malformed(index: u32) -> Error {
    Error::invalid(format_args!("Cannot read record {index} of the batch: its lengths do not fit"))
        .at(index)
}
