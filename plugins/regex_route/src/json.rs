//! Finds one value in a JSON text without building the rest of it.

use std::borrow::Cow;

/// The text is not JSON as far as it had to be read.
#[derive(Debug, PartialEq, Eq)]
pub struct NotJson;

/// Deeper values are taken for an attack on the stack.
const MAX_DEPTH: u32 = 128;

/// A JSON pointer (RFC 6901), its steps unescaped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pointer(Vec<Vec<u8>>);

impl Pointer {
    /// Reads `/a/b~1c/0`; `None` when it does not begin with `/` or has a `~` before anything but 0 and 1.
    pub fn parse(text: &str) -> Option<Pointer> {
        let steps = text.strip_prefix('/')?;
        steps.split('/').map(unescape_step).collect::<Option<_>>().map(Pointer)
    }

    /// The value that the pointer leads to in `json`: the characters of a string, the text of anything else; `None` where there is none.
    pub fn find<'a>(&self, json: &'a [u8]) -> Result<Option<Cow<'a, [u8]>>, NotJson> {
        let mut reader = Reader { text: json, at: 0 };
        for step in &self.0 {
            let found = match reader.peek()? {
                b'{' => reader.enter_member(step)?,
                b'[' => reader.enter_element(step)?,
                _ => {
                    reader.skip(0)?;
                    false
                }
            };
            if !found {
                return Ok(None);
            }
        }
        reader.value().map(Some)
    }
}

fn unescape_step(step: &str) -> Option<Vec<u8>> {
    let mut parts = step.split('~');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let character = match part.as_bytes().first()? {
            b'0' => b'~',
            b'1' => b'/',
            _ => return None,
        };
        bytes.push(character);
        bytes.extend_from_slice(&part.as_bytes()[1..]);
    }
    Some(bytes)
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next byte that is no white space, which stays unread.
    fn peek(&mut self) -> Result<u8, NotJson> {
        while let Some(byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(*byte);
            }
            self.at += 1;
        }
        Err(NotJson)
    }

    fn expect(&mut self, byte: u8) -> Result<(), NotJson> {
        if self.peek()? != byte {
            return Err(NotJson);
        }
        self.at += 1;
        Ok(())
    }

    /// Goes on behind a comma; false at the `end` of the list.
    fn next_item(&mut self, end: u8) -> Result<bool, NotJson> {
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => Ok(true),
            _ if byte == end => Ok(false),
            _ => Err(NotJson),
        }
    }

    /// Goes to the value of the member `name`; false when the object has none.
    fn enter_member(&mut self, name: &[u8]) -> Result<bool, NotJson> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            return Ok(false);
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            if *key == *name {
                return Ok(true);
            }
            self.skip(0)?;
            if !self.next_item(b'}')? {
                return Ok(false);
            }
        }
    }

    /// Goes to the element number `index`; false when the array is shorter or `index` is no number.
    fn enter_element(&mut self, index: &[u8]) -> Result<bool, NotJson> {
        let index = std::str::from_utf8(index).ok().and_then(|text| text.parse::<u32>().ok());
        let Some(index) = index else { return Ok(false) };
        self.expect(b'[')?;
        if self.peek()? == b']' {
            return Ok(false);
        }
        for _ in 0..index {
            self.skip(0)?;
            if !self.next_item(b']')? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The value that comes next.
    fn value(&mut self) -> Result<Cow<'a, [u8]>, NotJson> {
        if self.peek()? == b'"' {
            return self.string();
        }
        let from = self.at;
        self.skip(0)?;
        Ok(Cow::Borrowed(&self.text[from..self.at]))
    }

    fn skip(&mut self, depth: u32) -> Result<(), NotJson> {
        if depth > MAX_DEPTH {
            return Err(NotJson);
        }
        match self.peek()? {
            b'"' => self.skip_string().map(drop),
            b'{' => self.skip_list(depth, b'}', true),
            b'[' => self.skip_list(depth, b']', false),
            _ => self.skip_word(),
        }
    }

    fn skip_list(&mut self, depth: u32, end: u8, members: bool) -> Result<(), NotJson> {
        self.at += 1;
        if self.peek()? == end {
            self.at += 1;
            return Ok(());
        }
        loop {
            if members {
                self.expect_string()?;
                self.expect(b':')?;
            }
            self.skip(depth + 1)?;
            if !self.next_item(end)? {
                return Ok(());
            }
        }
    }

    /// A number, true, false or null, taken for one by its characters.
    fn skip_word(&mut self) -> Result<(), NotJson> {
        let from = self.at;
        while self
            .text
            .get(self.at)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
        {
            self.at += 1;
        }
        match &self.text[from..self.at] {
            b"true" | b"false" | b"null" => Ok(()),
            word if word.first().is_some_and(|byte| *byte == b'-' || byte.is_ascii_digit()) => {
                Ok(())
            }
            _ => Err(NotJson),
        }
    }

    fn expect_string(&mut self) -> Result<(), NotJson> {
        if self.peek()? != b'"' {
            return Err(NotJson);
        }
        self.skip_string().map(drop)
    }

    /// Reads past a string; whether it has escapes.
    fn skip_string(&mut self) -> Result<bool, NotJson> {
        self.at += 1;
        let mut escapes = false;
        loop {
            match self.text.get(self.at).ok_or(NotJson)? {
                b'"' => break,
                b'\\' => {
                    escapes = true;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(escapes)
    }

    fn string(&mut self) -> Result<Cow<'a, [u8]>, NotJson> {
        if self.peek()? != b'"' {
            return Err(NotJson);
        }
        let from = self.at + 1;
        let escapes = self.skip_string()?;
        let raw = &self.text[from..self.at - 1];
        if escapes { unescape(raw).map(Cow::Owned) } else { Ok(Cow::Borrowed(raw)) }
    }
}

fn unescape(raw: &[u8]) -> Result<Vec<u8>, NotJson> {
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        text.extend_from_slice(&rest[..at]);
        let escaped = *rest.get(at + 1).ok_or(NotJson)?;
        rest = &rest[at + 2..];
        let character = match escaped {
            b'"' | b'\\' | b'/' => escaped as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => unicode_escape(&mut rest)?,
            _ => return Err(NotJson),
        };
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    text.extend_from_slice(rest);
    Ok(text)
}

/// The character of `\uXXXX`, of two of them where it is a surrogate pair; half a pair becomes U+FFFD.
fn unicode_escape(rest: &mut &[u8]) -> Result<char, NotJson> {
    let unit = hex4(rest)?;
    if !(0xd800..0xdc00).contains(&unit) {
        return Ok(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    let Some(mut ahead) = rest.strip_prefix(b"\\u") else {
        return Ok(char::REPLACEMENT_CHARACTER);
    };
    let low = hex4(&mut ahead)?;
    if !(0xdc00..0xe000).contains(&low) {
        return Ok(char::REPLACEMENT_CHARACTER);
    }
    *rest = ahead;
    let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
}

fn hex4(rest: &mut &[u8]) -> Result<u32, NotJson> {
    let (digits, behind) = rest.split_at_checked(4).ok_or(NotJson)?;
    *rest = behind;
    digits.iter().try_fold(0, |value, digit| {
        let digit = (*digit as char).to_digit(16).ok_or(NotJson)?;
        Ok(value * 16 + digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pointer: &str, json: &str) -> Result<Option<String>, NotJson> {
        let found = Pointer::parse(pointer).unwrap().find(json.as_bytes())?;
        Ok(found.map(|bytes| String::from_utf8(bytes.into_owned()).unwrap()))
    }

    #[test]
    fn finds_members_and_elements() {
        let json =
            r#" { "a": { "b": [ 1, "two", { "c": null } ] }, "": true, "x/y": 1e3, "m~n": {} } "#;
        for (pointer, value) in [
            ("/a/b/0", "1"),
            ("/a/b/1", "two"),
            ("/a/b/2/c", "null"),
            ("/a/b/2", r#"{ "c": null }"#),
            ("/", "true"),
            ("/x~1y", "1e3"),
            ("/m~0n", "{}"),
        ] {
            assert_eq!(find(pointer, json), Ok(Some(value.into())), "{pointer}");
        }
    }

    #[test]
    fn finds_nothing_where_nothing_is() {
        let json = r#"{"a":[],"b":{},"c":1,"d":[1]}"#;
        for pointer in ["/e", "/a/0", "/a/x", "/b/c", "/c/d", "/d/1", "/d/-", "/d/-1"] {
            assert_eq!(find(pointer, json), Ok(None), "{pointer}");
        }
    }

    #[test]
    fn unescapes_strings_and_names() {
        assert_eq!(
            find("/a", r#"{"a":"\"\\\/\b\f\n\r\tA\u00e9\ud83d\ude00"}"#),
            Ok(Some("\"\\/\u{8}\u{c}\n\r\tAé😀".into()))
        );
        assert_eq!(find("/é", r#"{"\u00e9":"x"}"#), Ok(Some("x".into())));
        assert_eq!(find("/a", r#"{"a":"\ud83dx\udc00"}"#), Ok(Some("\u{fffd}x\u{fffd}".into())));
    }

    #[test]
    fn says_what_is_not_json() {
        let deep = format!("{{\"x\":{}", "[".repeat(1000));
        for json in [
            "",
            "{",
            "{\"x\"",
            "{\"x\":",
            "{x:1}",
            "{\"x\":tru,\"a\":1}",
            "{\"x\":1 \"a\":1}",
            "{\"x\":\"\\",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\\q\"}",
            &deep,
        ] {
            assert_eq!(find("/a", json), Err(NotJson), "{json}");
        }
    }

    #[test]
    fn reads_no_further_than_it_must() {
        assert_eq!(find("/a", r#"{"a":1, oops"#), Ok(Some("1".into())));
    }

    #[test]
    fn refuses_pointers_that_are_none() {
        for text in ["", "a", "/~", "/~2"] {
            assert_eq!(Pointer::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_cut_text_ends_without_a_panic() {
        let json = r#"{"k":[1,{"s":"a\u00e9\ud83d\ude00\n"}],"a":{"b":"c"}}"#;
        for end in 0..json.len() {
            let _ = Pointer::parse("/a/b").unwrap().find(&json.as_bytes()[..end]);
            let _ = Pointer::parse("/k/1/s").unwrap().find(&json.as_bytes()[..end]);
        }
    }
}
