use busbar::testing::{Harness, Owned};
use busbar::{Event, Operation, State, abi};

use super::WordCount;

fn counting(config: &str) -> Harness<WordCount> {
    let mut count = Harness::create(config).unwrap();
    count.start().unwrap();
    count
}

/// Feeds texts and ticks once.
fn feed(count: &mut Harness<WordCount>, texts: &[&str]) -> Vec<Owned> {
    let events: Vec<_> = texts.iter().map(|text| Event::text(text)).collect();
    assert!(count.process(&events).unwrap()[0].is_empty());
    count.tick(5, false).unwrap().remove(0)
}

fn summary(records: &[Owned]) -> Vec<String> {
    let line =
        |record: &Owned| format!("{} {}", String::from_utf8_lossy(&record.key), record.text());
    records.iter().map(line).collect()
}

#[test]
fn counts_words_and_emits_each_change_once() {
    let mut count = counting("{}");
    let first = feed(&mut count, &["The cat's the_cat", "größe 42"]);
    assert_eq!(
        summary(&first),
        [
            "42 {\"count\":1}",
            "cat {\"count\":1}",
            "cat's {\"count\":1}",
            "größe {\"count\":1}",
            "the {\"count\":2}"
        ]
    );
    assert!(first.iter().all(|one| one.operation == Operation::INSERT));
    assert_eq!((first[0].timestamp, first[0].sequence), (5, 0));
    let second = feed(&mut count, &["cat"]);
    assert_eq!(summary(&second), ["cat {\"count\":2}"]);
    assert_eq!(second[0].operation, Operation::UPDATE);
    assert!(feed(&mut count, &[]).is_empty());
}

#[test]
fn keeps_case_and_leaves_out_short_words_when_told() {
    let mut count = counting(r#"{"min_length": 3, "case_sensitive": true}"#);
    assert_eq!(
        summary(&feed(&mut count, &["The the of THE"])),
        ["THE {\"count\":1}", "The {\"count\":1}", "the {\"count\":1}"]
    );
}

#[test]
fn goes_on_where_a_full_output_stopped_it() {
    let mut count = counting("{}");
    count.arena(100, 1);
    let words: Vec<_> = (10..60).map(|n| format!("w{n}")).collect();
    let records = feed(&mut count, &[&words.join(" ")]);
    let keys: Vec<_> =
        records.iter().map(|one| String::from_utf8_lossy(&one.key).into_owned()).collect();
    assert_eq!(keys, words);
}

#[test]
fn goes_on_from_a_saved_state() {
    let mut before = counting("{}");
    feed(&mut before, &["a a b"]);
    before.process(&[Event::text("b c")]).unwrap();
    let state = before.save().unwrap().unwrap();

    let mut after = Harness::<WordCount>::create("{}").unwrap();
    after.restore(&state).unwrap();
    assert_eq!(after.save().unwrap().unwrap(), state);
    after.start().unwrap();
    let records = feed(&mut after, &["a"]);
    assert_eq!(summary(&records), ["a {\"count\":3}", "b {\"count\":2}", "c {\"count\":1}"]);
    assert_eq!(records[2].operation, Operation::INSERT);
}

#[test]
fn refuses_a_state_that_it_cannot_read() {
    let mut before = counting("{}");
    feed(&mut before, &["word"]);
    let state = before.save().unwrap().unwrap();
    let cut = State { data: state.data[1..].to_vec(), ..state.clone() };
    for bad in [State { version: 2, ..state }, cut] {
        let mut after = Harness::<WordCount>::create("{}").unwrap();
        assert_eq!(after.restore(&bad).unwrap_err().status, abi::INVALID);
    }
}

#[test]
fn refuses_settings_that_it_does_not_know() {
    for (config, message) in [
        (r#"{"min_length": 0}"#, "Cannot read config: \"min_length\" must be or have at least 1"),
        (r#"{"minimum": 1}"#, "Cannot read config: \"minimum\" is not a setting"),
    ] {
        let failure = Harness::<WordCount>::create(config).err().unwrap();
        assert_eq!(failure.message, message);
    }
}
