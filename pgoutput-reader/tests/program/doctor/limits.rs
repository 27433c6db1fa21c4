//! Servers of their own: low limits, and WAL that is kept for a slot.

use pgoutput_harness::{Server, StopMode};

use super::scene::{Row, Scene, check, message, problem, statements};

/// Checks what a restart cures, and what is kept for a slot.
pub(super) fn all(major: u32) -> Vec<Row> {
    let mut rows = settings(major);
    if major >= 13 {
        rows.extend(retention(major));
    }
    if major >= 18 {
        rows.extend(idle(major));
    }
    rows
}

/// A server that is prepared for nothing.
fn settings(major: u32) -> Vec<Row> {
    let server = Server::builder()
        .setting("wal_level", "replica")
        .setting("max_wal_senders", "0")
        .setting("max_replication_slots", "1")
        .start(major)
        .unwrap();
    let mut client = server.client();
    client.batch_execute("SELECT pg_create_physical_replication_slot('standby1')").unwrap();
    drop(client);
    let mut scene = Scene::new(&server);
    let found = check(&scene.database.dsn(), &["--slot", "my_slot"]);
    for (situation, object, expected) in [
        ("wal_level is too low", "wal_level", "wal_level is \"replica\""),
        ("No walsender is free", "walsenders", "0 of 0 walsenders are in use"),
        ("No slot is free", "replication slots", "no replication slot is free"),
    ] {
        let problem = problem(&found, object, expected);
        let problem = problem.unwrap_or_else(|| panic!("{situation}: {found:#?}"));
        for statement in statements(problem) {
            scene.sql(&statement);
        }
        scene.keep(situation, &["--slot", "my_slot"], problem);
        assert!(!message(problem).is_empty());
    }
    server.restart(StopMode::Fast).unwrap();
    let found = check(&scene.database.dsn(), &["--slot", "my_slot"]);
    let left: Vec<_> = found.iter().filter(|finding| finding["severity"] != "ok").collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["object"], "slot \"my_slot\"");
    scene.rows().to_vec()
}

/// A slot that nothing reads while WAL is written.
fn retention(major: u32) -> Vec<Row> {
    let server = Server::builder()
        .setting("min_wal_size", "32MB")
        .setting("max_wal_size", "32MB")
        .start(major)
        .unwrap();
    let mut scene = Scene::new(&server);
    let slot = scene.slot.clone();
    let arguments = ["--slot", &*slot];
    let object = format!("slot \"{slot}\"");
    scene.create_slot();
    write_segments(&scene, 6);
    scene.problem(
        "Nothing reads the slot, and it fills the disk",
        &arguments,
        &object,
        "without a limit until its disk is full",
    );
    scene.create_slot();
    scene.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '80MB'");
    scene.sql("SELECT pg_reload_conf()");
    write_segments(&scene, 5);
    scene.problem(
        "The slot is about to be invalidated",
        &arguments,
        &object,
        "raise max_slot_wal_keep_size",
    );
    scene.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'");
    scene.sql("SELECT pg_reload_conf()");
    write_segments(&scene, 3);
    scene.sql("CHECKPOINT");
    scene.problem("The server has invalidated the slot", &arguments, &object, "was invalidated");
    scene.rows().to_vec()
}

/// A slot that nothing reads while the time passes.
pub(super) fn idle(major: u32) -> Vec<Row> {
    let server =
        Server::builder().setting("idle_replication_slot_timeout", "1s").start(major).unwrap();
    let mut scene = Scene::new(&server);
    let slot = scene.slot.clone();
    scene.create_slot();
    std::thread::sleep(std::time::Duration::from_secs(2));
    scene.problem(
        "The slot is about to be invalidated, since nothing reads it",
        &["--slot", &slot],
        &format!("slot \"{slot}\""),
        "idle_replication_slot_timeout is",
    );
    scene.rows().to_vec()
}

fn write_segments(scene: &Scene<'_>, segments: u32) {
    let mut client = scene.client();
    for _ in 0..segments {
        client
            .batch_execute(
                "SELECT pg_logical_emit_message(false, 'x', 'x'); SELECT pg_switch_wal()",
            )
            .unwrap();
    }
}
