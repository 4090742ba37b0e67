//! The settings of the processor, as the configuration gives them.

use busbar::Config;
use busbar::config::Size;

use crate::json::Pointer;
use crate::rules::{Action, Field, Pattern, Rule};

/// The outputs, in the order of the manifest.
pub const OUTPUTS: &[&str] = &[
    "kept", "route-1", "route-2", "route-3", "route-4", "route-5", "route-6", "route-7", "route-8",
];

/// Where an event goes.
#[derive(Config, Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// To the output `kept`
    Keep,
    /// Nowhere
    Drop,
    #[config(rename = "route-1")]
    Route1,
    #[config(rename = "route-2")]
    Route2,
    #[config(rename = "route-3")]
    Route3,
    #[config(rename = "route-4")]
    Route4,
    #[config(rename = "route-5")]
    Route5,
    #[config(rename = "route-6")]
    Route6,
    #[config(rename = "route-7")]
    Route7,
    #[config(rename = "route-8")]
    Route8,
}

impl From<To> for Action {
    fn from(to: To) -> Action {
        match to {
            To::Keep => Action::Send(0),
            To::Drop => Action::Drop,
            To::Route1 => Action::Send(1),
            To::Route2 => Action::Send(2),
            To::Route3 => Action::Send(3),
            To::Route4 => Action::Send(4),
            To::Route5 => Action::Send(5),
            To::Route6 => Action::Send(6),
            To::Route7 => Action::Send(7),
            To::Route8 => Action::Send(8),
        }
    }
}

/// Settings of `route`.
#[derive(Config, Debug)]
pub struct Settings {
    /// Rules in their order: the first that an event matches decides
    #[config(min_items = 1)]
    pub rules: Vec<RuleSettings>,
    /// Where an event goes that no rule matches
    #[config(default = "keep")]
    pub unmatched: To,
    /// Where an event goes, marked as not understood, when a rule wants a value from JSON and the payload is none
    #[config(default = "keep")]
    pub unreadable: To,
    /// Most memory that one compiled pattern may take
    #[config(default = "10MiB", min = "1KiB")]
    pub size_limit: Size,
}

/// One rule.
#[derive(Config, Debug)]
pub struct RuleSettings {
    /// Regular expression, in the syntax of the Rust crate regex; it may match anywhere unless it has ^ and $
    pub pattern: String,
    /// Where an event goes that matches
    pub to: To,
    /// What is looked at: payload, key, attribute:NAME, or a JSON pointer such as /user/name into the payload
    #[config(default = "payload", pattern = "^(payload|key|attribute:.+|/.*)$")]
    pub field: String,
    /// The rule matches where the pattern does not, or where there is no such field
    #[config(default = false)]
    pub invert: bool,
    /// Upper and lower case are the same
    #[config(default = false)]
    pub case_insensitive: bool,
    /// ^ and $ match at the begin and end of each line
    #[config(default = false)]
    pub multi_line: bool,
    /// A dot matches line ends too
    #[config(default = false)]
    pub dot_matches_new_line: bool,
    /// White space and # comments in the pattern are left out
    #[config(default = false)]
    pub ignore_whitespace: bool,
    /// \w, \d and the like know all of Unicode, and a dot is a character of UTF-8; otherwise they are ASCII, and a dot is a byte
    #[config(default = true)]
    pub unicode: bool,
}

impl RuleSettings {
    /// The rule they describe; `index` is for the message.
    pub fn rule(&self, index: usize) -> Result<Rule, String> {
        let field = parse_field(&self.field).ok_or_else(|| {
            format!(
                "Cannot use rules[{index}].field \"{}\": it must be payload, key, attribute:NAME or a JSON pointer, where ~ is written ~0 and / is written ~1",
                self.field
            )
        })?;
        let pattern = Pattern {
            text: self.pattern.clone(),
            case_insensitive: self.case_insensitive,
            multi_line: self.multi_line,
            dot_matches_new_line: self.dot_matches_new_line,
            ignore_whitespace: self.ignore_whitespace,
            unicode: self.unicode,
        };
        Ok(Rule { field, pattern, invert: self.invert, action: self.to.into() })
    }
}

fn parse_field(text: &str) -> Option<Field> {
    match text {
        "payload" => Some(Field::Payload),
        "key" => Some(Field::Key),
        _ => match text.strip_prefix("attribute:") {
            Some("") => None,
            Some(name) => Some(Field::Attribute(name.into())),
            None => Pointer::parse(text).map(Field::Json),
        },
    }
}
