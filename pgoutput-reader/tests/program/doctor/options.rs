//! Options that are wrong, or need a newer server.

use pgoutput_harness::{Server, skip};

use super::scene::{Row, Scene};

/// Options and the servers that do not know them.
pub(super) fn versions(server: &'static Server) -> Vec<Row> {
    let mut scene = Scene::new(server);
    scene.create_slot();
    scene.sql("CREATE PUBLICATION my_publication FOR TABLE orders");
    let slot = scene.slot.clone();
    let major = server.major();
    for (situation, option, since) in [
        ("Binary values", &["--binary"][..], 14),
        ("Messages", &["--messages"], 14),
        ("Transactions in progress", &["--streaming", "on"], 14),
        ("Prepared transactions", &["--two-phase"], 15),
        ("Changes without an origin", &["--origin", "none"], 16),
        ("Transactions in progress, in parallel", &["--streaming", "parallel"], 16),
        ("A slot for a failover", &["--create-slot", "--failover"], 17),
        ("Missing publications", &["--skip-missing-publication"], 18),
    ] {
        // The newest server that lacks it, of those that the table is made with.
        let is_shown = match since {
            14 => major == 10,
            15 => major == 14,
            _ => major == 15,
        };
        if !is_shown {
            continue;
        }
        let other = format!("{slot}_new");
        let slot = if option.contains(&"--failover") { &other } else { &slot };
        let arguments = ["tail", "--slot", slot, "--publication", "my_publication"];
        let situation = format!("{situation} from PostgreSQL {major}");
        scene.failure(&situation, &[&arguments[..], option].concat(), 1, "needs PostgreSQL");
    }
    if scene.rows().is_empty() {
        skip(format_args!("no option is shown with PostgreSQL {major}"));
    }
    scene.rows().to_vec()
}

/// Wrong usage, and starts that cannot work.
pub(super) fn usage(server: &'static Server) -> Vec<Row> {
    let mut scene = Scene::new(server);
    let slot = scene.slot.clone();
    let tail = ["tail", "--slot", &*slot, "--publication", "my_publication"];
    for (situation, more, expected) in [
        ("An option is misspelled", &["--create-slots"][..], "--create-slot"),
        ("An LSN is not one", &["--start-lsn", "158FAC8"], "expected an LSN"),
        ("A size is not one", &["--memory-limit", "64mb"], "expected a size"),
    ] {
        scene.failure(situation, &[&tail[..], more].concat(), 2, expected);
    }
    scene.failure("The slot is not named", &["tail", "--publication", "p"], 2, "required");
    for (situation, dsn, expected) in [
        (
            "The connection string is of another library",
            "postgresql://app@localhost/shop?schema=public",
            "a parameter of another library",
        ),
        ("The URI has no scheme", "app@localhost/shop", "begins with postgresql://"),
    ] {
        scene.failure_of(situation, dsn, &tail, 2, expected);
    }
    scene.failure("Neither the slot nor the publication exists", &tail, 1, "; and no publication");
    missing_privileges(&mut scene);
    scene.create_slot();
    scene.sql("INSERT INTO orders VALUES (3, 'before the publication')");
    scene.sql("CREATE PUBLICATION my_publication FOR TABLE orders");
    scene.failure("The publication is younger than the changes", &tail, 1, "did not exist at WAL");
    scene.drop_slot();
    blocked(&mut scene);
    scene.rows().to_vec()
}

fn missing_privileges(scene: &mut Scene<'_>) {
    let (reader, role) = (scene.reader(), scene.role.clone());
    scene.sql("CREATE PUBLICATION my_publication FOR TABLE orders");
    let copy = ["snapshot", "--publication", "my_publication"];
    scene.failure_of("A copy, without SELECT", &reader, &copy, 1, "permission denied for table");
    scene.sql(&format!(
        "GRANT SELECT ON orders TO {role}; ALTER TABLE orders ENABLE ROW LEVEL SECURITY"
    ));
    scene.failure_of("A copy, with row level security", &reader, &copy, 1, "row-level security");
    scene.sql("ALTER TABLE orders DISABLE ROW LEVEL SECURITY; DROP PUBLICATION my_publication");
}

fn blocked(scene: &mut Scene<'_>) {
    let mut client = scene.client();
    client.batch_execute("BEGIN; INSERT INTO notes VALUES (1)").unwrap();
    let slot = scene.slot.clone();
    let tail = ["tail", "--slot", &*slot, "--publication", "my_publication"];
    let wait = ["--create-slot", "--slot-wait", "1"];
    let arguments = [&tail[..], &wait].concat();
    scene.failure("The creation of a slot waits too long", &arguments, 1, "was cancelled");
}
