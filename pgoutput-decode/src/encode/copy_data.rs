//! Writes the envelopes that a server sends.
//!
//! [`StandbyStatusUpdate::to_bytes`](crate::StandbyStatusUpdate::to_bytes) and
//! [`HotStandbyFeedback::to_bytes`](crate::HotStandbyFeedback::to_bytes) write those of a client
//! and need no feature.

use alloc::vec::Vec;

use super::writer::Writer;
use crate::copy_data::{CopyData, PrimaryKeepalive, XLogData};
use crate::tag::Tag;

impl CopyData<'_> {
    /// Appends the payload of one CopyData message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::XLogData(data) => data.encode(out),
            Self::PrimaryKeepalive(keepalive) => keepalive.encode(out),
        }
    }
}

impl XLogData<'_> {
    /// Appends the payload of one CopyData message to `out`: the header and the message in `data`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.u8(Tag::XLOG_DATA.0);
        writer.lsn(self.wal_start);
        writer.lsn(self.wal_end);
        writer.timestamp(self.send_time);
        writer.bytes(self.data);
    }
}

impl PrimaryKeepalive {
    /// Appends the payload of one CopyData message to `out`. The `reply` byte is written as it is.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.u8(Tag::PRIMARY_KEEPALIVE.0);
        writer.lsn(self.wal_end);
        writer.timestamp(self.send_time);
        writer.u8(self.reply);
    }
}
