//! The plugin regex-route: drops, keeps and routes events by regular expressions.

mod json;
mod rules;
mod settings;

use busbar::{Context, Error, Processor, Record, Result, Transform};

use rules::{Action, Event, Rules, Verdict};
use settings::{OUTPUTS, Settings};

/// Sends each event to the output that the first rule it matches names.
pub struct Route {
    context: Context,
    rules: Rules,
    unmatched: Action,
    unreadable: Action,
    tally: Tally,
}

#[busbar::component]
impl Processor for Route {
    type Config = Settings;
    const NAME: &'static str = "route";
    const DESCRIPTION: &'static str =
        "Drops, keeps or routes each event by the first of its rules that matches";
    const OUTPUTS: &'static [&'static str] = OUTPUTS;

    fn create(context: &Context, config: Settings) -> Result<Self> {
        let rules = config.rules.iter().enumerate().map(|(index, rule)| rule.rule(index));
        let rules = rules.collect::<Result<Vec<_>, String>>().map_err(Error::failed)?;
        let size_limit = usize::try_from(config.size_limit.bytes())?;
        Ok(Self {
            context: context.clone(),
            rules: Rules::new(&rules, size_limit).map_err(Error::failed)?,
            unmatched: config.unmatched.into(),
            unreadable: config.unreadable.into(),
            tally: Tally::new(rules.len()),
        })
    }

    fn process(&mut self, batch: &mut Transform<'_>) -> Result<()> {
        let result = self.route(batch);
        self.tally.report(&self.context);
        result
    }
}

impl Route {
    fn route(&mut self, batch: &mut Transform<'_>) -> Result<()> {
        while let Some(record) = batch.next_record()? {
            let verdict = self.rules.judge(&record);
            let action = match verdict {
                Verdict::Rule(_, action) => action,
                Verdict::Unmatched => self.unmatched,
                Verdict::Unreadable => self.unreadable,
            };
            match (action, verdict) {
                (Action::Drop, _) => {}
                (Action::Send(output), Verdict::Unreadable) => {
                    batch.out(output).derive(&record, &record.event().marked())?
                }
                (Action::Send(output), _) => batch.out(output).copy(&record)?,
            }
            self.tally.count(verdict, action);
        }
        Ok(())
    }
}

impl Event for Record<'_> {
    fn payload(&self) -> &[u8] {
        Record::payload(self)
    }

    fn key(&self) -> &[u8] {
        Record::key(self)
    }

    fn attribute(&self, name: &str) -> Option<&[u8]> {
        Record::attribute(self, name)
    }
}

/// What happened since the last report.
struct Tally {
    /// For each rule, how many events it decided over, and the name of its counter.
    rules: Vec<(u64, String)>,
    unmatched: u64,
    unreadable: u64,
    dropped: u64,
}

impl Tally {
    fn new(rules: usize) -> Self {
        let rules = (0..rules).map(|index| (0, format!("rule_{index}_events_total"))).collect();
        Self { rules, unmatched: 0, unreadable: 0, dropped: 0 }
    }

    fn count(&mut self, verdict: Verdict, action: Action) {
        match verdict {
            Verdict::Rule(index, _) => self.rules[index].0 += 1,
            Verdict::Unmatched => self.unmatched += 1,
            Verdict::Unreadable => self.unreadable += 1,
        }
        self.dropped += u64::from(action == Action::Drop);
    }

    fn report(&mut self, context: &Context) {
        let add = |name: &str, count: &mut u64| {
            if *count > 0 {
                context.counter(name, std::mem::take(count));
            }
        };
        for (count, name) in &mut self.rules {
            add(name, count);
        }
        add("unmatched_events_total", &mut self.unmatched);
        add("unreadable_events_total", &mut self.unreadable);
        add("dropped_events_total", &mut self.dropped);
    }
}

busbar::export_plugin!(Route);
