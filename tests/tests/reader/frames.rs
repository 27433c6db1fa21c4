//! Messages that are returned undecoded.

use pgoutput_decode::{Decoder, Lsn, Message};
use pgoutput_harness::{Server, servers_from};
use pgoutput_reader::{
    Config, Connection, ReplicationStream, StartReplication, StreamOptions, Streaming,
};
use pgoutput_tests::{Fixture, PUBLICATION, stopped_in_time};

/// A message's position and bytes, and whether it was in a chunk, if known.
type Received = (Lsn, Vec<u8>, Option<bool>);

fn stream(fixture: &Fixture<'_>) -> ReplicationStream {
    let dsn = fixture.database().dsn();
    let config: Config =
        format!("{dsn} options='-c logical_decoding_work_mem=64kB'").parse().unwrap();
    let start = StartReplication::new(fixture.slot_name(), [PUBLICATION])
        .options(StreamOptions::new().streaming(Streaming::On));
    Connection::connect(&config).unwrap().stream(&start).unwrap()
}

/// Reads two transactions. `decoded` chooses by index the messages that are decoded.
fn read(fixture: &Fixture<'_>, decoded: impl Fn(usize) -> bool) -> Vec<Received> {
    let mut stream = stream(fixture);
    let wait = stopped_in_time("two transactions", stream.stop_handle());
    let (mut decoder, mut messages, mut commits) = (Decoder::new(), Vec::new(), 0);
    while commits < 2 {
        let (lsn, bytes, in_stream) = if decoded(messages.len()) {
            let event = stream.next_event().unwrap().unwrap();
            (event.wal_start, event.frame().to_vec(), Some(event.in_stream()))
        } else {
            let frame = stream.next_frame().unwrap().unwrap();
            assert_eq!(frame.wal_end, frame.wal_start);
            assert!(frame.send_time.as_micros() > 0);
            (frame.wal_start, frame.data.to_vec(), None)
        };
        let expected = decoder.stream_xid().is_some();
        assert_eq!(in_stream.unwrap_or(expected), expected);
        let message = decoder.decode(&bytes).unwrap();
        commits += usize::from(matches!(message, Message::Commit(_) | Message::StreamCommit(_)));
        messages.push((lsn, bytes, in_stream));
    }
    wait.done();
    stream.stop().unwrap();
    fixture.wait_until_free();
    messages
}

fn without_states(messages: &[Received]) -> Vec<(Lsn, &[u8])> {
    messages.iter().map(|(lsn, bytes, _)| (*lsn, &bytes[..])).collect()
}

#[test]
fn frames_are_the_bytes_of_messages_also_when_both_are_read() {
    for shared in servers_from(14) {
        // A publication of all tables, created in any database, lets the server describe a table
        // once more. So this test uses its own server.
        let server = &Server::of_major(shared.major()).unwrap();
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        // The second transaction is larger than `logical_decoding_work_mem`, so it arrives in
        // several chunks.
        fixture.run(["INSERT INTO t VALUES (-1)", "INSERT INTO t SELECT generate_series(1, 3000)"]);
        let messages = read(&fixture, |_| true);
        let chunked = messages.iter().filter(|(.., in_stream)| *in_stream == Some(true)).count();
        assert!(chunked > 3000, "{chunked} of {} messages in chunks", messages.len());
        let decoders: [fn(usize) -> bool; 3] =
            [|_| false, |index| index % 2 == 0, |index| index % 2 == 1];
        for decoded in decoders {
            let again = read(&fixture, decoded);
            assert_eq!(again.len(), messages.len());
            for (again, first) in without_states(&again).iter().zip(without_states(&messages)) {
                assert_eq!(*again, first);
            }
        }
    }
}
