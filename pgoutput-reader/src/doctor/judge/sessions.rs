//! Open transactions that would hold up the creation of a slot.

use crate::doctor::facts::{Facts, OpenTransaction};
use crate::doctor::finding::Finding;
use crate::doctor::sql::literal;

/// The age from which the transaction of a session is reported, in seconds. Most end before.
const REPORTED: f64 = 3.0;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let Some(transactions) = &facts.open_transactions else { return Vec::new() };
    let is_old = |open: &&OpenTransaction| {
        // A prepared one does not end by itself.
        open.session.pid.is_none() || open.seconds.is_none_or(|age| age >= REPORTED)
    };
    let old: Vec<_> = transactions.iter().filter(is_old).map(blocking).collect();
    if !old.is_empty() {
        return old;
    }
    let message = match transactions.len() {
        0 => "no open transaction would hold up the creation of a slot".to_owned(),
        number => format!(
            "{number} transaction{} open, for less than {REPORTED} seconds: the creation of a \
             slot would wait for their end",
            if number == 1 { " is" } else { "s are" }
        ),
    };
    vec![Finding::ok("transactions", message)]
}

fn blocking(open: &OpenTransaction) -> Finding {
    let session = &open.session;
    let (object, what_to_do) = match (&session.gid, session.pid) {
        (Some(gid), _) => {
            (format!("prepared transaction '{gid}'"), "commit it, or roll it back in its database")
        }
        (None, Some(pid)) => (format!("session {pid}"), "commit there, or end the session"),
        (None, None) => ("prepared transaction".into(), "commit it, or roll it back"),
    };
    let cure = match (&session.gid, session.pid) {
        (Some(gid), _) => Some(format!("ROLLBACK PREPARED {}", literal(gid))),
        (None, Some(pid)) => Some(format!("SELECT pg_catalog.pg_terminate_backend({pid})")),
        (None, None) => None,
    };
    Finding::warning(
        object,
        format_args!(
            "the creation of a slot would wait for an open transaction, {session}: {what_to_do}"
        ),
    )
    .cure(cure)
}
