//! The attributes of the role.

use crate::doctor::facts::{Facts, Role};
use crate::doctor::finding::Finding;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let Some(role) = &facts.role else { return Vec::new() };
    let (name, object) = (role.name.shown(), format!("role {}", role.name.shown()));
    if explains_refusal(facts) {
        let text = facts.connection.replication.as_ref().map(|refusal| &*refusal.text);
        let finding = Finding::error(
            object,
            format_args!(
                "role {name} may not open a replication connection: {}",
                text.unwrap_or_default()
            ),
        );
        let cure = role.name.sql().map(|name| format!("ALTER ROLE {name} REPLICATION"));
        return vec![finding.cure(cure)];
    }
    let (attributes, bypasses) = match role {
        Role { is_superuser: true, .. } => ("is a superuser", ""),
        Role { has_replication: true, bypasses_row_security, .. } => (
            "has the attribute REPLICATION",
            if *bypasses_row_security { ", and BYPASSRLS" } else { "" },
        ),
        // As on managed services, where membership in a role permits it.
        _ => ("may open replication connections without the attribute REPLICATION", ""),
    };
    if facts.connection.replication.is_some() && !(role.is_superuser || role.has_replication) {
        return Vec::new();
    }
    vec![Finding::ok(object, format_args!("role {name} {attributes}{bypasses}"))]
}

/// Returns whether the replication connection was refused since the role lacks the attribute.
pub(super) fn explains_refusal(facts: &Facts) -> bool {
    let sqlstate = facts.connection.replication.as_ref().and_then(|r| r.sqlstate.as_deref());
    matches!(sqlstate, Some("28000" | "42501"))
        && facts.role.as_ref().is_some_and(|role| !role.is_superuser && !role.has_replication)
}
