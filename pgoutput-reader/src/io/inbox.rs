//! The receive buffer: one read receives many messages, each of which is parsed in place.

use crate::proto::frame::{FrameError, HEADER_LEN, Header};

/// The space for one read, and the length to which the buffer shrinks.
const BASE: usize = 256 * 1024;

/// A longer buffer shrinks to [`BASE`] once little of it is in use.
const SHRINK_ABOVE: usize = 1024 * 1024;

/// Received and unconsumed bytes, in the middle of a buffer that grows only as bytes arrive.
///
/// ```text
///   consumed | whole messages, part of one | space for the next read
///   0        start                         end                    len
/// ```
#[derive(Debug)]
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The longest message body.
    limit: usize,
}

/// The range of a message's body in the buffer, valid until the buffer is filled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BodyRange {
    start: usize,
    end: usize,
}

impl Inbox {
    pub(crate) fn new(limit: usize) -> Self {
        Self { buffer: vec![0; BASE], start: 0, end: 0, limit }
    }

    /// The received and unconsumed bytes.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Consumes bytes from the front.
    pub(crate) fn consume(&mut self, len: usize) {
        debug_assert!(len <= self.end - self.start);
        self.start += len;
    }

    /// Consumes the next message if all of it has arrived. Its body stays in place until
    /// [`space`](Self::space).
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u8, BodyRange)>, FrameError> {
        let Some(header) = Header::parse(self.unread(), self.limit)? else { return Ok(None) };
        if self.end - self.start < header.total() {
            return Ok(None);
        }
        let start = self.start + HEADER_LEN;
        let end = start + header.body_len;
        self.start = end;
        Ok(Some((header.tag, BodyRange { start, end })))
    }

    /// The body at a range that [`next`](Self::next) returned.
    #[inline]
    pub(crate) fn body(&self, position: BodyRange) -> &[u8] {
        &self.buffer[position.start..position.end]
    }

    /// Space for the next read, never empty. Moves and grows the buffer, so earlier ranges become
    /// invalid.
    ///
    /// The buffer at most doubles, once it is full of received bytes, and does not grow beyond the
    /// length of the message at its front. The length in a message's header alone never enlarges
    /// it.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.release();
        let unread = self.end - self.start;
        if unread == 0 {
            (self.start, self.end) = (0, 0);
        } else if unread <= self.start {
            // At most as many bytes are moved as were consumed since the last move: each byte is
            // moved once on average.
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, unread);
        } else if self.end == self.buffer.len() {
            let len = self.buffer.len();
            let announced = Header::parse(self.unread(), self.limit).ok().flatten();
            // The length of a message that is complete says nothing about the next ones.
            let needed = announced.map_or(0, |header| self.start.saturating_add(header.total()));
            let longer = if needed > len { needed.min(len * 2) } else { len * 2 };
            self.buffer.reserve_exact(longer - len);
            self.buffer.resize(longer, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// Frees the memory of a long message that was consumed. Earlier ranges become invalid.
    pub(crate) fn release(&mut self) {
        let unread = self.end - self.start;
        if self.buffer.len() > SHRINK_ABOVE && unread < BASE / 2 {
            let mut smaller = vec![0; BASE];
            smaller[..unread].copy_from_slice(self.unread());
            self.buffer = smaller;
            (self.start, self.end) = (0, unread);
        }
    }

    /// Notes that this many bytes of [`space`](Self::space) were filled.
    pub(crate) fn filled(&mut self, len: usize) {
        self.end = (self.end + len).min(self.buffer.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(body_len: usize, with: u8) -> Vec<u8> {
        let length = u32::try_from(body_len + 4).unwrap().to_be_bytes();
        [&b"d"[..], &length, &vec![with; body_len]].concat()
    }

    /// Feeds `bytes` in reads of at most `read` bytes and returns all bodies.
    fn receive(inbox: &mut Inbox, mut bytes: &[u8], read: usize) -> Vec<Vec<u8>> {
        let mut bodies = Vec::new();
        while !bytes.is_empty() {
            let space = inbox.space();
            let len = read.min(space.len()).min(bytes.len());
            space[..len].copy_from_slice(&bytes[..len]);
            inbox.filled(len);
            bytes = &bytes[len..];
            while let Some((_, position)) = inbox.next().unwrap() {
                bodies.push(inbox.body(position).to_vec());
            }
        }
        bodies
    }

    proptest! {
        #[test]
        fn reads_of_any_size_give_the_same_messages(
            sizes in prop::collection::vec(prop_oneof![0..BASE / 4, 0..BASE * 3 / 2], 1..12),
            read in prop_oneof![1_usize..10, 1..3 * BASE],
        ) {
            let divisor = if read < 10 { 100 } else { 1 };
            let sizes: Vec<_> = sizes.iter().map(|size| size / divisor).collect();
            let bytes: Vec<u8> = sizes.iter().flat_map(|size| message(*size, b'x')).collect();
            let bodies = receive(&mut Inbox::new(usize::MAX), &bytes, read);
            prop_assert_eq!(bodies.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
        }
    }

    #[test]
    fn an_announced_gigabyte_takes_no_memory() {
        let mut inbox = Inbox::new(usize::MAX);
        assert!(receive(&mut inbox, b"d\x3F\xFF\xFF\xFFten bytes.", 100).is_empty());
        inbox.space();
        assert_eq!(inbox.buffer.len(), BASE);
    }

    #[test]
    fn the_buffer_is_never_four_times_what_arrived_and_shrinks_afterwards() {
        let mut inbox = Inbox::new(usize::MAX);
        let giant = message(5_000_000, b'x');
        assert_eq!(receive(&mut inbox, &giant, 70_000).len(), 1);
        assert!((giant.len()..giant.len() * 4).contains(&inbox.buffer.len()));
        assert_eq!(receive(&mut inbox, &message(1, b'y'), 3), [b"y"]);
        assert_eq!(inbox.buffer.len(), BASE);
    }

    #[test]
    fn the_buffer_grows_no_further_than_a_long_message_and_is_given_back() {
        for body_len in [SHRINK_ABOVE, 5_000_000, 8 * BASE - HEADER_LEN, 8 * BASE] {
            let mut inbox = Inbox::new(usize::MAX);
            let giant = message(body_len, b'x');
            assert_eq!(receive(&mut inbox, &giant, 70_000).len(), 1);
            assert!(inbox.buffer.capacity() <= giant.len().max(BASE), "{body_len}");
            inbox.release();
            assert!(inbox.buffer.capacity() <= SHRINK_ABOVE.max(BASE));
            // Bytes that were received with its end are kept.
            let mut both = [&giant[..], &message(3, b'y')].concat();
            both.truncate(both.len() - 1);
            assert_eq!(receive(&mut inbox, &both, 70_000).len(), 1);
            inbox.release();
            assert_eq!(receive(&mut inbox, b"y", 1), [b"yyy"]);
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused_by_its_header() {
        let mut inbox = Inbox::new(10);
        let space = inbox.space();
        space[..5].copy_from_slice(b"d\0\0\0\x0F");
        inbox.filled(5);
        assert_eq!(inbox.next(), Err(FrameError::TooLong { tag: b'd', body_len: 11, limit: 10 }));
    }
}
