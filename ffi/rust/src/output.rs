//! Writing events: outputs of processors, and batches of sources.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use crate::abi;
use crate::error::{Full, Result};
use crate::event::{self, Event, Origin, Slot};
use crate::record::{Record, Walk};
use crate::record_buffer::RecordBuffer;

/// Most outputs that a processor may declare.
pub(crate) const MAX_OUTPUTS: usize = 64;

/// One output of a processor.
#[repr(transparent)]
pub struct Output(abi::Batch);

impl Output {
    /// Appends a record as it is.
    ///
    /// # Errors
    /// [`Full`], which is passed on with `?`; the same for all other functions that append.
    #[inline]
    pub fn copy(&mut self, record: &Record<'_>) -> Result<(), Full> {
        let bytes = record.whole();
        event::make_room(&mut self.0, bytes.len() as u64)?;
        // SAFETY: room was made.
        unsafe {
            let to = self.0.data.add(self.0.length as usize);
            copy_record(bytes.as_ptr(), to, bytes.len());
        }
        self.0.length += bytes.len() as u64;
        self.0.count += 1;
        Ok(())
    }

    /// Appends an event that stems from `origin`, whose source and sequence it keeps.
    #[inline]
    pub fn derive(&mut self, origin: &Record<'_>, event: &Event<'_>) -> Result<(), Full> {
        let origin = Origin { source: origin.source(), sequence: origin.sequence() };
        // SAFETY: the host's batch.
        unsafe { event::put(&mut self.0, event, origin) }
    }

    /// Appends an event that stems from no single one, such as a sum. Its sequence is 0.
    #[inline]
    pub fn append(&mut self, event: &Event<'_>) -> Result<(), Full> {
        // SAFETY: the host's batch.
        unsafe { event::put(&mut self.0, event, Origin { source: 0, sequence: 0 }) }
    }

    /// Makes room for a payload of up to `capacity` bytes, to be written in place. The payload of `event` is not used.
    pub fn reserve<'a>(
        &'a mut self,
        event: Event<'a>,
        origin: Option<&Record<'_>>,
        capacity: usize,
    ) -> Result<Slot<'a>, Full> {
        let origin = Origin {
            source: origin.map_or(0, Record::source),
            sequence: origin.map_or(0, Record::sequence),
        };
        // SAFETY: the host's batch.
        unsafe { Slot::new(&mut self.0, event, (origin, false), capacity) }
    }

    /// Records appended so far.
    pub fn len(&self) -> u32 {
        self.0.count
    }

    /// Whether nothing is appended yet.
    pub fn is_empty(&self) -> bool {
        self.0.count == 0
    }

    /// Bytes left for records with their headers of 40 bytes.
    pub fn room(&self) -> u64 {
        if self.0.count < self.0.limit { self.0.capacity - self.0.length } else { 0 }
    }
}

/// Records up to this size are copied without a call of `memcpy`, which takes longer than the copying.
const SMALL: usize = 320;

/// # Safety
/// `size` bytes can be read and written, and are at least those of a header.
#[inline]
unsafe fn copy_record(from: *const u8, to: *mut u8, size: usize) {
    // SAFETY: the last block overlaps the one before, so that none goes past the end.
    unsafe {
        if size > SMALL {
            std::ptr::copy_nonoverlapping(from, to, size);
        } else if size < 64 {
            copy_block::<32>(from, to, 0);
            copy_block::<32>(from, to, size - 32);
        } else {
            copy_block::<64>(from, to, 0);
            let mut at = 64;
            while at < size - 64 {
                copy_block::<64>(from, to, at);
                at += 64;
            }
            copy_block::<64>(from, to, size - 64);
        }
    }
}

/// # Safety
/// As for [`copy_record`], from `at` on.
#[inline]
unsafe fn copy_block<const N: usize>(from: *const u8, to: *mut u8, at: usize) {
    // SAFETY: the caller's promise; arrays of bytes have no alignment.
    unsafe { to.add(at).cast::<[u8; N]>().write(from.add(at).cast::<[u8; N]>().read()) };
}

/// What an output held before a record.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    /// Where the record lies; null: nothing was appended yet.
    record: *const u8,
    length: u64,
}

/// Room for the marks of a call. Apart from [`Outputs`], so that those are kept in registers.
pub(crate) type Marks = [MaybeUninit<Mark>; MAX_OUTPUTS];

pub(crate) const NO_MARKS: Marks = [MaybeUninit::uninit(); MAX_OUTPUTS];

/// The outputs of a call, which can be put back to where they were when the current record was begun.
pub(crate) struct Outputs<'a> {
    batches: *const *mut abi::Batch,
    /// The first `count` are written.
    marks: &'a mut Marks,
    count: usize,
    memory: PhantomData<&'a mut abi::Batch>,
}

impl<'a> Outputs<'a> {
    /// # Safety
    /// The batch is that of `process` or `tick`, valid for `'a`.
    #[inline]
    pub(crate) unsafe fn new(batch: *const abi::Batch, marks: &'a mut Marks) -> Self {
        // SAFETY: the host's batch.
        let (batches, count) = unsafe { ((*batch).out.cast_const(), (*batch).out_count as usize) };
        let count = count.min(MAX_OUTPUTS);
        for mark in &mut marks[..count] {
            mark.write(Mark { record: std::ptr::null(), length: 0 });
        }
        Self { batches, marks, count, memory: PhantomData }
    }

    /// An output, while `record` is the current one.
    #[inline]
    pub(crate) fn get(&mut self, index: usize, record: *const u8) -> &mut Output {
        if index >= self.count {
            no_output(index, self.count);
        }
        // SAFETY: the host gives `count` batches, all different, and nobody else has them during the call. `Output` is
        // the same as a batch in memory. The first `count` marks are written.
        unsafe {
            let output = &mut *(*self.batches.add(index)).cast::<Output>();
            let mark = self.marks.get_unchecked_mut(index).assume_init_mut();
            if mark.record != record {
                *mark = Mark { record, length: output.0.length };
            }
            output
        }
    }

    /// Takes back what was appended while `record` was the current one.
    #[cold]
    pub(crate) fn undo(&mut self, record: *const u8) {
        for index in 0..self.count {
            // SAFETY: as in `get`.
            unsafe {
                let mark = self.marks[index].assume_init();
                if mark.record == record {
                    let batch = *self.batches.add(index);
                    (*batch).length = mark.length;
                    (*batch).count = count_records((*batch).data, mark.length);
                }
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }
}

/// How many records lie in the first `length` bytes. Only asked when an output is full, so that no count is kept for each record.
///
/// # Safety
/// They are what was appended, whole.
#[cold]
unsafe fn count_records(data: *const u8, length: u64) -> u32 {
    let (mut at, mut count) = (0, 0);
    while at < length {
        // SAFETY: a record begins there.
        at += u64::from(unsafe { (*data.add(at as usize).cast::<abi::Record>()).size });
        count += 1;
    }
    count
}

#[cold]
fn no_output(index: usize, count: usize) -> ! {
    panic!("output {index} of {count}");
}

/// What [`Processor::process`](crate::Processor::process) is given: records to read, and outputs to write to.
///
/// When an output is full, `?` ends the call: what the current record had appended, to any output, is taken back, and the
/// next call begins with this record. So append first, and change the component's own state when that has succeeded.
pub struct Transform<'a> {
    walk: Walk<'a>,
    outputs: Outputs<'a>,
    /// First byte of the record that was read last.
    current: *const u8,
}

impl<'a> Transform<'a> {
    /// # Safety
    /// The batch is that of `process`, valid for `'a`.
    #[inline]
    pub(crate) unsafe fn new(batch: *const abi::Batch, marks: &'a mut Marks) -> Self {
        // SAFETY: passed on to the caller.
        let (walk, outputs) =
            unsafe { (Walk::new(batch, (*batch).cursor), Outputs::new(batch, marks)) };
        Self { current: walk.at, walk, outputs }
    }

    /// The next record, or `None` when all are read.
    ///
    /// # Errors
    /// A record whose lengths do not fit: pass it on, so that the component that wrote it is blamed.
    #[inline]
    pub fn next_record(&mut self) -> Result<Option<Record<'a>>> {
        self.current = self.walk.at;
        self.walk.next()
    }

    /// An output, in the order of [`Processor::OUTPUTS`](crate::Processor::OUTPUTS).
    ///
    /// # Panics
    /// Where there is no such output.
    #[inline]
    pub fn out(&mut self, index: usize) -> &mut Output {
        self.outputs.get(index, self.current)
    }

    /// How many outputs there are.
    pub fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// Takes the current record back. Where it is and which one.
    #[inline]
    pub(crate) fn abandon(&mut self) -> (*const u8, u32) {
        self.outputs.undo(self.current);
        (self.current, self.walk.index.saturating_sub(u32::from(self.walk.at != self.current)))
    }
}

/// What `tick` of a processor or reaction is given. A reaction has no outputs.
pub struct Tick<'a> {
    outputs: Outputs<'a>,
    now: i64,
    flags: u32,
}

impl<'a> Tick<'a> {
    /// # Safety
    /// The batch is that of `tick`, valid for `'a`.
    pub(crate) unsafe fn new(batch: *const abi::Batch, marks: &'a mut Marks) -> Self {
        // SAFETY: passed on to the caller.
        unsafe {
            Self { outputs: Outputs::new(batch, marks), now: (*batch).now, flags: (*batch).flags }
        }
    }

    /// The time, in nanoseconds since 1970.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Whether the pipeline is stopping, so that what is complete should be emitted.
    pub fn is_drain(&self) -> bool {
        self.flags & abi::BATCH_DRAIN != 0
    }

    /// An output, as in [`Transform::out`].
    ///
    /// # Panics
    /// Where there is no such output.
    pub fn out(&mut self, index: usize) -> &mut Output {
        // Nothing is taken back of a tick.
        self.outputs.get(index, std::ptr::null())
    }
}

/// The batch that a source or bootstrap fills. Each event is stamped with the next sequence.
pub struct Appender<'a> {
    batch: &'a mut abi::Batch,
    /// Flags that every event gets.
    flags: u32,
}

impl<'a> Appender<'a> {
    pub(crate) fn new(batch: &'a mut abi::Batch, flags: u32) -> Self {
        Self { batch, flags }
    }

    fn origin(&self) -> Origin {
        Origin { source: self.batch.source as u16, sequence: self.batch.next_sequence }
    }

    /// Appends an event.
    ///
    /// # Errors
    /// [`Full`], which is passed on with `?`: the host then comes again. Nothing was appended.
    #[inline]
    pub fn append(&mut self, event: &Event<'_>) -> Result<(), Full> {
        let event = Event { flags: event.flags | self.flags, ..*event };
        let origin = self.origin();
        // SAFETY: the host's batch.
        unsafe { event::put(self.batch, &event, origin)? };
        self.batch.next_sequence += 1;
        Ok(())
    }

    /// Appends an event, and says where to resume after it.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    ///
    /// # Panics
    /// As for [`set_position`](Self::set_position).
    #[inline]
    pub fn append_at(&mut self, event: &Event<'_>, position: &[u8]) -> Result<(), Full> {
        self.append(event)?;
        self.set_position(position);
        Ok(())
    }

    /// Makes room for a payload of up to `capacity` bytes, to be written in place. The payload of `event` is not used.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    pub fn reserve<'s>(&'s mut self, event: Event<'s>, capacity: usize) -> Result<Slot<'s>, Full> {
        let event = Event { flags: event.flags | self.flags, ..event };
        let origin = self.origin();
        // SAFETY: the host's batch.
        unsafe { Slot::new(self.batch, event, (origin, true), capacity) }
    }

    /// Says where to resume after what the batch now holds: bytes that only the source understands.
    ///
    /// # Panics
    /// Where the position is longer than 65,536 bytes.
    #[inline]
    pub fn set_position(&mut self, position: &[u8]) {
        let capacity = self.batch.position_capacity as usize;
        assert!(position.len() <= capacity, "a position of {} bytes", position.len());
        // SAFETY: the host gives `position_capacity` bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(position.as_ptr(), self.batch.position, position.len());
        }
        self.batch.position_length = position.len() as u32;
    }

    /// Hands over records that lie in memory of the source's own, without copying them; they are stamped now. The memory
    /// comes back through [`Source::release`](crate::Source::release).
    ///
    /// # Errors
    /// The buffer again, where the batch is not empty any more, or has more records than [`limit`](Self::limit) allows.
    pub fn lend(&mut self, mut buffer: RecordBuffer) -> Result<(), RecordBuffer> {
        let fits = self.batch.count == 0 && self.batch.loan.is_null() && !buffer.is_empty();
        if !fits || buffer.len() > self.batch.limit {
            return Err(buffer);
        }
        buffer.stamp(self.origin(), self.flags);
        let buffer = Box::new(buffer);
        self.batch.count = buffer.len();
        self.batch.next_sequence += u64::from(buffer.len());
        self.batch.length = buffer.bytes().len() as u64;
        self.batch.capacity = self.batch.length;
        self.batch.data = buffer.bytes().as_ptr().cast_mut();
        self.batch.loan = Box::into_raw(buffer).cast::<c_void>();
        Ok(())
    }

    /// Records appended so far.
    pub fn len(&self) -> u32 {
        self.batch.count
    }

    /// Whether nothing is appended yet.
    pub fn is_empty(&self) -> bool {
        self.batch.count == 0
    }

    /// Records that may be appended in all.
    pub fn limit(&self) -> u32 {
        self.batch.limit
    }

    /// Bytes left for records with their headers of 40 bytes.
    pub fn room(&self) -> u64 {
        if self.len() < self.limit() { self.batch.capacity - self.batch.length } else { 0 }
    }

    /// Whether a record was asked for that even an empty batch has no room for.
    pub(crate) fn wants_more(&self) -> bool {
        self.batch.required > 0
    }
}
