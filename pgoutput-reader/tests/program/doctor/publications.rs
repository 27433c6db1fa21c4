//! Publications and their tables.

use super::scene::{Scene, check, problem, statements};

pub(super) fn all(scene: &mut Scene<'_>) {
    missing(scene);
    empty(scene);
    younger(scene);
    identity(scene);
    privileges(scene);
    row_security(scene);
    if scene.server.major() >= 15 {
        lists(scene);
        another(scene);
    }
    if scene.server.major() >= 18 {
        generated(scene);
    }
}

const ASKED: [&str; 2] = ["--publication", "my_publication"];

fn missing(scene: &mut Scene<'_>) {
    scene.problem(
        "The publication does not exist",
        &ASKED,
        "publication \"my_publication\"",
        "does not exist in database",
    );
    scene.sql("DROP PUBLICATION my_publication");
    scene.problem(
        "No publication can have this name",
        &["--publication", ""],
        "publication \"\"",
        "no publication can have",
    );
}

fn empty(scene: &mut Scene<'_>) {
    scene.sql("CREATE PUBLICATION my_publication");
    scene.problem(
        "The publication has no tables",
        &ASKED,
        "publication \"my_publication\"",
        "has no tables",
    );
    scene.sql("DROP PUBLICATION my_publication");
}

fn younger(scene: &mut Scene<'_>) {
    scene.create_slot();
    scene.sql("INSERT INTO orders VALUES (1, 'a change before the publication')");
    scene.sql("CREATE PUBLICATION my_publication FOR TABLE orders");
    let slot = scene.slot.clone();
    scene.problem(
        "The publication was created after the slot, and there were changes in between",
        &["--slot", &slot, "--publication", "my_publication"],
        "publication \"my_publication\"",
        "is younger than changes",
    );
    scene.drop_slot();
    scene.sql("DROP PUBLICATION my_publication");
}

fn identity(scene: &mut Scene<'_>) {
    scene.sql("CREATE PUBLICATION my_publication FOR TABLE orders, notes");
    scene.problem(
        "A published table has no primary key",
        &ASKED,
        "table public.notes",
        "for lack of a replica identity",
    );
    scene.sql("UPDATE notes SET note = 'works'");
    scene.sql(
        "CREATE TABLE \"Unique ones\" (id int NOT NULL UNIQUE, note text);
         CREATE TABLE refused (id int PRIMARY KEY);
         ALTER TABLE refused REPLICA IDENTITY NOTHING;
         ALTER PUBLICATION my_publication ADD TABLE \"Unique ones\", refused",
    );
    scene.problem(
        "A published table has a unique index, and no primary key",
        &ASKED,
        "table public.\"Unique ones\"",
        "for lack of a replica identity",
    );
    scene.problem(
        "A published table has REPLICA IDENTITY NOTHING",
        &ASKED,
        "table public.refused",
        "for lack of a replica identity",
    );
    scene.sql("UPDATE refused SET id = 1; UPDATE \"Unique ones\" SET id = 1");
    scene.sql("DROP PUBLICATION my_publication; DROP TABLE refused, \"Unique ones\"");
}

fn privileges(scene: &mut Scene<'_>) {
    let reader = scene.reader();
    scene.sql(
        "CREATE SCHEMA hidden; CREATE TABLE hidden.bills (id int PRIMARY KEY);
         CREATE PUBLICATION my_publication FOR TABLE orders, hidden.bills",
    );
    scene.problem_of(
        "The role may not read a table",
        &reader,
        &ASKED,
        "table public.orders",
        "lacks SELECT",
    );
    scene.problem_of(
        "The role may not read a schema and its table",
        &reader,
        &ASKED,
        "table hidden.bills",
        "lacks USAGE on its schema and SELECT",
    );
    scene.sql("DROP PUBLICATION my_publication; DROP SCHEMA hidden CASCADE");
}

fn row_security(scene: &mut Scene<'_>) {
    let reader = scene.reader();
    let role = scene.role.clone();
    scene.sql(&format!(
        "CREATE TABLE private (id int PRIMARY KEY);
         ALTER TABLE private ENABLE ROW LEVEL SECURITY;
         GRANT SELECT ON private TO {role};
         CREATE PUBLICATION my_publication FOR TABLE private"
    ));
    scene.problem_of(
        "Row level security hides rows from the role",
        &reader,
        &ASKED,
        "table public.private",
        "row level security",
    );
    scene.sql(&format!(
        "DROP PUBLICATION my_publication; DROP TABLE private; ALTER ROLE {role} NOBYPASSRLS"
    ));
}

fn lists(scene: &mut Scene<'_>) {
    scene.sql("CREATE PUBLICATION my_publication FOR TABLE orders (item) WHERE (id > 0)");
    scene.problem(
        "The column list of a publication lacks the primary key",
        &ASKED,
        "table public.orders",
        "the column list",
    );
    scene.sql("UPDATE orders SET item = 'works'");
    scene.sql("ALTER PUBLICATION my_publication SET TABLE orders WHERE (item <> '')");
    scene.problem(
        "The row filter of a publication uses other columns than the primary key",
        &ASKED,
        "table public.orders",
        "the row filter",
    );
    scene.sql("UPDATE orders SET item = 'works'");
    scene.sql("ALTER PUBLICATION my_publication SET TABLE orders (id)");
    scene.problem(
        "A table with a column list has REPLICA IDENTITY FULL",
        &ASKED,
        "table public.orders",
        "its replica identity is FULL",
    );
    scene.sql(
        "UPDATE orders SET item = 'works'; ALTER TABLE orders REPLICA IDENTITY DEFAULT;
         DROP PUBLICATION my_publication",
    );
    scene.sql(
        "CREATE PUBLICATION my_publication FOR TABLE orders (id);
         CREATE PUBLICATION other FOR TABLE orders WHERE (id > 0)",
    );
    scene.problem(
        "Two publications have different column lists for a table",
        &["--publication", "my_publication", "--publication", "other"],
        "table public.orders",
        "different column lists",
    );
    // A list of all columns is no difference.
    scene.sql("ALTER PUBLICATION my_publication SET TABLE orders (item, id)");
    let both = ["--publication", "my_publication", "--publication", "other"];
    let found = check(&scene.database.dsn(), &both);
    let is_table = |f: &serde_json::Value| f["object"].as_str().unwrap().starts_with("table ");
    assert!(!found.iter().any(is_table), "{found:#?}");
    scene.sql("DROP PUBLICATION my_publication, other");
    // The list is that of the partitioned table, and the identity that of its partition.
    scene.sql(
        "CREATE TABLE parts (id int, item text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE part PARTITION OF parts FOR VALUES FROM (1) TO (9);
         CREATE PUBLICATION my_publication FOR TABLE parts (item)
             WITH (publish_via_partition_root)",
    );
    scene.problem(
        "The column list of a partitioned table lacks the primary key",
        &ASKED,
        "table public.part",
        "the column list",
    );
    scene.sql("UPDATE parts SET item = 'works'");
    scene.sql("DROP PUBLICATION my_publication; DROP TABLE parts");
}

/// The server looks at every publication of the table, not only at those that are read.
fn another(scene: &mut Scene<'_>) {
    scene.sql(
        "CREATE PUBLICATION my_publication FOR TABLE orders;
         CREATE PUBLICATION other FOR TABLE orders WHERE (item <> '')",
    );
    scene.problem(
        "Another publication of a published table makes UPDATE and DELETE fail",
        &ASKED,
        "table public.orders",
        "publication other",
    );
    scene.sql(
        "UPDATE orders SET item = 'works'; ALTER TABLE orders REPLICA IDENTITY DEFAULT;
         DROP PUBLICATION my_publication, other",
    );
}

pub(super) fn generated(scene: &mut Scene<'_>) {
    scene.sql("CREATE TABLE sums (a int, b int GENERATED ALWAYS AS (a + 1) STORED PRIMARY KEY)");
    // A new publication leaves it out.
    let found = check(&scene.database.dsn(), &ASKED);
    let missing = problem(&found, "publication \"my_publication\"", "does not exist").unwrap();
    let [create] = &statements(missing)[..] else { panic!("{missing}") };
    assert!(create.contains(" FOR TABLE ") && !create.contains("sums"), "{create}");
    scene.sql("CREATE PUBLICATION my_publication FOR TABLE sums");
    scene.problem(
        "The primary key has a generated column, which is not published",
        &ASKED,
        "table public.sums",
        "does not publish",
    );
    scene.sql("UPDATE sums SET a = 2");
    scene.sql(
        "CREATE TABLE views (id int PRIMARY KEY, v int GENERATED ALWAYS AS (id + 1) VIRTUAL);
         ALTER TABLE views REPLICA IDENTITY FULL;
         ALTER PUBLICATION my_publication SET TABLE views",
    );
    scene.problem(
        "A table with a virtual generated column has REPLICA IDENTITY FULL",
        &ASKED,
        "table public.views",
        "virtual generated column",
    );
    scene.sql("UPDATE views SET id = 2");
    scene.sql(
        "ALTER PUBLICATION my_publication SET TABLE sums;
         ALTER PUBLICATION my_publication SET (publish_generated_columns = 'stored');
         CREATE PUBLICATION other FOR TABLE sums WITH (publish = 'insert')",
    );
    scene.problem(
        "Only one of two publications publishes the generated columns of a table",
        &["--publication", "my_publication", "--publication", "other"],
        "table public.sums",
        "different values of publish_generated_columns",
    );
    scene.sql("DROP PUBLICATION my_publication, other; DROP TABLE sums, views");
}
