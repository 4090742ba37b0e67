//! The plugin http-push: pushes events to an HTTP endpoint.

mod body;
mod client;
mod delivery;
mod endpoint;
mod json;
mod memory;
mod retry;
mod settings;
mod size;
mod tls;

use std::time::Duration;

use busbar::{Acknowledgements, AsyncReaction, Context, Error, PendingBatch, Record, Result};

use delivery::{Delivered, Delivery, Spread, State};
use endpoint::Endpoint;
use memory::Memory;
use settings::Settings;

/// Sends the events of a batch in requests of a fitting size, and answers when each is delivered or refused.
pub struct Push {
    context: Context,
    endpoint: Endpoint,
    memory: Memory,
    spread: Spread,
    in_flight: usize,
    stop_timeout: Duration,
}

#[busbar::component]
impl AsyncReaction for Push {
    type Config = Settings;
    const NAME: &'static str = "push";
    const DESCRIPTION: &'static str =
        "Sends events to an HTTP endpoint, in requests whose size follows what the endpoint takes";
    const IN_FLIGHT: usize = 64;
    const WORKER_THREADS: usize = 2;

    fn create(context: &Context, config: Settings) -> Result<Self> {
        let (spread, in_flight) = match config.concurrency {
            1 => (Spread::Any(1), 1),
            // What is offered again would come behind a batch that is under way already, so there is one at a time.
            concurrency if config.keep_key_order => (Spread::ByKey(concurrency), 1),
            concurrency => (Spread::Any(concurrency), concurrency),
        };
        Ok(Self {
            context: context.clone(),
            endpoint: Endpoint::new(context, &config)?,
            memory: Memory::new(in_flight),
            spread,
            in_flight,
            stop_timeout: config.stop_timeout,
        })
    }

    async fn start(&self, acknowledged: Acknowledgements) -> Result<()> {
        let sources = acknowledged.iter().map(|one| (one.source, one.source_id.to_string()));
        self.endpoint.layout.name_sources(sources.collect());
        Ok(())
    }

    async fn write(&self, batch: &PendingBatch) -> Result<()> {
        let records = batch.records().collect::<Result<Vec<_>>>()?;
        let known = self.memory.recall(&records);
        let delivered = Delivery::new(&self.endpoint, &records, known).run(self.spread).await;
        self.settle(&records, delivered)
    }

    fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn stop_timeout(&self) -> Duration {
        self.stop_timeout
    }

    fn health(&self) -> Result<()> {
        self.endpoint.trouble().map_or(Ok(()), |trouble| Err(Error::failed(trouble)))
    }
}

impl Push {
    /// What the host is told: the first event that was not delivered decides.
    fn settle(&self, records: &[Record<'_>], delivered: Delivered) -> Result<()> {
        let Delivered { states, failure } = delivered;
        let Some(first) = states.iter().position(|state| *state != State::Delivered) else {
            return Ok(());
        };
        let index = first as u32;
        if let State::Refused(message) = &states[first] {
            self.context.counter("refused_events_total", 1);
            self.memory.keep(&records[first + 1..], &states[first + 1..]);
            return Err(Error::invalid(message).at(index));
        }
        self.memory.keep(&records[first..], &states[first..]);
        Err(Error::failed(failure.unwrap_or_default()).accepted(index))
    }
}

busbar::export_plugin!(Push);
