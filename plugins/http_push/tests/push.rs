//! The reaction against a real server.

mod support;

use std::collections::HashMap;

use busbar::testing::{Failure, Harness, Offered};
use busbar::{Attributes, Content, Event, Operation};
use http_push::Push;

use support::{Request, Server, certificate};

fn started(server: &Server, settings: &str) -> Harness<Push> {
    let comma = if settings.is_empty() { "" } else { ", " };
    let url = &server.url;
    let config = format!(
        r#"{{"url": "{url}", "backoff_initial": "1ms", "backoff_max": "5ms"{comma}{settings}}}"#
    );
    let mut push = Harness::<Push>::create(&config).unwrap();
    push.start().unwrap();
    push
}

fn write(push: &mut Harness<Push>, events: &[Event]) -> Result<(), Failure> {
    settled(push, |push| push.write(events))
}

/// Offers until it is taken, as the host does, and waits for what becomes of it.
fn settled(
    push: &mut Harness<Push>,
    offer: impl Fn(&mut Harness<Push>) -> Result<Offered, Failure>,
) -> Result<(), Failure> {
    loop {
        let seen = push.wakes();
        match offer(push)? {
            Offered::Pending(id) => return push.wait_completion(id),
            Offered::Again => push.wait_wake(seen),
            Offered::All => panic!("it must wait for the endpoint"),
        }
    }
}

/// Sends the events; what the server then has of them, and with which Content-Type.
fn sent(settings: &str, events: &[Event]) -> Vec<(String, String)> {
    let server = Server::start(|_| 200);
    let mut push = started(&server, settings);
    write(&mut push, events).unwrap();
    let requests = server.requests().into_iter().map(|(request, _)| request);
    requests.map(|request| (request.header("content-type").unwrap().into(), request.body)).collect()
}

fn of_all_kinds<'a>() -> [Event<'a>; 4] {
    [
        Event::json(b"{\n\"a\":1}"),
        Event::text("a \"b\"\n"),
        Event::new(b"\xff\x00"),
        Event::json(b"").operation(Operation::DELETE),
    ]
}

#[test]
fn ndjson_has_a_value_a_line() {
    let body = "{ \"a\":1}\n\"a \\\"b\\\"\\n\"\n{\"payload_base64\":\"/wA=\"}\nnull\n";
    assert_eq!(sent("", &of_all_kinds()), [("application/x-ndjson".into(), body.into())]);
}

#[test]
fn json_array_is_one_value() {
    let body = "[{ \"a\":1},\"a \\\"b\\\"\\n\",{\"payload_base64\":\"/wA=\"},null]";
    let settings = r#""format": "json_array""#;
    assert_eq!(sent(settings, &of_all_kinds()), [("application/json".into(), body.into())]);
}

#[test]
fn lines_are_payloads_as_they_are() {
    let body = "{\n\"a\":1}\na \"b\"\n\n\u{fffd}\0\n\n";
    let settings = r#""format": "lines", "content_type": "text/x-mine""#;
    assert_eq!(sent(settings, &of_all_kinds()), [("text/x-mine".into(), body.into())]);
}

#[test]
fn raw_is_a_request_for_each_event() {
    let requests = sent(r#""format": "raw""#, &of_all_kinds()[..3]);
    let expected = [
        ("application/json", "{\n\"a\":1}"),
        ("text/plain; charset=utf-8", "a \"b\"\n"),
        ("application/octet-stream", "\u{fffd}\0"),
    ];
    assert_eq!(requests, expected.map(|(kind, body)| (kind.to_string(), body.to_string())));
}

#[test]
fn an_envelope_holds_all_of_an_event() {
    let attributes = Attributes::new().with("a", b"1").with("b", b"\xff");
    let events = [
        Event::json(b"{\"x\":1.50}")
            .key(b"k")
            .operation(Operation::UPDATE)
            .timestamp(1_772_446_500_123_456_789)
            .attributes(&attributes),
        Event::new(b"\xfe").content(Content::BYTES),
    ];
    let requests = sent(r#""envelope": true"#, &events);
    let lines: Vec<&str> = requests[0].1.lines().collect();
    let first = r#","timestamp":"2026-03-02T10:15:00.123456789Z","operation":"update","key":"k","attributes":{"a":"1","b_base64":"/w=="},"payload":{"x":1.50}}"#;
    let second = r#","timestamp":null,"operation":"message","key":null,"payload_base64":"/g=="}"#;
    assert!(
        lines[0].starts_with(r#"{"sequence":1,"source":"#) && lines[0].ends_with(first),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].starts_with(r#"{"sequence":2,"source":"#) && lines[1].ends_with(second),
        "{}",
        lines[1]
    );
}

#[test]
fn bodies_stay_within_their_limits() {
    let events = vec![Event::json(b"12345678"); 10];
    let bodies = sent(r#""max_bytes": 20, "max_events": 5"#, &events);
    assert_eq!(bodies.iter().map(|(_, body)| body.len()).collect::<Vec<_>>(), [18; 5]);
    let bodies = sent(r#""max_events": 4"#, &events);
    assert_eq!(bodies.iter().map(|(_, body)| body.len()).collect::<Vec<_>>(), [36, 36, 18]);
    let bodies = sent(r#""max_bytes": 1"#, &events);
    assert_eq!(bodies.len(), 10);
}

#[test]
fn a_trace_goes_on_when_all_events_belong_to_it() {
    let server = Server::start(|_| 200);
    let mut push = started(&server, "");
    let one = Attributes::new().with("traceparent", b"00-1");
    let two = Attributes::new().with("traceparent", b"00-2");
    let event = Event::json(b"1");
    write(&mut push, &[event.attributes(&one), event.attributes(&one)]).unwrap();
    write(&mut push, &[event.attributes(&one), event.attributes(&two)]).unwrap();
    write(&mut push, &[event.attributes(&one), event]).unwrap();
    let parents: Vec<Option<String>> = server
        .requests()
        .iter()
        .map(|(request, _)| request.header("traceparent").map(String::from))
        .collect();
    assert_eq!(parents, [Some("00-1".into()), None, None]);
}

/// A number that looks random, the same for the same text.
fn lot(text: &str, salt: usize) -> usize {
    text.bytes().fold(salt, |hash, byte| (hash ^ byte as usize).wrapping_mul(0x0100_0193) >> 3)
}

#[test]
fn events_of_a_key_stay_in_order_and_come_once_whatever_the_endpoint_says() {
    // One request in three fails before it is taken, and events with 7 in their number are refused.
    let failures = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |request: &Request| {
        let salt = failures.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        match request {
            _ if lot(&request.body, salt) % 3 == 0 => 503,
            _ if request.body.contains('7') => 422,
            _ => 200,
        }
    });
    let mut push = started(&server, r#""concurrency": 4, "max_events": 16, "attempts": 3"#);
    let payloads: Vec<String> = (0..400).map(|number| number.to_string()).collect();
    let keys: Vec<String> = (0..400).map(|number| format!("k{}", number * 13 % 11)).collect();
    let events: Vec<Event> = payloads
        .iter()
        .zip(&keys)
        .map(|(payload, key)| Event::json(payload.as_bytes()).key(key.as_bytes()))
        .collect();

    // What the host does: the rest of a batch is offered again.
    let mut from = 0;
    let mut refused = Vec::new();
    while from < events.len() {
        match settled(&mut push, |push| push.write_again(&events[from..], 1 + from as u64)) {
            Ok(()) => break,
            Err(failure) => {
                from += failure.done as usize;
                if failure.status == busbar::abi::INVALID {
                    refused.push(from);
                    from += 1;
                }
            }
        }
    }
    let bad: Vec<usize> = (0..400).filter(|number| number.to_string().contains('7')).collect();
    assert_eq!(refused, bad);

    let taken: Vec<usize> = server
        .accepted()
        .iter()
        .flat_map(|body| body.lines())
        .map(|line| line.parse().unwrap())
        .collect();
    let mut by_key: HashMap<&str, Vec<usize>> = HashMap::new();
    for number in taken {
        by_key.entry(&keys[number]).or_default().push(number);
    }
    for (key, numbers) in by_key {
        let expected: Vec<usize> =
            (0..400).filter(|number| keys[*number] == key && !bad.contains(number)).collect();
        assert_eq!(numbers, expected, "{key}");
    }
}

#[test]
fn both_sides_show_their_certificates() {
    let server = Server::start_tls(|_| 200);
    let events = [Event::json(b"1")];
    let authority = format!(r#""attempts": 1, "ca_file": "{}""#, certificate("authority.pem"));
    let own = format!(
        r#""client_certificate_file": "{}", "client_key_file": "{}""#,
        certificate("client.pem"),
        certificate("client.key")
    );
    for (settings, taken) in [
        (format!("{authority}, {own}"), true),
        (format!(r#""attempts": 1, "insecure": true, {own}"#), true),
        (authority, false),
        (format!(r#""attempts": 1, {own}"#), false),
    ] {
        let mut push = started(&server, &settings);
        assert_eq!(write(&mut push, &events).is_ok(), taken, "{settings}");
    }
    assert_eq!(server.accepted().len(), 2);
}

#[test]
fn what_cannot_work_is_said_at_create() {
    for (settings, message) in [
        (r#""url": "localhost:80""#, "must begin with http:// or https://"),
        (r#""url": "http://u:p@localhost/""#, "use username and password"),
        (r#""url": "http://localhost/", "headers": {"a b": "c"}"#, "Cannot use the header \"a b\""),
        (
            r#""url": "http://localhost/", "secret_headers": {"a": "c\nd"}"#,
            "Cannot use the value of a: ",
        ),
        (r#""url": "http://localhost/", "password": "p""#, "Cannot use password without username"),
        (r#""url": "http://localhost/", "bearer_token": "a", "username": "b""#, "one of them"),
        (r#""url": "https://localhost/", "client_key_file": "/k""#, "set both"),
        (r#""url": "https://localhost/", "ca_file": "/none/ca.pem""#, "\"/none/ca.pem\""),
    ] {
        let failure = Harness::<Push>::create(&format!("{{{settings}}}")).err().unwrap();
        assert!(failure.message.contains(message), "{}", failure.message);
        assert!(!failure.message.contains("c\nd"), "{}", failure.message);
    }
}

#[test]
fn metrics_and_health_follow_the_endpoint() {
    let server = Server::start(|request| if request.body.contains("bad") { 500 } else { 200 });
    let mut push = started(&server, r#""attempts": 2"#);
    write(&mut push, &[Event::json(b"1"), Event::json(b"2")]).unwrap();
    assert!(push.health().is_ok());
    let failure = write(&mut push, &[Event::json(b"\"bad\"")]).unwrap_err();
    assert!(failure.message.ends_with("answered 500"), "{}", failure.message);
    assert!(push.health().is_err());
    write(&mut push, &[Event::json(b"3")]).unwrap();
    assert!(push.health().is_ok());
    assert_eq!(push.metric("events_total"), 3.0);
    assert_eq!(push.metric("requests_total"), 4.0);
    assert_eq!(push.metric("responses_2xx_total"), 2.0);
    assert_eq!(push.metric("responses_5xx_total"), 2.0);
    assert_eq!(push.metric("limit_events"), 1000.0);
}
