//! Advice for errors that are common in logical replication, chosen by SQLSTATE.

use std::io;

use super::ServerMessage;

/// Advice to append to the server's message, with its separator; empty if there is none.
///
/// The server translates its messages, so the choice is made by SQLSTATE first. If a code has
/// several causes it is made by the reporting function in PostgreSQL's source, and only then by the
/// text.
pub(crate) fn for_message(message: &ServerMessage) -> String {
    match message.sqlstate().and_then(|code| choose(code, message)) {
        Some(advice) => format!("; {advice}"),
        None => String::new(),
    }
}

/// Advice for an error of the operating system, with its separator.
pub(crate) fn for_io(doing: &str, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "; is a server running there, on this port? listen_addresses and port in its \
             postgresql.conf determine where it listens"
        }
        // The file of a Unix socket.
        io::ErrorKind::NotFound if doing == "connecting to" => {
            "; is a server running here, on this port? unix_socket_directories and port in its \
             postgresql.conf determine where it listens"
        }
        _ => "",
    }
}

fn choose(code: &str, message: &ServerMessage) -> Option<&'static str> {
    let contains = |words: &str| message.message().contains(words);
    let by = |routine: &str| message.routine() == Some(routine);
    Some(match code {
        // Checked on PostgreSQL 15 unless stated otherwise.
        "28P01" => "check the user and the password (connection string, PGPASSWORD, password file)",
        // Without the REPLICATION attribute PostgreSQL 10 to 15 report 28000, after pg_hba.conf has
        // accepted the user.
        "28000" if contains("replication role") || contains("WAL sender") => ROLE,
        "28000" => {
            "check that the role exists and may log in, and that pg_hba.conf has a line for this \
             user, database and address (a replication=database connection uses the line of the \
             database, not that of \"replication\")"
        }
        "42501" if by("check_enable_rls") || contains("row-level security policy") => ROW_SECURITY,
        "42501"
            if by("aclcheck_error")
                || ["permission denied for table", "permission denied for relation"]
                    .iter()
                    .any(|words| contains(words)) =>
        {
            PRIVILEGE
        }
        "42501" if contains("replication") || contains("WAL sender") || contains("REPLICATION") => {
            ROLE
        }
        "42501" => {
            "the role lacks a privilege: logical replication needs the REPLICATION attribute and \
             CONNECT on the database"
        }
        // 53300 and 3D000 are what later versions of PgBouncer send.
        "08P01" | "53300" | "3D000" if of_pooler(message.message()) => {
            if message.message().to_lowercase().ends_with("startup parameter: replication") {
                "this is a connection pooler, such as PgBouncer, that does not accept replication \
                 connections: connect to the server itself, or poll over plain SQL (--poll, \
                 `ReaderBuilder::poll`)"
            } else {
                "this is a connection pooler, such as PgBouncer: connect to the server itself"
            }
        }
        "3D000" => "create the database, or correct its name in the connection string",
        "55000" if contains("wal_level") => {
            "set wal_level = logical in postgresql.conf and restart the server"
        }
        "55000" | "0A000" if contains("not created in this database") => {
            "connect to the database the slot belongs to (pg_replication_slots.database), or use \
             another slot"
        }
        "55000" if contains("lost") || contains("invalidated") || contains("can no longer") => {
            "the slot is unusable, as the server no longer keeps the WAL it needs: drop the slot, \
             recreate it and take a new snapshot"
        }
        "55006" => {
            "another connection uses the slot (the PID is in the message): stop that one, or \
             wait; after a broken connection the server releases it at the latest after \
             wal_sender_timeout"
        }
        "42883" if by("getTypeBinaryOutputInfo") || contains("binary output function") => {
            "read without the option binary: a column has such values inside an array, composite \
             or range, and there the server cannot send them as text"
        }
        "42704" if contains("publication") => {
            "create it with CREATE PUBLICATION, or correct the name; a slot created before its \
             publication cannot decode changes from before it"
        }
        "42704"
            if by("ReplicationSlotAcquire")
                || by("SearchNamedReplicationSlot")
                || contains("replication slot") =>
        {
            "create the slot first, or correct its name (pg_replication_slots lists them)"
        }
        "42710" if contains("replication slot") => {
            "use the slot as it is, choose another name, or drop it first"
        }
        "42602" => "slot names contain only lower-case letters, digits and underscores, at most 63",
        "53300" => {
            "no connection is free: raise max_wal_senders or max_connections, or end other \
             connections"
        }
        "53400" => "no slot is free: drop unused slots, or raise max_replication_slots",
        "55P02" => {
            "the server does not let this parameter be set for a connection (wal_sender_timeout: \
             PostgreSQL 12 and later)"
        }
        "57P01" | "57P02" => {
            "the server is shutting down or an administrator ended the connection: connect again \
             later"
        }
        "57P03" => "the server is starting up, shutting down or recovering: connect again later",
        // Another plugin fails on the first option it does not know.
        "22023" if message.context().is_some_and(|context| !context.contains("\"pgoutput\"")) => {
            "the slot was created for another output plugin (pg_replication_slots.plugin): use one \
             created for pgoutput"
        }
        "22023" if contains("proto_version") => {
            "choose a protocol version that the server supports"
        }
        _ => return None,
    })
}

/// Returns whether this is a message of PgBouncer or a pooler like it. Versions up to 1.7 begin
/// with a capital letter.
fn of_pooler(text: &str) -> bool {
    let text = text.to_lowercase();
    [
        "unsupported startup parameter",
        "unsupported options startup parameter",
        "no such database: ",
        "no more connections allowed",
        "server login has been failing",
    ]
    .iter()
    .any(|words| text.contains(words))
}

const ROLE: &str = "give the role the REPLICATION attribute: ALTER ROLE … REPLICATION, or grant \
                    the role that a managed service has for it";

const PRIVILEGE: &str = "grant the role the privilege that it lacks: a copy needs SELECT on each \
                         table, and USAGE on its schema";

const ROW_SECURITY: &str = "a copy is never restricted silently: give the role the BYPASSRLS \
                            attribute, or connect as one that the policies do not restrict";

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(code: &str, text: &str, context: &str) -> String {
        of([(b'C', code), (b'M', text), (b'W', context)])
    }

    fn of<const N: usize>(fields: [(u8, &str); N]) -> String {
        let fields = fields.iter().map(|(name, text)| (*name, text.as_bytes()));
        for_message(&ServerMessage::new(fields, true))
    }

    const POOLER: &str =
        "this is a connection pooler, such as PgBouncer: connect to the server itself";

    /// Codes and messages as PostgreSQL and PgBouncer send them.
    #[test]
    fn one_code_gives_the_advice_of_its_cause() {
        let startup =
            |plugin| format!("slot \"s\", output plugin \"{plugin}\", in the startup callback");
        for (code, text, context, expected) in [
            (
                "28P01",
                "password authentication failed for user \"u\"",
                "",
                "check the user and the password",
            ),
            ("3D000", "database \"nodb\" does not exist", "", "create the database"),
            ("28000", "no pg_hba.conf entry for host \"::1\"", "", "pg_hba.conf has a line"),
            ("42501", "must be superuser or replication role to start walsender", "", "ALTER ROLE"),
            ("42501", "permission denied to start WAL sender", "", "ALTER ROLE"),
            ("55000", "logical decoding requires wal_level >= logical", "", "wal_level = logical"),
            (
                "55000",
                "replication slot \"s\" was not created in this database",
                "",
                "connect to the database",
            ),
            (
                "55006",
                "replication slot \"s\" is active for PID 917",
                "",
                "the PID is in the message",
            ),
            ("42704", "replication slot \"s\" does not exist", "", "create the slot"),
            (
                "42883",
                "no binary output function available for type aclitem",
                "",
                "read without the option binary",
            ),
            ("42704", "publication \"p\" does not exist", "", "CREATE PUBLICATION"),
            (
                "22023",
                "option \"proto_version\" = \"3\" is unknown",
                &startup("test_decoding"),
                "another output plugin",
            ),
            (
                "53300",
                "number of requested standby connections exceeds max_wal_senders",
                "",
                "max_wal_senders",
            ),
            ("53400", "all replication slots are in use", "", "max_replication_slots"),
            (
                "57P01",
                "terminating connection due to administrator command",
                "",
                "connect again later",
            ),
            ("57P03", "the database system is starting up", "", "connect again later"),
            (
                "08P01",
                "unsupported startup parameter: replication",
                "",
                "does not accept replication",
            ),
            (
                "08P01",
                "Unsupported startup parameter: replication",
                "",
                "does not accept replication",
            ),
            ("08P01", "unsupported startup parameter: options", "", POOLER),
            ("08P01", "Unsupported startup parameter: options", "", POOLER),
            ("08P01", "unsupported startup parameter in options: datestyle", "", POOLER),
            (
                "08P01",
                "unsupported options startup parameter: only '-c config=val' and '--config=val' \
                 are allowed",
                "",
                POOLER,
            ),
            ("08P01", "no such database: app", "", POOLER),
            ("3D000", "no such database: app", "", POOLER),
            ("08P01", "no more connections allowed (max_client_conn)", "", POOLER),
            ("53300", "no more connections allowed (max_client_conn)", "", POOLER),
            (
                "08P01",
                "server login has been failing, try again later (server_login_retry)",
                "",
                POOLER,
            ),
        ] {
            let given = advice(code, text, context);
            assert!(given.contains(expected), "{code} {text}: {given:?}");
        }
    }

    /// The routine decides if the message is translated.
    #[test]
    fn a_missing_privilege_for_a_copy_gets_the_advice_for_copies() {
        for (routine, text, expected) in [
            ("aclcheck_error", "permission denied for table replication_log", PRIVILEGE),
            ("aclcheck_error", "keine Berechtigung für Tabelle b", PRIVILEGE),
            ("", "permission denied for relation b", PRIVILEGE),
            (
                "check_enable_rls",
                "Anfrage würde von Policy für Sicherheit beeinflusst",
                ROW_SECURITY,
            ),
            (
                "",
                "query would be affected by row-level security policy for table \"b\"",
                ROW_SECURITY,
            ),
        ] {
            let given = of([(b'C', "42501"), (b'M', text), (b'R', routine)]);
            assert_eq!(given, format!("; {expected}"), "{routine} {text}");
        }
        let database = "permission denied for database \"app\"";
        let given = of([(b'C', "42501"), (b'M', database), (b'R', "CheckMyDatabase")]);
        assert!(given.contains("CONNECT on the database"), "{given}");
    }

    #[test]
    fn without_advice_nothing_is_added() {
        assert_eq!(advice("XX000", "something", ""), "");
        assert_eq!(advice("08P01", "invalid message length", ""), "");
        assert_eq!(
            advice("22023", "publication_names parameter missing", "output plugin \"pgoutput\""),
            ""
        );
    }
}
