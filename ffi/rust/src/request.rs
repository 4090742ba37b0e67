//! Requests and answers of services and hooks.

use crate::abi;

/// The answer to a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status; 0 means 200.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The answer itself.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer with status 200.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 0, headers: Vec::new(), body: body.into() }
    }

    /// Sets the HTTP status.
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Adds a header; its name in lower case.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// How a hook answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// Goes on, with what was changed in the call.
    Continue,
    /// The call is answered.
    Answered(Answer),
}

/// What the plugin set in a call: kept until the next call with the same slot.
#[derive(Default)]
pub(crate) struct Slot {
    texts: Vec<Box<str>>,
    body: Vec<u8>,
    headers: Kept,
    answer: Vec<u8>,
    answer_headers: Kept,
}

/// Headers and the array that points to them.
#[derive(Default)]
struct Kept {
    texts: Vec<(String, String)>,
    raw: Vec<abi::Header>,
}

// SAFETY: the pointers lead to the texts beside them.
unsafe impl Send for Kept {}

impl Kept {
    fn set(&mut self, texts: Vec<(String, String)>) -> (*const abi::Header, u32) {
        self.texts = texts;
        self.raw = self
            .texts
            .iter()
            .map(|(name, value)| abi::Header {
                name: abi::Text::new(name),
                value: abi::Text::new(value),
            })
            .collect();
        (self.raw.as_ptr(), self.raw.len() as u32)
    }
}

/// One request. Valid during the call.
pub struct Call<'a> {
    raw: &'a mut abi::Call,
    slot: &'a mut Slot,
}

impl<'a> Call<'a> {
    pub(crate) fn new(raw: &'a mut abi::Call, slot: &'a mut Slot) -> Self {
        Self { raw, slot }
    }

    fn text(&self, text: abi::Text) -> &str {
        // SAFETY: the host's text, or the slot's, valid during the call.
        std::str::from_utf8(unsafe { text.bytes() }).unwrap_or("")
    }

    /// Its number.
    pub fn id(&self) -> u64 {
        self.raw.id
    }

    /// Below `CONCURRENCY`; no two calls at the same time have the same.
    pub fn slot(&self) -> u32 {
        self.raw.slot
    }

    /// When nobody waits for the answer any more, in nanoseconds since 1970.
    pub fn deadline(&self) -> i64 {
        self.raw.deadline
    }

    /// Such as `GET`.
    pub fn method(&self) -> &str {
        self.text(self.raw.method)
    }

    /// Such as `/a/b`.
    pub fn path(&self) -> &str {
        self.text(self.raw.path)
    }

    /// What follows the question mark.
    pub fn query(&self) -> &str {
        self.text(self.raw.query)
    }

    /// The body, or a service's input.
    pub fn body(&self) -> &[u8] {
        // SAFETY: the host's bytes, or the slot's, valid during the call.
        unsafe { self.raw.body.slice() }
    }

    /// Names in lower case, and values.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        raw_headers(self.raw.headers, self.raw.header_count)
            .iter()
            .map(|header| (self.text(header.name), self.text(header.value)))
    }

    /// Value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The answer so far: what `after_response` looks at.
    pub fn answer(&self) -> Answer {
        let headers = raw_headers(self.raw.answer_headers, self.raw.answer_header_count);
        let owned = |text| self.text(text).to_owned();
        Answer {
            status: self.raw.answer_status as u16,
            headers: headers.iter().map(|one| (owned(one.name), owned(one.value))).collect(),
            // SAFETY: as for the body.
            body: unsafe { self.raw.answer.slice() }.to_vec(),
        }
    }

    /// Changes the path.
    pub fn set_path(&mut self, path: &str) {
        self.raw.path = self.keep(path);
    }

    /// Changes the method.
    pub fn set_method(&mut self, method: &str) {
        self.raw.method = self.keep(method);
    }

    /// Changes the query.
    pub fn set_query(&mut self, query: &str) {
        self.raw.query = self.keep(query);
    }

    /// Changes the body.
    pub fn set_body(&mut self, body: Vec<u8>) {
        self.slot.body = body;
        self.raw.body = abi::Bytes::new(&self.slot.body);
    }

    /// Replaces all headers.
    pub fn set_headers(&mut self, headers: Vec<(String, String)>) {
        (self.raw.headers, self.raw.header_count) = self.slot.headers.set(headers);
    }

    /// Sets the answer.
    pub fn set_answer(&mut self, answer: Answer) {
        self.raw.answer_status = answer.status.into();
        self.slot.answer = answer.body;
        self.raw.answer = abi::Bytes::new(&self.slot.answer);
        (self.raw.answer_headers, self.raw.answer_header_count) =
            self.slot.answer_headers.set(answer.headers);
    }

    fn keep(&mut self, text: &str) -> abi::Text {
        self.slot.texts.push(text.into());
        abi::Text::new(self.slot.texts.last().expect("just pushed"))
    }
}

impl Slot {
    /// Forgets what the last call with this slot left.
    pub(crate) fn clear(&mut self) {
        self.texts.clear();
    }
}

fn raw_headers<'a>(headers: *const abi::Header, count: u32) -> &'a [abi::Header] {
    if count == 0 {
        return &[];
    }
    // SAFETY: the host's array, or the slot's, valid during the call.
    unsafe { std::slice::from_raw_parts(headers, count as usize) }
}
