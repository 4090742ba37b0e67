//! Components with async functions.
#![cfg(feature = "async")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use busbar::testing::{Harness, Offered};
use busbar::{
    AsyncReaction, AsyncSource, Config, Context, Error, Event, PendingBatch, Polled, Result, Sink,
    abi, bail,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

// ---- A reaction -----------------------------------------------------------------------------------------------------

#[derive(Config)]
struct Limits {
    #[config(default = 2)]
    in_flight: usize,
    #[config(default = "5s")]
    stop_timeout: Duration,
}

struct Gate {
    context: Context,
    limits: Limits,
    open: Semaphore,
    most: AtomicUsize,
    now: AtomicUsize,
}

#[busbar::component]
impl AsyncReaction for Gate {
    type Config = Limits;
    const NAME: &'static str = "gate";

    fn create(context: &Context, limits: Limits) -> Result<Self> {
        let (most, now) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Ok(Self { context: context.clone(), limits, open: Semaphore::new(0), most, now })
    }

    async fn write(&self, batch: &PendingBatch) -> Result<()> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let result = self.handle(batch).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        self.context.gauge("most", self.most.load(Ordering::SeqCst) as f64);
        result
    }

    async fn stop(&self) -> Result<()> {
        self.context.info("stopped");
        Ok(())
    }

    fn in_flight(&self) -> usize {
        self.limits.in_flight
    }

    fn stop_timeout(&self) -> Duration {
        self.limits.stop_timeout
    }
}

impl Gate {
    async fn handle(&self, batch: &PendingBatch) -> Result<()> {
        for record in batch.records() {
            match record?.payload() {
                b"open" => self.open.add_permits(2),
                b"wait" => self.open.acquire().await?.forget(),
                b"hang" => std::future::pending().await,
                b"until stopped" => {
                    self.context.stopping().await;
                    bail!("stopping");
                }
                b"bad" => return Err(Error::invalid("bad")),
                b"panic" => panic!("told to panic"),
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        Ok(())
    }
}

fn started(config: &str) -> Harness<Gate> {
    let mut gate = Harness::create(config).unwrap();
    gate.start().unwrap();
    gate
}

#[test]
fn an_async_reaction_completes_what_it_kept() {
    let mut gate = started("{}");
    let good = gate.write_pending(&[Event::text("a")]);
    gate.wait_completion(good).unwrap();
    let bad = gate.write_pending(&[Event::text("a"), Event::text("bad"), Event::text("b")]);
    let failure = gate.wait_completion(bad).unwrap_err();
    assert_eq!((failure.status, failure.done), (abi::INVALID, 1));
    let panics = gate.write_pending(&[Event::text("panic")]);
    let failure = gate.wait_completion(panics).unwrap_err();
    assert_eq!(failure.status, abi::FATAL);
    assert!(failure.message.contains("told to panic"), "{}", failure.message);
    gate.stop().unwrap();
    assert!(gate.logged(busbar::Level::Info, "stopped"));
}

#[test]
fn an_async_reaction_takes_only_so_many_at_once_and_wakes_when_there_is_room() {
    let mut gate = started(r#"{"in_flight": 3}"#);
    let one = gate.write_pending(&[Event::text("wait")]);
    let two = gate.write_pending(&[Event::text("wait")]);
    let open = gate.write_pending(&[Event::text("a")]);
    let wakes = gate.wakes();
    while gate.write(&[Event::text("open")]) == Ok(Offered::Again) {
        gate.wait_wake(wakes);
    }
    for id in [one, two, open] {
        gate.wait_completion(id).unwrap();
    }
    assert!(gate.metric("most") <= 3.0);
}

#[test]
fn stop_waits_then_drops_what_is_under_way() {
    let mut gate = started(r#"{"stop_timeout": "50ms"}"#);
    let polite = gate.write_pending(&[Event::text("until stopped")]);
    let hangs = gate.write_pending(&[Event::text("hang")]);
    let failure = gate.stop().unwrap_err();
    assert!(failure.message.contains("within 50ms"), "{}", failure.message);
    assert_eq!(gate.completions(), 2);
    assert_eq!(gate.wait_completion(polite).unwrap_err().message, "stopping");
    assert!(gate.wait_completion(hangs).unwrap_err().message.contains("it was dropped"));
    gate.start().unwrap();
    let again = gate.write_pending(&[Event::text("a")]);
    gate.wait_completion(again).unwrap();
}

// ---- A source -------------------------------------------------------------------------------------------------------

#[derive(Config)]
struct Listening {
    #[config(default)]
    fail_at: u64,
}

/// Listens, connects to itself, and sends each line it reads.
struct Lines {
    config: Listening,
    failed: AtomicUsize,
}

#[busbar::component]
impl AsyncSource for Lines {
    type Config = Listening;
    const NAME: &'static str = "lines";
    const REPLAYABLE: bool = true;
    const QUEUE: usize = 2;

    fn create(_: &Context, config: Listening) -> Result<Self> {
        Ok(Self { config, failed: AtomicUsize::new(0) })
    }

    async fn run(&self, position: Vec<u8>, sink: Sink) -> Result<()> {
        let first =
            if position.is_empty() { 0 } else { u64::from_le_bytes(position[..].try_into()?) };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            let mut stream = tokio::net::TcpStream::connect(address).await?;
            for number in first..5000 {
                stream.write_all(format!("line {number}\n").as_bytes()).await?;
            }
            std::io::Result::Ok(())
        });
        let (stream, _) = listener.accept().await?;
        let mut lines = BufReader::new(stream).lines();
        let mut number = first;
        while let Some(line) = lines.next_line().await? {
            if self.config.fail_at == number
                && number > 0
                && self.failed.fetch_add(1, Ordering::SeqCst) == 0
            {
                bail!("Cannot go on at {number}");
            }
            number += 1;
            sink.send(&Event::text(&line), &number.to_le_bytes()).await?;
        }
        Ok(())
    }
}

/// Everything until the end, and the errors on the way.
fn drain(source: &mut Harness<Lines>) -> (Vec<String>, Vec<String>) {
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    loop {
        let wakes = source.wakes();
        match source.poll() {
            Ok((polled, records)) => {
                lines.extend(records.iter().map(|record| record.text()));
                match polled {
                    Polled::Done => return (lines, errors),
                    Polled::Again => source.wait_wake(wakes),
                    Polled::More => {}
                }
            }
            Err(failure) => errors.push(failure.message),
        }
    }
}

fn expected(from: u64) -> Vec<String> {
    (from..5000).map(|number| format!("line {number}")).collect()
}

#[test]
fn an_async_source_gives_everything_in_order_whatever_the_batch() {
    for (bytes, limit) in [(1 << 16, 1024), (256, 3), (1 << 16, 7)] {
        let mut source = Harness::<Lines>::create("{}").unwrap();
        source.arena(bytes, limit).start().unwrap();
        assert_eq!(drain(&mut source), (expected(0), vec![]));
    }
}

#[test]
fn an_async_source_goes_on_after_an_error_and_after_a_restart() {
    let mut source = Harness::<Lines>::create(r#"{"fail_at": 100}"#).unwrap();
    source.start().unwrap();
    let (lines, errors) = drain(&mut source);
    assert_eq!((lines, errors), (expected(0), vec!["Cannot go on at 100".to_owned()]));

    let position = 4000_u64.to_le_bytes();
    let mut source = Harness::<Lines>::new("{}").at_position(&position, 4001).build().unwrap();
    source.start().unwrap();
    assert_eq!(drain(&mut source).0, expected(4000));
}

#[test]
fn limits_that_shrink_split_what_was_queued() {
    let mut source = Harness::<Lines>::create("{}").unwrap();
    source.start().unwrap();
    let mut lines = Vec::new();
    for limit in [1000, 10, 1000, 1, 500].into_iter().cycle() {
        source.arena(1 << 16, limit);
        let wakes = source.wakes();
        let (polled, records) = source.poll().unwrap();
        lines.extend(records.iter().map(|record| record.text()));
        match polled {
            Polled::Done => break,
            Polled::Again => source.wait_wake(wakes),
            Polled::More => {}
        }
    }
    assert_eq!(lines, expected(0));
}
