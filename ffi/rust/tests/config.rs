//! Settings: their schema, and how they are read.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use busbar::Config;
use busbar::config::{Rate, Secret, Size, read, schema};
use busbar::json::Value;

/// A whole of many kinds.
#[derive(Config, Debug)]
struct Everything {
    /// Where it is,
    /// on two lines
    #[config(min_length = 1, max_length = 20, pattern = "^/")]
    path: PathBuf,
    #[config(default = 5, min = 1, max = 10, reload)]
    small: u8,
    #[config(default = -1_000)]
    signed: i64,
    #[config(default = 0.5, exclusive_min = 0, exclusive_max = 1)]
    ratio: f64,
    #[config(default = "5s", min = "1ms", max = "1h")]
    wait: Duration,
    #[config(default = "64MiB", max = "1GiB")]
    size: Size,
    #[config(default = 10)]
    rate: Rate,
    password: Option<Secret>,
    #[config(default = ["a", "b"], min_items = 1)]
    names: Vec<String>,
    #[config(default)]
    parts: Vec<Part>,
    #[config(default)]
    headers: HashMap<String, Secret>,
    #[config(default)]
    counts: BTreeMap<String, u32>,
    #[config(default = "slow_motion")]
    speed: Speed,
    #[config(default, rename = "type")]
    kind: String,
    r#match: Option<Value>,
    #[config(default)]
    nested: Nested,
}

#[derive(Config, Debug, PartialEq)]
struct Part {
    /// Said "so" \ or not
    name: String,
    optional: Option<bool>,
}

#[derive(Config, Debug, Default)]
struct Nested {
    #[config(default = true)]
    on: bool,
}

#[derive(Config, Debug, PartialEq)]
enum Speed {
    /// At its own pace
    SlowMotion,
    #[config(rename = "FAST")]
    Fast,
}

#[test]
fn fills_in_defaults() {
    let read: Everything = read(r#"{"path": "/a"}"#).unwrap();
    assert_eq!((read.path, read.small, read.signed, read.ratio), ("/a".into(), 5, -1000, 0.5));
    assert_eq!(
        (read.wait, read.size, read.rate),
        (Duration::from_secs(5), Size(64 << 20), Rate(10.0))
    );
    assert_eq!((read.password, read.names), (None, vec!["a".to_owned(), "b".to_owned()]));
    assert!(read.parts.is_empty() && read.headers.is_empty() && read.counts.is_empty());
    assert_eq!((read.speed, read.kind.as_str(), read.nested.on), (Speed::SlowMotion, "", true));
    assert!(read.r#match.is_none());
}

#[test]
fn reads_what_is_given() {
    let json = r#"{"path": "/a", "small": 10, "ratio": 1e-1, "wait": "1.5m", "size": 17, "rate": "60/m",
        "password": "p", "parts": [{"name": "x", "optional": false}], "headers": {"a": "b"}, "speed": "FAST",
        "counts": {"c": 2.0}, "type": "t", "match": [1], "nested": {"on": false}}"#;
    let read: Everything = read(json).unwrap();
    assert_eq!((read.small, read.ratio, read.wait), (10, 0.1, Duration::from_secs(90)));
    assert_eq!((read.size.bytes(), read.rate.per_second()), (17, 1.0));
    assert_eq!(read.password.as_ref().map(Secret::reveal), Some("p"));
    assert_eq!(format!("{:?}", read.password), "Some(Secret(…))");
    assert_eq!(read.parts, [Part { name: "x".into(), optional: Some(false) }]);
    assert_eq!((read.headers["a"].reveal(), read.counts["c"], read.speed), ("b", 2, Speed::Fast));
    assert_eq!((read.kind.as_str(), read.nested.on), ("t", false));
}

#[test]
fn names_the_setting_that_does_not_fit() {
    for (json, message) in [
        ("", "\"path\" is missing"),
        ("[]", "it is an array, not an object"),
        ("{", "not JSON: no name of a member at byte 1"),
        (r#"{"path": 1}"#, "\"path\" is a number, not text"),
        (r#"{"path": ""}"#, "\"path\" must be or have as many characters as 1"),
        (r#"{"path": "/", "small": 11}"#, "\"small\" must be or have at most 10"),
        (r#"{"path": "/", "small": 1.5}"#, "\"small\" is 1.5, not a whole number from 0 to 255"),
        (r#"{"path": "/", "ratio": 1}"#, "\"ratio\" must be or have less than 1"),
        (r#"{"path": "/", "wait": "2h"}"#, "\"wait\" must be or have at most 1h"),
        (
            r#"{"path": "/", "wait": "2"}"#,
            "\"wait\" is \"2\", not a duration such as 500ms, 30s or 5m",
        ),
        (r#"{"path": "/", "names": []}"#, "\"names\" must be or have as many items as 1"),
        (r#"{"path": "/", "parts": [{"name": "a"}, {}]}"#, "\"parts[1].name\" is missing"),
        (r#"{"path": "/", "parts": [{"nam": "a"}]}"#, "\"parts[0].nam\" is not a setting"),
        (
            r#"{"path": "/", "counts": {"c": -1}}"#,
            "\"counts.c\" is -1, not a whole number from 0 to 4294967295",
        ),
        (
            r#"{"path": "/", "speed": "fast"}"#,
            "\"speed\" is \"fast\", not one of \"slow_motion\", \"FAST\"",
        ),
    ] {
        let error = read::<Everything>(json).unwrap_err().to_string();
        assert_eq!(error, format!("Cannot read config: {message}"), "{json}");
    }
}

#[test]
fn has_a_schema_that_says_all_of_it() {
    let text = schema::<Everything>();
    let schema = Value::parse(&text).unwrap();
    assert_eq!(schema.get("required").unwrap().to_string(), "[\"path\"]");
    let property = |name: &str| schema.get("properties").unwrap().get(name).unwrap().to_string();
    for (name, expected) in [
        (
            "path",
            r#"{"description":"Where it is, on two lines","type":"string","minLength":1,"maxLength":20,"pattern":"^/"}"#,
        ),
        (
            "small",
            r#"{"type":"integer","minimum":1,"maximum":10,"reloadOnChange":true,"default":5}"#,
        ),
        ("signed", r#"{"type":"integer","default":-1000}"#),
        ("wait", r#"{"type":"string","format":"busbar-duration","default":"5s"}"#),
        (
            "size",
            r#"{"anyOf":[{"type":"string","format":"busbar-size"},{"type":"number","minimum":0}],"default":"64MiB"}"#,
        ),
        ("password", r#"{"type":"string","writeOnly":true}"#),
        (
            "headers",
            r#"{"type":"object","additionalProperties":{"type":"string","writeOnly":true},"default":{}}"#,
        ),
        ("speed", r#"{"enum":["slow_motion","FAST"],"default":"slow_motion"}"#),
        ("match", "{}"),
    ] {
        assert_eq!(property(name), expected);
    }
    assert!(property("parts").contains(r#""description":"Said \"so\" \\ or not""#));
    assert!(property("parts").contains(r#""required":["name"]"#));
}
