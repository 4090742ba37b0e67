//! Sources that run by themselves and send what they find into a queue.

use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Runtime;
use tokio::sync::Notify;

use super::{guarded, runtime, shut_down};
use crate::calls::{Definition, ExportSource, Offers, offer};
use crate::components::{Polled, Source, Start};
use crate::config::Config;
use crate::context::Context;
use crate::error::Result;
use crate::event::Event;
use crate::output::Appender;
use crate::record_buffer::RecordBuffer;

/// Bytes of records after which a batch of the queue is closed.
const CHUNK_BYTES: usize = 256 * 1024;

/// A source that runs on its own and sends events as they come. What it sends is written once, into memory that is then
/// lent to the host.
///
/// ```
/// use busbar::{AsyncSource, Context, Event, NoConfig, Result, Sink};
///
/// struct Three;
///
/// #[busbar::component]
/// impl AsyncSource for Three {
///     type Config = NoConfig;
///     const NAME: &'static str = "three";
///
///     fn create(_: &Context, _: NoConfig) -> Result<Self> {
///         Ok(Self)
///     }
///
///     async fn run(&self, position: Vec<u8>, sink: Sink) -> Result<()> {
///         for number in position.first().copied().unwrap_or(0)..3 {
///             sink.send(&Event::text(&number.to_string()), &[number + 1]).await?;
///         }
///         Ok(())
///     }
/// }
///
/// let mut test = busbar::testing::Harness::<Three>::create("{}").unwrap();
/// test.start().unwrap();
/// let mut events = Vec::new();
/// while events.len() < 3 {
///     let wakes = test.wakes();
///     match test.poll().unwrap() {
///         (busbar::Polled::Again, some) if some.is_empty() => test.wait_wake(wakes),
///         (_, some) => events.extend(some),
///     }
/// }
/// assert_eq!(events[2].payload, b"2");
/// ```
pub trait AsyncSource: Sized + Send + Sync + 'static {
    /// What its settings are read into.
    type Config: Config;
    /// Its name in the plugin.
    const NAME: &'static str;
    /// One sentence for people.
    const DESCRIPTION: &'static str = "";
    /// Whether it can go back to a position it gave.
    const REPLAYABLE: bool = false;
    /// Whether it gives each of several cells its share.
    const PARTITIONED: bool = false;
    /// Batches that wait for the host; then [`Sink::send`] waits.
    const QUEUE: usize = 4;
    /// Threads of the runtime.
    const WORKER_THREADS: usize = 1;

    /// Makes an instance: see [`Source::create`]. Not on the runtime.
    ///
    /// # Errors
    /// Settings that do not work together.
    fn create(context: &Context, config: Self::Config) -> Result<Self>;

    /// Sends events, from right after `position` on, which is empty at the beginning. When it returns, the source has
    /// ended. Dropped when the source is stopped.
    ///
    /// # Errors
    /// Is reported; then it is run again, after a backoff, from the last position that was sent.
    fn run(&self, position: Vec<u8>, sink: Sink) -> impl Future<Output = Result<()>> + Send;

    /// As [`Source::commit`].
    ///
    /// # Errors
    /// Is logged.
    fn commit(&self, position: &[u8]) -> Result<()> {
        let _ = position;
        Ok(())
    }

    /// Says whether it is well.
    ///
    /// # Errors
    /// What is wrong, for an operator.
    fn health(&self) -> Result<()> {
        Ok(())
    }
}

/// Records that wait for the host, and the position after each.
#[derive(Default)]
struct Chunk {
    buffer: RecordBuffer,
    positions: Vec<u8>,
    /// Where each position ends.
    ends: Vec<usize>,
    /// Records that were handed over already.
    taken: usize,
}

impl Chunk {
    fn position(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.positions[start..self.ends[index]]
    }
}

#[derive(Default)]
struct Waiting {
    filling: Chunk,
    full: VecDeque<Chunk>,
    spare: Vec<RecordBuffer>,
    /// Records that the host takes at once; 0 until it has said so.
    limit: u32,
    /// The host was told that there is nothing, and waits for a wake.
    idle: bool,
    ended: Option<Result<()>>,
}

struct Queue {
    waiting: Mutex<Waiting>,
    space: Notify,
    capacity: usize,
    context: Context,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the host that there is something, if it waits.
    fn announce(&self, waiting: &mut Waiting) {
        if mem::take(&mut waiting.idle) {
            self.context.wake();
        }
    }

    /// Appends, unless the queue is full.
    fn offer(&self, event: &Event<'_>, position: &[u8]) -> Result<bool> {
        let mut waiting = self.lock();
        let is_full = |chunk: &Chunk, limit| {
            chunk.buffer.len() >= limit || chunk.buffer.size() >= CHUNK_BYTES
        };
        if is_full(&waiting.filling, waiting.limit) {
            if waiting.limit == 0 || waiting.full.len() + 1 >= self.capacity.max(1) {
                return Ok(false);
            }
            let buffer = waiting.spare.pop().unwrap_or_default();
            let next = Chunk { buffer, ..Chunk::default() };
            let full = mem::replace(&mut waiting.filling, next);
            waiting.full.push_back(full);
        }
        waiting.filling.buffer.push(event)?;
        waiting.filling.positions.extend_from_slice(position);
        let end = waiting.filling.positions.len();
        waiting.filling.ends.push(end);
        self.announce(&mut waiting);
        Ok(true)
    }
}

/// Where an [`AsyncSource`] sends its events. Cheap to clone.
#[derive(Clone)]
pub struct Sink(Arc<Queue>);

impl Sink {
    /// Sends an event, and says where to resume after it. Waits while the queue is full.
    ///
    /// # Errors
    /// An event that is larger than a record may be.
    pub async fn send(&self, event: &Event<'_>, position: &[u8]) -> Result<()> {
        loop {
            let space = self.0.space.notified();
            if self.0.offer(event, position)? {
                return Ok(());
            }
            space.await;
        }
    }

    /// Sends an event unless the queue is full. Whether it did.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn try_send(&self, event: &Event<'_>, position: &[u8]) -> Result<bool> {
        self.0.offer(event, position)
    }
}

/// The source around an async one.
pub struct Feeding<T> {
    component: Arc<T>,
    context: Context,
    runtime: Option<Runtime>,
    queue: Arc<Queue>,
    /// Where to run again after an error.
    position: Vec<u8>,
    must_run: bool,
}

impl<T: AsyncSource> Feeding<T> {
    fn run(&mut self) {
        let Some(runtime) = &self.runtime else { return };
        self.must_run = false;
        let (component, queue) = (self.component.clone(), self.queue.clone());
        let (context, position) = (self.context.clone(), self.position.clone());
        runtime.spawn(async move {
            let result = guarded(context, component.run(position, Sink(queue.clone()))).await;
            let mut waiting = queue.lock();
            waiting.ended = Some(result);
            queue.announce(&mut waiting);
        });
    }

    /// Hands over what could not be lent, as far as it fits.
    fn copy(batch: &mut Appender<'_>, chunk: &mut Chunk) {
        let records: Vec<_> = chunk.buffer.records().skip(chunk.taken).collect();
        let mut taken = chunk.taken;
        for record in records {
            if batch.append_at(&record.event(), chunk.position(taken)).is_err() {
                break;
            }
            taken += 1;
        }
        chunk.taken = taken;
    }
}

impl<T: AsyncSource> Source for Feeding<T> {
    type Config = T::Config;
    const NAME: &'static str = T::NAME;
    const DESCRIPTION: &'static str = T::DESCRIPTION;
    const REPLAYABLE: bool = T::REPLAYABLE;
    const PARTITIONED: bool = T::PARTITIONED;

    fn create(context: &Context, config: T::Config) -> Result<Self> {
        let component = Arc::new(T::create(context, config)?);
        let queue = Arc::new(Queue {
            waiting: Mutex::default(),
            space: Notify::new(),
            capacity: T::QUEUE,
            context: context.clone(),
        });
        let context = context.clone();
        Ok(Self { component, context, runtime: None, queue, position: Vec::new(), must_run: false })
    }

    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        *self.queue.lock() = Waiting::default();
        self.position = start.position().to_vec();
        self.runtime = Some(runtime(&self.context, T::WORKER_THREADS)?);
        self.context.inner().set_stopping(false);
        self.run();
        Ok(())
    }

    fn poll(&mut self, batch: &mut Appender<'_>) -> Result<Polled> {
        if self.must_run {
            self.run();
        }
        let queue = self.queue.clone();
        let mut waiting = queue.lock();
        waiting.limit = batch.limit();
        let chunk = waiting.full.pop_front().unwrap_or_else(|| mem::take(&mut waiting.filling));
        queue.space.notify_waiters();
        if chunk.buffer.is_empty() {
            match waiting.ended.take() {
                None => waiting.idle = true,
                Some(Ok(())) => {
                    waiting.ended = Some(Ok(()));
                    return Ok(Polled::Done);
                }
                Some(Err(error)) => {
                    self.must_run = true;
                    return Err(error);
                }
            }
            return Ok(Polled::Again);
        }
        let Chunk { buffer, positions, ends, taken } = chunk;
        let last = ends.len() - 1;
        let lent = if taken == 0 { batch.lend(buffer) } else { Err(buffer) };
        let mut rest = Chunk { buffer: RecordBuffer::new(), positions, ends, taken };
        match lent {
            Ok(()) => {
                batch.set_position(rest.position(last));
                self.position = rest.position(last).to_vec();
            }
            Err(buffer) => {
                rest.buffer = buffer;
                Self::copy(batch, &mut rest);
                if rest.taken > 0 {
                    self.position = rest.position(rest.taken - 1).to_vec();
                }
                if rest.taken <= last {
                    waiting.full.push_front(rest);
                }
            }
        }
        Ok(Polled::More)
    }

    fn commit(&mut self, position: &[u8]) -> Result<()> {
        self.component.commit(position)
    }

    fn release(&mut self, mut memory: RecordBuffer) {
        memory.clear();
        let mut waiting = self.queue.lock();
        if waiting.spare.len() < T::QUEUE {
            waiting.spare.push(memory);
        }
    }

    fn stop(&mut self) -> Result<()> {
        self.context.inner().set_stopping(true);
        shut_down(self.runtime.take());
        Ok(())
    }

    fn health(&mut self) -> Result<()> {
        self.component.health()
    }
}

impl<T> Drop for Feeding<T> {
    fn drop(&mut self) {
        shut_down(self.runtime.take());
    }
}

impl<T: AsyncSource + Offers> Offers for Feeding<T> {
    const CALLS: u32 =
        offer::START | offer::STOP | offer::RELEASE | (T::CALLS & (offer::HEALTH | offer::COMMIT));
}

#[doc(hidden)]
pub trait ExportAsyncSource: AsyncSource + Offers {
    const DEFINITION: Definition = <Feeding<Self> as ExportSource>::DEFINITION;
}
impl<T: AsyncSource + Offers> ExportAsyncSource for T {}
