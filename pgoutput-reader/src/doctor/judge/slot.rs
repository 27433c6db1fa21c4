//! The slot: whether it can be read, how far it lags, and how close it is to being invalidated.

use pgoutput_decode::Lsn;

use super::units::{size, time};
use crate::doctor::facts::{Facts, Slot, SlotLookup};
use crate::doctor::finding::Finding;
use crate::doctor::sql::{
    RELOAD, alter_system, create_slot, create_slot_like, drop_slot, is_slot_name, other_slot_name,
};
use crate::error::SetupError;

/// The share of a limit below which what is left of it is a warning.
const LITTLE: u64 = 4;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let Some(name) = facts.slot_name.as_deref() else { return Vec::new() };
    let object = format!("slot \"{name}\"");
    match &facts.slot {
        SlotLookup::Unknown => Vec::new(),
        SlotLookup::Missing => {
            let finding = Finding::error(object, SetupError::SlotMissing { slot: name.into() });
            let finding = finding.cure(is_slot_name(name).then(|| create_slot(name)));
            // The name may be misspelled.
            let others = facts.server.as_ref().map_or(&[][..], |server| &server.inactive_slots);
            let others = (!others.is_empty()).then(|| {
                let names = others.join(", ");
                Finding::ok("slots", format_args!("slots that nothing reads: {names}"))
            });
            std::iter::once(finding).chain(others).collect()
        }
        SlotLookup::Found(slot) => {
            if let Some(finding) = unusable(name, slot) {
                return vec![finding];
            }
            let others = [in_use, retention, idle, catalog_age];
            let others = others.iter().filter_map(|find| find(name, slot));
            std::iter::once(state(name, slot)).chain(others).collect()
        }
    }
}

/// Returns whether nothing can be read from the slot.
pub(in crate::doctor) fn is_unusable(slot: &Slot) -> bool {
    unusable("", slot).is_some()
}

/// The finding of a slot that cannot be read here.
fn unusable(name: &str, slot: &Slot) -> Option<Finding> {
    let row = &slot.row;
    let object = format!("slot \"{name}\"");
    let owned = || name.to_owned();
    let other = other_slot_name(name);
    let instead = |error: SetupError, how: &str| {
        let error = Finding::error(&object, format_args!("{error}, {how} \"{other}\""));
        Some(error.cure([create_slot(&other)]))
    };
    if row.slot_type != "logical" {
        return instead(SetupError::SlotPhysical { slot: owned() }, "such as");
    }
    if row.plugin != "pgoutput" {
        return instead(
            SetupError::SlotPlugin { slot: owned(), plugin: row.plugin.clone() },
            "such as",
        );
    }
    if row.database != row.session_database {
        let (database, connected) = (row.database.clone(), row.session_database.clone());
        return instead(
            SetupError::SlotDatabase { slot: owned(), database, connected },
            "or create another slot here, such as",
        );
    }
    if row.synced == Some(true) {
        return Some(Finding::error(
            &object,
            format_args!(
                "slot \"{name}\" is the copy, on a standby, of a slot of the primary: read it on \
                 the primary, or here after a failover"
            ),
        ));
    }
    let is_lost = row.wal_status.as_deref() == Some("lost");
    if is_lost || row.invalidation_reason.is_some() || row.conflicting == Some(true) {
        let reason = row.invalidation_reason.clone();
        let reason = reason.unwrap_or_else(|| "wal_status lost".into());
        let error = Finding::error(&object, SetupError::SlotLost { slot: owned(), reason });
        return Some(error.cure([drop_slot(name), create_slot_like(name, row)]));
    }
    if slot.is_temporary {
        return Some(
            Finding::error(
                &object,
                format_args!(
                    "slot \"{name}\" is temporary: only the session that created it can read it \
                     (process {}); create slot \"{other}\" and read that",
                    row.active_pid.unwrap_or_default()
                ),
            )
            .cure([create_slot(&other)]),
        );
    }
    match (row.confirmed_flush_lsn, row.active_pid) {
        (None, Some(pid)) => Some(
            Finding::error(&object, SetupError::SlotBeingCreated { slot: owned(), pid })
                .cure([format!("SELECT pg_catalog.pg_cancel_backend({pid})")]),
        ),
        _ => None,
    }
}

/// The finding that describes a slot that can be read.
fn state(name: &str, slot: &Slot) -> Finding {
    let row = &slot.row;
    let end = row.wal_end.unwrap_or_default().as_u64();
    let since = |lsn: Option<Lsn>| size(lsn.map_or(0, |lsn| end.saturating_sub(lsn.as_u64())));
    let lag = slot.process.lag.map(|lag| format!(" ({} at the last report)", time(lag)));
    let unread = slot.inactive_for.filter(|seconds| *seconds >= 60.0);
    let unread = unread.map(|seconds| format!(", not read for {}", time(seconds)));
    let limit = match (row.safe_wal_size, slot.settings.max_keep) {
        (Some(left), Some(most)) => format!(
            ", and invalidates it after {} more (max_slot_wal_keep_size is {})",
            size(u64::try_from(left).unwrap_or_default()),
            size(most)
        ),
        (None, Some(most)) => format!(" (max_slot_wal_keep_size is {})", size(most)),
        _ => ", without a limit".into(),
    };
    let note = |is_set: Option<bool>, note| if is_set == Some(true) { note } else { "" };
    Finding::ok(
        format_args!("slot \"{name}\""),
        format_args!(
            "slot \"{name}\" is for pgoutput in database \"{}\", {} of WAL behind{}{}; the server \
             keeps {} of WAL for it{limit}{}{}",
            row.database,
            since(row.confirmed_flush_lsn),
            lag.unwrap_or_default(),
            unread.unwrap_or_default(),
            since(row.restart_lsn),
            note(row.two_phase, "; it sends prepared transactions (two_phase)"),
            note(row.failover, "; it is synchronized to standbys (failover)"),
        ),
    )
}

/// The finding of a slot that a process holds, as it should.
fn in_use(name: &str, slot: &Slot) -> Option<Finding> {
    let pid = slot.row.active_pid?;
    let process = &slot.process;
    let mut by = format!("process {pid}");
    for (what, value) in [
        (", user ", &process.user),
        (", application ", &process.application_name),
        (", address ", &process.address),
    ] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            by = by + what + value;
        }
    }
    Some(Finding::ok(
        format_args!("slot \"{name}\""),
        format_args!(
            "slot \"{name}\" is being read ({by}), and only one connection can read it: if that is \
             not your reader, stop that program; after a broken connection the server releases the \
             slot at the latest after wal_sender_timeout"
        ),
    ))
}

/// The finding of a slot that is about to be invalidated for its WAL, or keeps too much of it.
fn retention(name: &str, slot: &Slot) -> Option<Finding> {
    let (row, settings) = (&slot.row, &slot.settings);
    let object = format!("slot \"{name}\"");
    let end = row.wal_end?.as_u64();
    let kept = end.saturating_sub(row.restart_lsn?.as_u64());
    if let Some(most) = settings.max_keep {
        let left = row.safe_wal_size.map(|left| u64::try_from(left).unwrap_or_default());
        let is_little = left.is_some_and(|left| left < most / LITTLE);
        if !(is_little || row.wal_status.as_deref() == Some("unreserved")) {
            return None;
        }
        let megabytes = (most.max(kept) / LITTLE * 8) >> 20;
        let finding = Finding::warning(
            object,
            format_args!(
                "slot \"{name}\" is invalidated after {} more of WAL, and loses what it has not \
                 sent: read it faster, or raise max_slot_wal_keep_size ({})",
                size(left.unwrap_or_default()),
                size(most)
            ),
        );
        let value = format!("{}MB", megabytes.max(1));
        return Some(finding.cure([alter_system("max_slot_wal_keep_size", &value), RELOAD.into()]));
    }
    if row.active_pid.is_some() || kept <= settings.max_wal_size.saturating_mul(2) {
        return None;
    }
    let finding = Finding::warning(
        object,
        format_args!(
            "nothing reads slot \"{name}\", and the server keeps {} of WAL for it, without a limit \
             until its disk is full: read it, or drop it if it is not needed any more (its changes \
             are then lost)",
            size(kept)
        ),
    );
    Some(finding.cure([drop_slot(name)]))
}

/// The finding of a slot that is about to be invalidated since nothing reads it.
fn idle(name: &str, slot: &Slot) -> Option<Finding> {
    let timeout = slot.settings.idle_timeout?;
    let inactive = slot.inactive_for.unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "a number of seconds")]
    let limit = timeout as f64;
    let left = (limit - inactive).max(0.0);
    let object = format!("slot \"{name}\"");
    if inactive * 4.0 < limit * 3.0 {
        return Some(Finding::ok(
            object,
            format_args!(
                "slot \"{name}\" is invalidated when nothing reads it for {} \
                 (idle_replication_slot_timeout)",
                time(limit)
            ),
        ));
    }
    let finding = Finding::warning(
        object,
        format_args!(
            "slot \"{name}\" was not read for {}, and the server invalidates it in {}, at its next \
             checkpoint (idle_replication_slot_timeout is {}): read it, or turn this off",
            time(inactive),
            time(left),
            time(limit)
        ),
    );
    Some(finding.cure([alter_system("idle_replication_slot_timeout", "0"), RELOAD.into()]))
}

fn catalog_age(name: &str, slot: &Slot) -> Option<Finding> {
    let (age, most) = (slot.catalog_age?, slot.settings.freeze_max_age);
    (most > 0 && age >= most).then(|| {
        Finding::warning(
            format_args!("slot \"{name}\""),
            format_args!(
                "slot \"{name}\" keeps the catalogue rows of the last {age} transactions \
                 (catalog_xmin), so that VACUUM cannot freeze them: read the slot, or drop it if \
                 it is not needed any more (its changes are then lost)"
            ),
        )
        .cure(slot.row.active_pid.is_none().then(|| drop_slot(name)))
    })
}
