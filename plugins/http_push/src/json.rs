//! Writes JSON and what stands in it.

use std::str;

/// Writes `text` as a JSON string.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text.as_bytes()[written..at]);
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        written = at + 1;
    }
    out.extend_from_slice(&text.as_bytes()[written..]);
    out.push(b'"');
}

/// Writes the member `name` with the text, or `name_base64` where the bytes are not UTF-8.
pub fn member(out: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    match str::from_utf8(bytes) {
        Ok(text) => {
            string(out, name);
            out.push(b':');
            string(out, text);
        }
        Err(_) => {
            string(out, &format!("{name}_base64"));
            out.extend_from_slice(b":\"");
            base64(out, bytes);
            out.push(b'"');
        }
    }
}

/// Writes JSON as it is, on one line: outside of strings a line end is white space, and in them there is none.
pub fn on_one_line(out: &mut Vec<u8>, json: &[u8]) {
    let from = out.len();
    out.extend_from_slice(json);
    for byte in &mut out[from..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// Writes `bytes` in base64, with padding.
pub fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            out.push(if digit <= group.len() { DIGITS[index as usize] } else { b'=' });
        }
    }
}

/// Nanoseconds since 1970 as `2026-11-20T18:25:00.123456789Z`.
pub fn iso_time(timestamp: i64) -> String {
    let (seconds, nanoseconds) =
        (timestamp.div_euclid(1_000_000_000), timestamp.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{nanoseconds:09}Z",
        second % 60
    )
}

/// Year, month and day of a day counted from 1970-01-01. Years begin in March here, so that the leap day is a year's last, and 400 years
/// always have the same number of days.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped() {
        let text = "a\"b\\c\n\r\t\u{1}\u{7f}é😀";
        assert_eq!(written(|out| string(out, text)), "\"a\\\"b\\\\c\\n\\r\\t\\u0001\u{7f}é😀\"");
        assert_eq!(written(|out| string(out, "")), "\"\"");
    }

    #[test]
    fn bytes_that_are_no_text_become_base64() {
        assert_eq!(written(|out| member(out, "payload", b"abc")), r#""payload":"abc""#);
        assert_eq!(
            written(|out| member(out, "payload", b"\xff\x00")),
            r#""payload_base64":"/wA=""#
        );
    }

    #[test]
    fn base64_has_padding() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(written(|out| base64(out, bytes.as_bytes())), text);
        }
    }

    #[test]
    fn json_goes_on_one_line() {
        assert_eq!(written(|out| on_one_line(out, b"{\n  \"a\": 1\r\n}")), "{   \"a\": 1  }");
    }

    #[test]
    fn times_are_written_with_nanoseconds() {
        for (timestamp, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (1_772_446_500_123_456_789, "2026-03-02T10:15:00.123456789Z"),
            (4_107_542_399_999_999_999, "2100-02-28T23:59:59.999999999Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
        ] {
            assert_eq!(iso_time(timestamp), text);
        }
    }
}
