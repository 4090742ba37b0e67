//! The manifest: JSON that the compiler puts together, so that it is data in the library.

use crate::abi;
use crate::calls::Definition;
use crate::config::write_schema;

/// Writes JSON, with indentation; or only measures it.
pub struct Writer<'a> {
    out: Option<&'a mut [u8]>,
    len: usize,
    depth: usize,
    /// Nothing was written yet within the brackets that are open.
    empty: bool,
}

impl<'a> Writer<'a> {
    pub(crate) const fn measure() -> Self {
        Self { out: None, len: 0, depth: 0, empty: true }
    }

    pub(crate) const fn into(out: &'a mut [u8]) -> Self {
        Self { out: Some(out), len: 0, depth: 0, empty: true }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    const fn byte(&mut self, byte: u8) {
        if let Some(out) = &mut self.out {
            out[self.len] = byte;
        }
        self.len += 1;
    }

    pub(crate) const fn raw(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            self.byte(bytes[at]);
            at += 1;
        }
    }

    pub(crate) const fn open(&mut self, bracket: u8) {
        self.byte(bracket);
        self.depth += 1;
        self.empty = true;
    }

    pub(crate) const fn close(&mut self, bracket: u8) {
        self.depth -= 1;
        if !self.empty {
            self.line();
        }
        self.byte(bracket);
        self.empty = false;
    }

    const fn line(&mut self) {
        self.byte(b'\n');
        let mut at = 0;
        while at < self.depth {
            self.raw("  ");
            at += 1;
        }
    }

    /// Begins a value in an array, or a member.
    pub(crate) const fn item(&mut self) {
        if !self.empty {
            self.byte(b',');
        }
        self.empty = false;
        self.line();
    }

    pub(crate) const fn key(&mut self, name: &str) {
        self.item();
        self.string(name);
        self.raw(": ");
    }

    pub(crate) const fn string(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let bytes = text.as_bytes();
        self.byte(b'"');
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'"' => self.raw("\\\""),
                b'\\' => self.raw("\\\\"),
                b'\n' => self.raw("\\n"),
                control if control < 32 => {
                    self.raw("\\u00");
                    self.byte(HEX[(control >> 4) as usize]);
                    self.byte(HEX[(control & 15) as usize]);
                }
                byte => self.byte(byte),
            }
            at += 1;
        }
        self.byte(b'"');
    }

    const fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    const fn number(&mut self, value: u32) {
        if value >= 10 {
            self.number(value / 10);
        }
        self.byte(b'0' + (value % 10) as u8);
    }

    pub(crate) const fn strings(&mut self, texts: &[&str]) {
        self.open(b'[');
        let mut at = 0;
        while at < texts.len() {
            self.item();
            self.string(texts[at]);
            at += 1;
        }
        self.close(b']');
    }
}

const KINDS: [&str; 7] = ["", "source", "processor", "reaction", "bootstrap", "service", "hook"];

const fn write_component(to: &mut Writer<'_>, component: &Definition) {
    to.open(b'{');
    to.key("kind");
    to.string(KINDS[component.kind as usize]);
    to.key("name");
    to.string(component.name);
    if !component.description.is_empty() {
        to.key("description");
        to.string(component.description);
    }
    to.key("blocking");
    to.bool(component.blocking);
    if component.kind == abi::SOURCE {
        to.key("replayable");
        to.bool(component.replayable);
        to.key("partitioned");
        to.bool(component.partitioned);
    }
    if component.kind == abi::SERVICE || component.kind == abi::HOOK {
        to.key("concurrency");
        to.number(component.concurrency);
    }
    if !component.outputs.is_empty() {
        to.key("outputs");
        to.strings(component.outputs);
    }
    if let Some(tick) = component.tick_ms {
        to.key("tick_ms");
        to.number(tick);
    }
    to.key("config_schema");
    write_schema(to, &component.schema, true);
    to.close(b'}');
}

/// `head` and `build` are what the build helper wrote: members of the manifest.
const fn write(to: &mut Writer<'_>, (head, build): (&str, &str), components: &[Definition]) {
    to.open(b'{');
    to.item();
    to.raw(head);
    to.key("components");
    to.open(b'[');
    let mut at = 0;
    while at < components.len() {
        check(&components[at]);
        to.item();
        write_component(to, &components[at]);
        at += 1;
    }
    to.close(b']');
    to.item();
    to.raw(build);
    to.close(b'}');
    to.raw("\n");
}

/// Stops the compiler at what the host would refuse.
const fn check(component: &Definition) {
    let name = component.name.as_bytes();
    assert!(
        !name.is_empty() && name.len() <= 64 && name[0].is_ascii_lowercase(),
        "NAME of a component begins with a lower-case letter and has at most 64 characters"
    );
    let mut at = 0;
    while at < name.len() {
        let fits = name[at].is_ascii_lowercase() || name[at].is_ascii_digit() || name[at] == b'-';
        assert!(fits, "NAME of a component has only lower-case letters, digits and \"-\"");
        at += 1;
    }
    assert!(component.outputs.len() <= 64, "OUTPUTS has at most 64 names");
    assert!(
        component.concurrency >= 1 && component.concurrency <= 1024,
        "CONCURRENCY is from 1 to 1024"
    );
}

/// Bytes of the manifest with a NUL.
pub const fn size(parts: (&str, &str), components: &[Definition]) -> usize {
    let mut writer = Writer::measure();
    write(&mut writer, parts, components);
    writer.len + 1
}

/// The manifest with a NUL.
pub const fn bytes<const N: usize>(parts: (&str, &str), components: &[Definition]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut writer = Writer::into(&mut bytes);
    write(&mut writer, parts, components);
    bytes
}

/// The ABI hash with a NUL.
pub const fn abi_hash() -> [u8; 65] {
    let mut bytes = [0; 65];
    let mut at = 0;
    while at < 64 {
        bytes[at] = abi::ABI_HASH.as_bytes()[at];
        at += 1;
    }
    bytes
}
