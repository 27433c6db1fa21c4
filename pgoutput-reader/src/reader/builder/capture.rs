//! The capture of a reader.

use super::ReaderBuilder;
use crate::capture::{Capture, CaptureHeader, Existing, MaskedColumn, MaskedTables, Recorder};
use crate::delivery::Idle;
use crate::error::{CaptureError, Error};
use crate::event::{Position, StreamIdentity};
use crate::proto::StartReplication;
use crate::reader::SlotCreation;
use crate::source::{AnySource, Opened, Recording, Source as _, StreamOpener};
use pgoutput_decode::{Lsn, TimestampTz};

impl ReaderBuilder {
    /// Writes everything that is received to a file, for [`Reader::replay`](crate::Reader::replay).
    ///
    /// A file that has a capture is continued: the reader resumes after the last position in it, so
    /// [`resume`](Self::resume) is refused, and [`start_lsn`](Self::start_lsn) has no effect. An
    /// initial copy and a temporary slot cannot be captured.
    ///
    /// # Errors
    /// [`connect`](Self::connect) returns the reason as a [`CaptureError`].
    #[must_use]
    pub fn capture(mut self, capture: Capture) -> Self {
        self.capture = Some(capture);
        self
    }

    /// Finds the file of the capture, and the position in it.
    pub(super) fn find_capture(&mut self) -> Result<Option<(Capture, Existing)>, Error> {
        let Some(capture) = self.capture.take() else { return Ok(None) };
        for (setting, is_set) in [
            ("an initial copy", self.snapshot.is_some()),
            ("a temporary slot", self.slot_creation == SlotCreation::Temporary),
        ] {
            if is_set {
                return Err(CaptureError::Unsupported { setting }.into());
            }
        }
        let mut existing = Existing::find(&capture)?;
        if let Some(position) = existing.position.take() {
            if self.resume.is_some() {
                let setting = "resume if its file is continued, which has the position";
                return Err(CaptureError::Unsupported { setting }.into());
            }
            self.start.start_lsn = Lsn::ZERO;
            self.resume = Some(position);
        }
        Ok(Some((capture, existing)))
    }
}

/// Returns the tables with these masks, and those that a capture masks, as the publications publish
/// them now, or an error of finding them: one
/// of the connection or the publications is described better by opening the stream.
///
/// # Errors
/// A mask would mask nothing. Then nothing may be captured, since the values would be in clear
/// text.
pub(super) fn masked_tables(
    masks: &[MaskedColumn],
    capturing: Option<&(Capture, Existing)>,
    opener: &StreamOpener,
) -> Result<Result<[MaskedTables; 2], Error>, Error> {
    let captured = capturing.map(|(capture, _)| capture.masks()).unwrap_or_default();
    if masks.is_empty() && captured.is_empty() {
        return Ok(Ok(Default::default()));
    }
    Ok(match opener.published_now(&mut None) {
        Ok(published) => Ok([
            MaskedTables::published(masks, &published)?,
            MaskedTables::published(captured, &published)?,
        ]),
        Err(error) => Err(error),
    })
}

/// Captures what a source receives, if that is requested.
pub(super) fn captured(
    source: AnySource,
    capturing: Option<(Capture, Existing)>,
    mut header: CaptureHeader,
    masked: MaskedTables,
) -> Result<AnySource, Error> {
    let Some((capture, existing)) = capturing else { return Ok(source) };
    header.start_lsn = source.start_lsn();
    let recorder = Recorder::start(capture, existing, header, masked)?;
    Ok(AnySource::Recording(Box::new(Recording { source, recorder })))
}

/// Returns the header of a capture that starts now.
pub(super) fn header(
    start: &StartReplication,
    opened: &Opened,
    identity: &StreamIdentity,
    position: Option<&Position>,
    idle: &Idle,
) -> CaptureHeader {
    let started = opened.started(start);
    let options = start.plugin_options(started.server_version).unwrap_or_default();
    let options = options.into_iter().filter(|(name, _)| *name != "publication_names");
    CaptureHeader {
        writer: concat!("pgoutput-reader ", env!("CARGO_PKG_VERSION")).into(),
        capture: 0,
        file: 0,
        created: TimestampTz::from_micros(0),
        server_version: started.server_version,
        system_identifier: started.system_identifier,
        timeline: started.timeline,
        database: started.database,
        slot: started.slot,
        publications: started.publications,
        options: options
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect(),
        two_phase: opened.two_phase,
        start_lsn: started.start_lsn,
        masks: Vec::new(),
        masked_tables: MaskedTables::default(),
        fingerprint: identity.publications,
        confirmed: opened.confirmed,
        resumed_after: position.cloned(),
        continues: false,
        before: (Lsn::ZERO, Lsn::ZERO),
        idle_prefix: match idle {
            Idle::Message { prefix, .. } => Some(prefix.clone()),
            _ => None,
        },
    }
}
