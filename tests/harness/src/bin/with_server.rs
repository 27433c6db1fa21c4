//! Runs a command with a throwaway server, once for each major version that tests use. `PGHOST` and
//! other variables name the server and an empty database. `PGOUTPUT_THROWAWAY_SERVER` repeats
//! `PGHOST`, so that a command that destroys data can refuse another server.
//!
//! ```text
//! cargo run -p pgoutput-harness --bin with_server -- psql
//! ```

use std::error::Error;
use std::io::Write as _;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "with_server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether the command succeeded with every server.
fn run() -> Result<bool, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().ok_or("name the command to run")?;
    let arguments: Vec<_> = arguments.collect();
    for server in pgoutput_harness::test_servers()? {
        let database = server.database("command");
        let status = Command::new(&program)
            .args(&arguments)
            .env_remove("DATABASE_URL")
            .env_remove("PGSERVICE")
            .env("PGHOST", server.socket_folder())
            .env("PGOUTPUT_THROWAWAY_SERVER", server.socket_folder())
            .env("PGPORT", server.port().to_string())
            .env("PGUSER", "postgres")
            .env("PGDATABASE", database.name())
            .status()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        if !status.success() {
            let version = server.version();
            writeln!(std::io::stderr(), "with_server: {status} with PostgreSQL {version}")?;
            return Ok(false);
        }
    }
    Ok(true)
}
