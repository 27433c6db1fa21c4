//! The output, and the file that keeps the position.

use std::fs;
use std::process::Command;

use pgoutput_harness::{Server, output};

use super::scene::{Row, Scene, line};
use crate::run::{assert_success, finished, program};

pub(super) fn all(server: &'static Server, other: &'static Server) -> Vec<Row> {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::new(server);
    scene.replace(folder.path().to_str().unwrap(), "/var/lib/app");
    scene.create_slot();
    scene.sql("CREATE PUBLICATION my_publication FOR TABLE orders");
    scene.sql("INSERT INTO orders VALUES (1, 'a change')");
    let (slot, dsn) = (scene.slot.clone(), scene.database.dsn());
    let tail = ["tail", "--slot", &*slot, "--publication", "my_publication"];
    for (situation, redirection, expected) in [
        ("Standard output is closed", ">&-", "standard output is closed"),
        ("The disk of the output is full", ">/dev/full", "No space left"),
    ] {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("exec \"$0\" \"$@\" {redirection}"));
        shell.arg(env!("CARGO_BIN_EXE_pgoutput")).args(tail);
        shell.args(["--quiet", "--limit", "1", "--dsn", &dsn]);
        let says = line(&output(&mut shell), 1);
        assert!(says.contains(expected), "{situation}: {says}");
        let command = [&tail[..], &[redirection]].concat();
        scene.keep_line(situation, &command, &says);
        scene.database.wait_until_free(&slot);
    }
    let (changes, position) = (folder.path().join("changes"), folder.path().join("position"));
    let files = [
        "--output",
        changes.to_str().unwrap(),
        "--position-file",
        position.to_str().unwrap(),
        "--limit",
        "1",
    ];
    let stored = [&tail[..], &files].concat();
    assert_success(&finished(program().args(&stored).args(["--quiet", "--dsn", &dsn])));
    scene.database.wait_until_free(&slot);
    foreign_position(&mut scene, other, &stored);
    fs::write(&position, "x").unwrap();
    scene.failure("The position file is damaged", &stored, 1, "is not a position file");
    fs::remove_file(&position).unwrap();
    scene.failure("The position file is gone", &stored, 1, "is not empty, and");
    scene.rows().to_vec()
}

/// The position of one cluster is used with another.
fn foreign_position(scene: &mut Scene<'_>, other: &'static Server, stored: &[&str]) {
    let database = other.database("shop");
    let client = &mut database.client();
    client.batch_execute("CREATE TABLE orders (id int PRIMARY KEY)").unwrap();
    client.batch_execute("CREATE PUBLICATION my_publication FOR TABLE orders").unwrap();
    let create = format!("SELECT pg_create_logical_replication_slot('{}', 'pgoutput')", scene.slot);
    client.batch_execute(&create).unwrap();
    let situation = "The position is of another cluster";
    scene.failure_of(situation, &database.dsn(), stored, 1, "cluster");
}
