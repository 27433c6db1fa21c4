//! Header blocks of messages.

use std::str;

/// The first line of a block.
pub(super) const START: &str = "NATS/1.0";

/// Returns the status of a message from the server itself, as 503 in `NATS/1.0 503`.
pub(super) fn status(block: &[u8]) -> Option<u16> {
    let rest = block.strip_prefix(START.as_bytes())?;
    str::from_utf8(rest.get(1..4)?).ok()?.parse().ok()
}

/// Returns the value of the first header with this name.
pub(super) fn value<'b>(block: &'b [u8], name: &str) -> Option<&'b str> {
    block.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let line = str::from_utf8(line).ok()?;
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// Appends a header whose value is written by `write`, on one line.
///
/// Control characters of the value become those of JSON, as in `\u000a`: a value cannot add
/// another header.
pub(super) fn append(block: &mut Vec<u8>, name: &str, value: &str) {
    block.extend_from_slice(name.as_bytes());
    block.extend_from_slice(b": ");
    append_text(block, value);
    block.extend_from_slice(b"\r\n");
}

fn append_text(block: &mut Vec<u8>, value: &str) {
    if !value.bytes().any(|byte| byte.is_ascii_control()) {
        return block.extend_from_slice(value.as_bytes());
    }
    for character in value.chars() {
        if character.is_ascii_control() {
            block.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
        } else {
            block.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_block_is_read() {
        let block = b"NATS/1.0\r\nA: b\r\nPgoutput-Position:  1:2 +1 \r\na: c\r\n\r\n";
        assert_eq!(value(block, "a"), Some("b"));
        assert_eq!(value(block, "pgoutput-position"), Some("1:2 +1"));
        assert_eq!(value(block, "b"), None);
        assert_eq!(status(block), None);
        assert_eq!(status(b"NATS/1.0 503\r\n\r\n"), Some(503));
        assert_eq!(status(b"NATS/1.0 404 No Messages\r\n\r\n"), Some(404));
        assert_eq!((status(b""), value(b"", "a")), (None, None));
    }

    proptest! {
        #[test]
        fn no_value_adds_a_header(text in "\\PC*|[\u{0}-\u{20}a:\u{7f}]*") {
            let mut block = b"NATS/1.0\r\n".to_vec();
            append(&mut block, "A", &text);
            append(&mut block, "B", "b");
            prop_assert_eq!(block.split(|byte| *byte == b'\n').count(), 4);
            prop_assert_eq!(block.split(|byte| *byte == b'\r').count(), 4);
            prop_assert_eq!(value(&block, "B"), Some("b"));
            if !text.contains(|c: char| c.is_ascii_control()) {
                prop_assert_eq!(value(&block, "A"), Some(text.trim()));
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(block in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = (status(&block), value(&block, "a"));
        }
    }
}
