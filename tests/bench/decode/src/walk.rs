//! Reference implementations: the least that reading a message can cost.

use std::hint::black_box;

use crate::visit::take;

/// Reads every byte once, by copying.
pub fn copy(bytes: &[u8], to: &mut Vec<u8>) -> usize {
    to.clear();
    to.extend_from_slice(black_box(bytes));
    black_box(to.len())
}

/// Walks over the length fields of a valid message and sums the address of each value, without any
/// check.
///
/// # Safety
/// `frame` must be a whole message in this state, as a server sends it.
#[inline]
pub unsafe fn unchecked(frame: &[u8], in_stream: bool) -> usize {
    // SAFETY: a whole message has the bytes that are read here, as the caller promised.
    unsafe {
        let tag = *frame.get_unchecked(0);
        if !matches!(tag, b'I' | b'U' | b'D') {
            return 1;
        }
        let mut at = if in_stream { 9 } else { 5 };
        let mut sum = 0_usize;
        loop {
            let kind = *frame.get_unchecked(at);
            let [high, low] = *frame.as_ptr().add(at + 1).cast::<[u8; 2]>();
            at += 3;
            for _ in 0..u16::from_be_bytes([high, low]) {
                if matches!(frame.get_unchecked(at), b't' | b'b') {
                    let length = *frame.as_ptr().add(at + 1).cast::<[u8; 4]>();
                    let start = at + 5;
                    at = start + u32::from_be_bytes(length) as usize;
                    sum = take(sum, frame.get_unchecked(start..at));
                } else {
                    sum = sum.wrapping_add(1);
                    at += 1;
                }
            }
            // In an Update, the new row follows the old one.
            if tag != b'U' || kind == b'N' {
                return sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::unchecked;
    use crate::{captured, columns, decoded_columns, generated, large_values};
    use pgoutput_decode::Message;

    #[test]
    fn every_line_sees_the_same_values() {
        let captures = [10, 14, 15, 18].map(|major| captured(major).unwrap());
        for input in generated().into_iter().chain(captures).chain([large_values(1000)]) {
            for frame in input.frames() {
                let message = Message::decode(frame.bytes, frame.in_stream).unwrap();
                // SAFETY: the frame was just decoded.
                let walked = unsafe { unchecked(frame.bytes, frame.in_stream) };
                assert_eq!(columns(&message), walked, "{}: {message:?}", input.name);
                let decoded = decoded_columns(frame.bytes, frame.in_stream);
                assert_eq!(decoded, Some(walked), "{}: {message:?}", input.name);
            }
        }
    }
}
