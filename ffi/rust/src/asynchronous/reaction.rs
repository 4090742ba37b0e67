//! Reactions whose `write` is async.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::Notify;

use super::{Acknowledgements, guarded, run_for, runtime, shut_down};
use crate::batch::{Batch, PendingBatch, Written};
use crate::calls::{Definition, ExportReaction, Offers, offer};
use crate::components::{Reaction, Start};
use crate::config::Config;
use crate::context::Context;
use crate::error::{Error, Result};

/// A reaction that writes several batches at once. Each is answered PENDING, and completed with what `write` returns.
///
/// ```
/// use busbar::{AsyncReaction, Context, Event, NoConfig, PendingBatch, Result};
///
/// struct Slow;
///
/// #[busbar::component]
/// impl AsyncReaction for Slow {
///     type Config = NoConfig;
///     const NAME: &'static str = "slow";
///
///     fn create(_: &Context, _: NoConfig) -> Result<Self> {
///         Ok(Self)
///     }
///
///     async fn write(&self, batch: &PendingBatch) -> Result<()> {
///         for record in batch.records() {
///             let _sent = record?.payload();
///             tokio::time::sleep(std::time::Duration::from_millis(1)).await;
///         }
///         Ok(())
///     }
/// }
///
/// let mut test = busbar::testing::Harness::<Slow>::create("{}").unwrap();
/// test.start().unwrap();
/// let batch = test.write_pending(&[Event::text("a"), Event::text("b")]);
/// test.wait_completion(batch).unwrap();
/// ```
pub trait AsyncReaction: Sized + Send + Sync + 'static {
    /// What its settings are read into.
    type Config: Config;
    /// Its name in the plugin.
    const NAME: &'static str;
    /// One sentence for people.
    const DESCRIPTION: &'static str = "";
    /// Batches at once. At most 64 make sense: the host gives no more.
    const IN_FLIGHT: usize = 8;
    /// Threads of the runtime.
    const WORKER_THREADS: usize = 1;
    /// How long `stop` waits for what is under way; then it is dropped, and reported as FAILED.
    const STOP_TIMEOUT: Duration = Duration::from_secs(5);

    /// Makes an instance: see [`Reaction::create`]. Not on the runtime.
    ///
    /// # Errors
    /// Settings that do not work together.
    fn create(context: &Context, config: Self::Config) -> Result<Self>;

    /// Opens, connects.
    ///
    /// # Errors
    /// Whatever keeps it from working.
    fn start(&self, acknowledged: Acknowledgements) -> impl Future<Output = Result<()>> + Send {
        let _ = acknowledged;
        async { Ok(()) }
    }

    /// Takes a batch. Others may be under way at the same time. Dropped when `stop` has waited long enough.
    ///
    /// # Errors
    /// As [`Reaction::write`].
    fn write(&self, batch: &PendingBatch) -> impl Future<Output = Result<()>> + Send;

    /// After the last `write` has ended.
    ///
    /// # Errors
    /// Is logged.
    fn stop(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Says whether it is well.
    ///
    /// # Errors
    /// What is wrong, for an operator.
    fn health(&self) -> Result<()> {
        Ok(())
    }

    /// As [`IN_FLIGHT`](Self::IN_FLIGHT), where it depends on settings.
    fn in_flight(&self) -> usize {
        Self::IN_FLIGHT
    }

    /// As [`STOP_TIMEOUT`](Self::STOP_TIMEOUT), where it depends on settings.
    fn stop_timeout(&self) -> Duration {
        Self::STOP_TIMEOUT
    }
}

/// The reaction around an async one.
pub struct Running<T> {
    component: Arc<T>,
    context: Context,
    runtime: Option<Runtime>,
    flights: Arc<Flights>,
}

/// Writes that are under way.
#[derive(Default)]
struct Flights {
    count: AtomicUsize,
    /// A batch was refused because there were too many.
    refused: AtomicBool,
    landed: Notify,
}

/// Counts one write, until it is dropped.
struct Flight {
    flights: Arc<Flights>,
    context: Context,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.count.fetch_sub(1, Ordering::AcqRel);
        self.flights.landed.notify_one();
        if self.flights.refused.swap(false, Ordering::AcqRel) {
            self.context.wake();
        }
    }
}

impl<T: AsyncReaction> Reaction for Running<T> {
    type Config = T::Config;
    const NAME: &'static str = T::NAME;
    const DESCRIPTION: &'static str = T::DESCRIPTION;
    // Its start and stop wait for the component's.
    const BLOCKING: bool = true;

    fn create(context: &Context, config: T::Config) -> Result<Self> {
        let component = Arc::new(T::create(context, config)?);
        Ok(Self { component, context: context.clone(), runtime: None, flights: Arc::default() })
    }

    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        let runtime = runtime(&self.context, T::WORKER_THREADS)?;
        self.context.inner().set_stopping(false);
        let started = self.component.start(Acknowledgements::new(start));
        runtime.block_on(guarded(self.context.clone(), started))?;
        self.runtime = Some(runtime);
        Ok(())
    }

    fn write(&mut self, batch: Batch<'_>) -> Result<Written> {
        let runtime =
            self.runtime.as_ref().ok_or_else(|| Error::fatal("Cannot write: not started"))?;
        // Before counting, so that whoever lands in between wakes.
        self.flights.refused.store(true, Ordering::Release);
        if self.flights.count.load(Ordering::Acquire) >= self.component.in_flight().max(1) {
            return Ok(Written::Again);
        }
        self.flights.refused.store(false, Ordering::Release);
        self.flights.count.fetch_add(1, Ordering::AcqRel);
        let flight = Flight { flights: self.flights.clone(), context: self.context.clone() };
        let (pending, answer) = batch.pending();
        let component = self.component.clone();
        let context = self.context.clone();
        runtime.spawn(async move {
            let _flight = flight;
            let result = guarded(context, component.write(&pending)).await;
            pending.complete(result);
        });
        Ok(answer)
    }

    fn stop(&mut self) -> Result<()> {
        let Some(runtime) = self.runtime.take() else { return Ok(()) };
        let until = Instant::now() + self.component.stop_timeout();
        self.context.inner().set_stopping(true);
        let landed = run_for(&runtime, self.component.stop_timeout(), async {
            while self.flights.count.load(Ordering::Acquire) > 0 {
                self.flights.landed.notified().await;
            }
            Ok(())
        });
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
        let stopped = run_for(&runtime, left, guarded(self.context.clone(), self.component.stop()));
        shut_down(Some(runtime));
        landed.and(stopped)
    }

    fn health(&mut self) -> Result<()> {
        self.component.health()
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        shut_down(self.runtime.take());
    }
}

impl<T: AsyncReaction + Offers> Offers for Running<T> {
    const CALLS: u32 = offer::START | offer::STOP | (T::CALLS & offer::HEALTH);
}

#[doc(hidden)]
pub trait ExportAsyncReaction: AsyncReaction + Offers {
    const DEFINITION: Definition = <Running<Self> as ExportReaction>::DEFINITION;
}
impl<T: AsyncReaction + Offers> ExportAsyncReaction for T {}
