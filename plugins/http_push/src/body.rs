//! Bodies of requests, made of events.

use std::hash::{DefaultHasher, Hasher};
use std::io::Write;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::write::GzEncoder;

use busbar::{Content, Operation, Record};

use crate::json;
use crate::settings::{Compression, Format, Settings};
use crate::size::Extent;

/// How events become bodies.
pub struct Layout {
    format: Format,
    envelope: bool,
    compression: Compression,
    /// Ids of the pipeline's sources by their numbers, known from the start on.
    sources: OnceLock<Vec<(u16, String)>>,
}

/// One body.
pub struct Body {
    /// How many of the events went in, and how many bytes they are uncompressed.
    pub extent: Extent,
    pub content_type: &'static str,
    /// As it is sent.
    pub bytes: Bytes,
    /// Of the uncompressed bytes.
    pub hash: u64,
}

impl Layout {
    pub fn new(settings: &Settings) -> Self {
        let Settings { format, envelope, compression, .. } = *settings;
        Self { format, envelope, compression, sources: OnceLock::new() }
    }

    /// From now on events say the ids of their sources.
    pub fn name_sources(&self, sources: Vec<(u16, String)>) {
        // They are the same at each start.
        let _ = self.sources.set(sources);
    }

    /// Most events that a body with these limits holds.
    pub fn most_events(&self, limits: Extent) -> usize {
        if self.format == Format::Raw { 1 } else { limits.events.max(1) }
    }

    /// A body of the first events, as many as the limits allow, but at least one.
    pub fn body(&self, records: &[&Record<'_>], limits: Extent) -> Body {
        let mut bytes = Vec::new();
        let mut events = 0;
        for record in records.iter().take(self.most_events(limits)) {
            let before = bytes.len();
            self.append(&mut bytes, record);
            if events > 0 && bytes.len() > limits.bytes {
                bytes.truncate(before);
                break;
            }
            events += 1;
        }
        if self.format == Format::JsonArray {
            bytes.push(b']');
        }
        let extent = Extent { events, bytes: bytes.len() };
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        Body {
            extent,
            content_type: self.content_type(records),
            hash: hasher.finish(),
            bytes: self.compress(bytes),
        }
    }

    fn append(&self, out: &mut Vec<u8>, record: &Record<'_>) {
        match self.format {
            Format::Raw => out.extend_from_slice(record.payload()),
            Format::Lines => {
                out.extend_from_slice(record.payload());
                out.push(b'\n');
            }
            Format::Ndjson => {
                self.append_json(out, record);
                out.push(b'\n');
            }
            Format::JsonArray => {
                out.push(if out.is_empty() { b'[' } else { b',' });
                self.append_json(out, record);
            }
        }
    }

    fn append_json(&self, out: &mut Vec<u8>, record: &Record<'_>) {
        if self.envelope {
            return self.append_envelope(out, record);
        }
        let payload = record.payload();
        if record.content() == Content::JSON {
            append_json_payload(out, payload);
        } else if let Ok(text) = std::str::from_utf8(payload) {
            json::string(out, text);
        } else {
            out.push(b'{');
            json::member(out, "payload", payload);
            out.push(b'}');
        }
    }

    fn append_envelope(&self, out: &mut Vec<u8>, record: &Record<'_>) {
        out.extend_from_slice(
            format!("{{\"sequence\":{},\"source\":", record.sequence()).as_bytes(),
        );
        match self.source_id(record.source()) {
            Some(id) => json::string(out, id),
            None => out.extend_from_slice(record.source().to_string().as_bytes()),
        }
        out.extend_from_slice(b",\"timestamp\":");
        match record.timestamp() {
            0 => out.extend_from_slice(b"null"),
            timestamp => json::string(out, &json::iso_time(timestamp)),
        }
        out.extend_from_slice(b",\"operation\":");
        json::string(out, operation_name(record.operation()));
        out.push(b',');
        match record.key() {
            b"" => out.extend_from_slice(b"\"key\":null"),
            key => json::member(out, "key", key),
        }
        for (index, (name, value)) in record.attributes().enumerate() {
            out.extend_from_slice(if index == 0 { b",\"attributes\":{" } else { b"," });
            json::member(out, &String::from_utf8_lossy(name), value);
        }
        if record.attributes().next().is_some() {
            out.push(b'}');
        }
        out.push(b',');
        if record.content() == Content::JSON {
            out.extend_from_slice(b"\"payload\":");
            append_json_payload(out, record.payload());
        } else {
            json::member(out, "payload", record.payload());
        }
        out.push(b'}');
    }

    fn source_id(&self, number: u16) -> Option<&str> {
        let (_, id) = self.sources.get()?.iter().find(|(own, _)| *own == number)?;
        Some(id)
    }

    fn content_type(&self, records: &[&Record<'_>]) -> &'static str {
        match self.format {
            Format::Ndjson => "application/x-ndjson",
            Format::JsonArray => "application/json",
            Format::Lines => "text/plain; charset=utf-8",
            Format::Raw => records
                .first()
                .map_or("application/octet-stream", |record| media_type(record.content())),
        }
    }

    fn compress(&self, bytes: Vec<u8>) -> Bytes {
        if self.compression == Compression::None {
            return bytes.into();
        }
        let mut encoder =
            GzEncoder::new(Vec::with_capacity(bytes.len() / 4), flate2::Compression::fast());
        let written = encoder.write_all(&bytes).and_then(|()| encoder.finish());
        written.expect("writing to memory cannot fail").into()
    }
}

/// An event without a value, such as a deletion, is null.
fn append_json_payload(out: &mut Vec<u8>, payload: &[u8]) {
    match payload {
        b"" => out.extend_from_slice(b"null"),
        json => json::on_one_line(out, json),
    }
}

fn operation_name(operation: Operation) -> &'static str {
    match operation {
        Operation::INSERT => "insert",
        Operation::UPDATE => "update",
        Operation::DELETE => "delete",
        _ => "message",
    }
}

fn media_type(content: Content) -> &'static str {
    match content {
        Content::TEXT => "text/plain; charset=utf-8",
        Content::JSON => "application/json",
        Content::MSGPACK => "application/msgpack",
        Content::CBOR => "application/cbor",
        Content::PROTOBUF => "application/x-protobuf",
        Content::AVRO => "application/vnd.apache.avro",
        Content::ARROW => "application/vnd.apache.arrow.stream",
        _ => "application/octet-stream",
    }
}
