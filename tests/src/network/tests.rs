use std::sync::mpsc::channel;

use super::*;

/// A limit that a correct test never reaches.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The time for which the absence of data is checked.
const SILENCE: Duration = Duration::from_millis(50);

/// Returns a network with a client on one side and a server on the other.
fn connected() -> (Network, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let network = Network::before(listener.local_addr().unwrap().port());
    let client = TcpStream::connect(("127.0.0.1", network.port())).unwrap();
    let (server, _) = pgoutput_harness::waiting("the network", || listener.accept()).unwrap();
    for end in [&client, &server] {
        end.set_read_timeout(Some(TIMEOUT)).unwrap();
    }
    (network, client, server)
}

fn all(mut from: &TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    let _ = from.read_to_end(&mut got);
    got
}

fn some(mut from: &TcpStream) -> Vec<u8> {
    let mut got = [0; 100];
    let len = from.read(&mut got).unwrap();
    got[..len].to_vec()
}

fn silent(from: &TcpStream) -> bool {
    from.set_read_timeout(Some(SILENCE)).unwrap();
    let timed_out = matches!(
        (&*from).read(&mut [0]).map_err(|error| error.kind()),
        Err(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
    );
    from.set_read_timeout(Some(TIMEOUT)).unwrap();
    timed_out
}

#[test]
fn bytes_and_ends_are_forwarded() {
    let (_network, client, server) = connected();
    (&client).write_all(b"there").unwrap();
    assert_eq!(some(&server), b"there");
    (&server).write_all(b"and back").unwrap();
    drop(server);
    assert_eq!(all(&client), b"and back");
}

#[test]
fn a_cut_happens_after_the_chosen_byte_in_either_direction() {
    for after in [0, 1, 7, 10] {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let (network, client, server) = connected();
            let (from, to) = match direction {
                Direction::ToServer => (&client, &server),
                Direction::ToClient => (&server, &client),
            };
            network.set(direction, Condition::Cut(after));
            { from }.write_all(b"0123456789").unwrap();
            assert_eq!(all(to), b"0123456789"[..after]);
            // The other direction as well.
            assert_eq!(all(from), b"");
            assert_eq!(network.faults(), 1);
        }
    }
}

#[test]
fn a_half_close_keeps_the_other_direction() {
    let (network, client, server) = connected();
    network.set(Direction::ToClient, Condition::HalfClose(3));
    (&server).write_all(b"012345").unwrap();
    assert_eq!(all(&client), b"012");
    (&client).write_all(b"still here").unwrap();
    assert_eq!(some(&server), b"still here");
}

#[test]
fn a_stall_loses_nothing() {
    let (network, client, server) = connected();
    network.set(Direction::ToServer, Condition::Stall(2));
    (&client).write_all(b"0123").unwrap();
    assert_eq!(some(&server), b"01");
    assert!(silent(&server));
    network.restore();
    assert_eq!(some(&server), b"23");
}

#[test]
fn a_delay_loses_nothing() {
    let (network, client, server) = connected();
    network.set(Direction::ToServer, Condition::Delay(SILENCE * 4));
    (&client).write_all(b"late").unwrap();
    assert!(silent(&server));
    assert_eq!(some(&server), b"late");
}

#[test]
fn a_discarding_network_is_silent_until_it_is_restored() {
    let (network, client, server) = connected();
    network.discard();
    (&client).write_all(b"anybody?").unwrap();
    let meanwhile = TcpStream::connect(("127.0.0.1", network.port())).unwrap();
    assert!(silent(&server) && silent(&client) && silent(&meanwhile));
    network.restore();
    assert_eq!((all(&server), all(&client), all(&meanwhile)), (vec![], vec![], vec![]));
}

#[test]
fn cut_ends_all_connections() {
    let (network, client, server) = connected();
    (&client).write_all(b"there").unwrap();
    assert_eq!(some(&server), b"there");
    let (cut, was_cut) = channel();
    let waiting = thread::spawn(move || cut.send(all(&client)).unwrap());
    network.cut();
    assert_eq!(was_cut.recv_timeout(TIMEOUT).unwrap(), b"");
    assert_eq!(all(&server), b"");
    pgoutput_harness::waiting("a connection that was cut", || waiting.join()).unwrap();
}
