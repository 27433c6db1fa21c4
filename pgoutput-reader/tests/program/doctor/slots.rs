//! Slots.

use pgoutput_harness::eventually;

use serde_json::Value;

use super::scene::{Scene, check, problem, statements};
use crate::run::{Running, program};

pub(super) fn all(scene: &mut Scene<'_>) {
    missing(scene);
    other_plugin(scene);
    physical(scene);
    other_database(scene);
    temporary(scene);
    in_use(scene);
}

fn missing(scene: &mut Scene<'_>) {
    let slot = scene.slot.clone();
    let object = format!("slot \"{slot}\"");
    scene.problem("The slot does not exist", &["--slot", &slot], &object, "does not exist");
    scene.drop_slot();
    scene.problem(
        "No slot can have this name",
        &["--slot", "My-Slot"],
        "slot \"My-Slot\"",
        "no slot can have this name",
    );
}

/// Checks a slot that cannot be read, whose cure is another one.
fn unusable(scene: &mut Scene<'_>, situation: &str, expected: &str) {
    let slot = scene.slot.clone();
    let found = check(&scene.database.dsn(), &["--slot", &slot]);
    let object = format!("slot \"{slot}\"");
    let found_problem = problem(&found, &object, expected);
    let problem = found_problem.unwrap_or_else(|| panic!("{situation}: {found:#?}"));
    let cure = statements(problem);
    scene.keep(situation, &["--slot", &slot], problem);
    for statement in cure {
        scene.sql(&statement);
    }
    let other = format!("{slot}_pgoutput");
    let found = check(&scene.database.dsn(), &["--slot", &other]);
    assert!(found.iter().all(|finding| finding["severity"] == "ok"), "{situation}: {found:#?}");
    scene.sql(&format!("SELECT pg_catalog.pg_drop_replication_slot('{other}')"));
}

fn other_plugin(scene: &mut Scene<'_>) {
    let slot = &scene.slot;
    scene.sql(&format!("SELECT pg_create_logical_replication_slot('{slot}', 'test_decoding')"));
    unusable(scene, "The slot is of another plugin", "is of plugin \"test_decoding\"");
    scene.drop_slot();
}

fn physical(scene: &mut Scene<'_>) {
    scene.sql(&format!("SELECT pg_create_physical_replication_slot('{}')", scene.slot));
    unusable(scene, "The slot is physical", "is physical");
    scene.drop_slot();
}

fn other_database(scene: &mut Scene<'_>) {
    let create = format!("SELECT pg_create_logical_replication_slot('{}', 'pgoutput')", scene.slot);
    scene.server.client().batch_execute(&create).unwrap();
    unusable(scene, "The slot belongs to another database", "belongs to database \"postgres\"");
    let drop = format!("SELECT pg_drop_replication_slot('{}')", scene.slot);
    scene.server.client().batch_execute(&drop).unwrap();
}

fn temporary(scene: &mut Scene<'_>) {
    let mut client = scene.client();
    let slot = scene.slot.clone();
    client
        .batch_execute(&format!(
            "SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput', true)"
        ))
        .unwrap();
    unusable(scene, "The slot is temporary, of another session", "is temporary");
    drop(client);
    eventually("the end of the temporary slot", || {
        let query = "SELECT FROM pg_replication_slots WHERE slot_name = $1";
        scene.client().query(query, &[&slot]).unwrap().is_empty().then_some(())
    });
}

fn in_use(scene: &mut Scene<'_>) {
    scene.create_slot();
    scene.sql("CREATE PUBLICATION my_publication FOR TABLE orders");
    let slot = scene.slot.clone();
    let dsn = scene.database.dsn();
    let tail = ["tail", "--dsn", &dsn, "--slot", &slot, "--publication", "my_publication"];
    let mut running = Running::start(program().args(tail).args(["--no-reconnect", "--quiet"]));
    scene.sql("INSERT INTO orders VALUES (7, 'shows that it reads')");
    running.line();
    let arguments = ["tail", "--slot", &slot, "--publication", "my_publication", "--no-reconnect"];
    scene.failure("Two readers of one slot", &arguments, 1, "is active for PID");
    // A system that runs is healthy.
    let found = check(&dsn, &["--slot", &slot, "--publication", "my_publication"]);
    assert!(found.iter().all(|finding| finding["severity"] == "ok"), "{found:#?}");
    let is_read = |f: &&Value| f["message"].as_str().unwrap().contains("is being read");
    let read = found.iter().find(is_read).unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(statements(read), [""; 0]);
    scene.keep("Another connection reads the slot", &["--slot", &slot], read);
    drop(running);
    scene.drop_slot();
    scene.sql("DROP PUBLICATION my_publication; DELETE FROM orders");
}
