//! Open transactions and timeouts.

use std::time::Duration;

use super::scene::{Scene, check};

pub(super) fn all(scene: &mut Scene<'_>) {
    open_transactions(scene);
    timeouts(scene);
}

fn open_transactions(scene: &mut Scene<'_>) {
    let mut client = scene.client();
    client
        .batch_execute("SET application_name = 'psql'; BEGIN; INSERT INTO notes VALUES (1)")
        .unwrap();
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    // Its name is the server's, not the database's.
    let database = scene.database.name().to_owned();
    scene.sql(&format!(
        "BEGIN; INSERT INTO notes VALUES (2); PREPARE TRANSACTION 'it''s of {database}'"
    ));
    // Younger ones are not reported.
    std::thread::sleep(Duration::from_secs(4));
    let wait = "the creation of a slot would wait";
    scene.problem(
        "An open transaction would hold up the creation of a slot",
        &[],
        &format!("session {pid}"),
        wait,
    );
    scene.problem(
        "A prepared transaction would hold up the creation of a slot",
        &[],
        &format!("prepared transaction 'it's of {database}'"),
        wait,
    );
}

fn timeouts(scene: &mut Scene<'_>) {
    let role = scene.role.clone();
    let reader = scene.reader();
    if scene.server.major() >= 12 {
        scene.sql(&format!("ALTER ROLE {role} SET wal_sender_timeout = 0"));
        scene.problem_of(
            "The server never notices that a client is gone",
            &reader,
            &[],
            "wal_sender_timeout",
            "wal_sender_timeout is 0",
        );
    }
    if scene.server.major() >= 14 {
        let database = scene.database.name().to_owned();
        scene.sql(&format!(
            "ALTER ROLE {role} IN DATABASE {database} SET idle_session_timeout = '500ms'"
        ));
        scene.problem_of(
            "Sessions of the role end too soon",
            &reader,
            &[],
            "idle_session_timeout",
            "so short that",
        );
    }
    scene.sql(&format!("ALTER ROLE {role} SET statement_timeout = '5s'"));
    let found = check(&reader, &[]);
    let setting = found.iter().find(|finding| finding["object"] == "statement_timeout").unwrap();
    assert_eq!(setting["severity"], "ok", "{setting}");
    scene.sql(&format!("ALTER ROLE {role} RESET ALL; ALTER ROLE {role} NOREPLICATION"));
    scene.problem_of(
        "The role may not replicate",
        &reader,
        &[],
        &format!("role {role}"),
        "may not open a replication connection",
    );
}
