//! Changes of tables inside of transactions that are streamed while in progress.

use std::collections::BTreeSet;
use std::time::Duration;

use pgoutput_harness::Server;
use pgoutput_reader::{
    Acknowledge, ChangeEvent, Config, Op, Position, ReaderBuilder, Reconnect, SchemaOutput,
    SpillOptions, StreamOptions, Streaming,
};
use pgoutput_tests::{
    Condition, Direction, Fixture, InTime as _, Network, PUBLICATION, Random, line,
};

use super::streamed::{assert_same, lines, streaming};
use super::with_streaming_servers;
use super::workload::{Workload, seeds, setup};

/// Rows that fill several chunks.
fn rows(first: u32) -> String {
    let last = first + 99;
    format!(
        "INSERT INTO t (id, v) SELECT n, repeat('x', 2000) FROM generate_series({first}, {last}) n"
    )
}

/// Returns the events up to now.
fn read(
    fixture: &Fixture<'_>,
    streaming: Streaming,
    set_up: impl FnOnce(ReaderBuilder) -> ReaderBuilder,
) -> Vec<ChangeEvent> {
    let options = StreamOptions::new().streaming(streaming);
    fixture.read_with(|builder| {
        set_up(builder.options(options).acknowledge(Acknowledge::Never).schema_changes(true))
    })
}

/// The operations, with a number for each run of more than one.
fn ops(events: &[ChangeEvent]) -> String {
    let chunks = events.chunk_by(|one, other| one.op() == other.op());
    let runs = chunks.map(|run| match run.len() {
        1 => run[0].op().code().to_string(),
        length => format!("{}{length}", run[0].op().code()),
    });
    runs.collect::<Vec<_>>().join(" ")
}

/// A table that is altered inside of large transactions, of which one and a savepoint are rolled
/// back, while another table is altered outside of them.
fn written(server: &Server) -> Fixture<'_> {
    let fixture = Fixture::new(
        server,
        "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY)",
    );
    let (mut large, mut other) = (fixture.client(), fixture.client());
    let mut run = |statement: &str| large.batch_execute(statement).unwrap();
    run("INSERT INTO t VALUES (1)");
    run("BEGIN");
    run(&rows(1000));
    other.batch_execute("INSERT INTO u VALUES (1)").unwrap();
    run("ALTER TABLE t ADD COLUMN w int");
    run(&rows(2000));
    other.batch_execute("ALTER TABLE u ADD COLUMN n int; INSERT INTO u VALUES (2, 2)").unwrap();
    run("ALTER TABLE t ALTER COLUMN v TYPE varchar(3000)");
    run("ALTER TABLE t RENAME COLUMN w TO x");
    run(&rows(3000));
    // Nothing that is altered here is altered again: servers then fail to decode the transaction.
    run("SAVEPOINT s; ALTER TABLE t DROP COLUMN x");
    run(&rows(4000));
    run("ROLLBACK TO SAVEPOINT s");
    run(&rows(5000));
    run("COMMIT");
    run("INSERT INTO t VALUES (2)");
    run("BEGIN; ALTER TABLE t ADD COLUMN y int");
    run(&rows(6000));
    run("ROLLBACK");
    run("INSERT INTO t VALUES (3)");
    run("ALTER TABLE t ADD COLUMN z int; INSERT INTO t VALUES (4)");
    fixture
}

#[test]
fn the_changes_of_a_table_are_the_same_with_and_without_chunks() {
    with_streaming_servers(|server| {
        let fixture = written(server);
        let all = read(&fixture, Streaming::Off, |builder| builder);
        let context = format!("PostgreSQL {}", server.major());
        // The rows of u are committed first: I, S and I after the first row of t.
        assert_eq!(ops(&all), "I2 S I101 S I100 S I202 S I", "{context}");
        for streaming in streaming(server) {
            let context = format!("{context} {streaming:?}");
            for memory_limit in [0, 64 << 20] {
                let spill = SpillOptions::new().memory_limit(memory_limit);
                let streamed = read(&fixture, *streaming, |builder| builder.spill(spill));
                assert_same(&lines(&streamed), &lines(&all), &context);
            }
            let once = |builder: ReaderBuilder| builder.schema_output(SchemaOutput::Once);
            let events = read(&fixture, *streaming, once);
            assert_eq!(ops(&events), "S I S I S I101 S I100 S I202 S I", "{context}");
        }
    });
}

#[test]
fn a_reader_resumes_around_each_change_in_chunks() {
    with_streaming_servers(|server| {
        let fixture = written(server);
        let all = read(&fixture, Streaming::Off, |builder| builder);
        let near = |index: usize| {
            all[index.saturating_sub(1)..].iter().take(3).any(|event| event.op() == Op::Schema)
        };
        let of_rows = |events: &[ChangeEvent]| -> Vec<String> {
            events.iter().filter(|event| event.op() != Op::Schema).map(line).collect()
        };
        for (index, event) in all.iter().enumerate().filter(|(index, _)| near(*index)) {
            let position: Position = event.position().to_string().parse().unwrap();
            for streaming in streaming(server) {
                let context = format!("PostgreSQL {} {streaming:?} {position}", server.major());
                let rest = read(&fixture, *streaming, |builder| builder.resume(position.clone()));
                assert_same(&of_rows(&rest), &of_rows(&all[index + 1..]), &context);
                // All later changes of t inside of its transaction, none twice.
                let in_transaction = |events: &[ChangeEvent]| -> String {
                    let lsn = event.transaction().unwrap().commit_lsn();
                    let same =
                        |event: &&ChangeEvent| event.transaction().unwrap().commit_lsn() == lsn;
                    events.iter().filter(same).map(|event| event.op().code()).collect()
                };
                assert_eq!(in_transaction(&rest), in_transaction(&all[index + 1..]), "{context}");
            }
        }
    });
}

/// The settings with every description that can be an event.
fn both(builder: ReaderBuilder) -> ReaderBuilder {
    builder.schema_output(SchemaOutput::Once)
}

#[test]
fn random_sessions_give_the_same_changes_with_and_without_chunks() {
    with_streaming_servers(|server| {
        for seed in 1..=seeds() {
            let fixture = Fixture::new(server, &setup());
            Workload::new(&fixture, seed).run(250);
            let all = read(&fixture, Streaming::Off, both);
            let changes = all.iter().filter(|event| event.schema_change().is_some()).count();
            assert!(changes > 0, "seed {seed}");
            let all = lines(&all);
            for streaming in streaming(server) {
                let context = format!("PostgreSQL {}, seed {seed}, {streaming:?}", server.major());
                assert_same(&lines(&read(&fixture, *streaming, both)), &all, &context);
            }
        }
    });
}

/// A network before the server, and the settings of a reader over it.
fn networked(fixture: &Fixture<'_>, server: &Server) -> (Network, ReaderBuilder) {
    let network = Network::before(server.port());
    let (own, port) = (format!("port={}", server.port()), format!("port={}", network.port()));
    let dsn = fixture.database().dsn_tcp().replace(&own, &port);
    let config: Config = format!("{dsn} sslmode=disable").parse().unwrap();
    let reconnect = Reconnect::default().initial_delay(Duration::from_millis(1));
    let builder = ReaderBuilder::from(config)
        .slot(fixture.slot_name())
        .publication(PUBLICATION)
        .reconnect(reconnect.max_delay(Duration::from_millis(20)))
        .schema_changes(true)
        .until_lsn(fixture.end());
    (network, builder)
}

/// Within one process no change of a table is repeated or lost, wherever the connection is cut.
#[test]
fn random_sessions_over_a_network_that_cuts_connections_give_the_same_changes() {
    with_streaming_servers(|server| {
        let mut reconnects = 0;
        for seed in 1..=seeds().div_ceil(2) {
            let fixture = Fixture::new(server, &setup());
            Workload::new(&fixture, seed).run(150);
            let whole = lines(&read(&fixture, Streaming::Off, both));
            for streaming in [&[Streaming::Off], streaming(server)].concat() {
                let context = format!("PostgreSQL {}, seed {seed}, {streaming:?}", server.major());
                let (network, builder) = networked(&fixture, server);
                let mut random = Random::new(seed);
                let builder = both(builder).acknowledge(Acknowledge::Never);
                let options = StreamOptions::new().streaming(streaming);
                let mut reader = builder.options(options).connect().unwrap();
                let mut got = Vec::new();
                let mut cut_at = 1;
                for event in reader.in_time() {
                    got.push(line(&event.unwrap_or_else(|error| panic!("{context}: {error}"))));
                    if got.len() >= cut_at {
                        network.set(Direction::ToClient, Condition::Cut(random.below(20_000)));
                        cut_at = got.len() + 1 + random.below(whole.len() / 4);
                    }
                }
                assert_same(&got, &whole, &context);
                reconnects += reader.health().reconnects;
            }
        }
        assert!(reconnects > 3, "{reconnects} reconnections");
    });
}

/// The number of transactions that alter a table between two rows.
const ALTERED: usize = 8;

/// Between processes no change is repeated. One is missing only if its table was last described
/// before the transaction of the stored position.
#[test]
fn random_sessions_read_by_killed_readers_repeat_no_change() {
    with_streaming_servers(|server| {
        for seed in 1..=seeds().div_ceil(2) {
            let context = format!("PostgreSQL {}, seed {seed}", server.major());
            let fixture = Fixture::new(server, &setup());
            Workload::new(&fixture, seed).run(150);
            for number in 1..=ALTERED {
                let id = 1_000_000 + 2 * number;
                fixture.run([&format!(
                    "BEGIN; INSERT INTO s0 (id) VALUES ({id}); \
                     ALTER TABLE s0 ADD COLUMN altered{number} int; \
                     INSERT INTO s0 (id) VALUES ({id} + 1); COMMIT"
                )]);
            }
            let whole = read(&fixture, Streaming::Off, |builder| builder);
            let (_network, builder) = networked(&fixture, server);
            let mut random = Random::new(seed);
            let (mut got, mut runs): (Vec<ChangeEvent>, usize) = (Vec::new(), 0);
            loop {
                fixture.wait_until_free();
                runs += 1;
                let streaming = *random.one_of(streaming(server));
                let mut builder = builder
                    .clone()
                    .options(StreamOptions::new().streaming(streaming))
                    .acknowledge(Acknowledge::Manual);
                if let Some(last) = got.last() {
                    builder = builder.resume(last.position().to_string().parse().unwrap());
                }
                let mut reader = builder.connect().unwrap();
                let number = 1 + random.below(whole.len() / 8);
                let before = got.len();
                got.extend(reader.in_time().take(number).map(Result::unwrap));
                if let Some(last) = got.last().filter(|_| random.one_in(2)) {
                    // Fails for a position of the reader before, which is of no use here.
                    let _ = reader.acknowledger().acknowledge_through(last.position());
                }
                if got.len() - before < number {
                    break;
                }
            }
            let rows = |events: &[ChangeEvent]| -> Vec<String> {
                events.iter().filter(|event| event.op() != Op::Schema).map(line).collect()
            };
            assert_same(&rows(&got), &rows(&whole), &context);
            let changes = |events: &[ChangeEvent]| -> Vec<String> {
                let changes = events.iter().filter_map(|event| {
                    let change = event.schema_change()?;
                    Some(format!("{} {:?}", event.message_id(), change.difference()))
                });
                changes.collect()
            };
            let (found, all) = (changes(&got), changes(&whole));
            let unique: BTreeSet<_> = found.iter().collect();
            assert_eq!(unique.len(), found.len(), "{context}");
            assert!(found.iter().all(|change| all.contains(change)), "{context}");
            let inside = found.iter().filter(|change| change.contains("altered")).count();
            assert!(inside == ALTERED && runs > 4, "{context}: {inside} in {runs} runs");
        }
    });
}
