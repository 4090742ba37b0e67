//! What the crates `log` and `tracing` record goes to the component it belongs to.
#![cfg(all(feature = "log", feature = "tracing"))]

use busbar::testing::{Harness, Logged};
use busbar::{Context, Event, Level, NoConfig, Processor, Result, Transform, abi};

struct Talker;

#[busbar::component]
impl Processor for Talker {
    type Config = NoConfig;
    const NAME: &'static str = "talker";

    fn create(context: &Context, _: NoConfig) -> Result<Self> {
        log::info!(target: "mine", size = 3, name = "x", on = true; "made");
        // A thread without a span: only `scope` tells whose it is.
        let own = context.clone();
        std::thread::spawn(move || {
            log::warn!("nobody's");
            own.scope(|| log::warn!("scoped"));
        })
        .join()
        .unwrap();
        Ok(Self)
    }

    fn process(&mut self, batch: &mut Transform<'_>) -> Result<()> {
        let outer = tracing::info_span!("outer", request = 7, user = tracing::field::Empty);
        let _outer = outer.enter();
        outer.record("user", "me");
        while let Some(record) = batch.next_record()? {
            let inner = tracing::info_span!("inner", bytes = record.payload().len());
            inner.in_scope(|| tracing::info!(answer = 42_i64, ratio = 0.5, "inside"));
            let moved = inner.clone();
            std::thread::spawn(move || {
                moved.in_scope(|| tracing::warn!("elsewhere"));
                tracing::warn!("alone");
            })
            .join()
            .unwrap();
        }
        Ok(())
    }
}

fn find(logs: &[Logged], message: &str) -> Logged {
    logs.iter().find(|log| log.message == message).unwrap_or_else(|| panic!("no {message}")).clone()
}

#[test]
fn records_belong_to_the_call_or_to_the_span_they_are_made_in() {
    let mut talker = Harness::<Talker>::create("{}").unwrap();
    talker.start().unwrap();
    talker.process(&[Event::text("abc")]).unwrap();
    let logs = talker.logs();

    let made = find(&logs, "made");
    assert_eq!((made.level, made.target.as_str()), (abi::LOG_INFO, "mine"));
    let typed: Vec<_> =
        made.fields.iter().map(|(name, value, kind)| (&**name, &**value, *kind)).collect();
    assert_eq!(
        typed,
        [
            ("size", "3", abi::FIELD_NUMBER),
            ("name", "x", abi::FIELD_STRING),
            ("on", "true", abi::FIELD_BOOL)
        ]
    );
    find(&logs, "scoped");

    let inside = find(&logs, "inside");
    let fields =
        ["answer", "ratio", "span", "bytes", "request", "user"].map(|name| inside.field(name));
    let expected = ["42", "0.5", "inner", "3", "7", "me"].map(Some);
    assert_eq!(fields, expected);
    assert!(inside.span > 0 && inside.parent_span > 0 && inside.span != inside.parent_span);
    let elsewhere = find(&logs, "elsewhere");
    assert_eq!((elsewhere.span, elsewhere.parent_span), (inside.span, inside.parent_span));

    let strays = Harness::<Talker>::logs_of_nobody();
    find(&strays, "nobody's");
    find(&strays, "alone");
}

#[test]
fn the_hosts_level_is_asked_each_time() {
    // Below everything that the other test logs, which runs at the same time.
    Harness::<Talker>::set_log_level(Level::Debug);
    assert!(!log::log_enabled!(log::Level::Trace) || Context::current().is_none());
    let talker = Harness::<Talker>::create("{}").unwrap();
    assert!(!log::log_enabled!(log::Level::Trace) && log::log_enabled!(log::Level::Debug));
    assert!(!tracing::enabled!(tracing::Level::TRACE) && tracing::enabled!(tracing::Level::DEBUG));
    drop(talker);
    Harness::<Talker>::set_log_level(Level::Trace);
    assert!(log::log_enabled!(log::Level::Trace) && tracing::enabled!(tracing::Level::TRACE));
}
