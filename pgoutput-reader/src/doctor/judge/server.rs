//! The server's settings, and what is left of its limits.

use crate::doctor::facts::{Facts, Server};
use crate::doctor::finding::Finding;
use crate::doctor::sql::{RELOAD, alter_system};
use crate::error::SetupError;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let Some(server) = &facts.server else { return Vec::new() };
    let mut findings = vec![wal_level(server)];
    findings.extend(standby(server));
    findings.push(walsenders(facts, server));
    // An existing slot needs no free one.
    if facts.slot.found().is_none() {
        findings.push(slots(server));
    }
    findings
}

/// Returns whether the replication connection was refused since no walsender is free.
pub(super) fn explains_refusal(facts: &Facts) -> bool {
    let is_full = |server: &Server| server.walsenders >= server.max_walsenders;
    facts.connection.replication.is_some() && facts.server.as_ref().is_some_and(is_full)
}

fn wal_level(server: &Server) -> Finding {
    let level = server.effective_wal_level.as_deref().unwrap_or(&server.wal_level);
    // From 19 on a server raises the level by itself once there is a slot.
    let is_raised = server.version.major() >= 19 && server.wal_level == "replica";
    if level == "logical" || is_raised {
        let by_itself = if is_raised { ", which the server raises by itself" } else { "" };
        return Finding::ok(
            "wal_level",
            format_args!("wal_level is {}{by_itself}", server.wal_level),
        );
    }
    Finding::error("wal_level", SetupError::WalLevel { level: level.into() })
        .cure([alter_system("wal_level", "logical")])
}

fn standby(server: &Server) -> Option<Finding> {
    if !server.is_standby {
        return None;
    }
    Some(if server.version.major() < 16 {
        Finding::error(
            "server",
            "the server is a standby, and changes can be read from one only with PostgreSQL 16 or \
             later: connect to the primary",
        )
    } else if server.has_standby_feedback {
        Finding::ok(
            "server",
            "the server is a standby with hot_standby_feedback; the primary must have wal_level \
             logical too, and publications are created there",
        )
    } else {
        Finding::warning(
            "server",
            "the server is a standby without hot_standby_feedback, so that the primary may remove \
             catalogue rows that a slot here needs, which invalidates the slot: set it to on",
        )
        .cure([alter_system("hot_standby_feedback", "on"), RELOAD.into()])
    })
}

fn walsenders(facts: &Facts, server: &Server) -> Finding {
    let (used, most) = (server.walsenders, server.max_walsenders);
    if used < most {
        return Finding::ok("walsenders", format_args!("{used} of {most} walsenders are in use"));
    }
    let refusal = facts.connection.replication.as_ref();
    let text = refusal.map(|refusal| format!(": {}", refusal.text)).unwrap_or_default();
    Finding::error(
        "walsenders",
        format_args!(
            "{used} of {most} walsenders are in use, and a replication connection needs one: end \
             other connections, or raise max_wal_senders and restart the server{text}"
        ),
    )
    .cure([alter_system("max_wal_senders", &more(most))])
}

fn slots(server: &Server) -> Finding {
    let (used, most) = (server.slots, server.max_slots);
    if used < most {
        return Finding::ok(
            "replication slots",
            format_args!("{used} of {most} replication slots exist"),
        );
    }
    let error = SetupError::SlotsInUse { limit: u32::try_from(most).unwrap_or(u32::MAX) };
    let unused = match server.inactive_slots.join(", ") {
        names if names.is_empty() => String::new(),
        names => format!("; nothing reads these at the moment: {names}"),
    };
    Finding::error("replication slots", format_args!("{error}{unused}"))
        .cure([alter_system("max_replication_slots", &more(most))])
}

/// Returns a limit that leaves some room.
fn more(limit: u64) -> String {
    (limit + limit.max(10)).to_string()
}
