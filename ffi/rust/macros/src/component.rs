//! `#[busbar::component]`.

use proc_macro::{Span, TokenStream, TokenTree};

use crate::tokens::{Fault, Result, ident_of, is_punct, quote};

const KINDS: &[&str] = &[
    "Source",
    "Processor",
    "Reaction",
    "Bootstrap",
    "Service",
    "Hook",
    "AsyncSource",
    "AsyncReaction",
];

/// Optional calls, by the names of their bits.
const CALLS: &[&str] = &[
    "start",
    "stop",
    "save",
    "restore",
    "health",
    "commit",
    "release",
    "tick",
    "flush",
    "before_request",
    "handle",
    "after_response",
];

/// What is added behind the `impl`.
pub fn expand(arguments: &TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Fault::new("#[busbar::component] takes no arguments", Span::call_site()));
    }
    let tokens: Vec<TokenTree> = item.into_iter().collect();
    let misplaced = || {
        Fault::new(
            "#[busbar::component] stands above `impl Source for …`, or that of another kind of component",
            Span::call_site(),
        )
    };
    let start = tokens
        .iter()
        .position(|token| ident_of(Some(token)).as_deref() == Some("impl"))
        .ok_or_else(misplaced)?;
    let Some((TokenTree::Group(body), head)) = tokens[start + 1..].split_last() else {
        return Err(misplaced());
    };
    let (generics, head) = split_generics(head);
    let middle = head
        .iter()
        .position(|token| ident_of(Some(token)).as_deref() == Some("for"))
        .ok_or_else(misplaced)?;
    let (path, target) = (&head[..middle], &head[middle + 1..]);
    let kind = path.iter().rev().find_map(|token| ident_of(Some(token))).ok_or_else(misplaced)?;
    if !KINDS.contains(&kind.as_str()) {
        let span = path.last().map_or_else(Span::call_site, TokenTree::span);
        return Err(Fault::new(
            format!("`{kind}` is no kind of component: use one of {}", KINDS.join(", ")),
            span,
        ));
    }
    let end = target
        .iter()
        .position(|token| ident_of(Some(token)).as_deref() == Some("where"))
        .unwrap_or(target.len());
    let (target, bounds) = target.split_at(end);

    let found = functions(body.stream());
    let calls: Vec<String> = CALLS
        .iter()
        .filter(|call| found.iter().any(|name| name == **call))
        .map(|call| format!("| ::busbar::__private::offer::{}", call.to_uppercase()))
        .collect();
    let template = format!(
        "impl GENERICS ::busbar::__private::Offers for TARGET BOUNDS {{
            const CALLS: u32 = 0 {};
        }}
        impl GENERICS ::busbar::Exported for TARGET BOUNDS {{
            const DEFINITION: ::busbar::__private::Definition =
                <Self as ::busbar::__private::Export{kind}>::DEFINITION;
        }}",
        calls.join(" "),
    );
    let stream = |tokens: &[TokenTree]| tokens.iter().cloned().collect::<TokenStream>();
    Ok(quote(
        &template,
        &[("GENERICS", stream(generics)), ("TARGET", stream(target)), ("BOUNDS", stream(bounds))],
    ))
}

/// `<…>` at the front, and what follows.
fn split_generics(tokens: &[TokenTree]) -> (&[TokenTree], &[TokenTree]) {
    if !is_punct(tokens.first(), '<') {
        return (&[], tokens);
    }
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        depth += i32::from(is_punct(Some(token), '<')) - i32::from(is_punct(Some(token), '>'));
        if depth == 0 {
            return tokens.split_at(at + 1);
        }
    }
    (tokens, &[])
}

/// Names of the functions in the body.
fn functions(body: TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    tokens
        .windows(2)
        .filter(|pair| ident_of(pair.first()).as_deref() == Some("fn"))
        .filter_map(|pair| ident_of(pair.get(1)))
        .collect()
}
