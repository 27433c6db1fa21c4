//! What follows from the facts: no I/O, so that every judgement is tested without a server.

mod connection;
mod publications;
mod role;
mod server;
mod sessions;
mod slot;
mod tables;
mod timeouts;
mod units;

pub(super) use slot::is_unusable;

use super::facts::Facts;
use super::finding::Finding;

/// Returns all findings, by topic.
pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = connection::findings(facts);
    findings.extend(server::findings(facts));
    findings.extend(role::findings(facts));
    findings.extend(timeouts::findings(facts));
    findings.extend(publications::findings(facts));
    findings.extend(tables::findings(facts));
    findings.extend(slot::findings(facts));
    findings.extend(sessions::findings(facts));
    findings.extend(facts.unknown.iter().map(|(topic, error)| {
        Finding::warning(topic, format_args!("the {topic} could not be checked: {error}"))
    }));
    findings
}

#[cfg(test)]
mod tests;
