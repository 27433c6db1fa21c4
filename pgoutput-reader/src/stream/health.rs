//! How a stream is doing, as data.

use std::time::{Duration, Instant};

use pgoutput_decode::{Lsn, TimestampTz};

/// How far a stream has come and when the server was heard last: for metrics and alarms. Costs no question to the server.
///
/// On a stream that keeps up, all positions are close together. Between `received` and `acknowledged` is what the program has not
/// dealt with; between `acknowledged` and `flushed`, what the next status update tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// How far the log has arrived here; `0/0` before the first message.
    pub received: Lsn,
    /// Everything before it was dealt with and may be forgotten by the server; `0/0` before the first time. On an idle [`Reader`](crate::Reader) up to 1 KiB less
    /// than `received`: [`drained`](Self::drained) says that nothing is missing.
    pub acknowledged: Lsn,
    /// What the server was told of that last.
    pub flushed: Lsn,
    /// How far the server has come with decoding its log for this stream, as its last message or keepalive said.
    pub server_wal_end: Lsn,
    /// The server's clock when it sent its last message or keepalive; `None` before the first.
    pub last_send_time: Option<TimestampTz>,
    /// This machine's clock when bytes came last.
    pub last_received: Instant,
    /// By the server's clock, when the newest transaction was committed of which something was handed out; `None` before the first, and of a
    /// [`ReplicationStream`](crate::ReplicationStream), which does not look.
    pub last_commit_time: Option<TimestampTz>,
    /// Everything was handed out and taken, and the server has said since that it has nothing further.
    pub drained: bool,
    /// Whether there is a connection at present. A reader whose connection was lost is not connected until it has another.
    pub connected: bool,
    /// How often the connection was lost and made anew; always zero for a [`ReplicationStream`](crate::ReplicationStream).
    pub reconnects: u64,
}

impl Health {
    /// Bytes of log between what was taken and the server's position; none before anything was taken.
    pub fn bytes_behind(&self) -> Option<u64> {
        let acknowledged = self.acknowledged.as_u64();
        (acknowledged != 0).then(|| self.server_wal_end.as_u64().saturating_sub(acknowledged))
    }

    /// How much older the newest transaction handed out was than the server's last message, both by the server's clock: how old the news is that the
    /// program deals with. Zero when [`drained`](Self::drained); `None` before the first transaction.
    pub fn time_behind(&self) -> Option<Duration> {
        if self.drained {
            return Some(Duration::ZERO);
        }
        let (sent, committed) = (self.last_send_time?, self.last_commit_time?);
        let micros = sent.as_micros().saturating_sub(committed.as_micros());
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or_default()))
    }
}
