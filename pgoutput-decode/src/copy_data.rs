//! The envelopes of streaming replication: the contents of CopyData messages in both directions.
//!
//! See the manual, section "Streaming Replication Protocol".

use byteorder::{BigEndian, ByteOrder};

use crate::cursor::Cursor;
use crate::error::DecodeError;
use crate::field_name::FieldName;
use crate::id::Xid;
use crate::lsn::Lsn;
use crate::tag::Tag;
use crate::timestamp::TimestampTz;

/// The contents of a CopyData message from the server.
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
    /// `w`: a piece of WAL; in logical replication exactly one message.
    XLogData(XLogData<'a>),
    /// `k`: the server is alive and reports its WAL end.
    PrimaryKeepalive(PrimaryKeepalive),
}

/// A message of the output plugin with the positions sent with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct XLogData<'a> {
    /// The LSN of the change. Zero for messages without a WAL record of their own, such as
    /// Relation.
    pub wal_start: Lsn,
    /// The server's WAL end when it sent this; in logical replication the same value as
    /// `wal_start`.
    pub wal_end: Lsn,
    /// The server's clock when it sent this.
    pub send_time: TimestampTz,
    /// The message, for [`Decoder::decode`](crate::Decoder::decode).
    pub data: &'a [u8],
}

/// A report that the server is alive, with its WAL end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrimaryKeepalive {
    /// The server's WAL end: in logical replication, the position up to which it has decoded the
    /// WAL.
    pub wal_end: Lsn,
    /// The server's clock when it sent this.
    pub send_time: TimestampTz,
    /// The last byte as received: 1 if the client should answer immediately to avoid a disconnect
    /// after a timeout.
    pub reply: u8,
}

impl XLogData<'_> {
    /// The number of bytes before the message.
    pub const HEADER_LEN: usize = 25;
}

impl PrimaryKeepalive {
    /// The length of the payload.
    pub const LEN: usize = 18;

    /// Returns true if the client should answer immediately.
    pub const fn reply_requested(&self) -> bool {
        self.reply != 0
    }
}

impl<'a> CopyData<'a> {
    /// Reads the payload of one CopyData message from the server.
    ///
    /// # Errors
    /// Fails on an unknown first byte, a payload that ends too early, and trailing bytes after a
    /// keepalive.
    #[inline]
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let (tag, mut cursor) = Cursor::open(payload)?;
        match tag {
            Tag::XLOG_DATA => Ok(Self::XLogData(XLogData {
                wal_start: cursor.lsn(FieldName::WalStart)?,
                wal_end: cursor.lsn(FieldName::WalEnd)?,
                send_time: cursor.timestamp(FieldName::SendTime)?,
                data: cursor.rest(),
            })),
            Tag::PRIMARY_KEEPALIVE => {
                let keepalive = PrimaryKeepalive {
                    wal_end: cursor.lsn(FieldName::WalEnd)?,
                    send_time: cursor.timestamp(FieldName::SendTime)?,
                    reply: cursor.u8(FieldName::ReplyRequest)?,
                };
                cursor.finish()?;
                Ok(Self::PrimaryKeepalive(keepalive))
            }
            other => Err(DecodeError::unknown_tag(other).at(Some(other), 0)),
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

/// The client's status update: how far it has received, stored and applied the WAL.
///
/// In logical replication the server sets the slot's `confirmed_flush_lsn` to `flush`, and may then
/// discard the WAL before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandbyStatusUpdate {
    /// The last byte of WAL received, plus one.
    pub write: Lsn,
    /// The last byte of WAL stored durably, plus one.
    pub flush: Lsn,
    /// The last byte of WAL applied, plus one.
    pub apply: Lsn,
    /// The client's clock.
    pub client_time: TimestampTz,
    /// 1 if the server should answer with a keepalive immediately.
    pub reply: u8,
}

impl StandbyStatusUpdate {
    /// The length of the payload.
    pub const LEN: usize = 34;

    /// Returns the payload of the CopyData message.
    ///
    /// ```
    /// use pgoutput_decode::{Lsn, StandbyStatusUpdate, TimestampTz};
    ///
    /// let at = Lsn::new(7);
    /// let status = StandbyStatusUpdate {
    ///     write: at,
    ///     flush: at,
    ///     apply: at,
    ///     client_time: TimestampTz::EPOCH,
    ///     reply: 0,
    /// };
    /// assert_eq!(StandbyStatusUpdate::decode(&status.to_bytes()), Ok(status));
    /// ```
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut payload = [0; Self::LEN];
        let [tag, fields @ .., reply] = &mut payload;
        let (positions, time) = fields.split_at_mut(24);
        *tag = b'r';
        for (field, lsn) in positions.chunks_exact_mut(8).zip([self.write, self.flush, self.apply])
        {
            BigEndian::write_u64(field, lsn.as_u64());
        }
        BigEndian::write_i64(time, self.client_time.as_micros());
        *reply = self.reply;
        payload
    }

    /// Reads the payload, as a server, proxy or mock server does.
    ///
    /// # Errors
    /// Fails on a different first byte and a wrong length.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        // Errors name this message, although the server uses the same letter for another one.
        Self::read(payload).map_err(DecodeError::sent_by_client)
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let (tag, mut cursor) = Cursor::open(payload)?;
        // The same letter as Rollback Prepared, which only the server sends.
        if tag != Tag::ROLLBACK_PREPARED {
            return Err(DecodeError::unknown_tag(tag).at(Some(tag), 0));
        }
        let status = Self {
            write: cursor.lsn(FieldName::WritePosition)?,
            flush: cursor.lsn(FieldName::FlushPosition)?,
            apply: cursor.lsn(FieldName::ApplyPosition)?,
            client_time: cursor.timestamp(FieldName::ClientTime)?,
            reply: cursor.u8(FieldName::ReplyRequest)?,
        };
        cursor.finish()?;
        Ok(status)
    }
}

/// The oldest transactions that the client still needs, for `hot_standby_feedback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HotStandbyFeedback {
    /// The client's clock.
    pub client_time: TimestampTz,
    /// The oldest transaction needed, not counting the `catalog_xmin` of slots. Zero here and in
    /// `catalog_xmin` withdraws the feedback.
    pub xmin: Xid,
    /// The epoch of `xmin`: how often transaction ids have wrapped around.
    pub xmin_epoch: u32,
    /// The oldest transaction whose catalogue rows are needed, zero if none is.
    pub catalog_xmin: Xid,
    /// The epoch of `catalog_xmin`.
    pub catalog_xmin_epoch: u32,
}

impl HotStandbyFeedback {
    /// The length of the payload.
    pub const LEN: usize = 25;

    /// Returns the payload of the CopyData message.
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
        for (field, value) in ids.chunks_exact_mut(4).zip(values) {
            BigEndian::write_u32(field, value);
        }
        payload
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// Fails on a different first byte and a wrong length.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        Self::read(payload).map_err(DecodeError::sent_by_client)
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let (tag, mut cursor) = Cursor::open(payload)?;
        if tag != Tag::HOT_STANDBY_FEEDBACK {
            return Err(DecodeError::unknown_tag(tag).at(Some(tag), 0));
        }
        let feedback = Self {
            client_time: cursor.timestamp(FieldName::ClientTime)?,
            xmin: cursor.xid(FieldName::Xmin)?,
            xmin_epoch: cursor.u32(FieldName::XminEpoch)?,
            catalog_xmin: cursor.xid(FieldName::CatalogXmin)?,
            catalog_xmin_epoch: cursor.u32(FieldName::CatalogXminEpoch)?,
        };
        cursor.finish()?;
        Ok(feedback)
    }
}
