//! Names that a terminal must not see, and names that are not UTF-8.

use pgoutput_decode::is_printable;
use pgoutput_harness::servers;

use super::scene::{Scene, check, problem, statements};
use crate::run::{finished, program};

const HOSTILE: &str = "x\u{1b}[2J\u{202e}\"it's\"\u{e0041}\\";

#[test]
fn hostile_names_are_escaped_and_their_sql_runs() {
    for server in servers() {
        let scene = Scene::new(server);
        let quoted = format!("\"{}\"", HOSTILE.replace('"', "\"\""));
        scene.sql(&format!(
            "CREATE TABLE {quoted} (id int); CREATE PUBLICATION {quoted} FOR TABLE {quoted}"
        ));
        let name = scene.database.name().to_owned();
        scene.sql(&format!(
            "BEGIN; INSERT INTO notes VALUES (1); PREPARE TRANSACTION E'{name}\\\\s''\u{202e}'"
        ));
        let dsn = scene.database.dsn();
        for format in [&[][..], &["--json"]] {
            let arguments = ["doctor", "--dsn", &dsn, "--slot", HOSTILE, "--publication", HOSTILE];
            let output = finished(program().args(arguments).args(format));
            assert_eq!(output.status.code(), Some(1));
            let text = String::from_utf8(output.stdout).unwrap();
            let bad = |c: &char| *c != '\n' && !is_printable(*c);
            assert_eq!(text.chars().find(bad), None, "{text:?}");
        }
        let found = check(&dsn, &["--publication", HOSTILE]);
        let table = found.iter().find(|f| f["message"].as_str().unwrap().contains("UPDATE"));
        for statement in statements(table.unwrap_or_else(|| panic!("{found:#?}"))) {
            // What people see and copy is the same statement.
            assert!(statement.chars().all(is_printable), "{statement:?}");
            scene.sql(&statement);
        }
        scene.sql(&format!("UPDATE {quoted} SET id = 1"));
        // However young it is.
        let found = check(&dsn, &[]);
        let object = format!("prepared transaction '{name}\\");
        let is_prepared =
            |f: &&serde_json::Value| f["object"].as_str().unwrap().starts_with(&object);
        let prepared = found.iter().find(is_prepared).map(statements);
        for statement in prepared.unwrap_or_else(|| panic!("{found:#?}")) {
            scene.sql(&statement);
        }
        let left = "SELECT FROM pg_prepared_xacts WHERE database = current_database()";
        assert!(scene.client().query(left, &[]).unwrap().is_empty());
    }
}

#[test]
fn names_that_are_not_utf8_are_shown_and_are_in_no_statement() {
    for server in servers() {
        let options = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'";
        let database = server.database_with("ascii", options);
        let create = r"DO $$ DECLARE name text := convert_from('\x636166e9', 'SQL_ASCII'); BEGIN
            EXECUTE format('CREATE TABLE %I (id int)', name);
            EXECUTE format('CREATE PUBLICATION p FOR TABLE %I', name);
            EXECUTE format('CREATE PUBLICATION %I', name); END $$";
        database.client().batch_execute(create).unwrap();
        let found = check(&database.dsn(), &["--publication", "p", "--publication", "q"]);
        let table = problem(&found, "table public.\"caf\\xe9\"", "replica identity");
        let table = table.unwrap_or_else(|| panic!("{found:#?}"));
        assert!(statements(table).is_empty(), "{table}");
        assert!(problem(&found, "publication \"q\"", "does not exist").is_some(), "{found:#?}");
        let found = check(&database.dsn(), &[]);
        let names = found.iter().find(|f| f["object"] == "publications").unwrap();
        assert!(names["message"].as_str().unwrap().contains("caf\\xe9"), "{names}");
    }
}
