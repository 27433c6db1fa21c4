//! A database, and runs of the program into a Redis server.

use std::process::{Command, Output};

use pgoutput_harness::{Server, output, servers};
use pgoutput_tests::Fixture;
use serde_json::Value;

use super::RedisServer;
use crate::program::pipe;

/// The server that is used where its version does not matter.
pub(crate) fn newest() -> &'static Server {
    servers().last().unwrap()
}

/// Returns a fixture with the table `t`.
pub(crate) fn fixture(server: &Server) -> Fixture<'_> {
    Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY, v text)")
}

/// The stream of `t` with `--name app`.
pub(crate) const STREAM: &str = "app.public.t";

/// Returns a run that ends at the current end of the WAL.
pub(crate) fn until_now(fixture: &Fixture<'_>, to: &str) -> Command {
    let mut command = running(fixture, to);
    command.args(["--until-lsn", &fixture.end().to_string()]);
    command
}

/// Returns a run that does not end.
pub(crate) fn running(fixture: &Fixture<'_>, to: &str) -> Command {
    let mut command = pipe(fixture, to);
    command.args(["--name", "app"]);
    command
}

/// Returns the same run of another slot.
pub(crate) fn of_slot(command: &Command, fixture: &Fixture<'_>, slot: &str) -> Command {
    let mut other = Command::new(command.get_program());
    other.args(command.get_args().map(|arg| match arg.to_str() {
        Some(arg) if arg == fixture.slot_name() => slot.as_ref(),
        _ => arg,
    }));
    other
}

/// Runs it, and demands success.
pub(crate) fn stored(command: &mut Command) -> String {
    let Output { status, stderr, .. } = output(command);
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success(), "{stderr}");
    stderr
}

/// Runs it, and returns the error.
pub(crate) fn refused(command: &mut Command) -> String {
    let Output { status, stderr, .. } = output(command.arg("--no-reconnect"));
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!status.success(), "{stderr}");
    stderr
}

/// Returns the values of `id` of all entries, in order, after checks of what holds for each stream.
pub(crate) fn ids(redis: &RedisServer, stream: &str) -> Vec<i64> {
    let entries = redis.entries(stream);
    assert!(entries.is_sorted_by_key(|entry| entry.id));
    entries
        .iter()
        .filter_map(|entry| {
            let value: Value = serde_json::from_str(entry.value.as_deref()?).unwrap();
            value["after"]["id"].as_i64()
        })
        .collect()
}
