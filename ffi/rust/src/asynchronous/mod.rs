//! Components with async functions, on a tokio runtime of the instance's own: made in `start`, ended in `stop`.

mod reaction;
mod source;

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::components::{Acknowledged, Start};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::scope;

pub use reaction::{AsyncReaction, ExportAsyncReaction};
pub use source::{AsyncSource, ExportAsyncSource, Sink};

/// How far each source of the pipeline is finished: [`Start::acknowledged`], to be kept.
#[derive(Debug, Clone, Default)]
pub struct Acknowledgements(Vec<(String, u16, u64)>);

impl Acknowledgements {
    fn new(start: &Start<'_>) -> Self {
        Self(start.acknowledged().map(|a| (a.source_id.to_owned(), a.source, a.sequence)).collect())
    }

    /// Each source's id, number and last finished sequence.
    pub fn iter(&self) -> impl Iterator<Item = Acknowledged<'_>> {
        self.0.iter().map(|(id, source, sequence)| Acknowledged {
            source_id: id,
            source: *source,
            sequence: *sequence,
        })
    }

    /// The last finished sequence of a source, by its number in records; 0 where there is none.
    pub fn up_to(&self, source: u16) -> u64 {
        self.iter().find(|one| one.source == source).map_or(0, |one| one.sequence)
    }
}

/// A runtime whose threads all belong to one component.
fn runtime(context: &Context, threads: usize) -> Result<Runtime> {
    let inner = context.inner().clone();
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads.max(1))
        .thread_name(context.component_id())
        .on_thread_start(move || scope::adopt(inner.clone()))
        .on_thread_stop(scope::abandon)
        .enable_all()
        .build()?;
    Ok(runtime)
}

/// Polls a future as a call of the component: a panic becomes FATAL.
async fn guarded(context: Context, future: impl Future<Output = Result<()>>) -> Result<()> {
    let mut future = pin!(future);
    std::future::poll_fn(move |task| {
        let poll = scope::catch(Some(context.inner()), || future.as_mut().poll(task));
        poll.unwrap_or_else(|panic| std::task::Poll::Ready(Err(Error::fatal(panic))))
    })
    .await
}

/// Ends a runtime; what is still under way is dropped.
fn shut_down(runtime: Option<Runtime>) {
    if let Some(runtime) = runtime {
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// Runs a future to its end, or until time is up.
fn run_for(
    runtime: &Runtime,
    patience: Duration,
    future: impl Future<Output = Result<()>>,
) -> Result<()> {
    runtime.block_on(async {
        tokio::time::timeout(patience, future)
            .await
            .unwrap_or_else(|_| Err(Error::failed(format_args!("Cannot stop within {patience:?}"))))
    })
}
