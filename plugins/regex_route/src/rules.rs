//! Which rule an event matches, and what is done with it then.

use std::borrow::Cow;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use crate::json::{NotJson, Pointer};

/// From so many patterns on the same field on, one pass for all of them is faster than one for each: on lines of an access
/// log a pattern alone takes 15 ns, a set of any size 300 ns.
const PATTERNS_FOR_A_SET: usize = 20;

/// What happens to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is left out.
    Drop,
    /// It goes to the output of this number.
    Send(usize),
}

/// What of an event a pattern is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    Payload,
    Key,
    Attribute(String),
    /// A value within a payload that is JSON.
    Json(Pointer),
}

/// What a rule may read of an event.
pub trait Event {
    fn payload(&self) -> &[u8];
    fn key(&self) -> &[u8];
    fn attribute(&self, name: &str) -> Option<&[u8]>;
}

/// A pattern with its flags.
#[derive(Debug, Clone, Default)]
pub struct Pattern {
    pub text: String,
    pub case_insensitive: bool,
    pub multi_line: bool,
    pub dot_matches_new_line: bool,
    pub ignore_whitespace: bool,
    pub unicode: bool,
}

/// One rule: an event whose `field` matches `pattern` (with `invert`: does not match) is treated as `action` says.
#[derive(Debug, Clone)]
pub struct Rule {
    pub field: Field,
    pub pattern: Pattern,
    pub invert: bool,
    pub action: Action,
}

/// The rule that decides over an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The first rule that matches.
    Rule(usize, Action),
    /// No rule matches.
    Unmatched,
    /// A rule reads JSON, and the payload is none.
    Unreadable,
}

/// Rules in their order, compiled.
pub struct Rules {
    rules: Vec<Compiled>,
    fields: Vec<FieldRules>,
}

struct Compiled {
    regex: Regex,
    /// Number of its field, and of its pattern among those of the field.
    field: usize,
    position: usize,
    invert: bool,
    action: Action,
}

/// A field that rules read, with all their patterns where there are many.
struct FieldRules {
    field: Field,
    set: Option<RegexSet>,
}

impl Rules {
    /// Compiles them; `size_limit` is the most memory, in bytes, that one compiled pattern may take.
    /// The error names the rule by its index and points into the pattern.
    pub fn new(rules: &[Rule], size_limit: usize) -> Result<Rules, String> {
        let mut fields: Vec<(Field, Vec<usize>)> = Vec::new();
        let mut compiled = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            let regex = rule
                .pattern
                .compile(size_limit)
                .map_err(|error| explain(index, &rule.pattern, &error))?;
            let field =
                fields.iter().position(|(field, _)| *field == rule.field).unwrap_or_else(|| {
                    fields.push((rule.field.clone(), Vec::new()));
                    fields.len() - 1
                });
            let position = fields[field].1.len();
            fields[field].1.push(index);
            compiled.push(Compiled {
                regex,
                field,
                position,
                invert: rule.invert,
                action: rule.action,
            });
        }
        let fields = fields.into_iter().map(|(field, members)| {
            let patterns = members.iter().map(|index| &rules[*index].pattern);
            let set = (members.len() >= PATTERNS_FOR_A_SET)
                .then(|| set_of(patterns, size_limit))
                .flatten();
            FieldRules { field, set }
        });
        Ok(Rules { fields: fields.collect(), rules: compiled })
    }

    /// The first rule that the event matches. What an event does not have, matches no pattern.
    pub fn judge(&self, event: &impl Event) -> Verdict {
        // With one field, which is the usual case, nothing is allocated.
        let mut first = Lookup::Unread;
        let mut more: Vec<Lookup> = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let lookup = match rule.field {
                0 => &mut first,
                number => {
                    more.resize_with(self.fields.len() - 1, || Lookup::Unread);
                    &mut more[number - 1]
                }
            };
            if matches!(lookup, Lookup::Unread) {
                match self.fields[rule.field].read(event) {
                    Ok(found) => *lookup = found,
                    Err(NotJson) => return Verdict::Unreadable,
                }
            }
            let matches = match lookup {
                Lookup::Unread | Lookup::Missing => false,
                Lookup::Text(text) => rule.regex.is_match(text),
                Lookup::Matches(matches) => matches.matched(rule.position),
            };
            if matches != rule.invert {
                return Verdict::Rule(index, rule.action);
            }
        }
        Verdict::Unmatched
    }
}

/// A field of the event that is being judged.
enum Lookup<'a> {
    Unread,
    Missing,
    Text(Cow<'a, [u8]>),
    Matches(regex::bytes::SetMatches),
}

impl FieldRules {
    fn read<'a>(&self, event: &'a impl Event) -> Result<Lookup<'a>, NotJson> {
        let text = match &self.field {
            Field::Payload => Some(Cow::Borrowed(event.payload())),
            Field::Key => Some(Cow::Borrowed(event.key())),
            Field::Attribute(name) => event.attribute(name).map(Cow::Borrowed),
            Field::Json(pointer) => pointer.find(event.payload())?,
        };
        Ok(match (text, &self.set) {
            (None, _) => Lookup::Missing,
            (Some(text), None) => Lookup::Text(text),
            (Some(text), Some(set)) => Lookup::Matches(set.matches(&text)),
        })
    }
}

impl Pattern {
    fn compile(&self, size_limit: usize) -> Result<Regex, regex::Error> {
        RegexBuilder::new(&self.text)
            .case_insensitive(self.case_insensitive)
            .multi_line(self.multi_line)
            .dot_matches_new_line(self.dot_matches_new_line)
            .ignore_whitespace(self.ignore_whitespace)
            .unicode(self.unicode)
            .size_limit(size_limit)
            .build()
    }

    /// The pattern with its flags within the text, so that patterns with different flags fit one set.
    fn with_flags(&self) -> String {
        let mut on = String::new();
        let mut off = String::new();
        for (flag, set) in [
            ('i', self.case_insensitive),
            ('m', self.multi_line),
            ('s', self.dot_matches_new_line),
            ('x', self.ignore_whitespace),
            ('u', self.unicode),
        ] {
            if set { on.push(flag) } else { off.push(flag) }
        }
        // A comment at the end of such a pattern reaches to the end of the line.
        let end = if self.ignore_whitespace { "\n" } else { "" };
        let off = if off.is_empty() { off } else { format!("-{off}") };
        format!("(?{on}{off}:{}{end})", self.text)
    }
}

/// All patterns in one, if that stays within the limits.
fn set_of<'a>(patterns: impl Iterator<Item = &'a Pattern>, size_limit: usize) -> Option<RegexSet> {
    let texts: Vec<String> = patterns.map(Pattern::with_flags).collect();
    RegexSetBuilder::new(&texts).size_limit(size_limit.saturating_mul(texts.len())).build().ok()
}

fn explain(index: usize, pattern: &Pattern, error: &regex::Error) -> String {
    let reason = match error {
        regex::Error::CompiledTooBig(limit) => {
            format!(
                "compiled it takes more than {limit} bytes; make it smaller (a repetition such as {{1000}} counts that often), or raise size_limit"
            )
        }
        other => other.to_string(),
    };
    format!("Cannot use rules[{index}].pattern \"{}\": {reason}", pattern.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Made<'a> {
        payload: &'a [u8],
        key: &'a [u8],
        attributes: Vec<(&'a str, &'a [u8])>,
    }

    impl Event for Made<'_> {
        fn payload(&self) -> &[u8] {
            self.payload
        }
        fn key(&self) -> &[u8] {
            self.key
        }
        fn attribute(&self, name: &str) -> Option<&[u8]> {
            self.attributes.iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
        }
    }

    fn pattern(text: &str) -> Pattern {
        Pattern { text: text.into(), unicode: true, ..Pattern::default() }
    }

    fn rule(text: &str, output: usize) -> Rule {
        Rule {
            field: Field::Payload,
            pattern: pattern(text),
            invert: false,
            action: Action::Send(output),
        }
    }

    fn judge(rules: &[Rule], event: &Made) -> Verdict {
        Rules::new(rules, 1 << 20).unwrap().judge(event)
    }

    fn payload(text: &str) -> Made<'_> {
        Made { payload: text.as_bytes(), ..Made::default() }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rules = [rule("b", 1), rule("a", 2), Rule { action: Action::Drop, ..rule("c", 0) }];
        assert_eq!(judge(&rules, &payload("ab")), Verdict::Rule(0, Action::Send(1)));
        assert_eq!(judge(&rules, &payload("a")), Verdict::Rule(1, Action::Send(2)));
        assert_eq!(judge(&rules, &payload("c")), Verdict::Rule(2, Action::Drop));
        assert_eq!(judge(&rules, &payload("d")), Verdict::Unmatched);
        assert_eq!(judge(&[], &payload("d")), Verdict::Unmatched);
    }

    /// So many rules that there is a set; what is added matches nothing.
    fn many(rules: &[Rule]) -> Vec<Rule> {
        let added = (0..PATTERNS_FOR_A_SET).map(|number| rule(&format!("never {number}"), 0));
        rules.iter().cloned().chain(added).collect()
    }

    #[test]
    fn many_rules_decide_as_few_do() {
        let texts = ["^a", "b$", "c", "(?i)D", "e.f", "[[:digit:]]+"];
        let rules: Vec<Rule> =
            texts.iter().enumerate().map(|(index, text)| rule(text, index)).collect();
        let set = Rules::new(&many(&rules), 1 << 20).unwrap();
        assert!(set.fields[0].set.is_some());
        for text in ["abc", "xb", "xcb", "d", "e\nf", "e f", "77", "", "zzz", "9d"] {
            let alone = rules
                .iter()
                .position(|rule| Regex::new(&rule.pattern.text).unwrap().is_match(text.as_bytes()));
            let expected =
                alone.map_or(Verdict::Unmatched, |index| Verdict::Rule(index, Action::Send(index)));
            assert_eq!(set.judge(&payload(text)), expected, "{text}");
        }
    }

    #[test]
    fn flags_hold_for_their_rule_alone_also_in_a_set() {
        let rules = [
            Rule { pattern: Pattern { case_insensitive: true, ..pattern("one") }, ..rule("", 0) },
            Rule { pattern: Pattern { multi_line: true, ..pattern("^two$") }, ..rule("", 1) },
            Rule {
                pattern: Pattern { dot_matches_new_line: true, ..pattern("3.3") },
                ..rule("", 2)
            },
            Rule {
                pattern: Pattern { ignore_whitespace: true, ..pattern("f o u r # a comment") },
                ..rule("", 3)
            },
            Rule { pattern: Pattern { unicode: false, ..pattern(r"(?-u)\xff\w") }, ..rule("", 4) },
            rule("Five.five|^2$", 5),
        ];
        for rules in [rules.to_vec(), many(&rules)] {
            let compiled = Rules::new(&rules, 1 << 20).unwrap();
            let outputs =
                |bytes: &[u8]| compiled.judge(&Made { payload: bytes, ..Made::default() });
            assert_eq!(outputs(b"ONE"), Verdict::Rule(0, Action::Send(0)));
            assert_eq!(outputs(b"a\ntwo\nb"), Verdict::Rule(1, Action::Send(1)));
            assert_eq!(outputs(b"3\n3"), Verdict::Rule(2, Action::Send(2)));
            assert_eq!(outputs(b"TWO"), Verdict::Unmatched);
            assert_eq!(outputs(b"four"), Verdict::Rule(3, Action::Send(3)));
            assert_eq!(outputs(b"\xffx"), Verdict::Rule(4, Action::Send(4)));
            assert_eq!(outputs(b"five.five"), Verdict::Unmatched);
        }
    }

    #[test]
    fn payloads_need_not_be_text() {
        let rules = [rule(r"(?-u)^\x00\xfe", 1), rule("é", 2)];
        let bytes = |payload| Made { payload, ..Made::default() };
        assert_eq!(judge(&rules, &bytes(b"\x00\xfe\xff")), Verdict::Rule(0, Action::Send(1)));
        assert_eq!(judge(&rules, &bytes("\u{e9}".as_bytes())), Verdict::Rule(1, Action::Send(2)));
        assert_eq!(judge(&rules, &bytes(b"\xe9")), Verdict::Unmatched);
    }

    #[test]
    fn reads_key_attributes_and_values_in_json() {
        let on = |field, text, output| Rule { field, ..rule(text, output) };
        let rules = [
            on(Field::Key, "^k1$", 1),
            on(Field::Attribute("level".into()), "warn", 2),
            on(Field::Json(Pointer::parse("/status").unwrap()), "^5..$", 3),
            on(Field::Json(Pointer::parse("/user/name").unwrap()), "^ann$", 4),
        ];
        let event = |key, attributes, payload| Made { payload, key, attributes };
        assert_eq!(judge(&rules, &event(b"k1", vec![], b"{}")), Verdict::Rule(0, Action::Send(1)));
        assert_eq!(
            judge(&rules, &event(b"", vec![("level", b"warning")], b"{}")),
            Verdict::Rule(1, Action::Send(2))
        );
        assert_eq!(
            judge(&rules, &event(b"", vec![], br#"{"status":503}"#)),
            Verdict::Rule(2, Action::Send(3))
        );
        assert_eq!(
            judge(&rules, &event(b"", vec![], br#"{"status":200,"user":{"name":"ann"}}"#)),
            Verdict::Rule(3, Action::Send(4))
        );
        assert_eq!(judge(&rules, &event(b"", vec![], br#"{"status":200}"#)), Verdict::Unmatched);
        assert_eq!(judge(&rules, &event(b"", vec![], b"not JSON")), Verdict::Unreadable);
        assert_eq!(
            judge(&rules, &event(b"k1", vec![], b"not JSON")),
            Verdict::Rule(0, Action::Send(1))
        );
    }

    #[test]
    fn an_inverted_rule_matches_what_is_missing_too() {
        let rules = [Rule {
            field: Field::Attribute("tenant".into()),
            invert: true,
            action: Action::Drop,
            ..rule("^acme$", 0)
        }];
        let event = |attributes| Made { attributes, ..Made::default() };
        assert_eq!(judge(&rules, &event(vec![])), Verdict::Rule(0, Action::Drop));
        assert_eq!(
            judge(&rules, &event(vec![("tenant", b"other".as_slice())])),
            Verdict::Rule(0, Action::Drop)
        );
        assert_eq!(judge(&rules, &event(vec![("tenant", b"acme".as_slice())])), Verdict::Unmatched);
    }

    #[test]
    fn a_wrong_pattern_is_pointed_at() {
        let error = Rules::new(&[rule("fine", 0), rule("a(b", 0)], 1 << 20).err().unwrap();
        assert!(
            error.starts_with("Cannot use rules[1].pattern \"a(b\": regex parse error:"),
            "{error}"
        );
        assert!(error.contains("    a(b\n     ^\n"), "{error}");
    }

    #[test]
    fn a_pattern_that_grows_too_large_is_refused() {
        let error = Rules::new(&[rule(r"\w{500}", 0)], 1 << 12).err().unwrap();
        assert!(
            error.contains("rules[0]")
                && error.contains("more than 4096 bytes")
                && error.contains("size_limit"),
            "{error}"
        );
    }
}
