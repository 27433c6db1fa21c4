//! `pgoutput doctor` on real servers: what it says in each situation, and that its SQL helps.

mod connecting;
mod document;
mod limits;
mod names;
mod normalized;
mod options;
mod output;
mod publications;
mod scene;
mod sessions;
mod slots;
mod standby;

use pgoutput_harness::{servers, skip};
use pgoutput_reader::Config;
use pgoutput_reader::doctor::Checkup;

use crate::run::{finished, program};
use scene::{Scene, check};

/// The situations that every version can have, each with its cure.
#[test]
fn each_problem_is_found_and_cured_by_its_sql() {
    for server in servers() {
        let mut scene = Scene::new(server);
        publications::all(&mut scene);
        slots::all(&mut scene);
        sessions::all(&mut scene);
        assert!(scene.rows().len() >= 15, "{}", scene.rows().len());
    }
}

#[test]
fn limits_of_a_server_are_found_and_cured_by_a_restart() {
    for server in servers() {
        limits::all(server.major());
        if standby::all(server.major()).is_none() {
            skip(format_args!("no standby of PostgreSQL {}", server.major()));
        }
    }
}

#[test]
fn the_library_returns_what_the_program_prints() {
    for server in servers() {
        let scene = Scene::new(server);
        scene.sql("CREATE PUBLICATION my_publication FOR TABLE notes");
        scene.create_slot();
        let dsn = scene.database.dsn();
        let arguments = ["--slot", &*scene.slot, "--publication", "my_publication"];
        let printed = check(&dsn, &arguments);
        let config: Config = dsn.parse().unwrap();
        let checkup = Checkup::new(config).slot(&scene.slot).publication("my_publication");
        let returned = serde_json::to_value(checkup.check()).unwrap();
        let objects = |findings: &[serde_json::Value]| -> Vec<_> {
            let parts = |finding: &serde_json::Value| {
                ["severity", "object", "sql"].map(|field| finding[field].clone())
            };
            findings.iter().map(parts).collect()
        };
        assert_eq!(objects(&printed), objects(returned.as_array().unwrap()));
    }
}

#[test]
fn a_quiet_report_has_only_what_is_to_be_fixed() {
    for server in servers() {
        let scene = Scene::new(server);
        scene.sql("CREATE PUBLICATION my_publication FOR TABLE orders");
        let dsn = scene.database.dsn();
        let run = |publication: &str| {
            let arguments = ["doctor", "-q", "--dsn", &dsn, "--publication", publication];
            let output = finished(program().args(arguments));
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        };
        assert_eq!(run("my_publication"), (Some(0), String::new()));
        let (status, text) = run("other");
        assert_eq!(status, Some(1));
        assert!(text.starts_with("error    publication \"other\" does not exist"), "{text}");
        assert!(text.ends_with("\n1 error, 0 warnings\n") && !text.contains("\nok "), "{text}");
    }
}

#[test]
fn invalid_usage_and_a_closed_output_are_errors() {
    for arguments in [&["doctor", "--slots", "s"][..], &["doctor", "--dsn", "x:y@h/d"]] {
        let output = finished(program().args(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "exec \"$0\" doctor --dsn host=/nonexistent >&-"]);
    let output = finished(shell.arg(env!("CARGO_BIN_EXE_pgoutput")));
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("standard output is closed"), "{text}");
}
