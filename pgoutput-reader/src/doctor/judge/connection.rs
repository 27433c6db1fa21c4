//! Reachability, TLS, and poolers in between.

use crate::config::SslMode;
use crate::doctor::access::{ConnectionFacts, Protected, Refusal, ServerAccess};
use crate::doctor::facts::Facts;
use crate::doctor::finding::Finding;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let connection = &facts.connection;
    let Some(server) = &connection.server else {
        let (replication, session) = (&connection.replication, &connection.session);
        // The same error twice, unless they are of different kinds.
        let is_other = |session: &&Refusal| {
            replication.as_ref().is_none_or(|refusal| refusal.sqlstate != session.sqlstate)
        };
        let refusals = replication.iter().chain(session.as_ref().filter(is_other));
        return refusals.map(|refusal| refused(connection, refusal)).collect();
    };
    let mut findings = vec![opened(connection, server)];
    if server.is_exposed {
        findings.push(exposed(server));
    }
    if server.is_passed_on {
        findings.push(Finding::warning(
            "connection",
            format_args!(
                "another program passes the connection to {} on to the server, as a connection \
                 pooler does (the server process is not the one of the key): if it gives one \
                 session to several clients, connect to the server itself",
                server.address
            ),
        ));
    }
    if server.version.major() < 10 {
        findings.push(Finding::error(
            "server",
            format_args!(
                "the server is PostgreSQL {}, which has no pgoutput: upgrade it to 10 or later",
                server.version
            ),
        ));
    }
    if let Some(refusal) = connection.replication.as_ref().filter(|_| !is_explained(facts)) {
        findings.push(Finding::error(
            "replication connection",
            format_args!(
                "the server accepts a connection for SQL, and not a replication connection: {}",
                refusal.text
            ),
        ));
    }
    if let Some(refusal) = &connection.session {
        findings.push(Finding::error("SQL connection", &refusal.text));
    }
    findings
}

/// Returns whether another topic names the cause of a refused replication connection.
fn is_explained(facts: &Facts) -> bool {
    super::role::explains_refusal(facts) || super::server::explains_refusal(facts)
}

fn opened(connection: &ConnectionFacts, server: &ServerAccess) -> Finding {
    let protection = match server.protection {
        Protected::VerifiedTls => "TLS with a verified certificate",
        Protected::Tls => "TLS without verification of the server's certificate",
        Protected::Local => "local, without TLS",
        Protected::None => "without TLS",
    };
    Finding::ok(
        "connection",
        format_args!(
            "PostgreSQL {} at {}, database {}, user {}, {protection}",
            server.version,
            server.address,
            connection.database.shown(),
            connection.user.shown()
        ),
    )
}

fn exposed(server: &ServerAccess) -> Finding {
    let what = match server.protection {
        Protected::None => "is not encrypted",
        _ => "is encrypted, and the server's certificate is not verified",
    };
    Finding::warning(
        "connection",
        format_args!(
            "the connection to {} {what}, so that others on the network could read or change it: \
             set sslmode=verify-full and sslrootcert; if the network can be trusted, set \
             sslmode={} to say so",
            server.address,
            SslMode::Prefer
        ),
    )
}

/// The finding of a server that accepts no connection at all.
fn refused(connection: &ConnectionFacts, refusal: &Refusal) -> Finding {
    let finding = Finding::error("connection", &refusal.text);
    let names = |words: &str| refusal.message.contains(words);
    let (user, database) = (connection.user.sql(), connection.database.sql());
    match (refusal.sqlstate.as_deref(), user, database) {
        (Some("3D000"), _, Some(database)) if names("does not exist") => {
            finding.cure([format!("CREATE DATABASE {database}")])
        }
        (Some("28000"), Some(user), _) if names("role") && names("does not exist") => {
            finding.cure([format!("CREATE ROLE {user} LOGIN REPLICATION")])
        }
        (Some("28000"), Some(user), _) if names("is not permitted to log in") => {
            finding.cure([format!("ALTER ROLE {user} LOGIN")])
        }
        (Some("28000" | "42501"), Some(user), _) if names("walsender") || names("WAL sender") => {
            finding.cure([format!("ALTER ROLE {user} REPLICATION")])
        }
        (Some("42501"), Some(user), Some(database)) if names("permission denied for database") => {
            finding.cure([format!("GRANT CONNECT ON DATABASE {database} TO {user}")])
        }
        _ => finding,
    }
}
