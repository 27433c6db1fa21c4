//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pgoutput_reader::{Health, Lsn, Started};

use super::slot::SlotFigures;
use crate::filter::OPS;
use crate::pipe::Counts;

/// The labels of every metric, which tell several files of one machine apart.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    database: String,
    slot: String,
    server_version: String,
}

impl Labels {
    pub(super) fn of(started: &Started) -> Self {
        Self {
            database: started.database.clone(),
            slot: started.slot.clone(),
            server_version: started.server_version.to_string(),
        }
    }

    #[cfg(test)]
    pub(super) fn empty() -> Self {
        let [database, slot, server_version] = [const { String::new() }; 3];
        Self { database, slot, server_version }
    }

    /// Returns them with others, in braces.
    fn with(&self, others: &[(&str, &str)]) -> String {
        let mut text = String::from("{");
        let own = [("database", self.database.as_str()), ("slot", self.slot.as_str())];
        for (index, (name, value)) in own.iter().chain(others).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(text, "{comma}{name}=\"{}\"", escaped(value));
        }
        text.push('}');
        text
    }
}

/// Escapes the value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The figures of a reader at one moment.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    pub(super) health: Health,
    /// The LSN of the newest event that was written.
    pub(super) delivered: Lsn,
    /// The number of events of each kind.
    pub(super) events: [u64; OPS.len()],
}

/// The text of several metrics.
struct Text<'l> {
    labels: &'l Labels,
    out: String,
}

impl Text<'_> {
    fn describe(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, others: &[(&str, &str)], value: impl Display) {
        let labels = self.labels.with(others);
        let _ = writeln!(self.out, "{name}{labels} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.describe(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// A gauge that is left out if it is not known.
    fn known(&mut self, name: &str, help: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.gauge(name, help, value);
        }
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.describe(name, "counter", help);
        self.sample(name, &[], value);
    }
}

/// Returns all metrics.
pub(super) fn text(
    labels: &Labels,
    figures: &Figures,
    slot: Option<SlotFigures>,
    pipe: Option<Counts>,
) -> String {
    let mut text = Text { labels, out: String::with_capacity(8 * 1024) };
    let health = &figures.health;
    text.describe("pgoutput_info", "gauge", "Versions of the program and of the server; always 1.");
    let versions = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("server_version", labels.server_version.as_str()),
    ];
    text.sample("pgoutput_info", &versions, 1);
    text.gauge(
        "pgoutput_connected",
        "Whether there is a connection to the server.",
        u8::from(health.connected),
    );
    text.gauge(
        "pgoutput_idle",
        "Whether nothing is published and everything delivered was acknowledged.",
        u8::from(health.idle),
    );
    lsns(&mut text, figures);
    text.known(
        "pgoutput_lag_bytes",
        "WAL from the acknowledged LSN to the end of the server's WAL.",
        health.bytes_behind(),
    );
    text.known(
        "pgoutput_lag_seconds",
        "Age of the newest delivered transaction at the server's last message; 0 while idle.",
        health.time_behind().map(|lag| lag.as_secs_f64()),
    );
    text.known(
        "pgoutput_last_received_timestamp_seconds",
        "Time at which bytes last arrived, as Unix time.",
        received_at(health),
    );
    text.describe("pgoutput_events_total", "counter", "Events read, by their op.");
    for (op, count) in OPS.iter().zip(figures.events) {
        text.sample("pgoutput_events_total", &[("op", &op.code().to_string())], count);
    }
    text.counter("pgoutput_reconnects_total", "Reconnections to the server.", health.reconnects);
    text.gauge(
        "pgoutput_transactions_in_progress",
        "Transactions in progress of which chunks are kept until they are committed.",
        health.in_progress,
    );
    text.gauge(
        "pgoutput_spill_bytes",
        "Size of the files that keep transactions in progress.",
        health.spill,
    );
    text.counter(
        "pgoutput_spilled_bytes_total",
        "Bytes written to the files that keep transactions in progress.",
        health.spilled,
    );
    if let Some(pipe) = pipe {
        of_pipe(&mut text, pipe);
    }
    if let Some(slot) = slot {
        of_slot(&mut text, slot);
    }
    text.out
}

fn lsns(text: &mut Text<'_>, figures: &Figures) {
    let health = &figures.health;
    for (name, help, lsn) in [
        ("received", "End of the WAL that has arrived, as a byte position.", health.received),
        ("delivered", "LSN of the newest event read, as a byte position.", figures.delivered),
        (
            "acknowledged",
            "LSN before which everything was acknowledged, as a byte position.",
            health.acknowledged,
        ),
        (
            "flushed",
            "Acknowledged LSN as last reported to the server, as a byte position.",
            health.flushed,
        ),
        (
            "server_wal_end",
            "End of the WAL that the server has decoded, as a byte position.",
            health.server_wal_end,
        ),
    ] {
        // Before the first one, a difference to it would be the whole WAL.
        let lsn = (!lsn.is_zero()).then_some(lsn.as_u64());
        text.known(&format!("pgoutput_{name}_lsn_bytes"), help, lsn);
    }
}

fn of_pipe(text: &mut Text<'_>, pipe: Counts) {
    for (name, help, count) in [
        ("batches", "Batches that the destination has stored.", pipe.batches),
        ("records", "Records that the destination has stored.", pipe.records),
        ("bytes", "Size of their keys and values.", pipe.bytes),
        ("errors", "Errors of the destination after which storing was tried again.", pipe.errors),
    ] {
        text.counter(&format!("pgoutput_pipe_{name}_total"), help, count);
    }
    text.known(
        "pgoutput_pipe_last_stored_timestamp_seconds",
        "Time at which a batch was last stored, as Unix time.",
        pipe.stored_at.map(|at| Duration::from_millis(at).as_secs_f64()),
    );
}

fn of_slot(text: &mut Text<'_>, slot: SlotFigures) {
    text.known(
        "pgoutput_slot_retained_wal_bytes",
        "WAL that the server keeps for the slot.",
        slot.retained,
    );
    text.known(
        "pgoutput_slot_unconfirmed_wal_bytes",
        "WAL after the slot's confirmed LSN.",
        slot.unconfirmed,
    );
    text.known(
        "pgoutput_slot_safe_wal_bytes",
        "WAL that can be written before the slot may be lost; left out without a limit.",
        slot.safe,
    );
    text.gauge(
        "pgoutput_slot_lost",
        "Whether the server has invalidated the slot.",
        u8::from(slot.lost),
    );
}

fn received_at(health: &Health) -> Option<f64> {
    let at = SystemTime::now().checked_sub(health.last_received.elapsed())?;
    Some(at.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_are_escaped() {
        let labels = Labels {
            database: "a\"b\\c\nd".into(),
            slot: "s".into(),
            server_version: "18.0".into(),
        };
        assert_eq!(
            labels.with(&[("op", "I")]),
            "{database=\"a\\\"b\\\\c\\nd\",slot=\"s\",op=\"I\"}"
        );
    }

    #[test]
    fn every_kind_of_event_is_counted() {
        let codes: std::collections::BTreeSet<char> = OPS.iter().map(|op| op.code()).collect();
        assert_eq!(codes.into_iter().collect::<String>(), "ACDIKMPRSTUZ");
    }
}
