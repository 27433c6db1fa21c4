//! The generated parts of `docs/doctor.md`. `PGOUTPUT_WRITE_DOCS=1` writes them.

use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use pgoutput_harness::{Server, shared, skip};

use super::normalized::Normalized;
use super::scene::{Row, Scene};
use super::{connecting, limits, options, output, publications, sessions, slots, standby};
use crate::run::{finished, program};

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/doctor.md")
}

/// Returns where the text of a part is, between its comments.
fn part(document: &str, name: &str) -> Range<usize> {
    let (begin, end) = (format!("<!-- {name}: generated -->\n"), format!("<!-- {name}: end -->"));
    let start = document.find(&begin).unwrap_or_else(|| panic!("no {begin}")) + begin.len();
    let length = document[start..].find(&end).unwrap_or_else(|| panic!("no {end}"));
    start..start + length
}

/// Compares a part with that of the document, or writes it there.
fn check(name: &str, text: &str) {
    static WRITES: Mutex<()> = Mutex::new(());
    let _lock = WRITES.lock().unwrap();
    let mut document = fs::read_to_string(path()).unwrap();
    let range = part(&document, name);
    if std::env::var_os("PGOUTPUT_WRITE_DOCS").is_some() {
        document.replace_range(range, text);
        fs::write(path(), document).unwrap();
        return;
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (held, found) = (lines(&document[range]), lines(text));
    let differs = held.iter().zip(&found).find(|(held, found)| held != found);
    assert_eq!(
        (differs, held.len()),
        (None, found.len()),
        "docs/doctor.md is out of date: run this test with PGOUTPUT_WRITE_DOCS=1"
    );
}

/// Servers of the versions that the document shows; `None` if one is not available.
fn needed(majors: &[u32]) -> Option<Vec<&'static Server>> {
    let servers: Result<Vec<_>, _> = majors.iter().map(|major| shared(*major)).collect();
    servers.map_err(|error| skip(format_args!("docs/doctor.md is not compared: {error}"))).ok()
}

fn table(rows: &[Row]) -> String {
    // A table has no other way to write a bar.
    let cell = |text: &str| text.replace('|', "\\|");
    // As code, which may contain backquotes itself.
    let code = |text: &str| {
        let (begin, end) = if text.contains('`') { ("`` ", " ``") } else { ("`", "`") };
        [begin, &cell(text), end].concat()
    };
    let mut table = String::from("| goes wrong | command | what it says |\n| --- | --- | --- |\n");
    for row in rows {
        let sql = row.sql.iter().map(|sql| ["<br>", &code(&[sql, ";"].concat())].concat());
        let sql = sql.collect::<Vec<_>>().concat();
        let _ = writeln!(
            table,
            "| {} | {} | {}{sql} |",
            cell(&row.situation),
            code(&row.command),
            code(&row.says)
        );
    }
    table
}

#[test]
fn the_table_of_situations_is_what_the_program_says() {
    if !cfg!(all(target_os = "linux", feature = "tls")) {
        return skip("docs/doctor.md has the messages of Linux, and those of TLS");
    }
    let Some(servers) = needed(&[10, 14, 15, 18]) else { return };
    let [oldest, older, usual, newest] = servers[..] else { unreachable!() };
    let mut rows = connecting::all(15);
    rows.extend(limits::all(15));
    rows.extend(standby::all(15).into_iter().flatten());
    rows.extend(standby::all(18).into_iter().flatten());
    let mut scene = Scene::new(usual);
    sessions::all(&mut scene);
    publications::all(&mut scene);
    slots::all(&mut scene);
    rows.extend(scene.rows().iter().cloned());
    let mut scene = Scene::new(newest);
    publications::generated(&mut scene);
    rows.extend(scene.rows().iter().cloned());
    rows.extend(limits::idle(18));
    rows.extend(options::usage(usual));
    for server in [oldest, older, usual] {
        rows.extend(options::versions(server));
    }
    rows.extend(output::all(usual, newest));
    assert!(rows.len() >= 40, "{} situations", rows.len());
    check("situations", &format!("\n{}\n", table(&rows)));
}

/// Breaks the lines of a report again, after its texts have changed in length.
fn wrapped(normalized: &Normalized, report: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in report.lines() {
        let continued = line.strip_prefix("         ").filter(|rest| !rest.starts_with(' '));
        match (continued, lines.last_mut()) {
            (Some(rest), Some(last)) => {
                last.push(' ');
                last.push_str(rest);
            }
            _ => lines.push(line.to_owned()),
        }
    }
    let mut text = String::new();
    for line in lines {
        let line = normalized.text(&line);
        if line.starts_with(' ') {
            // A statement is not broken.
            text.push_str(&line);
            text.push('\n');
            continue;
        }
        let mut length = 0;
        for (index, word) in line.split(' ').enumerate() {
            let word_length = word.chars().count();
            if length + 1 + word_length > 100 {
                text += "\n        ";
                length = 8;
            }
            if index > 0 {
                text.push(' ');
                length += 1;
            }
            text += word;
            length += word_length;
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_reports_are_those_of_a_server() {
    // Other tests would be seen on a shared one.
    let Ok(server) = Server::of_major(15) else {
        return skip("docs/doctor.md is not compared: there is no PostgreSQL 15");
    };
    let scene = Scene::new(&server);
    let (slot, role) = (&scene.slot, &scene.role);
    let report = || {
        let mut command = program();
        command.args(["doctor", "--dsn", &scene.reader()]);
        command.args(["--slot", slot, "--publication", "my_publication"]);
        let output = finished(&mut command);
        let text = String::from_utf8(output.stdout).unwrap();
        let command = "pgoutput doctor --slot my_slot --publication my_publication";
        let status = output.status.code().unwrap();
        format!(
            "\n```text\n$ {command}\n{}$ echo $?\n{status}\n```\n\n",
            wrapped(&scene.normalized(), &text)
        )
    };
    scene.sql(&format!("GRANT SELECT ON orders TO {role}"));
    scene.sql("CREATE PUBLICATION my_publication FOR TABLE orders");
    scene.create_slot();
    check("healthy", &report());
    scene.drop_slot();
    scene.sql("ALTER PUBLICATION my_publication ADD TABLE notes");
    let mut client = scene.client();
    client
        .batch_execute("SET application_name = 'psql'; BEGIN; INSERT INTO notes VALUES (1)")
        .unwrap();
    check("broken", &report());
}
