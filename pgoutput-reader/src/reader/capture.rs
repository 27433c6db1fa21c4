//! The capture of a reader.

use super::Reader;
use crate::capture::CaptureStatus;
use crate::error::Error;
use crate::event::Position;

impl Reader {
    /// Makes everything durable that was captured so far, with the position after which a later run
    /// continues the file. Call it before you acknowledge this position: then the capture has
    /// everything that the server may discard, however the program ends.
    ///
    /// # Errors
    /// [`CaptureError`](crate::CaptureError) if the file cannot be written, or the reader
    /// [captures](crate::ReaderBuilder::capture) nothing.
    pub fn sync_capture(&mut self, position: Option<&Position>) -> Result<(), Error> {
        Ok(self.events.source.recorder()?.sync(position)?)
    }

    /// Returns the current file of the capture, its length, and the masks that name no column so
    /// far.
    ///
    /// # Errors
    /// [`CaptureError`](crate::CaptureError) if the reader
    /// [captures](crate::ReaderBuilder::capture) nothing.
    pub fn capture_status(&mut self) -> Result<CaptureStatus, Error> {
        Ok(self.events.source.recorder()?.status())
    }
}
