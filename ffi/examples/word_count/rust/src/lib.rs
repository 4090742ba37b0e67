//! word-count: counts the words of what passes, and tells those whose count has changed once a second.

mod state;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use busbar::{Config, Context, Event, Operation, Processor, Result, State, Tick, Transform, bail};

#[derive(Config)]
struct Settings {
    /// Words shorter than this many bytes are not counted
    #[config(default = 1, min = 1)]
    min_length: usize,
    /// Whether "The" and "the" are two words
    #[config(default = false)]
    case_sensitive: bool,
}

struct WordCount {
    settings: Settings,
    counts: BTreeMap<Vec<u8>, Count>,
    /// Words whose count has changed since it was last emitted.
    changed: BTreeSet<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Count {
    total: u64,
    was_emitted: bool,
}

#[busbar::component]
impl Processor for WordCount {
    type Config = Settings;
    const NAME: &'static str = "count";
    const DESCRIPTION: &'static str =
        "Counts words; one record for each word whose count has changed";
    const TICK_MS: Option<u32> = Some(1000);

    fn create(_: &Context, settings: Settings) -> Result<Self> {
        Ok(Self { settings, counts: BTreeMap::new(), changed: BTreeSet::new() })
    }

    fn process(&mut self, batch: &mut Transform<'_>) -> Result<()> {
        while let Some(record) = batch.next_record()? {
            for word in words::of(record.payload()) {
                if word.len() < self.settings.min_length {
                    continue;
                }
                if self.settings.case_sensitive {
                    self.count(word);
                } else {
                    self.count(&word.to_ascii_lowercase());
                }
            }
        }
        Ok(())
    }

    fn tick(&mut self, tick: &mut Tick<'_>) -> Result<()> {
        let now = tick.now();
        while let Some(word) = self.changed.first() {
            let count = self.counts.get_mut(word).expect("only counted words change");
            let operation = if count.was_emitted { Operation::UPDATE } else { Operation::INSERT };
            let json = format!("{{\"count\":{}}}", count.total);
            let event = Event::json(json.as_bytes()).key(word).operation(operation).timestamp(now);
            // When the output is full, the next call goes on with this word.
            tick.out(0).append(&event)?;
            count.was_emitted = true;
            self.changed.pop_first();
        }
        Ok(())
    }

    fn save(&mut self) -> Result<State> {
        let data = state::encode(&self.counts, &self.changed);
        Ok(State { version: state::VERSION, data })
    }

    fn restore(&mut self, version: u32, data: &[u8]) -> Result<()> {
        if version != state::VERSION {
            bail!(
                "Cannot restore version {version} of the state: only {} is known",
                state::VERSION
            );
        }
        let Some((counts, changed)) = state::decode(data) else {
            bail!("Cannot restore the state: its {} bytes do not fit together", data.len());
        };
        (self.counts, self.changed) = (counts, changed);
        Ok(())
    }

    fn health(&mut self) -> Result<()> {
        Ok(())
    }
}

impl WordCount {
    fn count(&mut self, word: &[u8]) {
        // Most words are known, so that looking one up must not allocate.
        if let Some(count) = self.counts.get_mut(word) {
            count.total += 1;
        } else {
            self.counts.insert(word.to_vec(), Count { total: 1, was_emitted: false });
        }
        if !self.changed.contains(word) {
            self.changed.insert(word.to_vec());
        }
    }
}

busbar::export_plugin!(WordCount);

#[cfg(test)]
mod tests;
