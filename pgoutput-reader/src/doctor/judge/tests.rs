//! Facts in, findings out.

use pgoutput_decode::Xid;

use super::findings;
use crate::catalog::{RefusalCause, RefusedTable};
use crate::doctor::access::{Protected, Refusal, ServerAccess};
use crate::doctor::facts::{
    ActiveProcess, Candidates, Facts, NotCopied, OpenTransaction, Peeked, Publication, Role,
    RoleSetting, Scope, Server, Slot, SlotLookup, SlotSettings, Tables, Timeouts,
};
use crate::doctor::finding::{Finding, Severity};
use crate::error::BlockingSession;
use crate::server_version::ServerVersion;
use crate::sql::slot::SlotRow;

/// A server with nothing to fix, and nothing asked for.
fn healthy(version: u32) -> Facts {
    let version = ServerVersion::new(version * 10_000);
    let mut facts = Facts::asked(None, &[]);
    facts.connection.server = Some(ServerAccess {
        address: "db:5432".into(),
        version,
        protection: Protected::VerifiedTls,
        is_exposed: false,
        is_passed_on: false,
        walsender: Some(1),
    });
    facts.server = Some(Server {
        version,
        wal_level: "logical".into(),
        effective_wal_level: None,
        is_standby: false,
        max_slots: 10,
        slots: 0,
        inactive_slots: vec![],
        max_walsenders: 10,
        walsenders: 0,
        has_standby_feedback: false,
    });
    facts.role = Some(Role {
        name: "reader".into(),
        database: "shop".into(),
        has_replication: true,
        ..Role::default()
    });
    facts.timeouts = Some(Timeouts { wal_sender_timeout: Some(60_000), settings: vec![] });
    facts.open_transactions = Some(vec![]);
    facts
}

/// A slot that has confirmed everything.
fn slot() -> Slot {
    let lsn = Some(pgoutput_decode::Lsn::new(1 << 30));
    Slot {
        row: SlotRow {
            slot_type: "logical".into(),
            plugin: "pgoutput".into(),
            database: "shop".into(),
            session_database: "shop".into(),
            confirmed_flush_lsn: lsn,
            restart_lsn: lsn,
            wal_end: lsn,
            is_standby: false,
            active_pid: None,
            is_in_use: false,
            synchronous_standby_names: String::new(),
            application_name: String::new(),
            wal_status: Some("reserved".into()),
            safe_wal_size: None,
            invalidation_reason: None,
            conflicting: None,
            failover: None,
            synced: None,
            two_phase: None,
        },
        is_temporary: false,
        inactive_for: None,
        catalog_age: Some(5),
        catalog_xmin: Some(Xid::new(700)),
        process: ActiveProcess::default(),
        settings: SlotSettings {
            max_keep: None,
            max_wal_size: 1 << 30,
            idle_timeout: None,
            freeze_max_age: 200_000_000,
        },
    }
}

fn with_slot(change: impl FnOnce(&mut Slot)) -> Facts {
    let mut facts = healthy(18);
    facts.slot_name = Some("s".into());
    let mut slot = slot();
    change(&mut slot);
    facts.slot = SlotLookup::Found(Box::new(slot));
    facts.open_transactions = None;
    facts
}

/// Returns the warnings and errors.
fn problems(facts: &Facts) -> Vec<Finding> {
    findings(facts).into_iter().filter(|finding| finding.severity > Severity::Ok).collect()
}

/// Checks that there is exactly one problem, and its message and SQL.
#[track_caller]
fn only(facts: &Facts, severity: Severity, message: &str, sql: &[&str]) {
    let problems = problems(facts);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(problems[0].severity, severity, "{problems:#?}");
    assert!(problems[0].message.contains(message), "{problems:#?}");
    assert_eq!(problems[0].sql, sql, "{problems:#?}");
}

#[test]
fn nothing_is_wrong_with_a_prepared_server() {
    for version in 10..=19 {
        assert_eq!(problems(&healthy(version)), []);
    }
    assert_eq!(problems(&with_slot(|_| {})), []);
}

#[test]
fn a_server_raises_wal_level_by_itself_from_19_on() {
    let with = |version, level: &str, effective: Option<&str>| {
        let mut facts = healthy(version);
        let server = facts.server.as_mut().unwrap();
        server.wal_level = level.into();
        server.effective_wal_level = effective.map(Into::into);
        facts
    };
    let cure = ["ALTER SYSTEM SET wal_level = 'logical'"];
    only(&with(18, "replica", None), Severity::Error, "wal_level is \"replica\"", &cure);
    only(&with(19, "minimal", Some("minimal")), Severity::Error, "\"minimal\"", &cure);
    for effective in ["replica", "logical"] {
        assert_eq!(problems(&with(19, "replica", Some(effective))), []);
    }
}

#[test]
fn a_standby_needs_16_and_should_give_feedback() {
    let standby = |version, has_standby_feedback| {
        let mut facts = healthy(version);
        let server = facts.server.as_mut().unwrap();
        (server.is_standby, server.has_standby_feedback) = (true, has_standby_feedback);
        facts
    };
    only(&standby(15, true), Severity::Error, "connect to the primary", &[]);
    let cure =
        ["ALTER SYSTEM SET hot_standby_feedback = 'on'", "SELECT pg_catalog.pg_reload_conf()"];
    only(&standby(16, false), Severity::Warning, "without hot_standby_feedback", &cure);
    assert_eq!(problems(&standby(16, true)), []);
}

#[test]
fn a_connection_that_others_could_read_or_pass_on_is_a_warning() {
    let mut facts = healthy(15);
    let server = facts.connection.server.as_mut().unwrap();
    (server.protection, server.is_exposed) = (Protected::None, true);
    only(&facts, Severity::Warning, "is not encrypted", &[]);
    let server = facts.connection.server.as_mut().unwrap();
    server.protection = Protected::Tls;
    only(&facts, Severity::Warning, "certificate is not verified", &[]);
    let server = facts.connection.server.as_mut().unwrap();
    (server.is_exposed, server.is_passed_on) = (false, true);
    only(&facts, Severity::Warning, "connection pooler", &[]);
    let server = facts.connection.server.as_mut().unwrap();
    (server.is_passed_on, server.version) = (false, ServerVersion::new(90_624));
    only(&facts, Severity::Error, "PostgreSQL 9.6.24, which has no pgoutput", &[]);
}

#[test]
fn a_refused_connection_is_explained_by_its_cause() {
    let refusal = |sqlstate: &str, message: &str| {
        let (text, message) = (format!("FATAL: {message}"), message.to_owned());
        Some(Refusal { text, sqlstate: Some(sqlstate.into()), message })
    };
    let mut facts = healthy(15);
    facts.connection.replication = refusal("28000", "no entry");
    only(&facts, Severity::Error, "accepts a connection for SQL, and not a replication", &[]);
    facts.role.as_mut().unwrap().has_replication = false;
    only(
        &facts,
        Severity::Error,
        "may not open a replication connection: FATAL: no entry",
        &["ALTER ROLE reader REPLICATION"],
    );
    facts.role.as_mut().unwrap().has_replication = true;
    facts.connection.replication = refusal("53300", "too many");
    facts.server.as_mut().unwrap().walsenders = 10;
    only(
        &facts,
        Severity::Error,
        "10 of 10 walsenders are in use",
        &["ALTER SYSTEM SET max_wal_senders = '20'"],
    );
    // Without any connection.
    let mut facts = Facts::asked(None, &[]);
    facts.connection.user = "\"u\"".into();
    facts.connection.database = "\"d\"".into();
    facts.connection.replication = refusal("3D000", "database \"d\" does not exist");
    facts.connection.session = refusal("3D000", "database \"d\" does not exist");
    only(&facts, Severity::Error, "does not exist", &["CREATE DATABASE \"d\""]);
    facts.connection.replication = refusal("42501", "permission denied to start WAL sender");
    let sql: Vec<_> = problems(&facts).into_iter().flat_map(|finding| finding.sql).collect();
    assert_eq!(sql, ["ALTER ROLE \"u\" REPLICATION", "CREATE DATABASE \"d\""]);
}

#[test]
fn a_managed_service_may_permit_replication_in_other_ways() {
    let mut facts = healthy(15);
    facts.role.as_mut().unwrap().has_replication = false;
    assert_eq!(problems(&facts), []);
    let ok = findings(&facts);
    assert!(ok.iter().any(|finding| finding.message.contains("without the attribute")), "{ok:?}");
}

#[test]
fn a_timeout_is_reset_where_it_was_set() {
    for (scope, owner) in [
        (Scope::RoleInDatabase, "ROLE reader IN DATABASE shop"),
        (Scope::Role, "ROLE reader"),
        (Scope::Database, "DATABASE shop"),
        (Scope::AllRoles, "ROLE ALL"),
    ] {
        let mut facts = healthy(18);
        let setting =
            |name: &str, value: &str| RoleSetting { scope, name: name.into(), value: value.into() };
        let timeouts = facts.timeouts.as_mut().unwrap();
        timeouts.wal_sender_timeout = Some(100);
        // The second one has no effect, and those that the library turns off do not matter.
        timeouts.settings = vec![
            setting("wal_sender_timeout", "100ms"),
            setting("transaction_timeout", "10min"),
            setting("transaction_timeout", "1ms"),
            setting("statement_timeout", "1ms"),
        ];
        only(
            &facts,
            Severity::Warning,
            "wal_sender_timeout is 100 ms",
            &[&format!("ALTER {owner} RESET wal_sender_timeout")],
        );
    }
    let mut facts = healthy(18);
    facts.timeouts.as_mut().unwrap().wal_sender_timeout = Some(0);
    only(
        &facts,
        Severity::Warning,
        "never notices",
        &["ALTER SYSTEM SET wal_sender_timeout = '60s'", "SELECT pg_catalog.pg_reload_conf()"],
    );
}

#[test]
fn a_missing_slot_comes_with_those_that_exist() {
    let mut facts = healthy(18);
    (facts.slot_name, facts.slot) = (Some("s".into()), SlotLookup::Missing);
    facts.server.as_mut().unwrap().inactive_slots = vec!["slot_a".into(), "slot_b".into()];
    let create = ["SELECT pg_catalog.pg_create_logical_replication_slot('s', 'pgoutput')"];
    only(&facts, Severity::Error, "does not exist", &create);
    assert!(findings(&facts).iter().any(|f| f.message.ends_with(": slot_a, slot_b")));
}

#[test]
fn a_slot_that_cannot_be_read_is_an_error() {
    let other = ["SELECT pg_catalog.pg_create_logical_replication_slot('s_pgoutput', 'pgoutput')"];
    let facts = with_slot(|slot| slot.row.slot_type = "physical".into());
    only(&facts, Severity::Error, "is physical", &other);
    let facts = with_slot(|slot| slot.row.database = "other".into());
    only(&facts, Severity::Error, "belongs to database \"other\"", &other);
    let facts = with_slot(|slot| slot.row.synced = Some(true));
    only(&facts, Severity::Error, "read it on the primary", &[]);
    let facts = with_slot(|slot| {
        (slot.row.confirmed_flush_lsn, slot.row.active_pid) = (None, Some(7));
    });
    let cancel = ["SELECT pg_catalog.pg_cancel_backend(7)"];
    only(&facts, Severity::Error, "is still being created", &cancel);
    let recreate = [
        "SELECT pg_catalog.pg_drop_replication_slot('s')",
        "SELECT pg_catalog.pg_create_logical_replication_slot('s', 'pgoutput')",
    ];
    for reason in ["idle_timeout", "rows_removed"] {
        let facts = with_slot(|slot| slot.row.invalidation_reason = Some(reason.into()));
        only(&facts, Severity::Error, reason, &recreate);
    }
    let facts = with_slot(|slot| slot.row.conflicting = Some(true));
    only(&facts, Severity::Error, "was invalidated", &recreate);
    // The new slot has the options of the old one.
    let facts = with_slot(|slot| {
        slot.row.conflicting = Some(true);
        (slot.row.two_phase, slot.row.failover) = (Some(true), Some(true));
    });
    let options = "'pgoutput', twophase => true, failover => true)";
    let recreate = [recreate[0], &recreate[1].replace("'pgoutput')", options)];
    only(&facts, Severity::Error, "was invalidated", &recreate);
}

#[test]
fn what_is_kept_for_a_slot_is_a_warning_when_it_is_close_to_its_limit() {
    let with = |kept: u64, max_keep: Option<u64>, left: Option<i64>| {
        with_slot(|slot| {
            slot.row.restart_lsn = Some(pgoutput_decode::Lsn::new(1 << 30));
            slot.row.wal_end = Some(pgoutput_decode::Lsn::new((1 << 30) + kept));
            slot.row.safe_wal_size = left;
            slot.settings.max_keep = max_keep;
        })
    };
    let raise = |size: &str| {
        [
            format!("ALTER SYSTEM SET max_slot_wal_keep_size = '{size}'"),
            "SELECT pg_catalog.pg_reload_conf()".into(),
        ]
    };
    assert_eq!(problems(&with(60 << 20, Some(100 << 20), Some(25 << 20))), []);
    for left in [(25 << 20) - 1, 0, -5] {
        let facts = with(70 << 20, Some(100 << 20), Some(left));
        let cure = raise("200MB");
        only(&facts, Severity::Warning, "raise max_slot_wal_keep_size", &[&cure[0], &cure[1]]);
    }
    // Without a limit: twice max_wal_size.
    assert_eq!(problems(&with(2 << 30, None, None)), []);
    only(
        &with((2 << 30) + 1, None, None),
        Severity::Warning,
        "until its disk is full",
        &["SELECT pg_catalog.pg_drop_replication_slot('s')"],
    );
    let idle = |inactive_for| {
        with_slot(|slot| {
            slot.settings.idle_timeout = Some(400);
            slot.inactive_for = inactive_for;
        })
    };
    assert_eq!(problems(&idle(None)), []);
    assert_eq!(problems(&idle(Some(299.0))), []);
    let cure = [
        "ALTER SYSTEM SET idle_replication_slot_timeout = '0'",
        "SELECT pg_catalog.pg_reload_conf()",
    ];
    only(&idle(Some(301.0)), Severity::Warning, "invalidates it in 99 s", &cure);
    let facts = with_slot(|slot| slot.catalog_age = Some(200_000_000));
    let drop = ["SELECT pg_catalog.pg_drop_replication_slot('s')"];
    only(&facts, Severity::Warning, "VACUUM cannot freeze", &drop);
}

#[test]
fn a_slot_reports_its_lag_and_its_options() {
    let facts = with_slot(|slot| {
        slot.row.wal_end = Some(pgoutput_decode::Lsn::new((1 << 30) + (3 << 20)));
        (slot.row.two_phase, slot.row.failover) = (Some(true), Some(true));
        slot.inactive_for = Some(7200.0);
        slot.settings.max_keep = Some(1 << 30);
        slot.row.safe_wal_size = Some(1 << 29);
    });
    let found = findings(&facts);
    let state = &found.iter().find(|finding| finding.object == "slot \"s\"").unwrap().message;
    for expected in [
        "3072 kB of WAL behind",
        "not read for 2 h",
        "keeps 3072 kB of WAL",
        "invalidates it after 512 MB more",
        "two_phase",
        "failover",
    ] {
        assert!(state.contains(expected), "{state}");
    }
    let facts = with_slot(|slot| {
        slot.row.active_pid = Some(7);
        slot.process.user = Some("app".into());
        slot.process.lag = Some(5.4);
    });
    assert_eq!(problems(&facts), []);
    let found = findings(&facts);
    let read = found.iter().find(|f| f.message.contains("is being read (process 7, user app)"));
    assert_eq!(read.unwrap().sql, [""; 0]);
    assert!(findings(&facts).iter().any(|f| f.message.contains("(5 s at the last report)")));
}

#[test]
fn a_missing_publication_is_created_without_tables_whose_update_would_fail() {
    let missing = |is_superuser, name: &str, candidates| {
        let mut facts = healthy(15);
        facts.role.as_mut().unwrap().is_superuser = is_superuser;
        facts.publications = Some(vec![Publication {
            name: name.into(),
            quoted: name.into(),
            ..Publication::default()
        }]);
        facts.candidates = candidates;
        problems(&facts).remove(0).sql
    };
    let fit = |number: usize| vec!["public.t".into(); number];
    for (fit, unfit, expected) in [
        (fit(2), 0, "CREATE PUBLICATION p FOR ALL TABLES"),
        (fit(2), 1, "CREATE PUBLICATION p FOR TABLE public.t, public.t"),
    ] {
        assert_eq!(missing(true, "p", Some(Candidates { fit, unfit })), [expected]);
    }
    // Only a superuser may publish all tables.
    let cure = missing(false, "p", Some(Candidates { fit: fit(1), unfit: 0 }));
    assert_eq!(cure, ["CREATE PUBLICATION p FOR TABLE public.t"]);
    // An empty publication would cure nothing.
    for (is_superuser, fit, unfit) in
        [(true, fit(51), 1), (true, fit(0), 1), (false, fit(51), 0), (false, fit(0), 0)]
    {
        assert_eq!(missing(is_superuser, "p", Some(Candidates { fit, unfit })), [""; 0]);
    }
    // The server would cut off a name that is too long.
    for name in ["", &"p".repeat(64)] {
        assert_eq!(missing(true, name, Some(Candidates::default())), [""; 0]);
    }
    assert_eq!(missing(true, &"p".repeat(63), Some(Candidates::default())).len(), 1);
}

#[test]
fn the_age_of_a_publication_is_known_from_the_catalogue_or_from_decoding() {
    let with = |xmin, peeked: Option<Peeked>| {
        let mut facts = with_slot(|_| {});
        facts.publication_names = vec!["p".into()];
        facts.publications = Some(vec![Publication {
            name: "p".into(),
            quoted: "p".into(),
            tables: Some(1),
            xmin: Some(Xid::new(xmin)),
            ..Publication::default()
        }]);
        facts.peeked = peeked.map(|peeked| ("p".to_owned(), peeked)).into_iter().collect();
        facts
    };
    // One slot is recreated once.
    let mut both = with(700, Some(Peeked::Missing));
    let mut other = both.publications.as_ref().unwrap()[0].clone();
    other.name = "q".into();
    both.publications.as_mut().unwrap().push(other);
    both.peeked.push(("q".into(), Peeked::Missing));
    let statements: Vec<_> = problems(&both).iter().map(|finding| finding.sql.len()).collect();
    assert_eq!(statements, [2, 0]);
    let older = findings(&with(699, None));
    assert!(older.iter().any(|f| f.message.contains("is older than slot \"s\"")), "{older:?}");
    for peeked in [None, Some(Peeked::Fine), Some(Peeked::Unknown("no time".into()))] {
        assert_eq!(problems(&with(700, peeked)), []);
    }
    only(
        &with(700, Some(Peeked::Missing)),
        Severity::Error,
        "the server skips",
        &[
            "SELECT pg_catalog.pg_drop_replication_slot('s')",
            "SELECT pg_catalog.pg_create_logical_replication_slot('s', 'pgoutput')",
        ],
    );
}

/// A published table without a replica identity.
fn refused(table: &[u8]) -> RefusedTable {
    RefusedTable {
        cause: RefusalCause::NoIdentity,
        table: table.into(),
        listed: table.into(),
        publication: b"p".into(),
        key: vec![],
        list: None,
        filter: None,
        is_full: false,
        has_primary_key: false,
        index: None,
        is_virtual: false,
    }
}

#[test]
fn the_cure_of_a_table_depends_on_what_it_has() {
    let cure = |change: &dyn Fn(&mut RefusedTable)| {
        let mut table = refused(b"public.t");
        change(&mut table);
        let mut facts = healthy(18);
        facts.tables = Some(Tables { number: 1, refused: vec![table], ..Tables::default() });
        problems(&facts).remove(0).sql
    };
    let full = ["ALTER TABLE public.t REPLICA IDENTITY FULL"];
    assert_eq!(cure(&|_| {}), full);
    let index = |table: &mut RefusedTable| table.index = Some(b"i".into());
    assert_eq!(cure(&index), ["ALTER TABLE public.t REPLICA IDENTITY USING INDEX i"]);
    // The filter may use other columns than the index has.
    assert_eq!(cure(&|t| (t.index, t.filter) = (Some(b"i".into()), Some(b"(a)".into()))), full);
    assert_eq!(cure(&|t| t.list = Some(vec![b"a".into()])), [] as [&str; 0]);
    assert_eq!(
        cure(&|t| t.has_primary_key = true),
        ["ALTER TABLE public.t REPLICA IDENTITY DEFAULT"]
    );
    let filtered = |t: &mut RefusedTable| t.cause = RefusalCause::RowFilter;
    assert_eq!(cure(&filtered), full);
    assert_eq!(
        cure(&|t| {
            t.cause = RefusalCause::RowFilter;
            t.list = Some(vec![b"a".into()]);
        }),
        [] as [&str; 0]
    );
    assert_eq!(
        cure(&|t| (t.cause, t.is_virtual) = (RefusalCause::GeneratedColumns, true)),
        [] as [&str; 0]
    );
    // A name with bytes that a statement in UTF-8 cannot have.
    assert_eq!(cure(&|t| t.table = b"public.\"caf\xe9\"".into()), [] as [&str; 0]);
}

#[test]
fn the_number_of_findings_is_bounded_and_each_is_printable() {
    let hostile = "public.\"\u{1b}[2J\u{202e}\"";
    let mut facts = healthy(18);
    // Of one table, the same cause is reported once.
    let mut tables = vec![refused(hostile.as_bytes()), refused(hostile.as_bytes())];
    tables.extend((0..200).map(|number| refused(format!("public.t{number}").as_bytes())));
    let copy = NotCopied {
        table: hostile.into(),
        schema: "public".into(),
        has_usage: true,
        has_select: false,
    };
    facts.tables = Some(Tables {
        number: 300,
        refused: tables,
        not_copied: vec![copy; 200],
        ..Tables::default()
    });
    let found = findings(&facts);
    assert!((200..220).contains(&found.len()), "{}", found.len());
    assert!(found.iter().any(|finding| finding.message.contains("more published tables")));
    for finding in &found {
        let is_printable = |text: &str| text.chars().all(pgoutput_decode::is_printable);
        assert!(is_printable(&finding.object) && is_printable(&finding.message), "{finding:?}");
        assert!(finding.to_string().chars().all(|c| c == '\n' || pgoutput_decode::is_printable(c)));
    }
    // The statement names the same table.
    let escaped = "public.U&\"\\+00001b[2J\\+00202e\" ";
    assert!(found.iter().flat_map(|finding| &finding.sql).any(|sql| sql.contains(escaped)));
}

#[test]
fn only_transactions_that_are_open_for_long_are_reported() {
    let open = |seconds| OpenTransaction {
        session: BlockingSession {
            pid: Some(7),
            gid: None,
            database: None,
            user: None,
            application_name: None,
            state: None,
            since: None,
        },
        seconds,
    };
    let with = |open| {
        let mut facts = healthy(15);
        facts.open_transactions = Some(vec![open]);
        facts
    };
    assert_eq!(problems(&with(open(Some(2.9)))), []);
    let end = ["SELECT pg_catalog.pg_terminate_backend(7)"];
    for seconds in [Some(3.0), None] {
        only(&with(open(seconds)), Severity::Warning, "would wait for an open transaction", &end);
    }
}

#[test]
fn what_could_not_be_checked_is_reported() {
    let mut facts = healthy(15);
    facts.unknown.push(("tables", "permission denied".into()));
    let message = "the tables could not be checked: permission denied";
    only(&facts, Severity::Warning, message, &[]);
}
