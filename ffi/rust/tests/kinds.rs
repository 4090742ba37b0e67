//! PENDING, states, and the kinds of component that the other tests leave out.

use std::sync::Barrier;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use busbar::testing::{Harness, Request};
use busbar::{
    Answer, Appender, Batch, Bootstrap, Call, Context, Error, Event, Fetched, Flow, Hook, NoConfig,
    Operation, PendingBatch, Processor, Reaction, Result, Service, Start, State, Transform,
    Written, abi, bail,
};

// ---- PENDING --------------------------------------------------------------------------------------------------------

struct Keeping {
    sender: Option<Sender<PendingBatch>>,
    thread: Option<JoinHandle<()>>,
}

#[busbar::component]
impl Reaction for Keeping {
    type Config = NoConfig;
    const NAME: &'static str = "keeping";

    fn create(_: &Context, _: NoConfig) -> Result<Self> {
        Ok(Self { sender: None, thread: None })
    }

    fn start(&mut self, _: &Start<'_>) -> Result<()> {
        let (sender, receiver) = channel::<PendingBatch>();
        self.sender = Some(sender);
        self.thread = Some(std::thread::spawn(move || {
            for batch in receiver {
                let mut result = Ok(());
                let mut records = batch.records();
                while let Some(Ok(record)) = records.next() {
                    match record.payload() {
                        b"bad" => result = Err(Error::invalid("bad")),
                        b"drop" => result = Err(Error::failed("drop")),
                        _ => continue,
                    }
                    break;
                }
                if result.as_ref().is_err_and(|error| error.to_string() == "drop") {
                    continue;
                }
                batch.complete(result);
            }
        }));
        Ok(())
    }

    fn write(&mut self, batch: Batch<'_>) -> Result<Written> {
        let (pending, answer) = batch.pending();
        self.sender.as_ref().ok_or_else(|| Error::fatal("not started"))?.send(pending)?;
        Ok(answer)
    }

    fn stop(&mut self) -> Result<()> {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| Error::failed("the thread panicked"))?;
        }
        Ok(())
    }
}

#[test]
fn a_batch_that_is_kept_is_completed_exactly_once() {
    let mut reaction = Harness::<Keeping>::create("{}").unwrap();
    reaction.start().unwrap();
    let good = reaction.write_pending(&[Event::text("a")]);
    let bad = reaction.write_pending(&[Event::text("a"), Event::text("bad"), Event::text("b")]);
    let dropped = reaction.write_pending(&[Event::text("drop")]);
    reaction.wait_completion(good).unwrap();
    let failure = reaction.wait_completion(bad).unwrap_err();
    assert_eq!((failure.status, failure.done), (abi::INVALID, 1));
    let failure = reaction.wait_completion(dropped).unwrap_err();
    assert_eq!(failure.message, "Cannot complete the batch: it was dropped");
    let last = reaction.write_pending(&[Event::text("a")]);
    reaction.stop().unwrap();
    reaction.wait_completion(last).unwrap();
    assert_eq!(reaction.completions(), 4);
}

// ---- State, health, destroy -----------------------------------------------------------------------------------------

#[derive(Default)]
struct Stateful(Vec<u8>);

impl Drop for Stateful {
    fn drop(&mut self) {
        if self.0 == b"panic" {
            panic!("in drop");
        }
    }
}

#[busbar::component]
impl Processor for Stateful {
    type Config = NoConfig;
    const NAME: &'static str = "stateful";

    fn create(_: &Context, _: NoConfig) -> Result<Self> {
        Ok(Self::default())
    }

    fn process(&mut self, batch: &mut Transform<'_>) -> Result<()> {
        while let Some(record) = batch.next_record()? {
            self.0.extend_from_slice(record.payload());
        }
        Ok(())
    }

    fn save(&mut self) -> Result<State> {
        Ok(State { version: 3, data: self.0.clone() })
    }

    fn restore(&mut self, version: u32, data: &[u8]) -> Result<()> {
        if version != 3 {
            bail!("Cannot read version {version}");
        }
        self.0 = data.to_vec();
        Ok(())
    }

    fn health(&mut self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::failed("has eaten")) }
    }
}

#[test]
fn a_state_goes_round_and_health_has_a_message() {
    let mut one = Harness::<Stateful>::create("{}").unwrap();
    one.start().unwrap();
    one.health().unwrap();
    one.process(&[Event::text("abc")]).unwrap();
    assert_eq!(one.health().unwrap_err().message, "has eaten");
    let state = one.save().unwrap().unwrap();
    assert_eq!(state, State { version: 3, data: b"abc".to_vec() });
    let mut two = Harness::<Stateful>::create("{}").unwrap();
    two.restore(&state).unwrap();
    assert_eq!(two.save().unwrap().unwrap(), state);
    let mut three = Harness::<Stateful>::create("{}").unwrap();
    let failure = three.restore(&State { version: 4, ..state }).unwrap_err();
    assert_eq!((failure.status, &*failure.message), (abi::INVALID, "Cannot read version 4"));
}

#[test]
fn a_panic_while_it_is_destroyed_does_not_leave_the_plugin() {
    let mut one = Harness::<Stateful>::create("{}").unwrap();
    one.start().unwrap();
    one.process(&[Event::text("panic")]).unwrap();
    drop(one);
}

// ---- The other kinds ------------------------------------------------------------------------------------------------

struct Elements(u32);

#[busbar::component]
impl Bootstrap for Elements {
    type Config = NoConfig;
    const NAME: &'static str = "elements";

    fn create(_: &Context, _: NoConfig) -> Result<Self> {
        Ok(Self(0))
    }

    fn fetch(&mut self, batch: &mut Appender<'_>) -> Result<Fetched> {
        while self.0 < 10 {
            let key = self.0.to_string();
            batch.append(&Event::json(b"{}").key(key.as_bytes()).operation(Operation::INSERT))?;
            self.0 += 1;
        }
        Ok(Fetched::Done)
    }
}

#[test]
fn a_bootstrap_gives_every_element_whatever_the_batch() {
    for (bytes, limit) in [(0, 4), (50, 1), (4096, 100)] {
        let mut bootstrap = Harness::<Elements>::create("{}").unwrap();
        bootstrap.arena(bytes, limit).start().unwrap();
        let all = bootstrap.fetch_all().unwrap();
        assert_eq!(all.len(), 10);
        assert!(all.iter().all(|one| one.flags == abi::RECORD_BOOTSTRAP));
    }
}

struct Echo;

#[busbar::component]
impl Service for Echo {
    type Config = NoConfig;
    const NAME: &'static str = "echo";
    const CONCURRENCY: u32 = 2;

    fn create(_: &Context, _: NoConfig) -> Result<Self> {
        Ok(Self)
    }

    fn execute(&self, call: &Call<'_>) -> Result<Answer> {
        if call.body().is_empty() {
            return Err(Error::invalid("nothing to say"));
        }
        Ok(Answer::new(call.body()).status(201).header("x-slot", &call.slot().to_string()))
    }
}

#[test]
fn a_service_answers_in_its_slots() {
    let mut echo = Harness::<Echo>::create("{}").unwrap();
    echo.start().unwrap();
    let answer = echo.execute(&Request { body: b"hi", slot: 1, ..Request::default() }).unwrap();
    assert_eq!(answer, Answer::new("hi").status(201).header("x-slot", "1"));
    assert_eq!(echo.execute(&Request::default()).unwrap_err().status, abi::INVALID);
    let failure =
        echo.execute(&Request { body: b"hi", slot: 2, ..Request::default() }).unwrap_err();
    assert_eq!(failure.message, "Cannot execute: slot 2 of 2");
}

/// Fails when calls of two slots have come, each with its own message.
struct Meeting(Barrier);

#[busbar::component]
impl Service for Meeting {
    type Config = NoConfig;
    const NAME: &'static str = "meeting";
    const CONCURRENCY: u32 = 2;

    fn create(context: &Context, _: NoConfig) -> Result<Self> {
        assert_eq!(context.component(), "meeting");
        Ok(Self(Barrier::new(2)))
    }

    fn execute(&self, call: &Call<'_>) -> Result<Answer> {
        self.0.wait();
        if call.slot() == 0 {
            return Err(Error::invalid("Cannot answer slot 0"));
        }
        panic!("Cannot answer slot 1");
    }
}

#[test]
fn calls_that_fail_at_once_keep_their_own_messages() {
    let mut meeting = Harness::<Meeting>::create("{}").unwrap();
    meeting.start().unwrap();
    let requests = [0, 1].map(|slot| Request { slot, ..Request::default() });
    let mut failures = meeting.execute_at_once(&requests).into_iter().map(Result::unwrap_err);
    let (first, second) = (failures.next().unwrap(), failures.next().unwrap());
    assert_eq!(first.status, abi::INVALID);
    assert_eq!(first.message, "Cannot answer slot 0");
    assert_eq!(second.status, abi::FATAL);
    assert!(second.message.ends_with("Cannot answer slot 1"), "{}", second.message);
}

struct Guard;

#[busbar::component]
impl Hook for Guard {
    type Config = NoConfig;
    const NAME: &'static str = "guard";

    fn create(_: &Context, _: NoConfig) -> Result<Self> {
        Ok(Self)
    }

    fn before_request(&self, call: &mut Call<'_>) -> Result<Flow> {
        if call.header("authorization").is_none() {
            return Ok(Flow::Answered(Answer::new("who are you?").status(401)));
        }
        call.set_path("/inside");
        assert_eq!(call.path(), "/inside");
        Ok(Flow::Continue)
    }
}

#[test]
fn a_hook_answers_or_lets_pass() {
    let mut guard = Harness::<Guard>::create("{}").unwrap();
    guard.start().unwrap();
    let request = Request { method: "GET", path: "/", ..Request::default() };
    let Flow::Answered(answer) = guard.before_request(&request).unwrap() else {
        panic!("let pass")
    };
    assert_eq!(answer.status, 401);
    let request = Request { headers: &[("authorization", "me")], ..request };
    assert_eq!(guard.before_request(&request).unwrap(), Flow::Continue);
    assert_eq!(guard.handle(&request).unwrap(), Flow::Continue);
}
