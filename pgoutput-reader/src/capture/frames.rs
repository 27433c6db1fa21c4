//! The messages of a capture file, undecoded.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use pgoutput_decode::{Lsn, TimestampTz, XLogData};

use super::existing::{failed, name};
use super::header::CaptureHeader;
use super::record::{Kind, Record, Records};
use super::{keepalive, lsn, message};
use crate::error::CaptureError;

/// The messages of one capture file, as the server sent them, for programs that decode them
/// themselves. [`Reader::replay`](crate::Reader::replay) delivers the events.
///
/// ```no_run
/// use pgoutput_decode::Decoder;
/// use pgoutput_reader::{CapturedFrame, CapturedFrames};
///
/// let mut frames = CapturedFrames::open("changes.pgocap")?;
/// let mut decoder = Decoder::new();
/// while let Some(frame) = frames.next_frame()? {
///     match frame {
///         CapturedFrame::Known(data) | CapturedFrame::Message { frame: data, .. } => {
///             println!("{} {:?}", data.wal_start, decoder.decode(data.data)?);
///         }
///         CapturedFrame::Restarted { .. } => decoder = Decoder::new(),
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CapturedFrames {
    records: Records,
    header: CaptureHeader,
    record: Record,
    is_ended: bool,
}

/// A part of a capture that the server sent, lent by [`CapturedFrames::next_frame`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum CapturedFrame<'a> {
    /// A message.
    Message {
        /// The time at which it was received, by the clock of the machine that captured.
        received: TimestampTz,
        /// The message with its LSNs.
        frame: XLogData<'a>,
    },
    /// A Type or Relation message that an earlier file of the capture has. Its LSNs and its time
    /// are zero.
    Known(XLogData<'a>),
    /// A keepalive.
    Keepalive {
        /// The time at which it was received, by the clock of the machine that captured.
        received: TimestampTz,
        /// The server's WAL end.
        wal_end: Lsn,
        /// The server's clock when it sent this.
        send_time: TimestampTz,
    },
    /// A new stream has started, which may repeat messages: after a lost connection, or because the
    /// capture was continued. Decode with a new [`Decoder`](pgoutput_decode::Decoder).
    Restarted {
        /// The LSN from which the stream was started.
        start_lsn: Lsn,
    },
}

impl CapturedFrames {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, or is not a capture.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CaptureError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| failed("opening", path, error))?;
        Self::new(file, &name(path))
    }

    /// Reads from `input`. The name is for errors.
    ///
    /// # Errors
    /// It cannot be read, or is not a capture.
    pub fn new(input: impl Read + Send + 'static, name: &str) -> Result<Self, CaptureError> {
        let mut records = Records::new(Box::new(input), name.into());
        let mut record = Record::default();
        let header = super::read_header(&mut records, &mut record)?;
        Ok(Self { records, header, record, is_ended: false })
    }

    /// Returns the settings of the capture.
    pub fn header(&self) -> &CaptureHeader {
        &self.header
    }

    /// Returns the next message or keepalive, lent until the next call; `None` at the end.
    ///
    /// # Errors
    /// The file is damaged, or ends without the record that ends a capture.
    pub fn next_frame(&mut self) -> Result<Option<CapturedFrame<'_>>, CaptureError> {
        loop {
            if self.is_ended {
                return Ok(None);
            }
            self.records.next(&mut self.record)?;
            match self.record.kind() {
                Kind::MESSAGE | Kind::KNOWN | Kind::KEEPALIVE | Kind::RESTART => break,
                Kind::END => {
                    self.records.expect_end()?;
                    self.is_ended = true;
                }
                kind if kind.is_facts() || kind == Kind::POSITION || kind.is_optional() => {}
                _ => return Err(super::unknown(&self.records, &self.record)),
            }
        }
        let received = TimestampTz::from_micros(self.record.time);
        let payload = &*self.record.payload;
        let frame = match self.record.kind() {
            Kind::MESSAGE => {
                message(payload).map(|frame| CapturedFrame::Message { received, frame })
            }
            Kind::KNOWN => message(payload).map(CapturedFrame::Known),
            Kind::KEEPALIVE => keepalive(payload).map(|keepalive| CapturedFrame::Keepalive {
                received,
                wal_end: keepalive.wal_end,
                send_time: keepalive.send_time,
            }),
            _ => lsn(payload).map(|start_lsn| CapturedFrame::Restarted { start_lsn }),
        };
        let damaged = || self.records.corrupt(self.record.offset, super::NOT_ITS_KIND);
        frame.map(Some).ok_or_else(damaged)
    }
}
