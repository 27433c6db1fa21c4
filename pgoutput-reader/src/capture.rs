//! Capture files: what a reader received, so that its events can be delivered again without a
//! server.
//!
//! ```text
//! Recording (source) ──► Recorder ──► file ──► Records ──► Replay (source)
//!                        masks, rotation                └► CapturedFrames
//! ```
//!
//! `docs/capture-format.md` describes the file.

mod existing;
mod facts;
mod fields;
mod frames;
mod header;
mod known;
mod known_facts;
mod mask;
mod masked_frames;
mod masked_tables;
mod played;
mod record;
mod recorder;
mod settings;
mod table_masks;

use pgoutput_decode::{Lsn, PrimaryKeepalive, TimestampTz, XLogData};

pub(crate) use existing::Existing;
use fields::Fields;
pub use frames::{CapturedFrame, CapturedFrames};
pub use header::CaptureHeader;
pub(crate) use known_facts::KnownFacts;
pub use mask::{MaskedColumn, ParseMaskedColumnError};
pub(crate) use masked_tables::MaskedTables;
pub(crate) use played::{Ahead, CapturedMessage, Input, Played};
use record::{Kind, Record, Records};
pub(crate) use recorder::Recorder;
pub use settings::{Capture, CaptureStatus};
pub(crate) use table_masks::{Described, TableMasks, put_tuple};

use crate::error::CaptureError;

/// The content of the record that ends a file: the capture was ended.
const END_STOPPED: u8 = 0;

/// The same: the next file continues it.
const END_CONTINUED: u8 = 1;

/// The reason of a payload that cannot be read.
const NOT_ITS_KIND: &str = "a record cannot be read as one of its kind";

/// Reads the first record.
fn read_header(records: &mut Records, record: &mut Record) -> Result<CaptureHeader, CaptureError> {
    records.next(record)?;
    if record.kind() != Kind::HEADER {
        return Err(records.corrupt(record.offset, "the header is not the first record"));
    }
    CaptureHeader::decode(&record.payload, record.time)
        .map_err(|reason| records.corrupt(record.offset, reason))
}

fn unknown(records: &Records, record: &Record) -> CaptureError {
    let (name, offset) = (records.name().to_owned(), record.offset);
    if record.kind() == Kind::HEADER {
        return records.corrupt(offset, "a second header");
    }
    CaptureError::UnknownRecord { name, kind: record.kind, offset }
}

fn message(payload: &[u8]) -> Option<XLogData<'_>> {
    let mut fields = Fields::new(payload);
    let (wal_start, wal_end) = (Lsn::new(fields.u64()?), Lsn::new(fields.u64()?));
    let send_time = TimestampTz::from_micros(fields.i64()?);
    Some(XLogData { wal_start, wal_end, send_time, data: fields.rest() })
}

fn keepalive(payload: &[u8]) -> Option<PrimaryKeepalive> {
    let mut fields = Fields::new(payload);
    let (wal_end, send_time) = (Lsn::new(fields.u64()?), TimestampTz::from_micros(fields.i64()?));
    let reply = fields.u8()?;
    fields.end(PrimaryKeepalive { wal_end, send_time, reply })
}

fn lsn(payload: &[u8]) -> Option<Lsn> {
    let mut fields = Fields::new(payload);
    let lsn = Lsn::new(fields.u64()?);
    fields.end(lsn)
}
