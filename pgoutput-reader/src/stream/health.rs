//! The state of a stream, as data.

use std::time::{Duration, Instant};

use pgoutput_decode::{Lsn, TimestampTz};

/// The LSNs of a stream and the time of its last message, for metrics and alarms. Reading them
/// sends nothing to the server.
///
/// On a stream that keeps up, all LSNs are close together. The WAL between `acknowledged` and
/// `received` is what your program has not acknowledged; between `flushed` and `acknowledged`, what
/// the next status update will report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The received LSN; `0/0` before the first message.
    pub received: Lsn,
    /// The acknowledged LSN; `0/0` at first. On an idle [`Reader`](crate::Reader) it may be up to 1
    /// KiB less than `received`: [`idle`](Self::idle) shows that nothing is missing.
    pub acknowledged: Lsn,
    /// The flushed LSN: the acknowledged LSN as last reported to the server.
    pub flushed: Lsn,
    /// The WAL end: the position up to which the server has decoded its WAL for this stream, as its
    /// last message or keepalive reported it.
    pub server_wal_end: Lsn,
    /// The server's clock when it sent its last message or keepalive; `None` before the first.
    pub last_send_time: Option<TimestampTz>,
    /// This machine's clock when bytes last arrived.
    pub last_received: Instant,
    /// The commit time, by the server's clock, of the newest transaction of which an event was
    /// delivered. `None` before the first, and always for a
    /// [`ReplicationStream`](crate::ReplicationStream), which delivers messages.
    pub last_commit_time: Option<TimestampTz>,
    /// Whether nothing is published and everything delivered was acknowledged: the server has
    /// reported since that nothing further is on its way. Always false for a
    /// [`ReplicationStream`](crate::ReplicationStream).
    pub idle: bool,
    /// Whether there is a connection. A reader that has lost its connection is not connected until
    /// it has reconnected.
    pub connected: bool,
    /// The number of bytes that were written to files because transactions in progress took too
    /// much memory ([`SpillOptions`](crate::SpillOptions)); always zero for a
    /// [`ReplicationStream`](crate::ReplicationStream).
    pub spilled: u64,
    /// The number of bytes that these files take now; always zero for a
    /// [`ReplicationStream`](crate::ReplicationStream).
    pub spill: u64,
    /// The number of transactions in progress of which chunks are kept; always zero for a
    /// [`ReplicationStream`](crate::ReplicationStream).
    pub in_progress: u64,
    /// The number of reconnections; always zero for a
    /// [`ReplicationStream`](crate::ReplicationStream).
    pub reconnects: u64,
}

impl Health {
    /// The state before anything was received.
    #[cfg(feature = "reader")]
    pub(crate) fn at_start(now: Instant) -> Self {
        Self {
            received: Lsn::ZERO,
            acknowledged: Lsn::ZERO,
            flushed: Lsn::ZERO,
            server_wal_end: Lsn::ZERO,
            last_send_time: None,
            last_received: now,
            last_commit_time: None,
            idle: false,
            connected: true,
            spilled: 0,
            spill: 0,
            in_progress: 0,
            reconnects: 0,
        }
    }

    /// Returns the number of bytes of WAL from the acknowledged LSN to the server's WAL end; `None`
    /// before anything was acknowledged.
    pub fn bytes_behind(&self) -> Option<u64> {
        let acknowledged = self.acknowledged.as_u64();
        (acknowledged != 0).then(|| self.server_wal_end.as_u64().saturating_sub(acknowledged))
    }

    /// Returns how much older the newest delivered transaction is than the server's last message,
    /// both by the server's clock: the age of what your program processes. Zero while
    /// [`idle`](Self::idle); `None` before the first transaction.
    pub fn time_behind(&self) -> Option<Duration> {
        if self.idle {
            return Some(Duration::ZERO);
        }
        let (sent, committed) = (self.last_send_time?, self.last_commit_time?);
        let micros = sent.as_micros().saturating_sub(committed.as_micros());
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or_default()))
    }
}
