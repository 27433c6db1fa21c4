//! `--mask` of the commands that print events.

use pgoutput_harness::servers;
use serde_json::{Value, json};

use crate::run::{Fixture, PUBLICATION, Running, assert_success, finished, program};

fn fixture(server: &pgoutput_harness::Server) -> Fixture<'_> {
    let fixture = Fixture::new(server);
    fixture.sql(
        "CREATE TABLE people (id int PRIMARY KEY, \"E-mail\" text, born date, at inet);
         ALTER TABLE people REPLICA IDENTITY FULL; ALTER TABLE t REPLICA IDENTITY FULL",
    );
    fixture
}

const MASKS: [&str; 6] =
    ["--mask", "public.people.\"E-mail\"", "--mask", "people.born", "--mask", "people.at"];

fn rows(events: &[Value]) -> Vec<[Value; 2]> {
    events.iter().map(|event| [event["before"].clone(), event["after"].clone()]).collect()
}

#[test]
fn values_are_replaced_in_every_row() {
    for server in servers() {
        let fixture = fixture(server);
        fixture.sql("INSERT INTO people VALUES (1, 'a@b', '1980-02-03', '10.0.0.1')");
        fixture.sql("UPDATE people SET id = 2, \"E-mail\" = 'c@d'");
        fixture.sql("UPDATE people SET born = NULL; DELETE FROM people");
        fixture.sql("INSERT INTO t VALUES (1, 'in clear text')");
        let row =
            |id: i32, born: Value| json!({"id": id, "E-mail": "masked", "born": born, "at": null});
        let born = || json!("2000-01-01");
        let expected = [
            [json!(null), row(1, born())],
            [row(1, born()), row(2, born())],
            [row(2, born()), row(2, json!(null))],
            [row(2, json!(null)), json!(null)],
            [json!(null), json!({"id": 1, "name": "in clear text"})],
        ];
        let binary: &[&str] = if server.major() >= 14 { &["--binary"] } else { &[] };
        for arguments in [&[][..], binary] {
            let events = fixture.lines(&[&["--no-ack"], &MASKS[..], arguments].concat());
            assert_eq!(rows(&events), expected);
        }
    }
}

#[test]
fn rows_of_a_copy_are_masked() {
    for server in servers() {
        let fixture = fixture(server);
        fixture.sql("INSERT INTO people VALUES (1, 'a@b', '1980-02-03', '10.0.0.1')");
        for jobs in ["1", "2"] {
            let mut snapshot = program();
            let dsn = fixture.database.dsn();
            snapshot.args(["snapshot", "--dsn", &dsn, "--publication", PUBLICATION, "--quiet"]);
            let output = finished(snapshot.args(MASKS).args(["--jobs", jobs]));
            assert_success(&output);
            let text = String::from_utf8(output.stdout).unwrap();
            let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
            let masked = json!({"id": 1, "E-mail": "masked", "born": "2000-01-01", "at": null});
            assert_eq!(first["after"], masked);
            assert!(!text.contains("a@b"), "{text}");
        }
    }
}

#[test]
fn a_mask_that_would_not_apply_is_refused() {
    for server in servers() {
        let fixture = fixture(server);
        fixture.sql("INSERT INTO people VALUES (1, 'a@b', '1980-02-03', '10.0.0.1')");
        for (mask, expected) in [
            ("public.persons.born", "the mask public.persons.born names no table"),
            ("people.name", "column name is to be masked, and public.people has no column"),
        ] {
            let end = fixture.end();
            fixture.wait_until_free();
            let output =
                finished(&mut fixture.tail(&["--no-ack", "--mask", mask, "--until-lsn", &end]));
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{stderr}");
            assert!(stderr.contains(expected) && output.stdout.is_empty(), "{stderr}");
        }
    }
}

#[test]
fn rows_of_a_renamed_table_are_not_printed_in_clear_text() {
    for server in servers() {
        let fixture = fixture(server);
        fixture.sql("INSERT INTO people VALUES (1, 'a@b', '1980-02-03', '10.0.0.1')");
        let before = fixture.end();
        fixture.sql("ALTER TABLE people RENAME TO humans");
        fixture.sql("INSERT INTO humans VALUES (2, 'c@d', '1980-02-03', '10.0.0.1')");
        let end = fixture.end();
        let tail = |masks: &[&str], until: &str| {
            fixture.wait_until_free();
            finished(fixture.tail(masks).args(["--no-ack", "--until-lsn", until]))
        };
        // The new name masks the rows from before the renaming too.
        let output = tail(&["--mask", "humans.\"E-mail\""], &end);
        assert_success(&output);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.matches("\"masked\"").count(), 2, "{text}");
        assert!(!text.contains("a@b") && !text.contains("c@d"), "{text}");
        // The old name is not published any more.
        let output = tail(&MASKS, &before);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("names no table that the publications publish"), "{stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_table_that_is_renamed_meanwhile_ends_the_program() {
    for server in servers() {
        let fixture = fixture(server);
        fixture.sql("INSERT INTO people VALUES (1, 'a@b', '1980-02-03', '10.0.0.1')");
        let mut running = Running::start(&mut fixture.tail(&MASKS));
        assert_eq!(running.line()["after"]["E-mail"], "masked");
        fixture.sql("ALTER TABLE people RENAME TO humans");
        fixture.sql("INSERT INTO humans VALUES (2, 'c@d', '1980-02-03', '10.0.0.1')");
        let (rest, status, stderr) = running.end_with_stderr();
        let expected = "public.people, masked by public.people.\"E-mail\", is now public.humans";
        assert!(stderr.contains(expected), "{stderr}");
        assert_eq!((rest.as_str(), status), ("", Some(1)));
    }
}
