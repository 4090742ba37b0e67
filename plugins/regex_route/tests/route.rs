//! The processor through the table that the host calls.

use busbar::testing::Harness;
use busbar::{Attributes, Event};
use regex_route::Route;

/// BUSBAR_RECORD_MARKED
const MARKED: u32 = 1;

fn started(config: &str) -> Harness<Route> {
    let mut route = Harness::<Route>::create(config).unwrap();
    route.start().unwrap();
    route
}

/// The payloads that each output got, and their sequences.
fn routed(route: &mut Harness<Route>, events: &[Event]) -> Vec<Vec<(String, u64)>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let outputs = route.process(events).unwrap();
    let output = |events: &Vec<busbar::testing::Owned>| {
        events.iter().map(|event| (text(&event.payload), event.sequence)).collect()
    };
    outputs.iter().map(output).collect()
}

#[test]
fn events_go_where_the_first_rule_says_and_keep_their_sequence() {
    let mut route = started(
        r#"{"rules": [
            {"pattern": "^drop", "to": "drop"},
            {"pattern": "eight", "to": "route-8"},
            {"pattern": "^k", "field": "key", "to": "route-1"},
            {"pattern": "^t$", "field": "attribute:tenant", "to": "route-2"}
        ]}"#,
    );
    let tenant = Attributes::new().with("tenant", b"t");
    let outputs = routed(
        &mut route,
        &[
            Event::text("drop eight"),
            Event::text("eight").key(b"k"),
            Event::text("a").key(b"k1"),
            Event::text("b").attributes(&tenant),
            Event::text("c"),
        ],
    );
    assert_eq!(outputs.len(), 9);
    assert_eq!(outputs[0], [("c".into(), 5)]);
    assert_eq!(outputs[1], [("a".into(), 3)]);
    assert_eq!(outputs[2], [("b".into(), 4)]);
    assert_eq!(outputs[8], [("eight".into(), 2)]);
    assert!(outputs[3..8].iter().all(Vec::is_empty));
    assert_eq!(route.metric("dropped_events_total"), 1.0);
    assert_eq!(route.metric("rule_0_events_total"), 1.0);
    assert_eq!(route.metric("rule_1_events_total"), 1.0);
    assert_eq!(route.metric("unmatched_events_total"), 1.0);
}

#[test]
fn an_event_goes_on_with_all_it_has() {
    let mut route = started(r#"{"rules": [{"pattern": "x", "to": "keep"}]}"#);
    let attributes = Attributes::new().with("a", b"1").with("b", b"");
    let event = Event::json(b"\"x\"").key(b"key").timestamp(7).attributes(&attributes);
    let outputs = route.process(&[event]).unwrap();
    let [owned] = &outputs[0][..] else { panic!("{outputs:?}") };
    assert_eq!(
        (&owned.key[..], &owned.payload[..], owned.timestamp),
        (&b"key"[..], &b"\"x\""[..], 7)
    );
    assert_eq!(owned.attributes, [("a".into(), b"1".to_vec()), ("b".into(), vec![])]);
    assert_eq!(owned.flags & MARKED, 0);
}

#[test]
fn what_cannot_be_read_goes_on_marked() {
    let rules = r#""rules": [{"pattern": "^5", "field": "/status", "to": "drop"}]"#;
    let events =
        [Event::text("no JSON"), Event::text(r#"{"status":500}"#), Event::text(r#"{"a":1}"#)];

    let mut route = started(&format!("{{{rules}}}"));
    let outputs = route.process(&events).unwrap();
    let flags: Vec<u32> = outputs[0].iter().map(|event| event.flags & MARKED).collect();
    assert_eq!(flags, [MARKED, 0]);
    assert_eq!(route.metric("unreadable_events_total"), 1.0);

    let mut route =
        started(&format!(r#"{{{rules}, "unreadable": "route-3", "unmatched": "drop"}}"#));
    let outputs = route.process(&events).unwrap();
    assert_eq!((outputs[0].len(), outputs[3].len()), (0, 1));
    assert_eq!(outputs[3][0].flags & MARKED, MARKED);
}

#[test]
fn full_outputs_lose_and_repeat_nothing() {
    let mut route = started(
        r#"{"rules": [{"pattern": "[05]$", "to": "route-1"}, {"pattern": "3$", "to": "drop"}]}"#,
    );
    route.arena(512, 7);
    let payloads: Vec<String> = (1..=500).map(|number| number.to_string()).collect();
    let events: Vec<Event> = payloads.iter().map(|payload| Event::text(payload)).collect();
    let outputs = routed(&mut route, &events);
    let expected = |wanted: &dyn Fn(u64) -> bool| -> Vec<(String, u64)> {
        (1..=500)
            .filter(|number| wanted(*number))
            .map(|number| (number.to_string(), number))
            .collect()
    };
    assert_eq!(outputs[0], expected(&|number| number % 5 != 0 && number % 10 != 3));
    assert_eq!(outputs[1], expected(&|number| number % 5 == 0));
    assert_eq!(route.metric("rule_0_events_total"), 100.0);
    assert_eq!(route.metric("rule_1_events_total"), 50.0);
    assert_eq!(route.metric("unmatched_events_total"), 350.0);
}

#[test]
fn wrong_settings_are_refused_with_what_is_wrong() {
    for (config, message) in [
        (
            r#"{"rules": [{"pattern": "a(b", "to": "keep"}]}"#,
            "Cannot use rules[0].pattern \"a(b\": regex parse error:\n    a(b\n     ^",
        ),
        (
            r#"{"rules": [{"pattern": "a", "to": "keep", "field": "/a~"}]}"#,
            "Cannot use rules[0].field \"/a~\"",
        ),
        (
            r#"{"rules": [{"pattern": "\\w{900}", "to": "keep"}], "size_limit": "1KiB"}"#,
            "more than 1024 bytes",
        ),
    ] {
        let failure = Harness::<Route>::create(config).err().unwrap();
        assert!(failure.message.contains(message), "{}", failure.message);
    }
}
