//! How a stream is doing, as data.

use std::time::Instant;

use pgoutput_decode::{Lsn, TimestampTz};

/// How far a stream has come and when the server was heard last: for metrics and alarms. Costs no question to the server.
///
/// On a stream that keeps up, all positions are close together. Between `received` and `taken` is what the program has not
/// dealt with; between `taken` and `told`, what the next status update tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// How far the log has arrived here; `0/0` before the first message.
    pub received: Lsn,
    /// Everything before it was dealt with and may be forgotten by the server; `0/0` before the first time.
    pub taken: Lsn,
    /// What the server was told of that last.
    pub told: Lsn,
    /// How far the server has come with decoding its log for this stream, as its last message or keepalive said.
    pub server_wal_end: Lsn,
    /// The server's clock when it sent its last message or keepalive; `None` before the first.
    pub last_send_time: Option<TimestampTz>,
    /// This machine's clock when bytes came last.
    pub last_received: Instant,
    /// Whether there is a connection at present. A reader whose connection was lost is not connected until it has another.
    pub connected: bool,
    /// How often the connection was lost and made anew; always zero for a [`Stream`](crate::Stream).
    pub reconnects: u64,
}

impl Health {
    /// Bytes of log between what was taken and the server's position; none before anything was taken.
    pub fn bytes_behind(&self) -> Option<u64> {
        let taken = self.taken.as_u64();
        (taken != 0).then(|| self.server_wal_end.as_u64().saturating_sub(taken))
    }
}
