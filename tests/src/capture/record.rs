//! Runs of the workload with a stream open for each variant.

use std::error::Error;

use pgoutput_decode::{Message, TupleColumn};
use pgoutput_harness::{Database, Server};
use pgoutput_reader::{Config, Connection, ReplicationStream};
use postgres::Client;

use crate::stopped_in_time;

use super::{Capture, Frame, Section, Variant, workload};

/// Runs the workload on a new server of this major, and returns what each variant's stream
/// received, by its name.
///
/// # Errors
/// If there is no such server, or any error of the server.
pub fn record(major: u32) -> Result<Vec<(&'static str, Capture)>, Box<dyn Error>> {
    // Vacuum and analyze would add empty transactions to the streams.
    let mut builder = Server::builder().setting("autovacuum", "off");
    if major >= 13 {
        builder = builder.small_decoding_memory();
    }
    let server = builder.start(major)?;
    let database = server.database("capture");
    let mut client = database.client();
    workload::prepare(&mut client, major)?;
    let streams = Variant::of_major(major).map(|variant| Recording::start(&database, variant));
    let mut recorder =
        Recorder { client, recordings: streams.collect::<Result<_, _>>()?, database: &database };
    workload::run(&mut recorder, major)?;
    recorder.mark("end")?;
    Ok(recorder.recordings.into_iter().map(|done| (done.variant.name, done.capture)).collect())
}

/// The streams, and their synchronization with the workload.
pub(super) struct Recorder<'d> {
    client: Client,
    recordings: Vec<Recording>,
    database: &'d Database<'d>,
}

impl Recorder<'_> {
    /// Opens another session for the workload.
    pub(super) fn session(&self) -> Client {
        self.database.client()
    }

    /// Commits a row that names the next step, and reads every stream up to it.
    ///
    /// Everything that was logged before has then been decoded, also of open transactions, because
    /// the commit has flushed it. So the frames do not depend on timing. Without this they would: a
    /// server that finds a transaction already rolled back sends less of it, or nothing.
    pub(super) fn mark(&mut self, title: &str) -> Result<(), Box<dyn Error>> {
        self.client.execute("INSERT INTO mark VALUES ($1)", &[&title])?;
        self.recordings.iter_mut().try_for_each(|recording| recording.read_to_mark(title))
    }
}

/// A stream and what it has received.
struct Recording {
    variant: Variant,
    stream: ReplicationStream,
    capture: Capture,
}

impl Recording {
    fn start(database: &Database<'_>, variant: Variant) -> Result<Self, Box<dyn Error>> {
        let config: Config = database.dsn().parse()?;
        let mut connection = Connection::connect(&config)?;
        let slot = database.slot_name("capture");
        connection.create_slot(&variant.slot(&slot))?;
        let version = connection.server_version();
        let stream = connection.stream(&variant.start(&slot, workload::PUBLICATION))?;
        let header = vec![
            format!("PostgreSQL {version}, {}", variant.options()),
            format!("cargo run -p pgoutput-tests --bin capture -- {}", version.major()),
        ];
        let start = Section { title: "start".into(), frames: Vec::new() };
        Ok(Self { variant, stream, capture: Capture { header, sections: vec![start] } })
    }

    fn read_to_mark(&mut self, title: &str) -> Result<(), Box<dyn Error>> {
        let section = self.capture.sections.last_mut().ok_or("no section")?;
        let mut marked = false;
        let wait = stopped_in_time(title, self.stream.stop_handle());
        loop {
            let event = self.stream.next_event().ok_or("the stream ended")??;
            section.frames.push(Frame { lsn: event.wal_start, bytes: event.frame().into() });
            match event.message {
                Message::Insert(body) => {
                    let first = body.new.get(0);
                    marked = body.new.len() == 1
                        && (first == Some(TupleColumn::Text(title.as_bytes()))
                            || first == Some(TupleColumn::Binary(title.as_bytes())));
                }
                Message::Commit(_) if marked => break,
                _ => {}
            }
        }
        wait.done();
        self.capture.sections.push(Section { title: title.into(), frames: Vec::new() });
        Ok(())
    }
}
