//! The envelopes of streaming replication: what a CopyData message holds, in either direction.
//!
//! Manual, section "Streaming Replication Protocol".

use byteorder::{BigEndian, ByteOrder};

use crate::cursor::Cursor;
use crate::{DecodeError, ErrorKind, Lsn, Tag, TimestampTz, Xid};

/// What the server sends inside CopyData.
///
/// ```
/// use pgoutput_decode::{CopyData, Lsn};
///
/// let mut bytes = vec![b'k'];
/// bytes.extend_from_slice(&0x158_FAC8_u64.to_be_bytes());
/// bytes.extend_from_slice(&0_i64.to_be_bytes());
/// bytes.push(1);
/// let CopyData::PrimaryKeepalive(keepalive) = CopyData::decode(&bytes)? else { panic!() };
/// assert_eq!(keepalive.wal_end, Lsn::new(0x158_FAC8));
/// assert!(keepalive.reply_requested());
/// # Ok::<(), pgoutput_decode::DecodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyData<'a> {
    /// `w`: a piece of log; for logical replication exactly one message.
    XLogData(XLogData<'a>),
    /// `k`: the server is alive, and how far it has come.
    PrimaryKeepalive(PrimaryKeepalive),
}

/// A message of the output plugin with the positions it came with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct XLogData<'a> {
    /// Where the change stands in the log. Zero for messages that stand for no record of their own, such as Relation.
    pub wal_start: Lsn,
    /// The server's end of log when it sent this; logical replication sends `wal_start` again.
    pub wal_end: Lsn,
    /// The server's clock when it sent this.
    pub send_time: TimestampTz,
    /// The message, for [`Decoder::decode`](crate::Decoder::decode).
    pub data: &'a [u8],
}

/// The server is alive, and how far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrimaryKeepalive {
    /// How far the server has read (logical: decoded) the log.
    pub wal_end: Lsn,
    /// The server's clock when it sent this.
    pub send_time: TimestampTz,
    /// The last byte as it came: 1 when the client should answer at once, to avoid a timeout disconnect.
    pub reply: u8,
}

impl XLogData<'_> {
    /// Bytes in front of the message.
    pub const HEADER_LEN: usize = 25;
}

impl PrimaryKeepalive {
    /// Length of the payload.
    pub const LEN: usize = 18;

    /// True when the client should answer at once.
    pub const fn reply_requested(&self) -> bool {
        self.reply != 0
    }
}

impl<'a> CopyData<'a> {
    /// Reads the payload of one CopyData message from the server.
    ///
    /// # Errors
    /// An unknown first byte, a payload that ends too early, trailing bytes after a keepalive.
    #[inline]
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let (tag, mut cursor) = Cursor::open(payload)?;
        match tag {
            Tag::XLOG_DATA => Ok(Self::XLogData(XLogData {
                wal_start: cursor.lsn("WAL start")?,
                wal_end: cursor.lsn("WAL end")?,
                send_time: cursor.timestamp("send time")?,
                data: cursor.rest(),
            })),
            Tag::PRIMARY_KEEPALIVE => {
                let keepalive = PrimaryKeepalive {
                    wal_end: cursor.lsn("WAL end")?,
                    send_time: cursor.timestamp("send time")?,
                    reply: cursor.u8("reply request")?,
                };
                cursor.finish()?;
                Ok(Self::PrimaryKeepalive(keepalive))
            }
            other => Err(DecodeError::new(ErrorKind::UnknownTag(other), Some(other), 0)),
        }
    }
}

impl core::fmt::Debug for XLogData<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("XLogData")
            .field("wal_start", &self.wal_start)
            .field("wal_end", &self.wal_end)
            .field("send_time", &self.send_time)
            .field("data", &format_args!("[{} bytes]", self.data.len()))
            .finish()
    }
}

/// What the client reports: how far it has received, stored and applied the log.
///
/// For logical replication `flush` is what the slot's `confirmed_flush_lsn` follows: the server may
/// forget everything before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandbyStatusUpdate {
    /// Last byte of log received, plus one.
    pub write: Lsn,
    /// Last byte of log stored safely, plus one.
    pub flush: Lsn,
    /// Last byte of log applied, plus one.
    pub apply: Lsn,
    /// The client's clock.
    pub client_time: TimestampTz,
    /// 1 asks the server to answer with a keepalive at once.
    pub reply: u8,
}

impl StandbyStatusUpdate {
    /// Length of the payload.
    pub const LEN: usize = 34;

    /// The payload of the CopyData message.
    ///
    /// ```
    /// use pgoutput_decode::{Lsn, StandbyStatusUpdate, TimestampTz};
    ///
    /// let at = Lsn::new(7);
    /// let status = StandbyStatusUpdate { write: at, flush: at, apply: at, client_time: TimestampTz::EPOCH, reply: 0 };
    /// assert_eq!(StandbyStatusUpdate::decode(&status.to_bytes()), Ok(status));
    /// ```
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut payload = [0; Self::LEN];
        let [tag, fields @ .., reply] = &mut payload;
        let (positions, time) = fields.split_at_mut(24);
        *tag = b'r';
        for (place, lsn) in positions.chunks_exact_mut(8).zip([self.write, self.flush, self.apply])
        {
            BigEndian::write_u64(place, lsn.as_u64());
        }
        BigEndian::write_i64(time, self.client_time.as_micros());
        *reply = self.reply;
        payload
    }

    /// Reads the payload back, as a server, proxy or mock server does.
    ///
    /// # Errors
    /// Another first byte, a wrong length.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        // Errors name it by what it is, although the letter has another meaning among the server's messages.
        Self::read(payload).map_err(DecodeError::sent_by_client)
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let (tag, mut cursor) = Cursor::open(payload)?;
        // The same letter as Rollback Prepared, which never stands in this place.
        if tag != Tag::ROLLBACK_PREPARED {
            return Err(DecodeError::new(ErrorKind::UnknownTag(tag), Some(tag), 0));
        }
        let status = Self {
            write: cursor.lsn("write position")?,
            flush: cursor.lsn("flush position")?,
            apply: cursor.lsn("apply position")?,
            client_time: cursor.timestamp("client time")?,
            reply: cursor.u8("reply request")?,
        };
        cursor.finish()?;
        Ok(status)
    }
}

/// The oldest transactions the client still needs, for `hot_standby_feedback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HotStandbyFeedback {
    /// The client's clock.
    pub client_time: TimestampTz,
    /// Oldest transaction needed, without slots' catalogue ones; zero withdraws the feedback.
    pub xmin: Xid,
    /// Its epoch: how often the id has wrapped.
    pub xmin_epoch: u32,
    /// Oldest transaction whose catalogue rows are needed.
    pub catalog_xmin: Xid,
    /// Its epoch.
    pub catalog_xmin_epoch: u32,
}

impl HotStandbyFeedback {
    /// Length of the payload.
    pub const LEN: usize = 25;

    /// The payload of the CopyData message.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut payload = [0; Self::LEN];
        let [tag, fields @ ..] = &mut payload;
        let (time, ids) = fields.split_at_mut(8);
        *tag = b'h';
        BigEndian::write_i64(time, self.client_time.as_micros());
        let values = [
            self.xmin.as_u32(),
            self.xmin_epoch,
            self.catalog_xmin.as_u32(),
            self.catalog_xmin_epoch,
        ];
        for (place, value) in ids.chunks_exact_mut(4).zip(values) {
            BigEndian::write_u32(place, value);
        }
        payload
    }

    /// Reads the payload back.
    ///
    /// # Errors
    /// Another first byte, a wrong length.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        Self::read(payload).map_err(DecodeError::sent_by_client)
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let (tag, mut cursor) = Cursor::open(payload)?;
        if tag != Tag::HOT_STANDBY_FEEDBACK {
            return Err(DecodeError::new(ErrorKind::UnknownTag(tag), Some(tag), 0));
        }
        let feedback = Self {
            client_time: cursor.timestamp("client time")?,
            xmin: cursor.xid("xmin")?,
            xmin_epoch: cursor.u32("xmin epoch")?,
            catalog_xmin: cursor.xid("catalog xmin")?,
            catalog_xmin_epoch: cursor.u32("catalog xmin epoch")?,
        };
        cursor.finish()?;
        Ok(feedback)
    }
}
