//! Small transactions: every kind of change, in every kind of table.

use std::error::Error;
use std::io::Write;

use super::streamed::fill;
use super::{Steps, types};

pub(super) fn run(steps: &mut Steps<'_, '_>, major: u32) -> Result<(), Box<dyn Error>> {
    changes(steps)?;
    identities(steps)?;
    toast(steps)?;
    steps.step("truncate of two tables", &["TRUNCATE by_index, full_row"])?;
    steps.step(
        "truncate with cascade and restart identity",
        &[
            "INSERT INTO parent DEFAULT VALUES; INSERT INTO child VALUES (1, 1)",
            "TRUNCATE parent RESTART IDENTITY CASCADE",
        ],
    )?;
    definitions(steps)?;
    steps.step("a column of each type", &[&types::insert(major)])?;
    messages(steps)?;
    origins(steps)
}

fn changes(steps: &mut Steps<'_, '_>) -> Result<(), Box<dyn Error>> {
    steps.step("insert", &["INSERT INTO account VALUES (1, 'one', 1.5)"])?;
    steps.step(
        "insert of several rows",
        &["INSERT INTO account VALUES (2, 'two', NULL), (3, NULL, -0.01), (4, '', 0)"],
    )?;
    steps.mark("copy")?;
    let mut copy = steps.first.copy_in("COPY account FROM STDIN")?;
    copy.write_all(b"10\tten\t10\n11\t\\N\t\\N\n12\ta\\tb\t12345678.90\n")?;
    copy.finish()?;
    steps.step(
        "update that leaves the key",
        &["UPDATE account SET balance = 2 WHERE id OPERATOR(pg_catalog.=) 1"],
    )?;
    steps.step(
        "update of the key",
        &["UPDATE account SET id = 20 WHERE id OPERATOR(pg_catalog.=) 10"],
    )?;
    steps.step(
        "delete by key",
        &["DELETE FROM account WHERE id OPERATOR(pg_catalog.=) ANY ('{11,20}'::int[])"],
    )?;
    steps.step("rolled back", &["BEGIN; DELETE FROM account; ROLLBACK"])?;
    steps.step(
        "savepoints",
        &["BEGIN;
           INSERT INTO account VALUES (30, 'kept', 1);
           SAVEPOINT lost; INSERT INTO account VALUES (31, 'lost', 1); ROLLBACK TO lost;
           SAVEPOINT kept; INSERT INTO account VALUES (32, 'kept', 1); RELEASE kept;
           COMMIT"],
    )
}

fn identities(steps: &mut Steps<'_, '_>) -> Result<(), Box<dyn Error>> {
    steps.step(
        "replica identity full",
        &[
            "INSERT INTO full_row VALUES (1, 'a'), (2, NULL)",
            "UPDATE full_row SET note = 'b' WHERE id OPERATOR(pg_catalog.=) 1",
            "UPDATE full_row SET id = NULL WHERE id OPERATOR(pg_catalog.=) 2",
            "DELETE FROM full_row",
        ],
    )?;
    steps.step(
        "replica identity index",
        &[
            "INSERT INTO by_index VALUES ('a', 'x', 1)",
            "UPDATE by_index SET note = NULL",
            "UPDATE by_index SET code = 'y'",
            "DELETE FROM by_index",
        ],
    )?;
    steps.step("replica identity nothing", &["INSERT INTO no_identity VALUES (1, 'a')"])
}

fn toast(steps: &mut Steps<'_, '_>) -> Result<(), Box<dyn Error>> {
    // The value takes over 2 kB on disk, so it is stored as TOAST, and an update that does not
    // change it does not send it.
    let values = "(1, repeat('large ', 50), 'a', array_fill('x'::name, ARRAY[30]))";
    steps.step(
        "unchanged large value",
        &[
            &format!("INSERT INTO toasted VALUES {values}"),
            "UPDATE toasted SET small = 'b'",
            "UPDATE toasted SET id = 2",
            "DELETE FROM toasted",
        ],
    )?;
    steps.step(
        "unchanged large value with replica identity full",
        &[
            &format!("INSERT INTO toasted_full VALUES {values}"),
            "UPDATE toasted_full SET small = 'b'",
        ],
    )
}

fn definitions(steps: &mut Steps<'_, '_>) -> Result<(), Box<dyn Error>> {
    steps.step(
        "altered table",
        &[
            "ALTER TABLE account ADD opened date",
            "INSERT INTO account VALUES (40, 'new column', 1, '2020-02-29')",
            "ALTER TABLE account RENAME balance TO amount; ALTER TABLE account DROP name",
            "UPDATE account SET amount = 3 WHERE id OPERATOR(pg_catalog.=) 40",
            "ALTER TABLE account RENAME amount TO balance;
             ALTER TABLE account DROP opened, ADD name text",
            "DELETE FROM account",
        ],
    )?;
    steps.step(
        "types of one's own",
        &["INSERT INTO typed VALUES (1, 'so so', 7, (1, 'a, \"b\"'), '{sad,NULL,\"so so\"}', 'x')"],
    )?;
    steps.step(
        "odd names",
        &[
            r#"INSERT INTO "Añ ""o"""."It's, a Table" VALUES (1, 'ü', 'groß')"#,
            r#"UPDATE "Añ ""o"""."It's, a Table" SET "Id" = 2"#,
        ],
    )?;
    steps.step("table without columns", &["INSERT INTO no_columns DEFAULT VALUES"])
}

fn messages(steps: &mut Steps<'_, '_>) -> Result<(), Box<dyn Error>> {
    steps.step(
        "logical messages",
        &[
            "SELECT pg_catalog.pg_logical_emit_message(false, 'at once', 'text ü')",
            "BEGIN;
             INSERT INTO account VALUES (50, 1);
             SELECT pg_catalog.pg_logical_emit_message(
                 true, 'with the transaction', '\\x00ff'::pg_catalog.bytea);
             SELECT pg_catalog.pg_logical_emit_message(false, 'not with it', '');
             ROLLBACK",
            "BEGIN;
             INSERT INTO account VALUES (51, 1);
             SELECT pg_catalog.pg_logical_emit_message(
                 true, 'with the transaction', '\\x00ff'::pg_catalog.bytea);
             COMMIT",
            "SELECT pg_catalog.pg_logical_emit_message(true, '', '')",
        ],
    )
}

fn origins(steps: &mut Steps<'_, '_>) -> Result<(), Box<dyn Error>> {
    steps.step(
        "replication origin",
        &[
            "SELECT pg_catalog.pg_replication_origin_create('upstream ü')",
            "SELECT pg_catalog.pg_replication_origin_session_setup('upstream ü')",
            "BEGIN;
             SELECT pg_catalog.pg_replication_origin_xact_setup('1/ABCDEF', '2020-01-01 00:00+00');
             INSERT INTO account VALUES (60, 1);
             COMMIT",
            "INSERT INTO account VALUES (61, 1)",
        ],
    )?;
    steps.step(
        "large transaction of a replication origin",
        &[
            "BEGIN",
            "SELECT pg_catalog.pg_replication_origin_xact_setup(
                 '1/ABCDF0', '2020-01-01 00:00:01+00')",
            "INSERT INTO large VALUES (1, 'first chunk')",
            &fill(9),
            "INSERT INTO large VALUES (2, 'next chunk')",
            "COMMIT",
            "SELECT pg_catalog.pg_replication_origin_session_reset()",
        ],
    )
}
