//! A connection to a scripted server: what is read and sent, and in which order.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use super::*;
use crate::config::Config;
use crate::error::{ErrorKind, LimitError};
use crate::waiting::waiting;

/// A timeout that does not pass in a test that succeeds.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

pub(crate) fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// The messages with which a server accepts a client.
pub(crate) fn greeting() -> Vec<u8> {
    let version = message(b'S', b"server_version\x0018.1\0");
    [message(b'R', b"\0\0\0\0"), version, ready()].concat()
}

pub(crate) fn accepted_client() -> Vec<u8> {
    // The last two messages answer the settings that every connection starts with, which `expect`
    // skips.
    [greeting(), message(b'C', b"SET\0"), ready()].concat()
}

pub(crate) fn error(code: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("SERROR\0VERROR\0C{code}\0M{text}\0\0").as_bytes())
}

/// A result with one row, or with none if there are no values.
pub(crate) fn row(names: &[&str], values: &[&str]) -> Vec<u8> {
    let count = u16::try_from(names.len()).unwrap().to_be_bytes();
    let names = names.iter().flat_map(|name| [name.as_bytes(), &[0; 19]].concat());
    let values = values.iter().flat_map(|value| {
        [&u32::try_from(value.len()).unwrap().to_be_bytes(), value.as_bytes()].concat()
    });
    let values = count.into_iter().chain(values).collect::<Vec<_>>();
    [
        message(b'T', &count.into_iter().chain(names).collect::<Vec<_>>()),
        if values.len() > 2 { message(b'D', &values) } else { Vec::new() },
        message(b'C', b"DONE\0"),
        ready(),
    ]
    .concat()
}

/// The server's end, which expects messages of the client and sends those of the test.
pub(crate) struct Server {
    socket: UnixStream,
}

impl Server {
    /// The server's end of a new connection, and the client's startup packet.
    pub(crate) fn start(mut socket: UnixStream) -> (Self, Vec<u8>) {
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut length = [0; 4];
        socket.read_exact(&mut length).unwrap();
        let mut startup = vec![0; u32::from_be_bytes(length) as usize - 4];
        socket.read_exact(&mut startup).unwrap();
        (Self { socket }, startup)
    }

    /// The next message of the client; `None` if it has closed the connection.
    pub(crate) fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut header = [0; 5];
        self.socket.read_exact(&mut header).ok()?;
        let length = u32::from_be_bytes(*header.last_chunk().unwrap()) as usize;
        let mut body = vec![0; length - 4];
        self.socket.read_exact(&mut body).ok()?;
        Some((header[0], body))
    }

    /// The next message of the client.
    pub(crate) fn expect(&mut self, tag: u8) -> Vec<u8> {
        let body = self.message(tag);
        if tag == b'Q' && body.starts_with(b"SET transaction_timeout ") {
            return self.message(tag);
        }
        body
    }

    fn message(&mut self, tag: u8) -> Vec<u8> {
        let (sent, body) = self.receive().expect("the client closed the connection");
        assert_eq!(char::from(sent), char::from(tag));
        body
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Waits until the client has closed the connection, and ignores what it sends.
    pub(crate) fn ended(mut self) {
        let _ = std::io::copy(&mut self.socket, &mut std::io::sink());
    }

    pub(crate) fn closed(mut self) {
        assert_eq!(self.socket.read(&mut [0]).unwrap(), 0);
    }
}

pub(crate) struct Scripted {
    config: Config,
    server: JoinHandle<()>,
    folder: PathBuf,
}

impl Scripted {
    /// A server that accepts one client and then runs `script`.
    pub(crate) fn new(name: &str, script: impl FnOnce(Server) + Send + 'static) -> Self {
        let folder = std::env::temp_dir().join(format!("pgoutput-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join(".s.PGSQL.5432");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            script(Server::start(socket).0);
        });
        let config = Config::new().host(folder.to_str().unwrap()).port(5432).user("alice");
        let config = config.connect_timeout(TIMEOUT);
        Self { config, server, folder }
    }

    pub(crate) fn connect(&self) -> Connection {
        let mut connection = Connection::connect(&self.config).unwrap();
        connection.set_command_timeout(Some(TIMEOUT));
        connection
    }

    /// The address in errors.
    pub(crate) fn connect_address(&self) -> String {
        self.folder.join(".s.PGSQL.5432").to_str().unwrap().to_owned()
    }

    pub(crate) fn end(self) {
        waiting("the scripted server", || self.server.join()).unwrap();
        std::fs::remove_dir_all(self.folder).unwrap();
    }
}

pub(crate) fn soon() -> Instant {
    Instant::now() + TIMEOUT
}

pub(crate) fn start_copy(connection: Connection) -> CopyBoth {
    connection.start_replication(&StartReplication::new("s", ["p"])).unwrap()
}

/// The payload that the next advance returns, copied.
fn next(copy: &mut CopyBoth) -> Vec<u8> {
    match copy.advance(Some(soon())).unwrap() {
        Advance::Copy(position) => copy.payload(position).to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn replication_commands_are_sent_and_their_answers_read() {
    let scripted = Scripted::new("commands", |mut server| {
        server.send(&accepted_client());
        assert_eq!(server.expect(b'Q'), b"IDENTIFY_SYSTEM\0");
        let names = ["systemid", "timeline", "xlogpos", "dbname"];
        server.send(&row(&names, &["7711058147042099388", "3", "16/B374D848", "shop"]));
        server.expect(b'Q');
        server.send(&[error("42710", "exists"), ready()].concat());
        server.expect(b'Q');
        // A keepalive during the search for the slot's start, as from a walsender that has streamed
        // before.
        server.send(&message(b'd', b"k\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
        server.send(&row(&["slot_name", "consistent_point"], &["s", "0/1"]));
        assert_eq!(server.expect(b'Q'), b"DROP_REPLICATION_SLOT \"s\" WAIT\0");
        server.send(&message(b'C', b"DROP_REPLICATION_SLOT\0"));
        server.send(&ready());
        server.expect(b'X');
        server.closed();
    });
    let mut connection = scripted.connect();
    let system = connection.identify_system().unwrap();
    assert_eq!(system.system_identifier, 7_711_058_147_042_099_388);
    assert_eq!((system.timeline, system.xlogpos), (3, Lsn::new(0x16_B374_D848)));
    assert_eq!(system.dbname.as_deref(), Some("shop"));
    // An error leaves the connection usable.
    let exists = connection.create_slot(&CreateSlot::new("s")).unwrap_err();
    assert_eq!(exists.sqlstate(), Some("42710"));
    let slot = connection.create_slot(&CreateSlot::new("s")).unwrap();
    assert_eq!((slot.name.as_str(), slot.consistent_point), ("s", Lsn::new(1)));
    connection.drop_slot("s", true).unwrap();
    connection.close().unwrap();
    scripted.end();
}

/// The connection then reads that slot, and no lock may end this.
#[cfg(feature = "reader")]
#[test]
fn a_slot_that_another_client_has_just_created_is_read_without_a_lock_timeout() {
    let scripted = Scripted::new("faster", |mut server| {
        server.send(&accepted_client());
        server.expect(b'Q');
        server.send(&row(&["pid"], &["7"]));
        let set = [message(b'C', b"SET\0"), ready()].concat();
        assert_eq!(server.expect(b'Q'), b"SET lock_timeout = 5000\0");
        server.send(&set);
        server.expect(b'Q');
        server.send(&[error("42710", "exists"), ready()].concat());
        assert_eq!(server.expect(b'Q'), b"SET lock_timeout = 0\0");
        server.send(&set);
        server.ended();
    });
    let mut connection = scripted.connect();
    let mut catalog =
        crate::catalog::Catalog::new(connection.sql_connector(&scripted.config).unwrap());
    let limit = Duration::from_secs(5);
    let wait_options = crate::setup::SlotWaitOptions { limit, listener: None, stop: None };
    let slot = CreateSlot::new("s");
    let exists = connection.create_slot_reporting_waits(&slot, &mut catalog, &wait_options);
    assert_eq!(exists.unwrap_err().sqlstate(), Some("42710"));
    drop(connection);
    scripted.end();
}

#[test]
fn changes_notices_and_parameters_come_as_they_are_sent() {
    let scripted = Scripted::new("copy", |mut server| {
        server.send(&accepted_client());
        server.expect(b'Q');
        let parts = [
            message(b'W', b"\0\0\0"),
            message(b'd', b"one"),
            message(b'N', b"SWARNING\0VWARNING\0C01000\0Mskipped loading publication\0\0"),
            message(b'S', b"TimeZone\0UTC\0"),
            message(b'd', b""),
            message(b'd', &vec![b'x'; 300_000]),
        ];
        server.send(&parts.concat());
        assert_eq!(server.expect(b'd'), b"status");
        server.send(&message(b'd', b"four"));
        server.expect(b'c');
        // Neither returned nor confirmed.
        server.send(&message(b'd', b"five"));
        server.send(&[message(b'c', b""), message(b'C', b"COPY 0\0"), ready()].concat());
        server.expect(b'X');
        server.closed();
    });
    let mut copy = start_copy(scripted.connect());
    assert_eq!(next(&mut copy), b"one");
    let Advance::Notice(notice) = copy.advance(Some(soon())).unwrap() else { panic!() };
    assert_eq!(notice.message(), "skipped loading publication");
    // The parameter.
    assert_eq!(copy.advance(Some(soon())).unwrap(), Advance::Handled);
    assert_eq!(next(&mut copy), b"");
    assert_eq!(copy.parameter("TimeZone"), Some("UTC"));
    assert_eq!(next(&mut copy).len(), 300_000);
    assert_eq!(copy.advance_buffered().unwrap(), None);
    assert_eq!(copy.advance(Some(Instant::now())).unwrap(), Advance::TimedOut);
    copy.sender().send_copy_data(b"status").unwrap();
    assert_eq!(next(&mut copy), b"four");
    copy.finish(soon()).unwrap().close().unwrap();
    scripted.end();
}

#[test]
fn an_error_inside_the_copy_is_that_of_the_server() {
    let scripted = Scripted::new("error", |mut server| {
        server.send(&accepted_client());
        server.expect(b'Q');
        server.send(&[message(b'W', b"\0\0\0"), error("57P01", "going down")].concat());
    });
    let mut copy = start_copy(scripted.connect());
    assert_eq!(copy.advance(Some(soon())).unwrap_err().sqlstate(), Some("57P01"));
    scripted.end();
}

#[test]
fn a_copy_that_the_server_has_ended_stays_ended() {
    let scripted = Scripted::new("ended", |mut server| {
        server.send(&accepted_client());
        server.expect(b'Q');
        // As during a shutdown: without CopyDone.
        server.send(&[message(b'W', b"\0\0\0"), message(b'C', b"COPY 0\0")].concat());
    });
    let mut copy = start_copy(scripted.connect());
    assert_eq!(copy.advance(Some(soon())).unwrap(), Advance::Ended);
    assert_eq!(copy.advance(Some(soon())).unwrap(), Advance::Ended);
    let error = copy.finish(soon()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::CopyEnded { .. }), "{error}");
    scripted.end();
}

#[test]
fn the_wait_for_the_end_of_the_copy_has_a_deadline() {
    let scripted = Scripted::new("endless", |mut server| {
        server.send(&accepted_client());
        server.expect(b'Q');
        server.send(&message(b'W', b"\0\0\0"));
        let chunk = message(b'd', &vec![b'x'; 100_000]);
        while server.socket.write_all(&chunk).is_ok() {}
    });
    let copy = start_copy(scripted.connect());
    let error = copy.finish(Instant::now() + Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { doing: "ending the copy from", .. }));
    scripted.end();
}

#[test]
fn a_closed_connection_is_an_error_with_the_address() {
    let scripted = Scripted::new("closed", |mut server| {
        server.send(&accepted_client());
        server.expect(b'Q');
        server.send(&[&message(b'W', b"\0\0\0"), &b"d\0\0\0\x10half"[..]].concat());
    });
    let mut copy = start_copy(scripted.connect());
    let error = copy.advance(Some(soon())).unwrap_err();
    let expected = format!(
        "reading changes from {}/.s.PGSQL.5432: the server closed the connection",
        scripted.folder.display()
    );
    assert_eq!(error.to_string(), expected);
    scripted.end();
}

#[test]
fn a_refused_start_is_the_servers_error() {
    let scripted = Scripted::new("refused", |mut server| {
        server.send(&accepted_client());
        server.expect(b'Q');
        server.send(&[error("55006", "slot is active for PID 917"), ready()].concat());
    });
    let start = StartReplication::new("s", ["p"]);
    let error = scripted.connect().start_replication(&start).unwrap_err();
    assert_eq!(error.sqlstate(), Some("55006"));
    assert!(error.to_string().contains("PID 917"));
    scripted.end();
}

#[test]
fn a_message_over_the_limit_is_refused() {
    let mut scripted = Scripted::new("limit", |mut server| {
        server.send(&accepted_client());
        server.expect(b'Q');
        server.send(&[&message(b'W', b"\0\0\0"), &b"d\x3F\xFF\xFF\xFF"[..]].concat());
        server.closed();
    });
    scripted.config = scripted.config.max_frame_size(1000);
    let mut copy = start_copy(scripted.connect());
    let error = copy.advance(Some(soon())).unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::Limit(LimitError::Message { tag: b'd', length: 0x3FFF_FFFB, limit: 995 })
    ));
    drop(copy);
    scripted.end();
}

#[test]
fn an_incomplete_command_ends_the_connection() {
    let scripted = Scripted::new("cut", |mut server| {
        server.send(&accepted_client());
        server.expect(b'Q');
        server.closed();
    });
    let mut connection = scripted.connect();
    connection.waker().wake();
    let error = connection.simple_query("select pg_catalog.pg_sleep(1000)").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Stopped { .. }));
    let error = connection.simple_query("select 1").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Usage(_)));
    drop(connection);
    scripted.end();
}

#[test]
fn connecting_to_a_silent_server_times_out() {
    let mut scripted = Scripted::new("silent", Server::closed);
    scripted.config = scripted.config.connect_timeout(Duration::from_millis(50));
    let error = Connection::connect(&scripted.config).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { doing: "connecting to", .. }), "{error}");
    scripted.end();
}

#[test]
fn the_next_host_is_tried_when_one_is_not_ready_and_not_when_one_refuses() {
    let starting =
        || Scripted::new("starting", |mut server| server.send(&error("57P03", "starting up")));
    let (first, second) = (starting(), Scripted::new("second", |mut s| s.send(&accepted_client())));
    let both = first.config.clone().host(second.folder.to_str().unwrap());
    let connection = Connection::connect(&both).unwrap();
    assert!(connection.address().starts_with(second.folder.to_str().unwrap()));
    first.end();
    second.end();

    let refusing = Scripted::new("refusing", |mut s| s.send(&error("28P01", "no")));
    let both = refusing.config.clone().host("/nonexistent");
    assert_eq!(Connection::connect(&both).unwrap_err().sqlstate(), Some("28P01"));
    refusing.end();

    let first = starting();
    let both = first.config.clone().host("/nonexistent");
    let error = Connection::connect(&both).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::AllHosts(attempts) if attempts.len() == 2));
    assert_eq!(error.sqlstate(), Some("57P03"));
    first.end();
}
