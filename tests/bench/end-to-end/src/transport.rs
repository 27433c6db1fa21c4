//! The transports.

use clap::ValueEnum;
use pgoutput_harness::{Database, Server};
use rcgen::{CertificateParams, KeyPair};

use crate::Problem;

/// The transport from the server to its readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Transport {
    /// TCP on the loopback interface.
    #[default]
    Tcp,
    /// A Unix socket.
    Unix,
    /// TLS over TCP on the loopback interface.
    Tls,
}

impl Transport {
    /// Returns its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Unix => "unix",
            Self::Tls => "tls",
        }
    }

    /// Starts a throwaway server that accepts this transport.
    ///
    /// # Errors
    /// If none can be started.
    pub fn server(self) -> Result<Server, Problem> {
        let any = Server::any()?;
        if self != Self::Tls {
            return Ok(any);
        }
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["localhost".to_owned()])?.self_signed(&key)?;
        let server = Server::builder()
            .data_file("server.crt", certificate.pem())
            .data_file("server.key", key.serialize_pem())
            .setting("ssl", "on")
            .start(any.major())?;
        Ok(server)
    }

    /// Returns the connection string of a database of that server.
    pub fn dsn(self, database: &Database<'_>) -> String {
        match self {
            Self::Tcp => database.dsn_tcp(),
            Self::Unix => database.dsn(),
            Self::Tls => format!("{} sslmode=require", database.dsn_tcp()),
        }
    }
}
