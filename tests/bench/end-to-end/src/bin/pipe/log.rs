//! New destinations, and the number of their records.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{self, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pgoutput_end_to_end::Problem;
use pgoutput_harness::engine::{Engine, NatsServer, TansuServer, redis};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::json;

use crate::lane::TOPIC;

/// A destination.
pub(crate) trait Log {
    /// Returns the argument of `--to`.
    fn url(&self) -> String;

    /// Returns the file for standard output.
    fn output(&self) -> Result<Stdio, Problem> {
        Ok(Stdio::null())
    }

    /// Returns the process of the engine.
    fn pid(&self) -> Option<u32>;

    /// Counts what is stored.
    fn records(&self) -> Result<u64, Problem>;
}

/// A file in a folder of its own.
pub(crate) struct FileLog(PathBuf);

impl FileLog {
    pub(crate) fn new() -> Result<Self, Problem> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = format!("pgoutput-pipe-{}-{number}", process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }

    fn path(&self) -> PathBuf {
        self.0.join("changes")
    }
}

impl Log for FileLog {
    fn url(&self) -> String {
        format!("file:{}", self.path().display())
    }

    fn output(&self) -> Result<Stdio, Problem> {
        Ok(File::create(self.path())?.into())
    }

    fn pid(&self) -> Option<u32> {
        None
    }

    fn records(&self) -> Result<u64, Problem> {
        Ok(BufReader::new(File::open(self.path())?).lines().count() as u64)
    }
}

impl Drop for FileLog {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server with `appendfsync always` and WAITAOF.
pub(crate) struct RedisLog(Engine);

impl RedisLog {
    pub(crate) fn start() -> Result<Self, Problem> {
        Ok(Self(redis::LATER.start(&[])?))
    }
}

impl Log for RedisLog {
    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.0.port())
    }

    fn pid(&self) -> Option<u32> {
        self.0.pid()
    }

    fn records(&self) -> Result<u64, Problem> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.0.port()))?;
        socket.write_all(format!("XLEN {TOPIC}\r\n").as_bytes())?;
        let mut answer = String::new();
        BufReader::new(socket).read_line(&mut answer)?;
        let number = answer.trim().strip_prefix(':').ok_or_else(|| format!("XLEN: {answer}"))?;
        Ok(number.parse()?)
    }
}

/// A server whose stream allows atomic batches.
pub(crate) struct NatsLog(NatsServer);

/// The stream.
const STREAM: &str = "BENCH";

impl NatsLog {
    pub(crate) fn start() -> Result<Self, Problem> {
        let server = NatsServer::start().ok_or("there is no nats-server")?;
        let more = json!({"allow_atomic": true});
        server.client().create_stream(STREAM, &["t.>"], &more);
        Ok(Self(server))
    }
}

impl Log for NatsLog {
    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}/{STREAM}", self.0.port())
    }

    fn pid(&self) -> Option<u32> {
        self.0.engine().pid()
    }

    fn records(&self) -> Result<u64, Problem> {
        // Positions without a record have another subject.
        let filter = json!({"subjects_filter": TOPIC});
        let info = self.0.client().api(&format!("STREAM.INFO.{STREAM}"), &filter);
        Ok(info["state"]["subjects"][TOPIC].as_u64().unwrap_or(0))
    }
}

/// Tansu, which keeps its records in memory.
pub(crate) struct KafkaLog(TansuServer);

impl KafkaLog {
    pub(crate) fn start() -> Result<Self, Problem> {
        let server = TansuServer::start()?;
        server.create_topic(TOPIC, 1);
        Ok(Self(server))
    }
}

impl Log for KafkaLog {
    fn url(&self) -> String {
        format!("kafka://127.0.0.1:{}", self.0.port())
    }

    fn pid(&self) -> Option<u32> {
        self.0.engine().pid()
    }

    fn records(&self) -> Result<u64, Problem> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", format!("127.0.0.1:{}", self.0.port()));
        config.set("group.id", "bench").set("enable.auto.commit", "false");
        config.set("enable.partition.eof", "true").set("isolation.level", "read_committed");
        let consumer: BaseConsumer = config.create()?;
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(TOPIC, 0, Offset::Beginning)?;
        consumer.assign(&assignment)?;
        let mut records = 0;
        loop {
            match consumer.poll(Duration::from_secs(60)) {
                Some(Ok(_)) => records += 1,
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(records),
                Some(Err(error)) => return Err(error.into()),
                None => return Err("no answer within 60 s".into()),
            }
        }
    }
}
