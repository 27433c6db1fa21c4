//! Many tables: few catalogue queries, and nothing is kept of dropped tables.

use pgoutput_harness::servers;
use pgoutput_reader::{Acknowledge, ChangeEvent, Error, Reader};
use pgoutput_tests::{Fixture, InTime as _, after, json};

/// Returns how many queries the reader has sent.
fn queries(reader: &Reader) -> u64 {
    let shown = format!("{reader:?}");
    let (_, queries) = shown.split_once("queries: ").unwrap();
    queries.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// Returns how many tables the reader knows.
fn tables(reader: &Reader) -> usize {
    format!("{reader:?}").matches("TableSchema {").count()
}

fn read_all(fixture: &Fixture<'_>, publication: &str) -> (Vec<ChangeEvent>, u64) {
    let mut reader = Reader::builder(&fixture.database().dsn())
        .slot(fixture.slot_name())
        .publication(publication)
        .acknowledge(Acknowledge::Never)
        .until_lsn(fixture.end())
        .connect()
        .unwrap();
    let events: Result<Vec<_>, Error> = reader.in_time().collect();
    let sent = queries(&reader);
    reader.stop().unwrap();
    (events.unwrap(), sent)
}

/// Runs `body` for each number, `$i` in it, a few hundred per transaction, because each needs
/// locks.
fn for_each(fixture: &Fixture<'_>, count: usize, body: &str) {
    let mut client = fixture.client();
    for first in (0..count).step_by(200) {
        let last = (first + 199).min(count - 1);
        let body = body.replace("$i", "' || i || '");
        let block = format!(
            "DO $do$ BEGIN FOR i IN {first}..{last} LOOP EXECUTE '{body}'; END LOOP; END $do$"
        );
        client.batch_execute(&block).unwrap_or_else(|e| panic!("{block}: {e:?}"));
    }
}

#[test]
fn many_tables_need_a_few_tens_of_queries() {
    const COUNT: usize = 1_500;
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TYPE mood AS ENUM ('ok'); CREATE TYPE pair AS (a int, m mood);
             CREATE DOMAIN amount AS int",
        );
        for_each(
            &fixture,
            COUNT,
            "CREATE TABLE t$i (id int NOT NULL, v varchar(7), m mood, p pair, a amount)",
        );
        fixture.create_slot(&fixture.database().slot_name("later"));
        fixture.run([&format!(
            "DO $$ BEGIN FOR i IN 0..{} LOOP
                EXECUTE 'INSERT INTO t' || (i * 7) % {COUNT}
                    || ' VALUES (' || i || ', ''x'', ''ok'', ''(1,ok)'', 5)';
             END LOOP; END $$",
            COUNT - 1
        ) as &str]);
        let (events, sent) = read_all(&fixture, pgoutput_tests::PUBLICATION);
        assert_eq!(events.len(), COUNT);
        assert!(sent < 60, "{sent} queries on PostgreSQL {}", server.major());
        for (i, event) in events.iter().enumerate() {
            let expected = format!(r#"{{"id":{i},"v":"x","m":"ok","p":{{"a":1,"m":"ok"}},"a":5}}"#);
            assert_eq!(after(event), expected);
            let columns = event.table().unwrap().columns();
            let columns: Vec<_> =
                columns.iter().map(|c| (c.type_name(), c.is_optional())).collect();
            let expected = [
                ("integer", false),
                ("character varying(7)", true),
                ("mood", true),
                ("pair", true),
                ("amount", true),
            ];
            assert_eq!(columns, expected);
        }
    }
}

#[test]
fn a_backlog_of_many_transactions_needs_no_more_queries() {
    const COUNT: usize = 400;
    for server in servers() {
        let fixture = Fixture::new(server, "");
        for_each(&fixture, COUNT, "CREATE TABLE t$i (id int PRIMARY KEY)");
        let mut client = fixture.client();
        for i in 0..COUNT {
            client.batch_execute(&format!("INSERT INTO t{i} VALUES ({i})")).unwrap();
            if i % 50 == 7 {
                // The queried tables are those with a new description.
                let alter = format!(
                    "ALTER TABLE t{i} ADD COLUMN v varchar(3); INSERT INTO t{i} VALUES (-1, 'x')"
                );
                client.batch_execute(&alter).unwrap();
            }
        }
        let (events, sent) = read_all(&fixture, pgoutput_tests::PUBLICATION);
        assert_eq!(events.len(), COUNT + COUNT / 50);
        assert!(sent < 60, "{sent} queries on PostgreSQL {}", server.major());
        for event in &events {
            let event = json(event);
            let width = if event["after"]["id"] == -1 { 2 } else { 1 };
            let columns = event["table_schema"]["column_definitions"].as_array().unwrap();
            assert_eq!(columns.len(), width, "{event}");
            assert_eq!(columns[0]["optional"], false, "{event}");
        }
    }
}

#[test]
fn tables_are_found_in_every_kind_of_publication() {
    const COUNT: usize = 120;
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE SCHEMA s");
        for_each(&fixture, COUNT, "CREATE TABLE t$i (id int)");
        for_each(&fixture, COUNT, "CREATE TABLE s.u$i (id int)");
        for_each(&fixture, COUNT, "CREATE TABLE other$i (id int)");
        let mut publications = vec![("tables", COUNT)];
        fixture.run(["CREATE PUBLICATION tables"]);
        for_each(&fixture, COUNT, "ALTER PUBLICATION tables ADD TABLE t$i");
        if server.major() >= 15 {
            fixture.run(["CREATE PUBLICATION schemas FOR TABLES IN SCHEMA s"]);
            publications.push(("schemas", COUNT));
        }
        if server.major() >= 13 {
            fixture.run([
                "CREATE TABLE root (id int) PARTITION BY LIST (id)",
                "CREATE TABLE low PARTITION OF root FOR VALUES IN (-1) PARTITION BY LIST (id)",
                "CREATE PUBLICATION roots FOR TABLE root WITH (publish_via_partition_root)",
                "CREATE PUBLICATION parts FOR TABLE root",
            ]);
            for_each(&fixture, COUNT, "CREATE TABLE p$i PARTITION OF root FOR VALUES IN ($i)");
            publications.extend([("roots", COUNT), ("parts", COUNT)]);
        }
        let slot = fixture.database().slot_name("after");
        fixture.create_slot(&slot);
        for_each(&fixture, COUNT, "INSERT INTO t$i VALUES ($i); INSERT INTO s.u$i VALUES ($i)");
        if server.major() >= 13 {
            for_each(&fixture, COUNT, "INSERT INTO root VALUES ($i)");
        }
        for (publication, count) in publications {
            let mut reader = Reader::builder(&fixture.database().dsn())
                .slot(&slot)
                .publication(publication)
                .acknowledge(Acknowledge::Never)
                .until_lsn(fixture.end())
                .connect()
                .unwrap();
            let events: Vec<_> = reader.in_time().map(|event| json(&event.unwrap())).collect();
            assert_eq!(events.len(), count, "{publication}");
            let sent = queries(&reader);
            assert!(sent < 40, "{sent} queries for {publication} on {}", server.major());
            reader.stop().unwrap();
        }
    }
}

#[test]
fn a_reader_without_lag_queries_each_table_by_itself() {
    const COUNT: usize = 40;
    for server in servers() {
        let fixture = Fixture::new(server, "");
        for_each(&fixture, COUNT, "CREATE TABLE t$i (id int NOT NULL)");
        let mut reader = fixture.reader();
        let before = queries(&reader);
        let mut client = fixture.client();
        for i in 0..COUNT {
            client.batch_execute(&format!("INSERT INTO t{i} VALUES ({i})")).unwrap();
            let event = json(&reader.next_in_time().unwrap().unwrap());
            assert_eq!(event["table_schema"]["column_definitions"][0]["optional"], false);
        }
        let sent = queries(&reader) - before;
        // A query for each table, and sometimes one for the server's WAL end.
        assert!((COUNT as u64..2 * COUNT as u64).contains(&sent), "{sent}");
        reader.stop().unwrap();
    }
}

#[test]
fn dropped_tables_are_forgotten() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE kept (id int NOT NULL, v varchar(3)); CREATE TYPE mood AS ENUM ('ok')",
        );
        let mut reader = fixture.reader();
        let mut client = fixture.client();
        let mut most = 0;
        fixture.run(["INSERT INTO kept VALUES (-1, 'a')"]);
        let first = reader.next_in_time().unwrap().unwrap();
        for i in 0..700 {
            let statement = format!(
                "CREATE TABLE t{i} (id int, m mood); INSERT INTO t{i} VALUES ({i}, 'ok');
                 DROP TABLE t{i};
                 SELECT pg_logical_emit_message(false, 'filler', repeat('x', 20000))"
            );
            client.batch_execute(&statement).unwrap();
            let event = reader.next_in_time().unwrap().unwrap();
            assert!(after(&event).starts_with(&format!(r#"{{"id":{i},"#)));
            if i % 50 == 49 {
                most = most.max(tables(&reader));
            }
        }
        assert!(most < 400, "{most} tables are kept on PostgreSQL {}", server.major());
        // The server does not describe it again.
        fixture.run(["INSERT INTO kept VALUES (-2, 'b')"]);
        let last = reader.next_in_time().unwrap().unwrap();
        assert_eq!(last.table(), first.table());
        assert_eq!(after(&last), r#"{"id":-2,"v":"b"}"#);
        reader.stop().unwrap();
    }
}

#[test]
fn a_table_with_a_forgotten_description_is_described_again() {
    const COUNT: usize = 150;
    for server in servers() {
        let fixture = Fixture::new(server, "");
        for_each(&fixture, COUNT, "CREATE TABLE t$i (id int NOT NULL)");
        let slot = fixture.database().slot_name("after");
        fixture.create_slot(&slot);
        for value in 0..3 {
            for_each(&fixture, COUNT, &format!("INSERT INTO t$i VALUES ({value})"));
        }
        let builder = fixture.builder().slot(&slot).described_tables(64);
        let mut reader = builder.until_lsn(fixture.end()).connect().unwrap();
        let mut count = 0;
        for event in reader.in_time() {
            let event = event.unwrap();
            let table = event.table().unwrap();
            assert_eq!(table.name(), format!("t{}", count % COUNT));
            assert!(!table.columns()[0].is_optional());
            let id: i32 = event.after().unwrap().get("id").unwrap();
            assert_eq!(usize::try_from(id).unwrap(), count / COUNT);
            count += 1;
        }
        assert_eq!(count, 3 * COUNT);
        assert!(tables(&reader) <= 64);
        let sent = queries(&reader);
        assert!(sent < 120, "{sent} queries on PostgreSQL {}", server.major());
        reader.stop().unwrap();
    }
}
