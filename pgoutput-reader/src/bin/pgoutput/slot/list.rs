//! `pgoutput slot list`.

use super::facts::SlotFacts;
use crate::Failure;
use crate::args::SlotList;
use crate::report::Report;
use crate::result::{print_json, print_text};
use crate::session::Session;
use crate::table::{Align, Table, size};

pub(super) fn run(arguments: &SlotList) -> Result<(), Failure> {
    let mut session = Session::open(&arguments.server, arguments.verbosity)?;
    let slots = SlotFacts::all(&mut session)?;
    if arguments.result.json {
        return print_json("slots", &slots);
    }
    if slots.is_empty() {
        Report::of(arguments.verbosity).print(&"the server has no replication slots");
        return Ok(());
    }
    print_text(&table(&slots))
}

fn table(slots: &[SlotFacts]) -> Table<10> {
    let mut table = Table::new([
        ("NAME", Align::Left),
        ("PLUGIN", Align::Left),
        ("DATABASE", Align::Left),
        ("ACTIVE", Align::Left),
        ("OPTIONS", Align::Left),
        ("CONFIRMED", Align::Left),
        ("LAG", Align::Right),
        ("RETAINED", Align::Right),
        ("WAL STATUS", Align::Left),
        ("INACTIVE SINCE", Align::Left),
    ]);
    for slot in slots {
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".into(), size);
        table.push([
            slot.slot_name.clone(),
            slot.plugin.clone().unwrap_or_else(|| format!("({})", slot.slot_type)),
            slot.database.clone().unwrap_or_else(|| "-".into()),
            slot.active_pid.map_or_else(|| "no".into(), |pid| format!("pid {pid}")),
            options(slot),
            slot.confirmed_flush_lsn.map_or_else(|| "-".into(), |lsn| lsn.to_string()),
            bytes(slot.lag_bytes),
            bytes(slot.retained_bytes),
            wal_status(slot),
            slot.inactive_since.as_deref().map(moment).unwrap_or_default(),
        ]);
    }
    table
}

fn options(slot: &SlotFacts) -> String {
    let options = [
        ("temporary", Some(slot.temporary)),
        ("two_phase", slot.two_phase),
        ("failover", slot.failover),
        ("synced", slot.synced),
    ];
    let set: Vec<&str> = options
        .into_iter()
        .filter(|(_, is_set)| *is_set == Some(true))
        .map(|(name, _)| name)
        .collect();
    set.join(",")
}

/// The state of the slot's WAL, and why it was invalidated.
fn wal_status(slot: &SlotFacts) -> String {
    let status = slot.wal_status.clone().unwrap_or_default();
    match (&slot.invalidation_reason, slot.safe_wal_size) {
        (Some(reason), _) => format!("{status} ({reason})"),
        (None, Some(left)) if status != "lost" => {
            format!("{status} ({} left)", size(left.max(0).unsigned_abs()))
        }
        _ => status,
    }
}

/// A time of `to_jsonb` without fractions of a second: `2026-11-30 22:51:07+00:00`.
fn moment(text: &str) -> String {
    let (seconds, rest) = text.split_once('.').unwrap_or((text, ""));
    let zone = rest.find(['+', '-']).and_then(|start| rest.get(start..)).unwrap_or_default();
    format!("{}{zone}", seconds.replace('T', " "))
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn times_have_no_fractions() {
        let expected = "2026-11-30 22:51:07+00:00";
        assert_eq!(moment("2026-11-30T22:51:07.123456+00:00"), expected);
        assert_eq!(moment("2026-11-30T22:51:07+00:00"), expected);
    }
}
