//! The calls of sources, processors, reactions and bootstraps.

use super::memory::{Memory, Owned};
use super::{Failure, Harness, PATIENCE};
use crate::abi;
use crate::batch::Written;
use crate::calls::Exported;
use crate::components::{Flushed, Polled};
use crate::event::Event;

/// Calls without any effect after which a component is taken to go round in circles.
const MAX_IDLE: u32 = 3;

/// What `write` made of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// Accepted.
    All,
    /// Not taken now.
    Again,
    /// Kept, under this number.
    Pending(u64),
}

impl PartialEq<Written> for Offered {
    fn eq(&self, other: &Written) -> bool {
        matches!(
            (self, other),
            (Self::All, Written::All)
                | (Self::Again, Written::Again)
                | (Self::Pending(_), Written::Pending(_))
        )
    }
}

impl<C: Exported> Harness<C> {
    fn faults(&self) {
        let faults = self.recorder.read(|seen| seen.faults.clone());
        assert!(faults.is_empty(), "{}", faults.join(", "));
    }

    /// Asks a source once. What it answered, and the records; a loan is given back.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    ///
    /// # Panics
    /// Where records have no position, or sequences do not go on.
    pub fn poll(&mut self) -> Result<(Polled, Vec<Owned>), Failure> {
        // SAFETY: the table of a source.
        let table: &abi::Source = unsafe { &*self.definition(abi::SOURCE, "poll").table.cast() };
        let (mut bytes, limit) = self.arena;
        loop {
            let mut memory = Memory::new(bytes, limit);
            memory.batch.next_sequence = self.next_sequence;
            // SAFETY: a living instance, and a batch for it alone.
            let status = unsafe { (table.poll)(self.living(), &mut *memory.batch) };
            let records = memory.check("poll");
            let mut expected = self.next_sequence;
            for record in &records {
                assert_eq!(record.sequence, expected, "poll: sequences go on by one");
                expected += 1;
            }
            assert_eq!(memory.batch.next_sequence, expected, "poll: next_sequence follows");
            self.next_sequence = expected;
            if !records.is_empty() {
                assert!(memory.batch.position_length > 0, "poll gave records without a position");
                self.position = memory.position().to_vec();
            }
            if !memory.batch.loan.is_null() {
                let release = table.release.expect("a source that lends takes back");
                // SAFETY: the loan of this batch, once.
                unsafe { release(self.living(), memory.batch.loan) };
            }
            self.result("poll", status, &[abi::FAILED, abi::FATAL])?;
            if records.is_empty() && memory.batch.required > bytes as u64 {
                bytes = memory.batch.required as usize;
                continue;
            }
            let polled = match status {
                abi::OK => Polled::More,
                abi::AGAIN => Polled::Again,
                abi::DONE => Polled::Done,
                other => panic!("poll answered {}", super::status_name(other)),
            };
            assert!(
                polled != Polled::More || !records.is_empty(),
                "poll answered OK without a record"
            );
            return Ok((polled, records));
        }
    }

    /// Asks a source until it has nothing now, or has ended. All records.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn poll_all(&mut self) -> Result<Vec<Owned>, Failure> {
        let mut all = Vec::new();
        loop {
            let (polled, records) = self.poll()?;
            all.extend(records);
            if polled != Polled::More {
                return Ok(all);
            }
        }
    }

    /// Where the source said that it resumes after what it gave so far.
    pub fn position(&self) -> &[u8] {
        &self.position
    }

    /// Tells a source that everything up to a position is finished.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn commit(&mut self, position: &[u8]) -> Result<(), Failure> {
        // SAFETY: the table of a source.
        let table: &abi::Source = unsafe { &*self.definition(abi::SOURCE, "commit").table.cast() };
        let Some(commit) = table.commit else { return Ok(()) };
        // SAFETY: see `poll`.
        let status = unsafe { commit(self.living(), &abi::Bytes::new(position)) };
        self.result("commit", status, &[abi::FAILED])
    }

    fn outputs(&self) -> usize {
        C::DEFINITION.outputs.len().max(1)
    }

    /// Offers events to a processor, as often as it answers that an output is full. The records of each output.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn process(&mut self, events: &[Event<'_>]) -> Result<Vec<Vec<Owned>>, Failure> {
        // SAFETY: the table of a processor.
        let table: &abi::Processor =
            unsafe { &*self.definition(abi::PROCESSOR, "process").table.cast() };
        let mut input = Memory::filled(events, self.next_sequence);
        let mut all = vec![Vec::new(); self.outputs()];
        let result = self.emit("process", table.process, (&mut input, &mut all));
        input.check("process");
        if result.is_ok() {
            self.next_sequence += events.len() as u64;
        }
        result.map(|()| all)
    }

    /// As [`process`](Self::process), and gives what was written before it failed.
    pub fn process_partly(
        &mut self,
        events: &[Event<'_>],
    ) -> (Vec<Vec<Owned>>, Result<(), Failure>) {
        // SAFETY: the table of a processor.
        let table: &abi::Processor =
            unsafe { &*self.definition(abi::PROCESSOR, "process").table.cast() };
        let mut input = Memory::filled(events, self.next_sequence);
        let mut all = vec![Vec::new(); self.outputs()];
        let result = self.emit("process", table.process, (&mut input, &mut all));
        (all, result)
    }

    /// Has a processor emit without input, as often as it answers that an output is full; a reaction is called once and
    /// has no outputs.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn tick(&mut self, now: i64, drain: bool) -> Result<Vec<Vec<Owned>>, Failure> {
        let is_reaction = C::DEFINITION.kind == abi::REACTION;
        // SAFETY: the tables of these kinds.
        let tick = unsafe {
            if is_reaction {
                (*C::DEFINITION.table.cast::<abi::Reaction>()).tick
            } else {
                (*self.definition(abi::PROCESSOR, "tick").table.cast::<abi::Processor>()).tick
            }
        };
        let mut all = vec![Vec::new(); if is_reaction { 0 } else { self.outputs() }];
        let Some(tick) = tick else { return Ok(all) };
        let mut input = Memory::new(0, 0);
        input.batch.now = now;
        input.batch.flags = if drain { abi::BATCH_DRAIN } else { 0 };
        self.emit("tick", tick, (&mut input, &mut all))?;
        Ok(all)
    }

    /// Calls until the component has done everything, with empty outputs each time.
    fn emit(
        &mut self,
        name: &str,
        call: abi::BatchCall,
        (input, all): (&mut Memory, &mut Vec<Vec<Owned>>),
    ) -> Result<(), Failure> {
        let (bytes, limit) = self.arena;
        let mut sizes = vec![bytes; all.len()];
        let mut idle = 0;
        loop {
            let mut outputs: Vec<_> =
                sizes.iter().map(|bytes| Memory::new(*bytes, limit)).collect();
            let mut raw: Vec<*mut abi::Batch> =
                outputs.iter_mut().map(|output| &raw mut *output.batch).collect();
            input.batch.out = raw.as_mut_ptr();
            input.batch.out_count = raw.len() as u32;
            let cursor = input.batch.cursor;
            // SAFETY: see `poll`.
            let status = unsafe { call(self.living(), &mut *input.batch) };
            let mut progress = input.batch.cursor > cursor;
            for ((output, size), records) in outputs.iter().zip(&mut sizes).zip(all.iter_mut()) {
                let written = output.check(name);
                let larger = output.batch.required > *size as u64;
                if larger {
                    *size = output.batch.required as usize;
                }
                progress |= larger || !written.is_empty();
                records.extend(written);
            }
            self.faults();
            let done = input.batch.done;
            self.result(name, status, &[abi::FAILED, abi::INVALID, abi::FATAL])
                .map_err(|failure| Failure { done, ..failure })?;
            match status {
                abi::OK => return Ok(()),
                abi::MORE => {
                    idle = if progress { 0 } else { idle + 1 };
                    assert!(idle < MAX_IDLE, "{name} answers MORE without having done anything");
                }
                other => panic!("{name} answered {}", super::status_name(other)),
            }
        }
    }

    /// Offers events to a reaction.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn write(&mut self, events: &[Event<'_>]) -> Result<Offered, Failure> {
        let sequence = self.next_sequence;
        let offered = self.offer(events, (sequence, 0))?;
        if offered != Offered::Again {
            self.next_sequence += events.len() as u64;
        }
        Ok(offered)
    }

    /// Offers events to a reaction as they were offered before, numbered from `sequence`.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn write_again(&mut self, events: &[Event<'_>], sequence: u64) -> Result<Offered, Failure> {
        self.offer(events, (sequence, abi::BATCH_REPLAY))
    }

    fn offer(
        &mut self,
        events: &[Event<'_>],
        (sequence, flags): (u64, u32),
    ) -> Result<Offered, Failure> {
        // SAFETY: the table of a reaction.
        let table: &abi::Reaction =
            unsafe { &*self.definition(abi::REACTION, "write").table.cast() };
        let mut memory = Memory::filled(events, sequence);
        let id = self.next_id;
        self.next_id += 1;
        memory.batch.id = id;
        memory.batch.flags = flags;
        // SAFETY: see `poll`.
        let status = unsafe { (table.write)(self.living(), &mut *memory.batch) };
        let done = memory.batch.done;
        if status == abi::PENDING {
            self.kept.push((id, memory));
            return Ok(Offered::Pending(id));
        }
        memory.check("write");
        assert!(done <= memory.batch.count, "write: done is past the batch");
        self.result("write", status, &[abi::FAILED, abi::INVALID, abi::FATAL])
            .map_err(|failure| Failure { done, ..failure })?;
        match status {
            abi::OK => Ok(Offered::All),
            abi::AGAIN => Ok(Offered::Again),
            other => panic!("write answered {}", super::status_name(other)),
        }
    }

    /// Offers events to a reaction that must keep them. The batch's number.
    ///
    /// # Panics
    /// Where it does not keep them.
    pub fn write_pending(&mut self, events: &[Event<'_>]) -> u64 {
        match self.write(events) {
            Ok(Offered::Pending(id)) => id,
            other => panic!("write answered {other:?}, not PENDING"),
        }
    }

    /// Waits until a batch that was kept is completed.
    ///
    /// # Errors
    /// What the reaction reported.
    ///
    /// # Panics
    /// When it does not, for half a minute.
    pub fn wait_completion(&mut self, id: u64) -> Result<(), Failure> {
        let completion = self.recorder.wait("a completion", PATIENCE, |seen| {
            seen.completions.iter().find(|completion| completion.id == id).cloned()
        });
        let at = self.kept.iter().position(|(kept, _)| *kept == id).expect("the batch was kept");
        self.kept.remove(at).1.check("write");
        self.faults();
        if completion.status == abi::OK {
            return Ok(());
        }
        assert!(!completion.message.is_empty(), "a completion without a message");
        let (status, done) = (completion.status, completion.done);
        Err(Failure { status, message: completion.message, done })
    }

    /// How many batches are completed so far.
    pub fn completions(&self) -> usize {
        self.recorder.read(|seen| seen.completions.len())
    }

    /// Has a reaction make durable what it accepted.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn flush(&mut self) -> Result<Flushed, Failure> {
        // SAFETY: the table of a reaction.
        let table: &abi::Reaction =
            unsafe { &*self.definition(abi::REACTION, "flush").table.cast() };
        let Some(flush) = table.flush else { return Ok(Flushed::Done) };
        // SAFETY: see `poll`.
        let status = unsafe { flush(self.living()) };
        self.result("flush", status, &[abi::FAILED, abi::FATAL])?;
        match status {
            abi::OK => Ok(Flushed::Done),
            abi::AGAIN => Ok(Flushed::Again),
            other => panic!("flush answered {}", super::status_name(other)),
        }
    }

    /// Has a bootstrap give everything.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn fetch_all(&mut self) -> Result<Vec<Owned>, Failure> {
        // SAFETY: the table of a bootstrap.
        let table: &abi::Bootstrap =
            unsafe { &*self.definition(abi::BOOTSTRAP, "fetch").table.cast() };
        let (mut bytes, limit) = self.arena;
        let mut all = Vec::new();
        loop {
            let mut memory = Memory::new(bytes, limit);
            memory.batch.next_sequence = self.next_sequence;
            // SAFETY: see `poll`.
            let status = unsafe { (table.fetch)(self.living(), &mut *memory.batch) };
            all.extend(memory.check("fetch"));
            self.next_sequence = memory.batch.next_sequence;
            bytes = bytes.max(memory.batch.required as usize);
            self.result("fetch", status, &[abi::FAILED, abi::FATAL])?;
            match status {
                abi::DONE => return Ok(all),
                abi::MORE | abi::AGAIN => {}
                other => panic!("fetch answered {}", super::status_name(other)),
            }
        }
    }
}
