//! Sessions of tests, which cannot wait indefinitely.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use postgres::{Client, Config, NoTls};

use crate::wait::{GRACE, TIMEOUT, Wait};

/// Bounds on the waits of one statement: for locks, other transactions, another session's end.
const BOUNDS: &str = "-c lock_timeout=60s -c statement_timeout=300s";

/// Opens a session whose statements are bounded.
///
/// # Panics
///
/// If the server accepts the connection and then does not answer. `connect_timeout` does not cover
/// that.
pub(crate) fn client(dsn: &str) -> Result<Client, postgres::Error> {
    let mut config: Config = dsn.parse()?;
    config.connect_timeout(Duration::from_secs(30)).options(BOUNDS);
    let what = format!("the server to accept a session, {dsn}");
    let _wait = Wait::new(&what, TIMEOUT + GRACE);
    let (connected, connection) = channel();
    // After a timeout the receiver is gone.
    thread::spawn(move || drop(connected.send(config.connect(NoTls))));
    match connection.recv_timeout(TIMEOUT) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("waited for {what} in vain"),
        Err(RecvTimeoutError::Disconnected) => panic!("{what}: the attempt panicked"),
    }
}
