//! Readers of captures.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgoutput_decode::Lsn;
#[cfg(feature = "json")]
use pgoutput_decode::value::JsonOptions;

use super::{Reader, SpillOptions, builder::DESCRIBED_TABLES, events::Events};
use crate::capture::{CaptureHeader, Input, Played};
use crate::delivery::{
    Acknowledge, Acknowledger, Delivery, Idle, OutputSettings, Resume, Settings,
};
use crate::error::Error;
use crate::event::{Fingerprint, ReaderId, SchemaOutput, StreamIdentity};
use crate::schema::Schemas;
use crate::source::{AnySource, Replayed, Started};

impl Reader {
    /// Returns the settings of a reader of a [capture](crate::Capture). It delivers the events that
    /// the capturing reader has delivered, without a server: the same each time, with the same
    /// times, positions and ids.
    ///
    /// The options of the stream, such as [`binary`](crate::StreamOptions::binary), are those of
    /// the capture. The settings here are those of the events and their JSON.
    ///
    /// ```no_run
    /// use pgoutput_reader::Reader;
    ///
    /// for event in Reader::replay("changes.pgocap").commits(true).open()? {
    ///     println!("{}", serde_json::to_string(&event?)?);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replay(path: impl AsRef<Path>) -> ReplayBuilder {
        ReplayBuilder::new(Input::Path(path.as_ref().to_owned()))
    }

    /// Does the same as [`replay`](Self::replay) with the content of a file.
    ///
    /// ```
    /// use pgoutput_reader::{CaptureError, ErrorKind, Reader};
    ///
    /// let error = Reader::replay_from(&b"something else"[..]).open().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Capture(CaptureError::NotACapture { .. })));
    /// ```
    pub fn replay_from(capture: impl Read + Send + 'static) -> ReplayBuilder {
        ReplayBuilder::new(Input::Reader(Box::new(capture), "the capture".into()))
    }
}

/// Settings of a [`Reader`] of a capture, from [`Reader::replay`].
///
/// The reader ends at the end of the capture. If that was not written to its end, or is damaged,
/// the last item is a [`CaptureError`](crate::CaptureError), after all events before that place.
/// Methods of the reader that need a server return
/// [`CaptureError::NoServer`](crate::CaptureError::NoServer).
#[derive(Debug)]
pub struct ReplayBuilder {
    inputs: Vec<Input>,
    acknowledge: Acknowledge,
    from: Option<Lsn>,
    until: Option<Lsn>,
    output: OutputSettings,
    spill: SpillOptions,
    #[cfg(feature = "json")]
    json_options: JsonOptions,
}

impl ReplayBuilder {
    fn new(input: Input) -> Self {
        Self {
            inputs: vec![input],
            acknowledge: Acknowledge::default(),
            from: None,
            until: None,
            output: OutputSettings::default(),
            spill: SpillOptions::default(),
            #[cfg(feature = "json")]
            json_options: JsonOptions::default(),
        }
    }

    /// Adds the next file of the same capture.
    #[must_use]
    pub fn and(mut self, path: impl AsRef<Path>) -> Self {
        self.inputs.push(Input::Path(path.as_ref().to_owned()));
        self
    }

    /// Starts with the first transaction whose commit record starts at this LSN or later.
    #[must_use]
    pub fn from_lsn(mut self, lsn: Lsn) -> Self {
        self.from = Some(lsn);
        self
    }

    /// Ends before the first transaction whose commit record starts at this LSN or later, as
    /// [`ReaderBuilder::until_lsn`](crate::ReaderBuilder::until_lsn) does.
    #[must_use]
    pub fn until_lsn(mut self, lsn: Lsn) -> Self {
        self.until = Some(lsn);
        self
    }

    /// Sets when events are acknowledged. Nothing is reported to a server: this is for tests of
    /// programs that acknowledge.
    #[must_use]
    pub fn acknowledge(mut self, acknowledge: Acknowledge) -> Self {
        self.acknowledge = acknowledge;
        self
    }

    /// Sets whether each transaction ends with an event:
    /// [`ReaderBuilder::commits`](crate::ReaderBuilder::commits).
    #[must_use]
    pub fn commits(mut self, commits: bool) -> Self {
        self.output.commits = commits;
        self
    }

    /// Sets whether an event reports each change of a table:
    /// [`ReaderBuilder::schema_changes`](crate::ReaderBuilder::schema_changes).
    #[must_use]
    pub fn schema_changes(mut self, schema_changes: bool) -> Self {
        self.output.schema_changes = schema_changes;
        self
    }

    /// Sets where the JSON of events has the description of their table:
    /// [`ReaderBuilder::schema_output`](crate::ReaderBuilder::schema_output).
    #[must_use]
    pub fn schema_output(mut self, output: SchemaOutput) -> Self {
        self.output.schema_output = output;
        self
    }

    /// Sets whether the JSON of events has LSNs as text.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn lsns_as_text(mut self, as_text: bool) -> Self {
        self.output.lsns_as_text = as_text;
        self
    }

    /// Sets how values are written in the JSON of events.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn json_options(mut self, options: JsonOptions) -> Self {
        self.json_options = options;
        self
    }

    /// Sets how transactions are kept that the capture has in chunks.
    #[must_use]
    pub fn spill(mut self, options: SpillOptions) -> Self {
        self.spill = options;
        self
    }

    /// Opens the first file.
    ///
    /// # Errors
    /// [`CaptureError`](crate::CaptureError) if it cannot be read or is not a capture.
    pub fn open(self) -> Result<Reader, Error> {
        let (played, header) = Played::open(self.inputs)?;
        let acknowledger = Acknowledger::new(ReaderId::unique(), self.acknowledge);
        let identity = Arc::new(StreamIdentity {
            reader: acknowledger.reader(),
            system_identifier: header.system_identifier,
            timeline: header.timeline,
            slot: header.slot.as_str().into(),
            publications: header.fingerprint,
            copied: None,
            known: None,
        });
        let started = started(&header, played.name());
        let schemas = Schemas::new(&header.database, DESCRIBED_TABLES);
        #[cfg(feature = "json")]
        let schemas = schemas.with_json_options(self.json_options);
        let resumed = header.resumed_after.as_ref();
        let mut delivery = Delivery::new(
            Settings {
                fingerprint: Fingerprint::new(header.system_identifier, &header.database),
                identity,
                resume: resume(&header, self.from),
                newest: resumed.map(|last| (last.commit_lsn(), last.raw_index())),
                acknowledger,
                mode: self.acknowledge,
                idle: match header.idle_prefix.clone() {
                    Some(prefix) => Idle::Message { prefix, interval: Duration::MAX },
                    None => Idle::Keepalives,
                },
                until: self.until,
                output: self.output,
            },
            Instant::now(),
        );
        delivery.add_read(header.start_lsn);
        let source = AnySource::Replayed(Box::new(Replayed::new(played, header.start_lsn)?));
        let events = Events::new(source, delivery, schemas, self.spill);
        log::info!("replaying a capture of {started}");
        Ok(Reader::new(events, started, None))
    }
}

/// Returns the events that were delivered before.
fn resume(header: &CaptureHeader, from: Option<Lsn>) -> Resume {
    let before_from = from.map(|from| Lsn::new(from.as_u64().saturating_sub(1)));
    let (commit_lsn, read) = header.before;
    if !read.is_zero() {
        let commit_lsn = before_from.map_or(commit_lsn, |before| before.max(commit_lsn));
        return Resume::beyond(commit_lsn, from.map_or(read, |from| from.max(read)));
    }
    match (&header.resumed_after, before_from.zip(from)) {
        (Some(position), Some((before, from))) if before > position.commit_lsn() => {
            Resume::beyond(before, from)
        }
        (Some(position), _) => Resume::after(position, header.confirmed),
        (None, Some((before, from))) => Resume::beyond(before, from),
        (None, None) => Resume::default(),
    }
}

fn started(header: &CaptureHeader, name: &str) -> Started {
    Started {
        server_version: header.server_version,
        address: name.into(),
        tls: false,
        database: header.database.clone(),
        system_identifier: header.system_identifier,
        timeline: header.timeline,
        slot: header.slot.clone(),
        publications: header.publications.clone(),
        start_lsn: header.start_lsn,
        slot_created: false,
    }
}
