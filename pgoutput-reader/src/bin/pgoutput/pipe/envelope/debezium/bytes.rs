//! Bytes as base64, and bit strings.

use pgoutput_reader::decode::value::Bits;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes bytes as a JSON string in base64, with padding.
pub(super) fn base64(bytes: impl IntoIterator<Item = u8>, out: &mut String) {
    let mut bytes = bytes.into_iter();
    out.push('"');
    while let Some(first) = bytes.next() {
        let (second, third) = (bytes.next(), bytes.next());
        let group = [first, second.unwrap_or(0), third.unwrap_or(0)];
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        let digit = |shift: u32| {
            let index = usize::try_from(bits >> shift & 0x3f).unwrap_or_default();
            char::from(ALPHABET.get(index).copied().unwrap_or_default())
        };
        out.push(digit(18));
        out.push(digit(12));
        out.push(if second.is_some() { digit(6) } else { '=' });
        out.push(if third.is_some() { digit(0) } else { '=' });
    }
    out.push('"');
}

/// Writes a bit string. One of length 1 is a boolean; of others the bytes are written, the last bit
/// of the string first, without the zero bytes at the end.
pub(super) fn bits(bits: &Bits<'_>, length: i32, out: &mut String) {
    if length == 1 {
        let is_set = bits.iter().next().unwrap_or(false);
        out.push_str(if is_set { "true" } else { "false" });
        return;
    }
    let mut bytes = vec![0; bits.len().div_ceil(8)];
    for (index, is_set) in bits.iter().enumerate() {
        let place = bits.len() - 1 - index;
        if is_set && let Some(byte) = bytes.get_mut(place / 8) {
            *byte |= 1_u8 << (place % 8);
        }
    }
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(end);
    base64(bytes, out);
}

#[cfg(test)]
mod tests {
    use pgoutput_reader::decode::value::{Field, Format, type_oid};

    use super::*;

    #[test]
    fn base64_has_the_examples_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = String::new();
            base64(bytes.bytes(), &mut out);
            assert_eq!(out, format!("\"{text}\""));
        }
        let mut out = String::new();
        base64([0xfb, 0xff, 0xbf], &mut out);
        assert_eq!(out, "\"+/+/\"");
    }

    #[test]
    fn bits_are_bytes_in_little_endian_order() {
        let write = |text: &str, length| {
            let field = Field::new(type_oid::VARBIT, Format::Text, text.as_bytes());
            let mut out = String::new();
            bits(&field.get().unwrap(), length, &mut out);
            out
        };
        assert_eq!(write("1", 1), "true");
        assert_eq!(write("0", 1), "false");
        // 3; 64; nothing; 1, 2, 3; 1, 2, 35, 218, 1.
        assert_eq!(write("11", 2), "\"Aw==\"");
        assert_eq!(write("1000000", 7), "\"QA==\"");
        assert_eq!(write("00", 2), "\"\"");
        assert_eq!(write("000000110000001000000001", 24), "\"AQID\"");
        assert_eq!(write("111011010001000110000001000000001", -1), "\"AQIj2gE=\"");
    }
}
