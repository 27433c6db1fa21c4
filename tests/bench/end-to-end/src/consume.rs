//! The consumers that are processes of this program.

use pgoutput_decode::{Lsn, Message, Tag};
use pgoutput_reader::{
    Acknowledge, Config, Connection, Reader, ReaderBuilder, ReplicationStream, StartReplication,
    StreamOptions, Streaming,
};

use crate::Problem;
use crate::consumer::{Consumer, Task};

/// Runs the process of [`Consumer::command`], if it is this program, and returns how many rows it
/// has read.
///
/// # Errors
/// Those of the connection, and if no consumer has this name.
pub fn consume(name: &str, task: &Task) -> Result<u64, Problem> {
    let config: Config = task.dsn.parse()?;
    let until: Lsn = task.until.parse()?;
    match Consumer::OURS.iter().find(|consumer| consumer.name() == name) {
        Some(Consumer::Frames) => frames(stream(&config, task)?, until),
        Some(Consumer::Lending) => lending(stream(&config, task)?, until),
        Some(Consumer::LendingNoDelay) => {
            let config = config.max_read_delay(std::time::Duration::ZERO);
            lending(stream(&config, task)?, until)
        }
        Some(Consumer::Events) => events(reader(config, task, until, Streaming::Off)?),
        Some(Consumer::Streamed) => events(reader(config, task, until, Streaming::On)?),
        Some(Consumer::Transactions) => transactions(reader(config, task, until, Streaming::Off)?),
        _ => Err(format!("{name:?} is not one of mine").into()),
    }
}

fn stream(config: &Config, task: &Task) -> Result<ReplicationStream, Problem> {
    let start =
        StartReplication::new(&task.slot, ["p"]).options(StreamOptions::new().binary(task.binary));
    Ok(Connection::connect(config)?.stream(&start)?)
}

fn frames(mut stream: ReplicationStream, until: Lsn) -> Result<u64, Problem> {
    let mut rows = 0;
    while let Some(frame) = stream.next_frame() {
        let frame = std::hint::black_box(frame?);
        match frame.data.first().map(|tag| Tag(*tag)) {
            Some(Tag::INSERT | Tag::UPDATE | Tag::DELETE) => rows += 1,
            // A Commit is complete at its end LSN.
            Some(Tag::COMMIT) if frame.wal_start >= until => break,
            _ => {}
        }
    }
    Ok(rows)
}

fn lending(mut stream: ReplicationStream, until: Lsn) -> Result<u64, Problem> {
    let mut rows = 0;
    while let Some(event) = stream.next_event() {
        match std::hint::black_box(event?).message {
            Message::Insert(_) | Message::Update(_) | Message::Delete(_) => rows += 1,
            Message::Commit(commit) if commit.end_lsn >= until => break,
            _ => {}
        }
    }
    Ok(rows)
}

fn reader(
    config: Config,
    task: &Task,
    until: Lsn,
    streaming: Streaming,
) -> Result<Reader, Problem> {
    Ok(ReaderBuilder::from(config)
        .slot(&task.slot)
        .publication("p")
        .options(StreamOptions::new().binary(task.binary).streaming(streaming))
        .acknowledge(Acknowledge::Never)
        .until_lsn(until)
        .connect()?)
}

fn transactions(mut reader: Reader) -> Result<u64, Problem> {
    let mut rows = 0;
    while let Some(transaction) = reader.next_transaction() {
        for event in transaction? {
            std::hint::black_box(event?);
            rows += 1;
        }
    }
    Ok(rows)
}

fn events(reader: Reader) -> Result<u64, Problem> {
    let mut rows = 0;
    for event in reader {
        std::hint::black_box(event?);
        rows += 1;
    }
    Ok(rows)
}
