//! What a word is.

/// The words of a text: runs of ASCII letters, ASCII digits, apostrophes and bytes from 0x80 on.
pub fn of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !is_part(*byte)).filter(|word| !word.is_empty())
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'\'' || byte >= 0x80
}
