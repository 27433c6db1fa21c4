//! Tables and publications of every kind that a server has.

use pgoutput_harness::Server;
use pgoutput_tests::Fixture;

const TABLES: &str = r#"
    CREATE SCHEMA other; CREATE SCHEMA "My ""s""";
    CREATE TYPE mood AS ENUM ('ok', 'sad');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN code AS varchar(7);
    CREATE TABLE plain (id int PRIMARY KEY, v text);
    CREATE TABLE without_key (a int, b text);
    CREATE TABLE full_identity (a int, b text);
    ALTER TABLE full_identity REPLICA IDENTITY FULL;
    CREATE TABLE no_identity (a int PRIMARY KEY);
    ALTER TABLE no_identity REPLICA IDENTITY NOTHING;
    CREATE TABLE by_index (a int PRIMARY KEY, c text, b int NOT NULL UNIQUE);
    ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_b_key;
    CREATE TABLE deferrable_key (a int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, b int);
    CREATE TABLE "My ""s"""."T;é" ("select" int PRIMARY KEY, "a""b" text, "Ünï" code);
    CREATE TABLE dropped (x int, id int PRIMARY KEY, y int, v text);
    ALTER TABLE dropped DROP x; ALTER TABLE dropped DROP y;
    CREATE TABLE no_columns ();
    CREATE TABLE types (id int PRIMARY KEY, a varchar(10), b numeric(10, 2), c timestamp(3),
        d int[], e mood, f code, g pair, h int4range, i bit(3), j char(5), k interval(2), l bytea);
    CREATE TABLE types_as_text (id int PRIMARY KEY, a aclitem);
    CREATE TABLE parent (id int PRIMARY KEY, v text);
    CREATE TABLE child (extra text) INHERITS (parent);
    CREATE UNLOGGED TABLE unlogged (id int);
    CREATE TABLE other.t (id int PRIMARY KEY, v text);
    CREATE TABLE p (id int, kind text, "n" int) PARTITION BY RANGE (id);
    CREATE TABLE p1 (kind text, x int, n int, id int);
    ALTER TABLE p1 DROP x;
    ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10);
    CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (100) PARTITION BY RANGE (id);
    CREATE TABLE p21 PARTITION OF p2 FOR VALUES FROM (10) TO (50);
    CREATE TABLE other.p22 PARTITION OF p2 FOR VALUES FROM (50) TO (100);
    CREATE UNLOGGED TABLE p3 PARTITION OF p FOR VALUES FROM (100) TO (200);
    CREATE PUBLICATION "all" FOR ALL TABLES;
    CREATE PUBLICATION listed FOR TABLE plain, by_index, "My ""s"""."T;é", child;
    CREATE PUBLICATION "Odd ""Name""" FOR TABLE ONLY parent, types;
    CREATE PUBLICATION descendants FOR TABLE parent;
    CREATE PUBLICATION inserts FOR TABLE plain WITH (publish = 'insert');
    CREATE PUBLICATION updates FOR TABLE by_index WITH (publish = 'update');
    CREATE PUBLICATION leaf FOR TABLE p1;
    CREATE PUBLICATION nothing;"#;

const BEFORE_12: &str = "CREATE TABLE with_oids (id int PRIMARY KEY) WITH OIDS;";

const FROM_11: &str = "
    ALTER TABLE p1 ALTER id SET NOT NULL;
    ALTER TABLE p ADD PRIMARY KEY (id);
    CREATE TABLE includes (id int, v text, PRIMARY KEY (id) INCLUDE (v));
    CREATE PUBLICATION truncates FOR TABLE plain WITH (publish = 'truncate');";

const FROM_12: &str = "
    CREATE TABLE generated
        (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, v text);
    CREATE PUBLICATION generated FOR TABLE generated;";

const FROM_13: &str = "
    SET allow_system_table_mods = on;
    CREATE TABLE pg_catalog.system_like (id int PRIMARY KEY);
    RESET allow_system_table_mods;
    CREATE FOREIGN DATA WRAPPER no_wrapper;
    CREATE SERVER no_server FOREIGN DATA WRAPPER no_wrapper;
    CREATE TABLE half_keyed (id int NOT NULL, v text) PARTITION BY RANGE (id);
    CREATE TABLE half_keyed_1 PARTITION OF half_keyed FOR VALUES FROM (0) TO (10);
    ALTER TABLE ONLY half_keyed ADD PRIMARY KEY (id);
    CREATE TABLE f (id int, v text) PARTITION BY RANGE (id);
    CREATE TABLE f1 PARTITION OF f FOR VALUES FROM (0) TO (10);
    CREATE FOREIGN TABLE f2 PARTITION OF f FOR VALUES FROM (10) TO (20) SERVER no_server;
    ALTER TABLE f REPLICA IDENTITY FULL;
    CREATE TABLE g (v text, id int NOT NULL, UNIQUE (id)) PARTITION BY RANGE (id);
    CREATE TABLE g1 PARTITION OF g FOR VALUES FROM (0) TO (10);
    ALTER TABLE g REPLICA IDENTITY USING INDEX g_id_key;
    ALTER TABLE g1 REPLICA IDENTITY NOTHING;
    CREATE TABLE no_partitions (id int) PARTITION BY RANGE (id);
    CREATE PUBLICATION leaves FOR TABLE p, no_partitions;
    CREATE PUBLICATION root FOR TABLE p, no_partitions, half_keyed, g
        WITH (publish_via_partition_root = true);
    CREATE PUBLICATION foreign_leaf FOR TABLE f WITH (publish_via_partition_root = true);
    CREATE PUBLICATION middle FOR TABLE p2 WITH (publish_via_partition_root = true);
    CREATE PUBLICATION middle_and_leaf FOR TABLE p2, p21, p1
        WITH (publish_via_partition_root = true);
    CREATE PUBLICATION root_updates FOR TABLE p
        WITH (publish_via_partition_root = true, publish = 'update');
    CREATE PUBLICATION all_roots FOR ALL TABLES WITH (publish_via_partition_root = true);";

const FROM_15: &str = "
    CREATE PUBLICATION high FOR TABLE plain WHERE (id > 90);
    CREATE PUBLICATION low FOR TABLE plain WHERE (id < 5 OR v = 'x');
    CREATE PUBLICATION indexed_updates FOR TABLE by_index WHERE (b < 15)
        WITH (publish = 'update');
    CREATE PUBLICATION indexed_inserts FOR TABLE by_index WHERE (b > 15)
        WITH (publish = 'insert');
    CREATE PUBLICATION unknown FOR TABLE without_key WHERE (b IS NULL OR a > 1)
        WITH (publish = 'insert');
    CREATE PUBLICATION text_filter FOR TABLE \"My \"\"s\"\"\".\"T;é\"
        WHERE (\"a\"\"b\" = 'it''s \\ é') WITH (publish = 'insert');
    CREATE PUBLICATION root_filter FOR TABLE p WHERE (kind = 'x' AND n IS NOT NULL)
        WITH (publish_via_partition_root = true, publish = 'insert');
    CREATE PUBLICATION root_updates_filter FOR TABLE p WHERE (id < 12)
        WITH (publish_via_partition_root = true, publish = 'update');
    CREATE PUBLICATION leaf_filter FOR TABLE p1 WHERE (kind = 'x') WITH (publish = 'insert');
    CREATE PUBLICATION list FOR TABLE plain (id);
    CREATE PUBLICATION same_list FOR TABLE plain (id) WHERE (id > 3);
    CREATE PUBLICATION whole_list FOR TABLE plain (v, id);
    CREATE PUBLICATION root_list FOR TABLE p (n, id) WITH (publish_via_partition_root = true);
    CREATE PUBLICATION schema FOR TABLES IN SCHEMA other, TABLE plain WHERE (id > 50);
    CREATE PUBLICATION public FOR TABLES IN SCHEMA public;
    CREATE PUBLICATION public_roots FOR TABLES IN SCHEMA public
        WITH (publish_via_partition_root = true);";

const FROM_18: &str = "
    CREATE TABLE \"virtual\"
        (id int PRIMARY KEY, half int GENERATED ALWAYS AS (id / 2) VIRTUAL, v text);
    CREATE PUBLICATION stored FOR TABLE generated, plain, \"virtual\"
        WITH (publish_generated_columns = stored);
    CREATE PUBLICATION generated_list FOR TABLE generated (id, twice);
    CREATE PUBLICATION generated_filter FOR TABLE \"virtual\" WHERE (half > 2)
        WITH (publish = 'insert');
    CREATE PUBLICATION whole_generated_list FOR TABLE generated (id, twice, v);";

/// The updates change nothing, so that the rows are still those that were inserted.
const ROWS: &str = r#"
    INSERT INTO plain SELECT n, pg_catalog.repeat('v', n * 20) FROM generate_series(1, 100) AS n;
    INSERT INTO plain VALUES (101, ''), (102, NULL), (103, E'\\N'), (104, E'tab\t, \n, \r, \\'),
        (105, 'é'), (106, 'x');
    INSERT INTO without_key VALUES (1, NULL), (NULL, 'b'), (1, 'c'), (1, 'c');
    INSERT INTO full_identity VALUES (1, 'a'), (1, 'a');
    INSERT INTO no_identity VALUES (1), (2);
    INSERT INTO by_index VALUES (1, 'one', 10), (2, NULL, 20);
    INSERT INTO deferrable_key VALUES (1, 2);
    INSERT INTO "My ""s"""."T;é" VALUES (1, E'it''s \\ é', 'é'), (2, 'other', NULL);
    INSERT INTO dropped VALUES (1, 'v');
    INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES;
    INSERT INTO types VALUES (1, 'a', 1.5, '2026-01-02 03:04:05.678', '{1,NULL}', 'sad', 'c',
        '(1,"x y")', '[1,5)', B'101', 'j', '1 mon 2.345s', '\x00ff');
    INSERT INTO types (id) VALUES (2);
    INSERT INTO types_as_text VALUES (1, 'postgres=r/postgres'), (2, NULL);
    INSERT INTO parent VALUES (1, 'parent');
    INSERT INTO child VALUES (2, 'child', 'extra');
    INSERT INTO unlogged VALUES (1);
    INSERT INTO other.t SELECT n, 'other' FROM generate_series(1, 3) AS n;
    INSERT INTO p1 (id, kind, n) VALUES (1, 'x', 1), (2, 'y', 2), (3, 'x', NULL);
    INSERT INTO p21 (id, kind, n) VALUES (11, 'x', 1), (12, NULL, 2);
    INSERT INTO other.p22 (id, kind, n) VALUES (51, 'x', 1);
    INSERT INTO p3 (id, kind, n) VALUES (101, 'x', 1);
    UPDATE by_index SET c = c;"#;

fn statements(major: u32, all: &[(u32, &str)]) -> String {
    all.iter().filter(|(from, _)| major >= *from).map(|(_, statements)| *statements).collect()
}

/// Creates everything, then the slot, then the rows.
pub(crate) fn fixture(server: &Server) -> Fixture<'_> {
    let major = server.major();
    let setup =
        [(10, TABLES), (11, FROM_11), (12, FROM_12), (13, FROM_13), (15, FROM_15), (18, FROM_18)];
    let mut setup = statements(major, &setup);
    if major < 12 {
        setup.push_str(BEFORE_12);
    }
    let fixture = Fixture::new(server, &setup);
    let rows = [
        (10, ROWS),
        (11, "INSERT INTO includes VALUES (1, 'v'); UPDATE p21 SET kind = kind;"),
        (12, "INSERT INTO generated (id, v) VALUES (1, 'v'), (2, NULL);"),
        (
            13,
            "INSERT INTO system_like VALUES (1); INSERT INTO half_keyed VALUES (1, 'h');
              INSERT INTO f VALUES (1, 'f'); INSERT INTO g VALUES ('g', 1);",
        ),
        (18, "INSERT INTO \"virtual\" VALUES (1), (9);"),
    ];
    fixture.run([&statements(major, &rows)]);
    if major < 12 {
        fixture.run(["INSERT INTO with_oids VALUES (1)"]);
    }
    fixture
}

/// Lists of publications to read together.
pub(crate) fn publications(major: u32) -> Vec<Vec<&'static str>> {
    let all: [(u32, &[&[&str]]); 6] = [
        (
            10,
            &[
                &["all"],
                &["listed"],
                &["listed", "Odd \"\"Name\"\""],
                &["descendants"],
                &["inserts"],
                &["inserts", "updates"],
                &["updates"],
                &["leaf"],
                &["nothing"],
                &["all", "listed", "leaf"],
            ],
        ),
        (11, &[&["truncates"], &["truncates", "inserts"]]),
        (12, &[&["generated"]]),
        (
            13,
            &[
                &["leaves"],
                &["root"],
                &["middle"],
                &["foreign_leaf"],
                &["middle_and_leaf"],
                &["all_roots"],
                &["all", "middle"],
                &["middle", "leaves"],
                &["root", "middle"],
                &["middle", "root"],
                &["leaf", "root"],
                &["leaves", "root_updates"],
                &["all_roots", "leaves"],
            ],
        ),
        (
            15,
            &[
                &["high"],
                &["high", "low"],
                &["high", "listed"],
                &["high", "all"],
                &["high", "schema"],
                &["indexed_inserts", "indexed_updates"],
                &["indexed_updates"],
                &["indexed_updates", "updates", "inserts"],
                &["unknown"],
                &["text_filter"],
                &["root_filter"],
                &["root_filter", "leaves"],
                &["root_filter", "root_updates"],
                &["root_filter", "all_roots"],
                &["root_updates_filter"],
                &["root_updates_filter", "leaves"],
                &["root_updates_filter", "root_filter"],
                &["leaf_filter"],
                &["leaf_filter", "leaves"],
                &["list"],
                &["list", "same_list"],
                &["same_list"],
                &["list", "listed"],
                &["list", "all"],
                &["whole_list"],
                &["whole_list", "listed"],
                &["list", "whole_list"],
                &["root_list"],
                &["root_list", "leaves"],
                &["root_list", "root"],
                &["schema"],
                &["public"],
                &["public_roots"],
                &["schema", "public_roots"],
                &["schema", "middle"],
                &["high", "public"],
            ],
        ),
        (
            18,
            &[
                &["stored"],
                &["stored", "generated"],
                &["stored", "generated_list"],
                &["stored", "listed"],
                &["generated_list"],
                &["generated_list", "generated"],
                &["generated_filter"],
                &["whole_generated_list", "stored"],
                &["whole_generated_list", "generated_list"],
            ],
        ),
    ];
    let known = all.into_iter().filter(|(from, _)| major >= *from);
    known.flat_map(|(_, lists)| lists.iter().map(|list| list.to_vec())).collect()
}
