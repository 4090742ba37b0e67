//! The schema of settings, as a tree that the compiler evaluates.

use crate::manifest::Writer;

/// What values a setting may have.
#[derive(Debug, Clone, Copy)]
pub enum Schema {
    /// Anything.
    Any,
    /// true or false.
    Boolean,
    /// A whole number, with the least and the greatest as JSON.
    Integer(Option<&'static str>, Option<&'static str>),
    /// A number.
    Number,
    /// Text.
    String,
    /// Text that is shown to nobody.
    Secret,
    /// A duration such as `5s`.
    Duration,
    /// A number of bytes such as `64MiB`.
    Size,
    /// A rate such as `100/s`.
    Rate,
    /// One of these texts.
    Enum(&'static [&'static str]),
    /// Many of these.
    Array(&'static Schema),
    /// Any names with these values.
    Map(&'static Schema),
    /// Either missing or this.
    Optional(&'static Schema),
    /// These properties and no others.
    Object(&'static [Property]),
}

/// A keyword of JSON Schema and its value, as JSON.
pub type Keyword = (&'static str, &'static str);

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// As in the JSON.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
    /// What values it may have.
    pub schema: Schema,
    /// JSON of its value when it is missing.
    pub default: Option<&'static str>,
    /// Whether it must be there.
    pub required: bool,
    /// What else is asked of it.
    pub keywords: &'static [Keyword],
}

/// Writes a schema as JSON.
pub(crate) const fn write_schema(to: &mut Writer<'_>, schema: &Schema, is_root: bool) {
    to.open(b'{');
    if is_root {
        to.key("$schema");
        to.string("https://json-schema.org/draft/2020-12/schema");
    }
    write_members(to, schema);
    to.close(b'}');
}

const fn write_type(to: &mut Writer<'_>, name: &str) {
    to.key("type");
    to.string(name);
}

const fn write_members(to: &mut Writer<'_>, schema: &Schema) {
    match schema {
        Schema::Any => {}
        Schema::Boolean => write_type(to, "boolean"),
        Schema::Integer(least, greatest) => {
            write_type(to, "integer");
            write_keyword(to, "minimum", least);
            write_keyword(to, "maximum", greatest);
        }
        Schema::Number => write_type(to, "number"),
        Schema::String => write_type(to, "string"),
        Schema::Secret => {
            write_type(to, "string");
            to.key("writeOnly");
            to.raw("true");
        }
        Schema::Duration => {
            write_type(to, "string");
            to.key("format");
            to.string("busbar-duration");
        }
        Schema::Size => write_unit(to, "busbar-size"),
        Schema::Rate => write_unit(to, "busbar-rate"),
        Schema::Enum(names) => {
            to.key("enum");
            to.strings(names);
        }
        Schema::Array(items) => {
            write_type(to, "array");
            to.key("items");
            write_schema(to, items, false);
        }
        Schema::Map(values) => {
            write_type(to, "object");
            to.key("additionalProperties");
            write_schema(to, values, false);
        }
        Schema::Optional(inner) => write_members(to, inner),
        Schema::Object(properties) => write_object(to, properties),
    }
}

const fn write_keyword(to: &mut Writer<'_>, name: &str, value: &Option<&'static str>) {
    if let Some(value) = value {
        to.key(name);
        to.raw(value);
    }
}

/// Text with a unit, or a bare number.
const fn write_unit(to: &mut Writer<'_>, format: &str) {
    to.key("anyOf");
    to.open(b'[');
    to.item();
    to.open(b'{');
    write_type(to, "string");
    to.key("format");
    to.string(format);
    to.close(b'}');
    to.item();
    to.open(b'{');
    write_type(to, "number");
    to.key("minimum");
    to.raw("0");
    to.close(b'}');
    to.close(b']');
}

const fn write_object(to: &mut Writer<'_>, properties: &[Property]) {
    write_type(to, "object");
    to.key("additionalProperties");
    to.raw("false");
    let mut required = 0;
    let mut at = 0;
    while at < properties.len() {
        if properties[at].required {
            if required == 0 {
                to.key("required");
                to.open(b'[');
            }
            to.item();
            to.string(properties[at].name);
            required += 1;
        }
        at += 1;
    }
    if required > 0 {
        to.close(b']');
    }
    to.key("properties");
    to.open(b'{');
    at = 0;
    while at < properties.len() {
        to.key(properties[at].name);
        write_property(to, &properties[at]);
        at += 1;
    }
    to.close(b'}');
}

const fn write_property(to: &mut Writer<'_>, property: &Property) {
    to.open(b'{');
    if !property.description.is_empty() {
        to.key("description");
        to.string(property.description);
    }
    let plain = strip_bounds(&property.schema, property.keywords);
    write_members(to, &plain);
    let mut at = 0;
    while at < property.keywords.len() {
        let (name, value) = property.keywords[at];
        // A bound of a duration or size is text, which JSON Schema cannot compare: only the plugin checks it.
        if value.as_bytes()[0] != b'"' || is(name, "pattern") || is(name, "format") {
            to.key(name);
            to.raw(value);
        }
        at += 1;
    }
    if let Some(default) = property.default {
        to.key("default");
        to.raw(default);
    }
    to.close(b'}');
}

/// The schema without the bounds that the keywords set anew.
const fn strip_bounds(schema: &Schema, keywords: &[Keyword]) -> Schema {
    match schema {
        Schema::Integer(least, greatest) => {
            let mut bounds = (*least, *greatest);
            let mut at = 0;
            while at < keywords.len() {
                if is(keywords[at].0, "minimum") || is(keywords[at].0, "exclusiveMinimum") {
                    bounds.0 = None;
                }
                if is(keywords[at].0, "maximum") || is(keywords[at].0, "exclusiveMaximum") {
                    bounds.1 = None;
                }
                at += 1;
            }
            Schema::Integer(bounds.0, bounds.1)
        }
        Schema::Optional(inner) => strip_bounds(inner, keywords),
        other => *other,
    }
}

const fn is(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}
