//! Sources, processors and reactions, through the tables that the host calls.

use busbar::testing::{Harness, Offered, Owned};
use busbar::{
    Appender, Batch, Config, Content, Context, Error, Event, Level, NoConfig, Polled, Processor,
    Reaction, RecordBuffer, Result, ResultExt, Source, Start, Tick, Transform, Written, abi, bail,
};

fn texts(records: &[Owned]) -> Vec<String> {
    records.iter().map(Owned::text).collect()
}

// ---- A source that counts, copies or lends, and panics or fails when told -------------------------------------------

#[derive(Config)]
struct Counting {
    #[config(default = 5)]
    until: u64,
    #[config(default = false)]
    lend: bool,
    #[config(default)]
    fail_at: u64,
}

struct Counter {
    context: Context,
    config: Counting,
    next: u64,
}

#[busbar::component]
impl Source for Counter {
    type Config = Counting;
    const NAME: &'static str = "counter";
    const REPLAYABLE: bool = true;

    fn create(context: &Context, config: Counting) -> Result<Self> {
        Ok(Self { context: context.clone(), config, next: 0 })
    }

    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        self.next = match start.position() {
            [] => 0,
            bytes => u64::from_le_bytes(bytes.try_into().explain(|| "Cannot resume".into())?),
        };
        Ok(())
    }

    fn poll(&mut self, batch: &mut Appender<'_>) -> Result<Polled> {
        if self.config.lend && self.next < self.config.until {
            let mut buffer = RecordBuffer::new();
            for number in self.next..self.config.until {
                buffer.push(&Event::text(&number.to_string()))?;
            }
            batch.lend(buffer).map_err(|_| Error::fatal("does not fit"))?;
            batch.set_position(&self.config.until.to_le_bytes());
            self.next = self.config.until;
            return Ok(Polled::Done);
        }
        while self.next < self.config.until {
            if self.config.fail_at > 0 && self.next == self.config.fail_at {
                self.config.fail_at = 0;
                bail!("Cannot count to {}", self.next);
            }
            let event = Event::text("");
            let position = (self.next + 1).to_le_bytes();
            let text = self.next.to_string();
            let mut slot = batch.reserve(event, 20)?;
            slot[..text.len()].copy_from_slice(text.as_bytes());
            slot.commit(text.len());
            batch.set_position(&position);
            self.next += 1;
        }
        Ok(Polled::Done)
    }

    fn commit(&mut self, position: &[u8]) -> Result<()> {
        self.context.gauge("committed", position[0].into());
        Ok(())
    }

    fn release(&mut self, memory: RecordBuffer) {
        self.context.counter("released_records", memory.len().into());
    }
}

#[test]
fn a_source_fills_batches_of_any_size_and_resumes_after_any() {
    for (bytes, limit) in [(0, 4), (48, 100), (64, 1), (200, 3), (4096, 2)] {
        let mut whole = Harness::<Counter>::create("{}").unwrap();
        whole.arena(bytes, limit).start().unwrap();
        assert_eq!(texts(&whole.poll_all().unwrap()), ["0", "1", "2", "3", "4"]);

        let mut first = Harness::<Counter>::create(r#"{"until": 3}"#).unwrap();
        first.start().unwrap();
        assert_eq!(first.poll_all().unwrap().len(), 3);
        first.commit(first.position().to_vec().as_slice()).unwrap();
        assert_eq!(first.metric("committed"), 3.0);
        let mut second =
            Harness::<Counter>::new("{}").at_position(first.position(), 4).build().unwrap();
        second.start().unwrap();
        let rest = second.poll_all().unwrap();
        assert_eq!(texts(&rest), ["3", "4"]);
        assert_eq!(rest[0].sequence, 4);
    }
}

#[test]
fn a_loan_comes_back_once() {
    let mut source = Harness::<Counter>::create(r#"{"lend": true}"#).unwrap();
    source.start().unwrap();
    let (polled, records) = source.poll().unwrap();
    assert_eq!((polled, texts(&records).join(" ")), (Polled::Done, "0 1 2 3 4".into()));
    assert_eq!(records[4].sequence, 5);
    assert_eq!(source.metric("released_records"), 5.0);
}

#[test]
fn a_failing_source_keeps_what_it_has_appended() {
    let mut source = Harness::<Counter>::create(r#"{"fail_at": 2}"#).unwrap();
    source.start().unwrap();
    let failure = source.poll().unwrap_err();
    assert_eq!((failure.status, failure.message.as_str()), (abi::FAILED, "Cannot count to 2"));
    assert_eq!(texts(&source.poll_all().unwrap()), ["2", "3", "4"]);
    let mut resumed = Harness::<Counter>::new("{}").at_position(b"x", 1).build().unwrap();
    let message = resumed.start().unwrap_err().message;
    assert!(message.starts_with("Cannot resume: could not convert"), "{message}");
}

// ---- A processor that does as each record says ----------------------------------------------------------------------

struct Obedient(Context);

#[busbar::component]
impl Processor for Obedient {
    type Config = NoConfig;
    const NAME: &'static str = "obedient";
    const OUTPUTS: &'static [&'static str] = &["first", "second"];

    fn create(context: &Context, _: NoConfig) -> Result<Self> {
        Ok(Self(context.clone()))
    }

    fn process(&mut self, batch: &mut Transform<'_>) -> Result<()> {
        while let Some(record) = batch.next_record()? {
            // To both outputs before it may fail, so that undoing shows.
            batch.out(0).copy(&record)?;
            let event = record.event().content(Content::JSON).marked();
            batch.out(1).derive(&record, &event)?;
            match record.payload() {
                b"fail" => bail!("told to fail"),
                b"invalid" => return Err(Error::invalid("told to refuse")),
                b"fatal" => return Err(Error::fatal("told to die")),
                b"panic" => panic!("told to panic"),
                b"output" => drop(batch.out(2)),
                _ => self.0.counter("processed_total", 1),
            }
        }
        Ok(())
    }

    fn tick(&mut self, tick: &mut Tick<'_>) -> Result<()> {
        if tick.is_drain() {
            let now = tick.now();
            tick.out(1).append(&Event::text("last").timestamp(now))?;
        }
        Ok(())
    }
}

#[test]
fn a_processor_that_stops_at_a_record_leaves_nothing_of_it() {
    for (word, status) in [("fail", abi::FAILED), ("invalid", abi::INVALID), ("fatal", abi::FATAL)]
    {
        let mut processor = Harness::<Obedient>::create("{}").unwrap();
        processor.start().unwrap();
        let events = [Event::text("a"), Event::text("b"), Event::text(word), Event::text("c")];
        let (outputs, result) = processor.process_partly(&events);
        let failure = result.unwrap_err();
        assert_eq!((failure.status, failure.done), (status, 2));
        assert_eq!(texts(&outputs[0]), ["a", "b"]);
        assert_eq!(texts(&outputs[1]), ["a", "b"]);
    }
}

#[test]
fn a_full_output_loses_and_repeats_nothing_in_either() {
    let payloads: Vec<_> = (0..40).map(|n| "x".repeat(n * 7 % 50)).collect();
    let events: Vec<_> = payloads.iter().map(|text| Event::text(text).key(b"key")).collect();
    for (bytes, limit) in [(0, 9), (56, 9), (200, 9), (300, 2), (65536, 1024)] {
        let mut processor = Harness::<Obedient>::create("{}").unwrap();
        processor.arena(bytes, limit).start().unwrap();
        let outputs = processor.process(&events).unwrap();
        assert_eq!(texts(&outputs[0]), payloads);
        assert_eq!(texts(&outputs[1]), payloads);
        let sequences: Vec<_> = outputs[1].iter().map(|record| record.sequence).collect();
        assert_eq!(sequences, (1..=40).collect::<Vec<_>>());
        assert_eq!(outputs[1][3].flags, abi::RECORD_MARKED);
        assert_eq!((outputs[1][3].content, &*outputs[1][3].key), (Content::JSON, &b"key"[..]));
        assert_eq!(processor.metric("processed_total"), 40.0);
    }
}

#[test]
fn a_tick_emits_without_input() {
    let mut processor = Harness::<Obedient>::create("{}").unwrap();
    processor.start().unwrap();
    assert_eq!(processor.tick(1, false).unwrap(), [vec![], vec![]]);
    let outputs = processor.tick(7, true).unwrap();
    assert_eq!((outputs[1][0].timestamp, outputs[1][0].sequence), (7, 0));
}

#[test]
fn a_panic_is_fatal_with_its_message_and_place() {
    for (word, message) in [("panic", "told to panic"), ("output", "output 2 of 2")] {
        let mut processor = Harness::<Obedient>::create("{}").unwrap();
        processor.start().unwrap();
        let failure = processor.process(&[Event::text(word)]).unwrap_err();
        assert_eq!(failure.status, abi::FATAL);
        let rs = if word == "panic" { "components.rs:" } else { "output.rs:" };
        assert!(failure.message.starts_with("Cannot process: panic at "), "{}", failure.message);
        assert!(
            failure.message.contains(rs) && failure.message.ends_with(message),
            "{}",
            failure.message
        );
        let again = processor.process(&[Event::text("a")]).unwrap_err();
        assert_eq!(again.message, "Cannot process: there was a panic before");
    }
}

// ---- What is not implemented is not offered -------------------------------------------------------------------------

struct Bare;

#[busbar::component]
impl Reaction for Bare {
    type Config = NoConfig;
    const NAME: &'static str = "bare";

    fn create(_: &Context, _: NoConfig) -> Result<Self> {
        Ok(Self)
    }

    fn write(&mut self, batch: Batch<'_>) -> Result<Written> {
        for record in batch.records() {
            match record?.payload() {
                b"again" => return Ok(Written::Again),
                b"bad" => Err(std::io::Error::other("refused")).or_invalid()?,
                b"io" => Err(std::io::Error::other("disk is gone"))?,
                b"two" => return Err(Error::failed("only two").accepted(2)),
                b"replay" => assert!(batch.is_replay()),
                _ => {}
            }
        }
        Ok(Written::All)
    }
}

#[test]
fn a_reaction_answers_what_its_write_returned() {
    let mut reaction = Harness::<Bare>::create("{}").unwrap();
    reaction.start().unwrap();
    let ok = Event::text("ok");
    assert_eq!(reaction.write(&[ok]).unwrap(), Offered::All);
    assert_eq!(reaction.write(&[ok, Event::text("again")]).unwrap(), Written::Again);
    let failures = [("bad", abi::INVALID, 3, "refused"), ("io", abi::FAILED, 0, "disk is gone")];
    for (word, status, done, message) in failures {
        let failure = reaction.write(&[ok, ok, ok, Event::text(word)]).unwrap_err();
        assert_eq!((failure.status, failure.done, &*failure.message), (status, done, message));
    }
    assert_eq!(reaction.write(&[ok, ok, Event::text("two")]).unwrap_err().done, 2);
    reaction.write_again(&[Event::text("replay")], 1).unwrap();
    assert_eq!((reaction.save().unwrap(), reaction.health()), (None, Ok(())));
    assert!(reaction.tick(1, false).unwrap().is_empty());
}

// ---- Log and context ------------------------------------------------------------------------------------------------

#[test]
fn a_context_that_outlives_its_instance_does_nothing() {
    struct Leaky;
    static KEPT: std::sync::OnceLock<Context> = std::sync::OnceLock::new();

    #[busbar::component]
    impl Processor for Leaky {
        type Config = NoConfig;
        const NAME: &'static str = "leaky";

        fn create(context: &Context, _: NoConfig) -> Result<Self> {
            KEPT.get_or_init(|| context.clone());
            context.log_with(Level::Info, "made", &[("n", 3.into()), ("ok", true.into())]);
            Ok(Self)
        }

        fn process(&mut self, _: &mut Transform<'_>) -> Result<()> {
            Ok(())
        }
    }

    let leaky = Harness::<Leaky>::create("{}").unwrap();
    assert_eq!(leaky.logs()[0].field("n"), Some("3"));
    assert_eq!(leaky.logs()[0].fields[1], ("ok".into(), "true".into(), abi::FIELD_BOOL));
    drop(leaky);
    let context = KEPT.get().unwrap();
    context.wake();
    context.counter("late_total", 1);
    assert_eq!(context.component_id(), "leaky");
}
