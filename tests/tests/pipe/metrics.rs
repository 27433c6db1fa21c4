//! Metrics of a destination: an event counts once it is stored.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use pgoutput_harness::{TIMEOUT, Wait, output, servers};
use pgoutput_tests::Fixture;

use crate::destination::Destination as _;
use crate::file::FileDestination;
use crate::program::pipe;

/// Returns the figure of a metric, with its further labels.
fn figure(text: &str, name: &str, label: &str) -> Option<f64> {
    let is_it = |line: &&str| {
        let name_of = line.split_once('{').map(|(name, _)| name);
        name_of == Some(name) && line.contains(label)
    };
    text.lines().find(is_it)?.rsplit_once(' ')?.1.parse().ok()
}

fn has(text: &str, name: &str, expected: u32) {
    assert_eq!(figure(text, name, ""), Some(f64::from(expected)), "{name}: {text}");
}

#[test]
fn what_was_stored_is_counted_and_described() {
    let monitoring = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/monitoring.md");
    let monitoring = fs::read_to_string(monitoring).unwrap();
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        fixture.run(["INSERT INTO t SELECT generate_series(1, 10)", "DELETE FROM t WHERE id > 7"]);
        let to = FileDestination::new();
        let metrics = to.path("changes.position.prom");
        let mut command = pipe(&fixture, &to.url(0));
        let end = fixture.end().to_string();
        command.args(["--quiet", "--until-lsn", &end, "--op", "I"]);
        let ended = output(command.arg("--metrics-file").arg(&metrics));
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let text = fs::read_to_string(&metrics).unwrap();
        has(&text, "pgoutput_pipe_records_total", 10);
        has(&text, "pgoutput_pipe_errors_total", 0);
        let bytes = fs::metadata(to.path("changes")).unwrap().len();
        let bytes = f64::from(u32::try_from(bytes).unwrap());
        assert!(figure(&text, "pgoutput_pipe_bytes_total", "").unwrap() > 0.9 * bytes);
        assert!(figure(&text, "pgoutput_pipe_batches_total", "") >= Some(1.0), "{text}");
        let stored_at = figure(&text, "pgoutput_pipe_last_stored_timestamp_seconds", "");
        assert!(stored_at > Some(1.7e9), "{text}");
        for (op, count) in [("I", 10.0), ("D", 3.0)] {
            let label = format!("op=\"{op}\"");
            assert_eq!(figure(&text, "pgoutput_events_total", &label), Some(count), "{text}");
        }
        for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = name.split_once(' ').unwrap();
            assert!(monitoring.contains(&format!("| `{name}` | {kind} |")), "{name} {kind}");
        }
    }
}

#[test]
fn what_was_not_stored_is_not_counted() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let folder = tempfile::tempdir().unwrap();
        let metrics = folder.path().join("metrics.prom");
        let mut command = pipe(&fixture, "-");
        command.args(["--quiet", "--metrics-file"]).arg(&metrics);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::null()).spawn();
        let child = child.as_mut().unwrap();
        let wait = Wait::killing("the program to end", TIMEOUT, child);
        assert_eq!(child.wait().unwrap().code(), Some(1));
        wait.done();
        let text = fs::read_to_string(&metrics).unwrap();
        assert_eq!(figure(&text, "pgoutput_events_total", "op=\"I\""), Some(0.0), "{text}");
        has(&text, "pgoutput_pipe_batches_total", 0);
        assert_eq!(figure(&text, "pgoutput_delivered_lsn_bytes", ""), None, "{text}");
    }
}
