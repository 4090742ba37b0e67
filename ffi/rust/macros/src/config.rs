//! `#[derive(Config)]`.

use proc_macro::{Delimiter, Span, TokenStream, TokenTree};

use crate::tokens::{
    Attribute, Fault, Result, ident_of, is_punct, json_string, quote, skip_visibility,
    split_commas, string_of, take_attributes,
};

/// Names in `#[config(…)]` that become a keyword of JSON Schema.
const KEYWORDS: &[(&str, &str)] = &[
    ("min", "minimum"),
    ("max", "maximum"),
    ("exclusive_min", "exclusiveMinimum"),
    ("exclusive_max", "exclusiveMaximum"),
    ("min_length", "minLength"),
    ("max_length", "maxLength"),
    ("min_items", "minItems"),
    ("max_items", "maxItems"),
    ("pattern", "pattern"),
    ("format", "format"),
];

#[derive(Default)]
struct Options {
    description: String,
    /// `Some(None)`: the type's own.
    default: Option<Option<String>>,
    keywords: Vec<(String, String)>,
    rename: Option<String>,
}

pub fn expand(item: TokenStream) -> Result<TokenStream> {
    let tokens: Vec<TokenTree> = item.into_iter().collect();
    let mut rest = tokens.as_slice();
    take_attributes(&mut rest);
    skip_visibility(&mut rest);
    let what = ident_of(rest.first()).unwrap_or_default();
    let Some(name) = rest.get(1).cloned() else {
        return Err(Fault::new("Config is derived for a struct or an enum", Span::call_site()));
    };
    let body = match rest.get(2) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => group.stream(),
        Some(TokenTree::Punct(punct)) if punct.as_char() == ';' => TokenStream::new(),
        _ => {
            let message = "Config is derived for a struct with named fields, or an enum without data, and without generics";
            return Err(Fault::new(message, name.span()));
        }
    };
    match what.as_str() {
        "struct" => expand_struct(name, body),
        "enum" => expand_enum(name, body),
        _ => Err(Fault::new("Config is derived for a struct or an enum", name.span())),
    }
}

fn expand_struct(name: TokenTree, body: TokenStream) -> Result<TokenStream> {
    let mut properties = TokenStream::new();
    let mut fields = TokenStream::new();
    for (index, part) in split_commas(body).into_iter().enumerate() {
        let mut rest = part.as_slice();
        let options = options(&take_attributes(&mut rest))?;
        skip_visibility(&mut rest);
        let [field, TokenTree::Punct(_), kind @ ..] = rest else {
            return Err(Fault::new("a field has a name and a type", name.span()));
        };
        let kind: TokenStream = kind.iter().cloned().collect();
        properties.extend(property(&options, field, kind.clone()));
        fields.extend(quote(
            &format!("FIELD: reader.field::<TYPE>({index})?,"),
            &[("FIELD", field.clone().into()), ("TYPE", kind)],
        ));
    }
    Ok(quote(
        "impl ::busbar::__private::Field for NAME {
            const SCHEMA: ::busbar::__private::Schema = ::busbar::__private::Schema::Object(&[PROPERTIES]);
            const EMPTY: ::core::option::Option<&'static str> = ::core::option::Option::Some(\"{}\");

            fn read(
                value: &::busbar::json::Value,
            ) -> ::core::result::Result<Self, ::busbar::__private::Fault> {
                let ::busbar::__private::Schema::Object(properties) =
                    <Self as ::busbar::__private::Field>::SCHEMA else { ::core::unreachable!() };
                let reader = ::busbar::__private::Reader::new(value, properties)?;
                let _ = &reader;
                ::core::result::Result::Ok(Self { FIELDS })
            }
        }
        impl ::busbar::Config for NAME {}",
        &[("NAME", name.into()), ("PROPERTIES", properties), ("FIELDS", fields)],
    ))
}

fn property(options: &Options, field: &TokenTree, kind: TokenStream) -> TokenStream {
    let name = options.rename.clone().unwrap_or_else(|| {
        let name = field.to_string();
        name.strip_prefix("r#").unwrap_or(&name).to_owned()
    });
    let default = match &options.default {
        None => "::core::option::Option::None".to_owned(),
        Some(Some(json)) => format!("::core::option::Option::Some({json:?})"),
        Some(None) => "<TYPE as ::busbar::__private::Field>::EMPTY".to_owned(),
    };
    let required = if options.default.is_some() {
        "false".to_owned()
    } else {
        "!<TYPE as ::busbar::__private::Field>::OPTIONAL".to_owned()
    };
    let keywords: Vec<_> =
        options.keywords.iter().map(|(name, value)| format!("({name:?}, {value:?})")).collect();
    quote(
        &format!(
            "::busbar::__private::Property {{
                name: {name:?},
                description: {:?},
                schema: <TYPE as ::busbar::__private::Field>::SCHEMA,
                default: {default},
                required: {required},
                keywords: &[{}],
            }},",
            options.description,
            keywords.join(", "),
        ),
        &[("TYPE", kind)],
    )
}

fn expand_enum(name: TokenTree, body: TokenStream) -> Result<TokenStream> {
    let mut names = Vec::new();
    let mut arms = TokenStream::new();
    for (index, part) in split_commas(body).into_iter().enumerate() {
        let mut rest = part.as_slice();
        let options = options(&take_attributes(&mut rest))?;
        let [variant] = rest else {
            let span = rest.first().map_or(name.span(), TokenTree::span);
            return Err(Fault::new("an enum of settings has variants without data", span));
        };
        names.push(options.rename.unwrap_or_else(|| snake_case(&variant.to_string())));
        arms.extend(quote(
            &format!("{index} => Self::VARIANT,"),
            &[("VARIANT", variant.clone().into())],
        ));
    }
    Ok(quote(
        &format!(
            "impl ::busbar::__private::Field for NAME {{
                const SCHEMA: ::busbar::__private::Schema = ::busbar::__private::Schema::Enum(&{names:?});

                fn read(
                    value: &::busbar::json::Value,
                ) -> ::core::result::Result<Self, ::busbar::__private::Fault> {{
                    ::core::result::Result::Ok(match ::busbar::__private::choice(value, &{names:?})? {{
                        ARMS
                        _ => ::core::unreachable!(),
                    }})
                }}
            }}"
        ),
        &[("NAME", name.into()), ("ARMS", arms)],
    ))
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for (index, c) in name.chars().enumerate() {
        if c.is_uppercase() && index > 0 {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    text
}

fn options(attributes: &[Attribute]) -> Result<Options> {
    let mut options = Options::default();
    let mut lines = Vec::new();
    for attribute in attributes {
        match (attribute.name.as_str(), attribute.rest.as_slice()) {
            ("doc", [_, TokenTree::Literal(text)]) => {
                lines.push(string_of(&text.to_string()).unwrap_or_default().trim().to_owned());
            }
            ("config", [TokenTree::Group(group)]) => {
                for part in split_commas(group.stream()) {
                    add(&mut options, &part)?;
                }
            }
            _ => {}
        }
    }
    options.description = lines.join(" ").trim().to_owned();
    Ok(options)
}

/// One `name` or `name = value`.
fn add(options: &mut Options, part: &[TokenTree]) -> Result<()> {
    let span = part[0].span();
    let name = ident_of(part.first()).unwrap_or_default();
    let value = match part.get(1) {
        None => None,
        Some(_) if is_punct(part.get(1), '=') => Some(json(&part[2..], span)?),
        Some(other) => return Err(Fault::new("use `name` or `name = value`", other.span())),
    };
    let keyword = KEYWORDS.iter().find(|(known, _)| *known == name).map(|(_, keyword)| *keyword);
    match (name.as_str(), keyword, value) {
        ("default", _, value) => options.default = Some(value),
        ("reload", _, None) => options.keywords.push(("reloadOnChange".into(), "true".into())),
        ("secret", _, None) => options.keywords.push(("writeOnly".into(), "true".into())),
        ("rename", _, Some(_)) => {
            options.rename = part.get(2).and_then(|literal| string_of(&literal.to_string()));
        }
        (_, Some(keyword), Some(value)) => options.keywords.push((keyword.into(), value)),
        _ => {
            let names: Vec<_> = KEYWORDS.iter().map(|(name, _)| format!("{name} = …")).collect();
            return Err(Fault::new(
                format!("use default, reload, secret, rename = … or {}", names.join(", ")),
                span,
            ));
        }
    }
    Ok(())
}

/// A literal, or an array of them, as JSON.
fn json(tokens: &[TokenTree], span: Span) -> Result<String> {
    let wrong = || Fault::new("use a number, a string, true, false, or an array of these", span);
    match tokens {
        [TokenTree::Literal(literal)] => {
            let text = literal.to_string();
            if text.starts_with('"') || text.starts_with("r\"") || text.starts_with("r#") {
                return string_of(&text).map(|text| json_string(&text)).ok_or_else(wrong);
            }
            number(&text).ok_or_else(wrong)
        }
        [TokenTree::Ident(word)] if ["true", "false"].contains(&word.to_string().as_str()) => {
            Ok(word.to_string())
        }
        [TokenTree::Punct(minus), TokenTree::Literal(literal)] if minus.as_char() == '-' => {
            number(&literal.to_string()).map(|number| format!("-{number}")).ok_or_else(wrong)
        }
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::Bracket => {
            let items: Result<Vec<_>> =
                split_commas(group.stream()).iter().map(|item| json(item, span)).collect();
            Ok(format!("[{}]", items?.join(",")))
        }
        // A literal that another macro passed on comes in a group.
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::None => {
            json(&group.stream().into_iter().collect::<Vec<_>>(), span)
        }
        _ => Err(wrong()),
    }
}

/// A number without what only Rust has: `1_000` and `5u8`.
fn number(literal: &str) -> Option<String> {
    let mut text = literal.replace('_', "");
    for suffix in ["usize", "u64", "u32", "u16", "u8", "i64", "i32", "i16", "i8", "f64", "f32"] {
        if let Some(bare) = text.strip_suffix(suffix) {
            text = bare.to_owned();
            break;
        }
    }
    let number: f64 = text.parse().ok()?;
    if text.ends_with('.') || text.starts_with('.') {
        text = number.to_string();
    }
    Some(text)
}
