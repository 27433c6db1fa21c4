//! Errors of the reader as exceptions of the package.

use pgoutput_reader::config::ConfigErrorKind;
use pgoutput_reader::{ErrorKind, SetupError};
use pyo3::PyErr;

pyo3::import_exception!(pgoutput_reader._errors, Error);
pyo3::import_exception!(pgoutput_reader._errors, ConfigError);

/// Advice that names the crate's interface or the program's options, and what it is in Python.
const ADVICE: [(&str, &str); 8] = [
    (
        "--create-slot, `slot_creation(SlotCreation::IfMissing)`, or SELECT",
        "create_slot=True, or SELECT",
    ),
    ("set Snapshot::initial() to copy them (--snapshot initial)", "copy them with snapshot=True"),
    ("pass a stored one to ReaderBuilder::resume", "pass a stored one as resume"),
    ("server's history (ReaderBuilder::resume)", "server's history (resume)"),
    (", or wait longer (slot_wait_limit, --slot-wait)", ""),
    ("wait for it (slot_wait_limit, --slot-wait)", "wait for it"),
    (
        "start once with start_lsn (--start-lsn) at a",
        "advance the slot (pg_catalog.pg_replication_slot_advance) to a",
    ),
    (
        "; to continue without those changes, set \
         StreamOptions::missing_publication(MissingPublication::Skip) (--skip-missing-publication)",
        "",
    ),
];

/// Returns an error of the reader as an exception.
pub(crate) fn exception(error: &pgoutput_reader::Error) -> PyErr {
    match error.kind() {
        ErrorKind::Config(_) | ErrorKind::Usage(_) => config_exception(error),
        _ => Error::new_err(arguments(error)),
    }
}

/// Returns an error in an argument as an exception.
pub(crate) fn config_exception(error: &pgoutput_reader::Error) -> PyErr {
    ConfigError::new_err(arguments(error))
}

/// Returns an exception of this module, with its kind.
pub(crate) fn own(kind: &'static str, message: impl Into<String>) -> PyErr {
    Error::new_err((message.into(), kind, None::<String>))
}

fn arguments(error: &pgoutput_reader::Error) -> (String, &'static str, Option<String>) {
    let mut text = error.to_string();
    for (theirs, ours) in ADVICE {
        if text.contains(theirs) {
            text = text.replace(theirs, ours);
        }
    }
    (text, kind(error.kind()), error.sqlstate().map(Into::into))
}

/// Returns the name of the kind. `_errors.py` documents the names.
fn kind(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Io { .. } => "io",
        ErrorKind::Server(_) => "server",
        ErrorKind::Auth(_) => "auth",
        ErrorKind::Tls(_) => "tls",
        ErrorKind::Limit(_) => "limit",
        ErrorKind::Setup(SetupError::SlotMissing { .. }) => "slot_missing",
        ErrorKind::Setup(SetupError::SlotLost { .. }) => "slot_lost",
        ErrorKind::Setup(SetupError::PublicationMissing { .. }) => "publication_missing",
        ErrorKind::Setup(SetupError::WalLevel { .. }) => "wal_level",
        ErrorKind::Setup(_) => "setup",
        ErrorKind::Decode(_) | ErrorKind::Protocol(_) | ErrorKind::Stream(_) => "stream",
        ErrorKind::Position(_) => "position",
        ErrorKind::Spill(_) => "spill",
        ErrorKind::Snapshot(_) => "snapshot",
        ErrorKind::History(_) => "history",
        ErrorKind::Catalog(_) => "catalog",
        ErrorKind::Config(error) if error.kind() == ConfigErrorKind::UnknownKeyword => {
            "unknown_keyword"
        }
        ErrorKind::Config(_) | ErrorKind::Usage(_) => "config",
        ErrorKind::Timeout { .. } | ErrorKind::ServerSilent { .. } => "timeout",
        ErrorKind::Unsupported { .. } => "unsupported",
        ErrorKind::GaveUp { cause, .. } => self::kind(cause.kind()),
        ErrorKind::AllHosts(attempts) => {
            attempts.last().map_or("io", |last| self::kind(last.kind()))
        }
        _ => "other",
    }
}
