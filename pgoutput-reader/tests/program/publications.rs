//! `pgoutput publication`.

use std::process::{Command, Output};

use pgoutput_harness::{servers, servers_from};
use serde_json::{Value, json};

use crate::run::{Fixture, assert_success, error_line, finished, program};

fn publication(fixture: &Fixture<'_>, arguments: &[&str]) -> Command {
    let mut command = program();
    command.arg("publication").args(arguments).args(["--dsn", &fixture.database.dsn()]);
    command
}

fn run(fixture: &Fixture<'_>, arguments: &[&str]) -> Output {
    finished(&mut publication(fixture, arguments))
}

fn stdout(output: &Output) -> String {
    assert_success(output);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns the entry of `publication list --json` with this name, if any.
fn listed(fixture: &Fixture<'_>, name: &str) -> Option<Value> {
    let list: Value = serde_json::from_str(&stdout(&run(fixture, &["list", "--json"]))).unwrap();
    let all = list["publications"].as_array().unwrap();
    all.iter().find(|publication| publication["name"] == name).cloned()
}

#[test]
fn a_publication_is_created_listed_and_dropped() {
    for server in servers() {
        let (fixture, major) = (Fixture::new(server), server.major());
        fixture.sql("CREATE TABLE \"Odd \"\"one\" (id int PRIMARY KEY)");
        let name = "My \"thing\"\u{1b}[2J";
        let tables = ["--table", "public.t", "--table", "public.\"Odd \"\"one\""];
        let output = finished(publication(&fixture, &["create", name]).args(tables));
        assert!(stdout(&output).ends_with("\\u{1b}[2J\", 2 published tables\n"));
        assert!(output.stderr.is_empty());
        let all = if major >= 11 {
            json!(["insert", "update", "delete", "truncate"])
        } else {
            json!(["insert", "update", "delete"])
        };
        let facts = listed(&fixture, name).unwrap();
        assert_eq!(facts["owner"], "postgres");
        assert_eq!((&facts["tables"], &facts["publish"]), (&json!(2), &all));
        assert_eq!(facts["all_tables"], false);
        assert_eq!(facts["via_root"], if major >= 13 { json!(false) } else { Value::Null });
        assert_eq!(facts["schemas"], if major >= 15 { json!([]) } else { Value::Null });
        let every = listed(&fixture, "Every, \"thing\"").unwrap();
        assert_eq!((&every["all_tables"], &every["tables"]), (&json!(true), &json!(2)));

        let table = stdout(&run(&fixture, &["list"]));
        assert!(table.starts_with("NAME ") && !table.contains('\u{1b}'), "{table}");
        let row = table.lines().find(|line| line.starts_with("My \"thing\"\\u{1b}[2J")).unwrap();
        assert!(row.contains(" named tables "), "{table}");

        let output = run(&fixture, &["drop", name]);
        stdout(&output);
        let advice = String::from_utf8(output.stderr).unwrap();
        assert!(advice.contains("ends with an error"), "{advice}");
        assert_eq!(listed(&fixture, name), None);
        let missing = error_line(&run(&fixture, &["drop", name]), 1);
        assert!(missing.contains("does not exist; existing: \"Every, \"thing\"\""), "{missing}");
    }
}

/// The server's own refusal is the judge of the check.
#[test]
fn tables_whose_update_would_fail_are_refused_with_the_sql_that_cures_them() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql(
            "DROP PUBLICATION \"Every, \"\"thing\"\"\";
             CREATE TABLE \"order\" (id int); CREATE TABLE nothing (id int PRIMARY KEY);
             ALTER TABLE nothing REPLICA IDENTITY NOTHING;
             CREATE TABLE late (id int, PRIMARY KEY (id) DEFERRABLE);
             CREATE TABLE whole (id int); ALTER TABLE whole REPLICA IDENTITY FULL",
        );
        for (table, is_refused) in
            [("order", true), ("nothing", true), ("late", true), ("whole", false), ("t", false)]
        {
            let named = format!("public.\"{table}\"");
            let create = ["create", "p", "--table", &named];
            let output = run(&fixture, &create);
            if !is_refused {
                stdout(&output);
                fixture.sql(&format!("DELETE FROM {named}; DROP PUBLICATION p"));
                continue;
            }
            let stderr = String::from_utf8(output.stderr).unwrap();
            let lines: Vec<&str> = stderr.lines().collect();
            let [cause, sql, error] = lines.as_slice() else { panic!("{stderr}") };
            assert!(cause.contains(&format!("replica identity: public.{table}; ")), "{cause}");
            assert!(error.contains("\"p\" was not created"), "{error}");
            assert!(output.stdout.is_empty() && listed(&fixture, "p").is_none());

            // With the flag it is created, and the server refuses the statement.
            let told = finished(publication(&fixture, &create).arg("--allow-failing-updates"));
            stdout(&told);
            assert!(String::from_utf8(told.stderr).unwrap().contains("warning: UPDATE and DELETE"));
            let delete = format!("DELETE FROM {named}");
            assert!(fixture.client().batch_execute(&delete).is_err(), "{table}");
            fixture.sql("DROP PUBLICATION p");
            // The SQL of the message cures it.
            let json = finished(publication(&fixture, &create).arg("--json"));
            let refused: Value = serde_json::from_slice(&json.stdout).unwrap();
            assert_eq!(json.status.code(), Some(1));
            assert_eq!(refused["refused"][0]["cause"], "no_identity");
            assert_eq!(refused["refused"][0]["tables"][0]["name"], table);
            assert_eq!(refused["refused"][0]["sql"][0], sql.trim());
            fixture.sql(sql);
            stdout(&run(&fixture, &create));
            fixture.sql(&format!("{delete}; DROP PUBLICATION p"));
        }
        // INSERT alone needs no replica identity.
        stdout(&run(&fixture, &["create", "p", "--all-tables", "--publish", "insert"]));
        assert_eq!(listed(&fixture, "p").unwrap()["publish"], json!(["insert"]));
    }
}

#[test]
fn column_lists_and_filters_without_the_key_are_refused() {
    for server in servers_from(15) {
        let fixture = Fixture::new(server);
        fixture.sql("DROP PUBLICATION \"Every, \"\"thing\"\"\"");
        for (table, cause) in [
            ("public.t (name)", Some("column list")),
            ("public.t WHERE name = 'x'", Some("row filter")),
            ("public.t (id, name) WHERE id > 1 -- most", None),
        ] {
            let output = run(&fixture, &["create", "p", "--table", table]);
            match cause {
                Some(cause) => {
                    let stderr = String::from_utf8(output.stderr).unwrap();
                    assert!(stderr.contains(cause), "{stderr}");
                    assert_eq!((output.status.code(), listed(&fixture, "p")), (Some(1), None));
                }
                None => drop(stdout(&output)),
            }
        }
        let of_schema = ["create", "s", "--schema", "public", "--table", "public.t", "--via-root"];
        stdout(&run(&fixture, &of_schema));
        let facts = listed(&fixture, "s").unwrap();
        assert_eq!((&facts["schemas"], &facts["via_root"]), (&json!(["public"]), &json!(true)));
        let table = stdout(&run(&fixture, &["list"]));
        assert!(table.contains(" schema public "), "{table}");
    }
}

/// The server would cut off the name, and the check would find no publication of that name.
#[test]
fn names_that_no_publication_can_have_are_refused() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("CREATE TABLE bare (id int)");
        let long = "p".repeat(64);
        for name in ["", &*long] {
            for arguments in [&["create", name, "--table", "public.bare"][..], &["drop", name]] {
                let output = run(&fixture, arguments);
                let text = String::from_utf8(output.stderr).unwrap();
                assert_eq!(output.status.code(), Some(2), "{text}");
                assert!(text.contains("no publication can have"), "{text}");
            }
        }
        assert_eq!(listed(&fixture, &long[..63]), None);
        stdout(&run(&fixture, &["create", &long[..63], "--table", "public.t"]));
        stdout(&run(&fixture, &["drop", &long[..63]]));
    }
}

#[test]
fn a_list_does_not_wait_for_a_lock_without_limit() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let mut client = fixture.client();
        let mut open = client.transaction().unwrap();
        open.batch_execute("LOCK TABLE pg_catalog.pg_publication").unwrap();
        let line = error_line(&run(&fixture, &["list"]), 1);
        assert!(line.contains("lock timeout"), "{line}");
        open.rollback().unwrap();
    }
}

#[test]
fn no_sql_is_printed_that_does_not_cure() {
    for server in servers_from(15) {
        let fixture = Fixture::new(server);
        fixture.sql(
            "DROP PUBLICATION \"Every, \"\"thing\"\"\"; CREATE TABLE \"nl\nq\" (id int);
             CREATE TABLE bare (id int, name text)",
        );
        // FULL and a column list exclude each other.
        for table in ["public.t (id, name) WHERE name = 'x'", "public.bare (id)"] {
            let output = run(&fixture, &["create", "p", "--table", table]);
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(!stderr.contains("ALTER TABLE public"), "{stderr}");
            assert!(!stderr.contains("\n    ALTER TABLE"), "{stderr}");
            assert!(stderr.contains("a table with a column list cannot have"), "{stderr}");
        }
        // A name that is not printable is escaped, and the statement means the same table.
        let create = ["create", "p", "--table", "public.\"nl\nq\""];
        let output = run(&fixture, &create);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let sql = stderr.lines().find(|line| line.starts_with("    ALTER TABLE")).unwrap();
        fixture.sql(sql);
        stdout(&run(&fixture, &create));
    }
}

#[test]
fn what_older_servers_lack_is_refused_by_name() {
    for server in servers() {
        let fixture = Fixture::new(server);
        for (arguments, needed) in [
            (&["--table", "public.t (id)"][..], 15),
            (&["--table", "public.t WHERE id > 1"], 15),
            (&["--schema", "public"], 15),
            (&["--table", "public.t", "--via-root"], 13),
            (&["--table", "public.t", "--publish", "insert,truncate"], 11),
        ] {
            let output = finished(publication(&fixture, &["create", "p"]).args(arguments));
            if server.major() >= needed {
                stdout(&output);
                fixture.sql("DROP PUBLICATION p");
                continue;
            }
            let line = error_line(&output, 1);
            assert!(line.contains(&format!("needs PostgreSQL {needed} or later")), "{line}");
            assert_eq!(listed(&fixture, "p"), None);
        }
    }
}
