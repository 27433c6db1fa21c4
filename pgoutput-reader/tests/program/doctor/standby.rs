//! A standby as the source.

use pgoutput_harness::{Server, StopMode};

use super::scene::{Row, Scene, check, problem, statements};

/// Checks a standby without feedback; `None` before PostgreSQL 12, which configures it differently.
pub(super) fn all(major: u32) -> Option<Vec<Row>> {
    if major < 12 {
        return None;
    }
    let primary = Server::of_major(major).unwrap();
    let mut scene = Scene::new(&primary);
    scene.sql("CREATE PUBLICATION my_publication FOR TABLE orders");
    primary.stop(StopMode::Fast).unwrap();
    let standby = Server::builder()
        .copy_of(&primary)
        .data_file("standby.signal", "")
        .setting("primary_conninfo", &primary.dsn("postgres"))
        .start(major)
        .unwrap();
    primary.start().unwrap();
    let dsn = standby.dsn(scene.database.name());
    let arguments = ["--publication", "my_publication"];
    let found = check(&dsn, &arguments);
    let expected = if major < 16 { "connect to the primary" } else { "hot_standby_feedback" };
    let finding = problem(&found, "server", expected);
    let finding = finding.unwrap_or_else(|| panic!("{found:#?}"));
    scene.keep(&format!("The server is a standby of PostgreSQL {major}"), &arguments, finding);
    // Everything else is checked as on a primary.
    let unknown = |f: &serde_json::Value| f["message"].as_str().unwrap().contains("be checked");
    assert!(!found.iter().any(unknown), "{found:#?}");
    for statement in statements(finding) {
        standby.client().batch_execute(&statement).unwrap();
    }
    if major >= 16 {
        // The settings are read in a moment.
        pgoutput_harness::eventually("the feedback of the standby", || {
            let found = check(&dsn, &arguments);
            found.iter().all(|finding| finding["severity"] == "ok").then_some(())
        });
    }
    Some(scene.rows().to_vec())
}
