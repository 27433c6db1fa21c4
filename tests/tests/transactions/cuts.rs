//! Random sessions, read over a network that cuts connections, by readers that end at any point,
//! as if their processes were killed.

use pgoutput_harness::Server;
use pgoutput_reader::{
    Acknowledge, Config, Position, ReaderBuilder, SpillOptions, StreamOptions, Streaming,
};
use pgoutput_tests::{
    Condition, Direction, Fixture, InTime as _, Network, PUBLICATION, Random, line,
};

use super::streamed::streaming;
use super::with_streaming_servers;
use super::workload::{Workload, seeds, setup};

/// The largest number of events that one reader reads.
const EVENTS: usize = 400;

/// The largest number of bytes after which a connection is cut. A chunk has some 64,000.
const BYTES: usize = 300_000;

fn run(server: &Server, seed: u64, options: &StreamOptions) {
    let context = format!("PostgreSQL {}, seed {seed}, {options:?}", server.major());
    let fixture = Fixture::new(server, &setup());
    let whole = || -> Vec<String> {
        let events = fixture
            .read_with(|builder| builder.options(options.clone()).acknowledge(Acknowledge::Never));
        events.iter().map(line).collect()
    };
    // From the first start on, the slot sends prepared transactions if that is requested.
    assert!(whole().is_empty());
    Workload::new(&fixture, seed).run(150);
    let whole = whole();
    let end = fixture.end();

    let network = Network::before(server.port());
    let (own, port) = (format!("port={}", server.port()), format!("port={}", network.port()));
    let dsn = fixture.database().dsn_tcp().replace(&own, &port);
    let config: Config = format!("{dsn} sslmode=disable").parse().unwrap();
    let mut random = Random::new(seed);
    let mut got = Vec::new();
    let mut stored: Option<String> = None;
    let mut readers = 0;
    loop {
        fixture.wait_until_free();
        readers += 1;
        let memory_limit = *random.one_of(&[0, 100_000, 64 << 20]);
        let mut builder = ReaderBuilder::from(config.clone())
            .slot(fixture.slot_name())
            .publication(PUBLICATION)
            .options(options.clone())
            .spill(SpillOptions::new().memory_limit(memory_limit))
            .acknowledge(Acknowledge::Manual)
            .until_lsn(end);
        if let Some(position) = &stored {
            builder = builder.resume(position.parse::<Position>().unwrap());
        }
        let mut reader = builder.connect().unwrap();
        let acknowledger = reader.acknowledger();
        if random.one_in(2) {
            network.set(Direction::ToClient, Condition::Cut(random.below(BYTES)));
        }
        let number = 1 + random.below(EVENTS);
        let acknowledges = random.one_in(2);
        let mut read = 0;
        for event in reader.in_time().take(number) {
            let event = event.unwrap_or_else(|error| panic!("{context}: {error}"));
            got.push(line(&event));
            stored = Some(event.position().to_string());
            if acknowledges {
                acknowledger.acknowledge(event.position()).unwrap();
            }
            read += 1;
        }
        network.restore();
        if read < number {
            break;
        }
    }
    for (index, (got, expected)) in got.iter().zip(&whole).enumerate() {
        assert_eq!(got, expected, "{context}, event {index}");
    }
    assert_eq!(got.len(), whole.len(), "{context}");
    let cuts = network.faults();
    assert!(readers > 5 && cuts > 0, "{context}: {readers} readers, {cuts} cuts");
    println!("{context}: {} events, {readers} readers, {cuts} cuts", got.len());
}

#[test]
fn random_sessions_survive_cuts_and_killed_readers() {
    with_streaming_servers(|server| {
        let settings = [&[Streaming::Off], streaming(server)].concat();
        let prepared = if server.major() >= 15 { &[false, true][..] } else { &[false] };
        for seed in 1..=seeds().div_ceil(2) {
            for (streaming, two_phase) in settings
                .iter()
                .flat_map(|streaming| prepared.iter().map(move |prepared| (streaming, prepared)))
            {
                let options = StreamOptions::new().streaming(*streaming).two_phase(*two_phase);
                run(server, seed, &options);
            }
        }
    });
}
