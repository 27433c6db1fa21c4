//! Timeouts that would end a connection.

use super::units::millis;
use crate::doctor::facts::{Facts, Role, RoleSetting, Scope, Timeouts};
use crate::doctor::finding::Finding;
use crate::doctor::sql::{RELOAD, alter_system};

const WAL_SENDER_TIMEOUT: &str = "wal_sender_timeout";

/// A `wal_sender_timeout` below this ends connections after short pauses of a network or a program.
const SHORT_WAL_SENDER_TIMEOUT: i64 = 5000;

/// A timeout below this may end a session before the library has turned it off, in milliseconds.
const SHORT: f64 = 1000.0;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let (Some(timeouts), Some(role)) = (&facts.timeouts, &facts.role) else { return Vec::new() };
    let mut findings: Vec<_> = wal_sender_timeout(timeouts, role).into_iter().collect();
    let mut seen = vec![WAL_SENDER_TIMEOUT];
    for setting in &timeouts.settings {
        // The first one of a name takes precedence.
        if !seen.contains(&&*setting.name) {
            seen.push(&setting.name);
            findings.extend(of_session(setting, role));
        }
    }
    findings
}

fn wal_sender_timeout(timeouts: &Timeouts, role: &Role) -> Option<Finding> {
    let timeout = timeouts.wal_sender_timeout?;
    let object = WAL_SENDER_TIMEOUT;
    let problem = if timeout == 0 {
        "wal_sender_timeout is 0: the server never notices that a client is gone, whose slot then \
         stays in use, and no other client can read it; set it to 60s, the default"
            .to_owned()
    } else if timeout < SHORT_WAL_SENDER_TIMEOUT {
        format!(
            "wal_sender_timeout is {timeout} ms: a short pause of the network or the program ends \
             the connection; set it to 60s, the default"
        )
    } else {
        return Some(Finding::ok(object, format_args!("wal_sender_timeout is {timeout} ms")));
    };
    let set = timeouts.settings.iter().find(|setting| setting.name == object);
    let cure = match set {
        Some(setting) => reset(setting, role).into_iter().collect(),
        None => vec![alter_system(object, "60s"), RELOAD.into()],
    };
    Some(Finding::warning(object, problem).cure(cure))
}

/// The finding of a timeout that the library turns off in its own sessions.
fn of_session(setting: &RoleSetting, role: &Role) -> Option<Finding> {
    let RoleSetting { name, value, .. } = setting;
    let millis = millis(value).filter(|millis| *millis > 0.0)?;
    let owner = match setting.scope {
        Scope::RoleInDatabase => {
            format!("role {} in database {}", role.name.shown(), role.database.shown())
        }
        Scope::Role => format!("role {}", role.name.shown()),
        Scope::Database => format!("database {}", role.database.shown()),
        Scope::AllRoles => "all roles".into(),
    };
    // A startup packet cannot contain these, which older servers do not know.
    let is_late = matches!(&**name, "idle_session_timeout" | "transaction_timeout");
    if is_late && millis < SHORT {
        return Some(
            Finding::warning(
                name,
                format_args!(
                    "{name} is {value} for {owner}, so short that it may end a session before the \
                     program has turned it off: reset it"
                ),
            )
            .cure(reset(setting, role)),
        );
    }
    Some(Finding::ok(
        name,
        format_args!(
            "{name} is {value} for {owner}, and does not apply here: the program turns it off in \
             its sessions"
        ),
    ))
}

fn reset(setting: &RoleSetting, role: &Role) -> Option<String> {
    let (name, database) = (role.name.sql()?, role.database.sql()?);
    let owner = match setting.scope {
        Scope::RoleInDatabase => format!("ROLE {name} IN DATABASE {database}"),
        Scope::Role => format!("ROLE {name}"),
        Scope::Database => format!("DATABASE {database}"),
        Scope::AllRoles => "ROLE ALL".into(),
    };
    Some(format!("ALTER {owner} RESET {}", setting.name))
}
