//! Capture files as input.

use std::io::{self, Cursor, Read};

use pgoutput_decode::XLogData;
use pgoutput_reader::{CapturedFrame, CapturedFrames};

use super::{Printer, Stop};

/// The first bytes of a capture file.
const START: &[u8] = b"PGOCAP\r\n";

/// Returns whether the input is a capture, and all of the input. It reads no further than needed,
/// since the rest may not have arrived.
pub(super) fn is_capture(
    mut file: Box<dyn Read + Send>,
) -> io::Result<(bool, Box<dyn Read + Send>)> {
    let mut start = Vec::new();
    while start.len() < START.len() && START.starts_with(&start) {
        let mut byte = [0];
        match file.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => start.extend(byte),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((start == START, Box::new(Cursor::new(start).chain(file))))
}

/// Prints the messages of a capture. A message that an earlier file of it has, and that describes
/// a table or a type, has no LSN.
pub(super) fn decode(
    file: Box<dyn Read + Send>,
    name: &str,
    printer: &mut Printer,
) -> Result<(), Stop> {
    let failed = |error: pgoutput_reader::CaptureError| Stop::Capture(error.to_string());
    let mut frames = CapturedFrames::new(file, name).map_err(failed)?;
    while let Some(frame) = frames.next_frame().map_err(failed)? {
        let (lsn, XLogData { data, .. }) = match frame {
            CapturedFrame::Message { frame, .. } => (Some(frame.wal_start), frame),
            CapturedFrame::Known(frame) => (None, frame),
            CapturedFrame::Restarted { start_lsn } => {
                printer.restart(start_lsn)?;
                continue;
            }
            // Keepalives.
            _ => continue,
        };
        printer.print(lsn, data).map_err(|stop| match stop {
            Stop::Message(error) => Stop::Input(error.to_string()),
            stop => stop,
        })?;
    }
    Ok(())
}
