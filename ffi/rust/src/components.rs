//! The kinds of component, as traits.

use std::marker::PhantomData;

use crate::abi;
use crate::batch::{Batch, Written};
use crate::config::Config;
use crate::context::{Context, Inner};
use crate::error::Result;
use crate::output::{Appender, Tick, Transform};
use crate::record_buffer::RecordBuffer;
use crate::request::{Answer, Call, Flow};

/// What a component keeps over restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The component's own number for the layout of `data`.
    pub version: u32,
    /// Anything.
    pub data: Vec<u8>,
}

/// What is known when a component starts.
pub struct Start<'a> {
    position: &'a [u8],
    acknowledged: &'a [abi::Acknowledged],
    call: PhantomData<&'a ()>,
}

/// How far a source's events are finished everywhere: what is beyond may come again, with the same sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged<'a> {
    /// The source's id in the pipeline.
    pub source_id: &'a str,
    /// The source's number, as in records.
    pub source: u16,
    /// All up to this are finished; 0: none.
    pub sequence: u64,
}

impl<'a> Start<'a> {
    /// # Safety
    /// Within `start`.
    pub(crate) unsafe fn new(inner: &Inner) -> Self {
        // SAFETY: the caller's promise.
        let (position, acknowledged) = unsafe { (inner.position(), inner.acknowledged()) };
        Self { position, acknowledged, call: PhantomData }
    }

    /// Sources: resume right after it. Empty: from the beginning.
    pub fn position(&self) -> &'a [u8] {
        self.position
    }

    /// How far each source of the pipeline is finished.
    pub fn acknowledged(&self) -> impl Iterator<Item = Acknowledged<'a>> + use<'a> {
        self.acknowledged.iter().map(|one| Acknowledged {
            // SAFETY: the host's text is valid during `start`.
            source_id: std::str::from_utf8(unsafe { one.source_id.bytes() }).unwrap_or(""),
            source: one.source as u16,
            sequence: one.sequence,
        })
    }

    /// The last finished sequence of a source, by its number in records; 0 where there is none.
    pub fn acknowledged_up_to(&self, source: u16) -> u64 {
        self.acknowledged().find(|one| one.source == source).map_or(0, |one| one.sequence)
    }
}

/// How a source answers to `poll`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    /// There may be more at once.
    More,
    /// There is no more now: asked again after a wake, or after a short while.
    Again,
    /// The end; not asked again. The batch may hold the last records.
    Done,
}

/// How a bootstrap answers to `fetch`.
pub type Fetched = Polled;

/// How a reaction answers to `flush`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// All that was accepted is durable.
    Done,
    /// Not yet: asked again.
    Again,
}

macro_rules! lifecycle {
    ($($receiver:tt)+) => {
        /// What its settings are read into.
        type Config: Config;
        /// Its name in the plugin: lower-case letters, digits and `-`.
        const NAME: &'static str;
        /// One sentence for people.
        const DESCRIPTION: &'static str = "";
        /// Whether its calls may wait for disk, network or locks; they are then made on a pool. All others return within
        /// a few milliseconds.
        const BLOCKING: bool = false;

        /// Makes an instance. Takes nothing exclusive, no port, no lock, no output file, as it may run beside its
        /// predecessor: that is for `start`.
        ///
        /// # Errors
        /// Settings that do not work together.
        fn create(context: &Context, config: Self::Config) -> Result<Self>;

        /// Opens, binds, locks. May come again after `stop`.
        ///
        /// # Errors
        /// Whatever keeps it from working.
        fn start($($receiver)+ self, start: &Start<'_>) -> Result<()> {
            let _ = start;
            Ok(())
        }

        /// Releases what `start` took. Its threads have ended, and all batches it kept are completed, when it returns.
        ///
        /// # Errors
        /// Is logged.
        fn stop($($receiver)+ self) -> Result<()> {
            Ok(())
        }

        /// Gives what `restore` needs to go on, perhaps in another version of the plugin.
        ///
        /// # Errors
        /// No checkpoint is taken now.
        fn save($($receiver)+ self) -> Result<State> {
            Ok(State::default())
        }

        /// Takes what `save` gave; at most once, before `start`. Takes nothing exclusive.
        ///
        /// # Errors
        /// A version or bytes that it cannot read.
        fn restore($($receiver)+ self, version: u32, data: &[u8]) -> Result<()> {
            let _ = (version, data);
            Ok(())
        }

        /// Says whether it is well. Cheap; asked every few seconds.
        ///
        /// # Errors
        /// What is wrong, for an operator.
        fn health($($receiver)+ self) -> Result<()> {
            Ok(())
        }
    };
}

/// Where events come from.
///
/// ```
/// use busbar::{Appender, Context, Event, NoConfig, Polled, Result, Source, Start};
///
/// /// Counts from 1 to 3.
/// struct Counter(u64);
///
/// #[busbar::component]
/// impl Source for Counter {
///     type Config = NoConfig;
///     const NAME: &'static str = "count";
///     const REPLAYABLE: bool = true;
///
///     fn create(_: &Context, _: NoConfig) -> Result<Self> {
///         Ok(Self(0))
///     }
///
///     fn start(&mut self, start: &Start<'_>) -> Result<()> {
///         self.0 = match start.position() {
///             [] => 0,
///             bytes => u64::from_le_bytes(bytes.try_into()?),
///         };
///         Ok(())
///     }
///
///     fn poll(&mut self, batch: &mut Appender<'_>) -> Result<Polled> {
///         while self.0 < 3 {
///             let next = self.0 + 1;
///             batch.append_at(&Event::text(&next.to_string()), &next.to_le_bytes())?;
///             self.0 = next;
///         }
///         Ok(Polled::Done)
///     }
/// }
///
/// let mut counter = busbar::testing::Harness::<Counter>::create("{}").unwrap();
/// counter.start().unwrap();
/// let (polled, events) = counter.poll().unwrap();
/// assert_eq!((polled, events.len()), (Polled::Done, 3));
/// assert_eq!(events[2].payload, b"3");
/// ```
pub trait Source: Sized + Send + 'static {
    /// Whether it can go back to a position it gave.
    const REPLAYABLE: bool = false;
    /// Whether it gives each of several cells its share: see [`Context::partition`].
    const PARTITIONED: bool = false;

    lifecycle!(&mut);

    /// Appends events, and says where to resume after them, until the batch is full or there is nothing more.
    ///
    /// # Errors
    /// Asked again after a backoff. What was appended stays.
    fn poll(&mut self, batch: &mut Appender<'_>) -> Result<Polled>;

    /// Everything up to this position is finished everywhere, and never asked for again. The last time comes after `stop`.
    ///
    /// # Errors
    /// Is logged.
    fn commit(&mut self, position: &[u8]) -> Result<()> {
        let _ = position;
        Ok(())
    }

    /// Gives back what [`Appender::lend`] lent.
    fn release(&mut self, memory: RecordBuffer) {
        drop(memory);
    }
}

/// Turns events into others.
///
/// ```
/// use busbar::{Context, Event, NoConfig, Processor, Result, Transform};
///
/// struct Upper;
///
/// #[busbar::component]
/// impl Processor for Upper {
///     type Config = NoConfig;
///     const NAME: &'static str = "upper";
///
///     fn create(_: &Context, _: NoConfig) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn process(&mut self, batch: &mut Transform<'_>) -> Result<()> {
///         while let Some(record) = batch.next_record()? {
///             let upper = record.payload().to_ascii_uppercase();
///             batch.out(0).derive(&record, &record.event().payload(&upper))?;
///         }
///         Ok(())
///     }
/// }
///
/// let mut upper = busbar::testing::Harness::<Upper>::create("{}").unwrap();
/// upper.start().unwrap();
/// let outputs = upper.process(&[Event::text("hello")]).unwrap();
/// assert_eq!(outputs[0][0].payload, b"HELLO");
/// ```
pub trait Processor: Sized + Send + 'static {
    /// Names of its outputs, in the order of [`Transform::out`]. Empty: one, called `out`.
    const OUTPUTS: &'static [&'static str] = &[];
    /// How often `tick` is called; without it only after a wake.
    const TICK_MS: Option<u32> = None;

    lifecycle!(&mut);

    /// Reads all records and appends what comes of them.
    ///
    /// # Errors
    /// Of the current record: what it had appended is taken back; what came of those before is handed on.
    fn process(&mut self, batch: &mut Transform<'_>) -> Result<()>;

    /// Emits without input.
    ///
    /// # Errors
    /// Is logged. When an output is full, `?` ends the call, what was appended stays, and the next call goes on.
    fn tick(&mut self, tick: &mut Tick<'_>) -> Result<()> {
        let _ = tick;
        Ok(())
    }
}

/// Takes events out of busbar.
///
/// ```
/// use busbar::{Batch, Context, Event, NoConfig, Reaction, Result, Written};
///
/// struct Count(u64);
///
/// #[busbar::component]
/// impl Reaction for Count {
///     type Config = NoConfig;
///     const NAME: &'static str = "count";
///
///     fn create(_: &Context, _: NoConfig) -> Result<Self> {
///         Ok(Self(0))
///     }
///
///     fn write(&mut self, batch: Batch<'_>) -> Result<Written> {
///         for record in batch.records() {
///             self.0 += record?.payload().len() as u64;
///         }
///         Ok(Written::All)
///     }
/// }
///
/// let mut count = busbar::testing::Harness::<Count>::create("{}").unwrap();
/// count.start().unwrap();
/// assert_eq!(count.write(&[Event::text("hello")]).unwrap(), Written::All);
/// ```
pub trait Reaction: Sized + Send + 'static {
    /// How often `tick` is called; without it only after a wake.
    const TICK_MS: Option<u32> = None;

    lifecycle!(&mut);

    /// Takes the records.
    ///
    /// # Errors
    /// See [`Error`](crate::Error): none is accepted unless it says so; of an invalid one, those before it are.
    fn write(&mut self, batch: Batch<'_>) -> Result<Written>;

    /// Makes durable what was accepted; until then it may come again. Where it is not implemented, what `write` accepts
    /// counts as durable.
    ///
    /// # Errors
    /// Asked again in the next round.
    fn flush(&mut self) -> Result<Flushed> {
        Ok(Flushed::Done)
    }

    /// For what depends on time, such as closing a file that has been open for an hour.
    ///
    /// # Errors
    /// Is logged.
    fn tick(&mut self, tick: &mut Tick<'_>) -> Result<()> {
        let _ = tick;
        Ok(())
    }
}

/// Gives the elements that exist before a source goes on with their changes.
pub trait Bootstrap: Sized + Send + 'static {
    lifecycle!(&mut);

    /// Appends elements, each an [`INSERT`](crate::Operation::INSERT) with a key.
    ///
    /// # Errors
    /// Asked again after a backoff.
    fn fetch(&mut self, batch: &mut Appender<'_>) -> Result<Fetched>;
}

/// Answers calls.
///
/// ```
/// use busbar::{Answer, Call, Context, NoConfig, Result, Service};
///
/// struct Echo;
///
/// #[busbar::component]
/// impl Service for Echo {
///     type Config = NoConfig;
///     const NAME: &'static str = "echo";
///
///     fn create(_: &Context, _: NoConfig) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn execute(&self, call: &Call<'_>) -> Result<Answer> {
///         Ok(Answer::new(call.body()))
///     }
/// }
/// ```
pub trait Service: Sized + Send + Sync + 'static {
    /// How many calls it takes at once; each has a slot below this.
    const CONCURRENCY: u32 = 1;

    lifecycle!(&);

    /// Answers a call.
    ///
    /// # Errors
    /// [`Error::invalid`](crate::Error::invalid) for a bad request.
    fn execute(&self, call: &Call<'_>) -> Result<Answer>;
}

/// Looks at requests before and after they are answered. Implement at least one of its three calls.
pub trait Hook: Sized + Send + Sync + 'static {
    /// How many calls it takes at once; each has a slot below this.
    const CONCURRENCY: u32 = 1;

    lifecycle!(&);

    /// Before anybody answers; may change the call.
    ///
    /// # Errors
    /// [`Error::invalid`](crate::Error::invalid) for a bad request; the same for the other two.
    fn before_request(&self, call: &mut Call<'_>) -> Result<Flow> {
        let _ = call;
        Ok(Flow::Continue)
    }

    /// May answer.
    ///
    /// # Errors
    /// See [`before_request`](Self::before_request).
    fn handle(&self, call: &mut Call<'_>) -> Result<Flow> {
        let _ = call;
        Ok(Flow::Continue)
    }

    /// After it was answered; may change the answer.
    ///
    /// # Errors
    /// See [`before_request`](Self::before_request).
    fn after_response(&self, call: &mut Call<'_>) -> Result<Flow> {
        let _ = call;
        Ok(Flow::Continue)
    }
}
