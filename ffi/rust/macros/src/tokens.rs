//! What is needed of a parser and of a quoter.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// What is wrong, and where.
pub struct Fault {
    message: String,
    span: Span,
}

impl Fault {
    pub fn new(message: impl Into<String>, span: Span) -> Self {
        Self { message: message.into(), span }
    }

    /// A `compile_error!` in its place.
    pub fn into_tokens(self) -> TokenStream {
        let mut bang = Punct::new('!', Spacing::Alone);
        bang.set_span(self.span);
        let mut message = Literal::string(&self.message);
        message.set_span(self.span);
        let mut body = Group::new(Delimiter::Brace, TokenTree::Literal(message).into());
        body.set_span(self.span);
        [
            TokenTree::Ident(Ident::new("compile_error", self.span)),
            TokenTree::Punct(bang),
            TokenTree::Group(body),
        ]
        .into_iter()
        .collect()
    }
}

pub type Result<T> = std::result::Result<T, Fault>;

/// Reads a template as tokens, with each name in capitals replaced by the tokens given for it, which keep their place.
pub fn quote(template: &str, values: &[(&str, TokenStream)]) -> TokenStream {
    replace(template.parse().expect("a template is Rust"), values)
}

fn replace(tokens: TokenStream, values: &[(&str, TokenStream)]) -> TokenStream {
    let mut output = TokenStream::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                match values.iter().find(|(known, _)| *known == name) {
                    Some((_, value)) => output.extend(value.clone()),
                    None => output.extend([TokenTree::Ident(ident)]),
                }
            }
            TokenTree::Group(group) => {
                let mut new = Group::new(group.delimiter(), replace(group.stream(), values));
                new.set_span(group.span());
                output.extend([TokenTree::Group(new)]);
            }
            other => output.extend([other]),
        }
    }
    output
}

pub fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

pub fn ident_of(token: Option<&TokenTree>) -> Option<String> {
    if let Some(TokenTree::Ident(ident)) = token { Some(ident.to_string()) } else { None }
}

/// The parts between commas. Angle brackets are no groups for the compiler, so they are counted here.
pub fn split_commas(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    let mut depth = 0_usize;
    let mut before = ' ';
    for token in tokens {
        let mut punct = ' ';
        if let TokenTree::Punct(found) = &token {
            punct = found.as_char();
            match punct {
                '<' => depth += 1,
                '>' if before != '-' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => {
                    parts.push(Vec::new());
                    continue;
                }
                _ => {}
            }
        }
        before = punct;
        parts.last_mut().expect("never empty").push(token);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The text of a string literal as it stands in the source.
pub fn string_of(literal: &str) -> Option<String> {
    if let Some(raw) = literal.strip_prefix('r') {
        let raw = raw.trim_matches('#');
        return raw.strip_prefix('"')?.strip_suffix('"').map(str::to_owned);
    }
    let mut chars = literal.strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut text = String::new();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next()? {
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            '0' => text.push('\0'),
            'x' => {
                let digits: String = chars.by_ref().take(2).collect();
                text.push(char::from(u8::from_str_radix(&digits, 16).ok()?));
            }
            'u' => {
                let digits: String = chars
                    .by_ref()
                    .skip(1)
                    .take_while(|c| *c != '}')
                    .filter(|c| *c != '_')
                    .collect();
                text.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
            }
            '\n' => {
                let rest = chars.as_str().trim_start();
                chars = rest.chars();
            }
            other => text.push(other),
        }
    }
    Some(text)
}

/// Text as JSON writes it.
pub fn json_string(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", c as u32)),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

/// An attribute: its name and what follows.
pub struct Attribute {
    pub name: String,
    pub rest: Vec<TokenTree>,
}

/// Takes the attributes at the front.
pub fn take_attributes(tokens: &mut &[TokenTree]) -> Vec<Attribute> {
    let mut attributes = Vec::new();
    while let [TokenTree::Punct(hash), TokenTree::Group(group), rest @ ..] = *tokens {
        if hash.as_char() != '#' || group.delimiter() != Delimiter::Bracket {
            break;
        }
        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
        if let Some((TokenTree::Ident(name), arguments)) = inner.split_first() {
            attributes.push(Attribute { name: name.to_string(), rest: arguments.to_vec() });
        }
        *tokens = rest;
    }
    attributes
}

/// Skips `pub` and `pub(…)`.
pub fn skip_visibility(tokens: &mut &[TokenTree]) {
    if ident_of(tokens.first()).as_deref() == Some("pub") {
        *tokens = &tokens[1..];
        if let Some(TokenTree::Group(group)) = tokens.first() {
            if group.delimiter() == Delimiter::Parenthesis {
                *tokens = &tokens[1..];
            }
        }
    }
}
