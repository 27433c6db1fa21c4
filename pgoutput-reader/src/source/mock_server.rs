//! A server for unit tests: it answers replication and SQL connections from a few facts, and hands
//! the stream of each START_REPLICATION to the test.

mod sql;

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pgoutput_decode::Lsn;
use postgres::{Client, NoTls};

use crate::config::Config;
use crate::connection::tests::{Server, error, greeting, message, ready, row};
use crate::error::Error;
use crate::waiting::waiting;

/// A timeout that does not pass in a test that succeeds.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The facts that a server answers with.
#[derive(Debug, Clone)]
pub(crate) struct MockState {
    pub(crate) system_identifier: u64,
    pub(crate) timeline: u32,
    /// The content of the history file of the timeline.
    pub(crate) history: &'static str,
    pub(crate) wal_end: Lsn,
    pub(crate) slot: Option<MockSlot>,
    /// The slot as soon as a connection has acquired it, if other clients move it until then.
    pub(crate) acquired_slot: Option<MockSlot>,
    /// In milliseconds.
    pub(crate) wal_sender_timeout: u32,
    pub(crate) replication: Reception,
    pub(crate) sql: Reception,
    /// The consistent point of the slots that are created.
    pub(crate) point: Lsn,
    /// Whether another client creates the slot first.
    pub(crate) is_late: bool,
    /// The answer to COPY.
    pub(crate) copy: Vec<u8>,
    /// The start of the command after which the connection is closed: without an answer, except for
    /// that to COPY.
    pub(crate) closes_at: Option<&'static str>,
    /// The start of the command that is answered with an error of this SQLSTATE, each time.
    pub(crate) fails_at: Option<(&'static str, &'static str)>,
    /// What becomes `fails_at` when a slot is created.
    pub(crate) fails_once_created: Option<(&'static str, &'static str)>,
    /// The start of the command that is not answered until it is cancelled.
    pub(crate) hangs_at: Option<&'static str>,
    /// Whether SQL connections reach another server.
    pub(crate) is_other: bool,
    /// Whether SQL connections reach a standby.
    pub(crate) is_standby: bool,
}

/// A replication slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MockSlot {
    pub(crate) confirmed: Lsn,
    pub(crate) restart: Lsn,
    pub(crate) is_in_use: bool,
    pub(crate) standby_names: &'static str,
    pub(crate) invalidation_reason: &'static str,
    pub(crate) two_phase: bool,
}

/// The reception of new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reception {
    Accepts,
    /// Refuses them with this SQLSTATE.
    Refuses(&'static str),
    /// Does not answer.
    Hangs,
}

impl MockSlot {
    pub(crate) fn at(confirmed: u64) -> Self {
        Self {
            confirmed: Lsn::new(confirmed),
            restart: Lsn::new(confirmed),
            is_in_use: false,
            standby_names: "",
            invalidation_reason: "",
            two_phase: false,
        }
    }

    /// The columns that the library queries; the empty string is NULL.
    fn columns(&self, wal_end: Lsn) -> [String; 19] {
        let hex = |text: &str| -> String {
            let digit = |value| char::from_digit(u32::from(value), 16).unwrap();
            text.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
        };
        let database = || hex("app");
        let owned = str::to_owned;
        [
            owned("logical"),
            owned("pgoutput"),
            database(),
            database(),
            self.confirmed.to_string(),
            self.restart.to_string(),
            wal_end.to_string(),
            owned("false"),
            owned("7"),
            self.is_in_use.to_string(),
            hex(self.standby_names),
            hex("alice"),
            owned("reserved"),
            String::new(),
            owned(self.invalidation_reason),
            owned("false"),
            owned("false"),
            owned("false"),
            self.two_phase.to_string(),
        ]
    }
}

impl Default for MockState {
    fn default() -> Self {
        Self {
            system_identifier: 700,
            timeline: 1,
            history: "",
            wal_end: Lsn::new(1000),
            slot: Some(MockSlot::at(48)),
            acquired_slot: None,
            wal_sender_timeout: 0,
            replication: Reception::Accepts,
            sql: Reception::Accepts,
            point: Lsn::new(48),
            is_late: false,
            copy: Vec::new(),
            closes_at: None,
            fails_at: None,
            fails_once_created: None,
            hangs_at: None,
            is_other: false,
            is_standby: false,
        }
    }
}

/// A server on a Unix socket.
pub(crate) struct MockServer {
    folder: PathBuf,
    shared: Arc<Shared>,
    streams: Mutex<Receiver<Server>>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<MockState>,
    commands: Mutex<Vec<String>>,
    queries: Mutex<Vec<String>>,
    /// The simple queries on SQL connections.
    session_commands: Mutex<Vec<String>>,
    /// Whether a command that hangs was cancelled.
    is_cancelled: AtomicBool,
    /// Connections that are not answered.
    hanging: Mutex<Vec<Server>>,
    is_closed: AtomicBool,
}

impl MockServer {
    /// Starts a server. `name` distinguishes it from those of other tests.
    pub(crate) fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("pgoutput-{}-mock-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
        let shared = Arc::new(Shared::default());
        let (sender, streams) = channel();
        let streams = Mutex::new(streams);
        let accepting = Arc::clone(&shared);
        let acceptor = Some(thread::spawn(move || accept(&listener, &accepting, &sender)));
        Self { folder, shared, streams, acceptor }
    }

    pub(crate) fn config(&self) -> Config {
        let config = Config::new().host(self.folder.to_str().unwrap()).port(5432).user("alice");
        config.dbname("app").connect_timeout(TIMEOUT).wal_receiver_timeout(2 * TIMEOUT)
    }

    /// Opens an SQL connection.
    pub(crate) fn sql_client(&self) -> Result<Client, Error> {
        let mut config = postgres::Config::new();
        config.user("alice").host_path(&self.folder).connect(NoTls).map_err(Error::sql)
    }

    /// Changes the facts.
    pub(crate) fn set(&self, change: impl FnOnce(&mut MockState)) {
        change(&mut self.shared.state.lock().unwrap());
    }

    /// The server's end of the next stream that was started.
    pub(crate) fn stream(&self) -> Server {
        self.streams.lock().unwrap().recv_timeout(TIMEOUT).unwrap()
    }

    /// The commands on replication connections since the last call.
    pub(crate) fn commands(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.commands.lock().unwrap())
    }

    /// The simple queries on SQL connections since the last call.
    pub(crate) fn session_commands(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.session_commands.lock().unwrap())
    }

    /// The queries on SQL connections since the last call.
    pub(crate) fn queries(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.queries.lock().unwrap())
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::Release);
        self.shared.hanging.lock().unwrap().clear();
        // Ends the wait for the next client.
        drop(UnixStream::connect(self.folder.join(".s.PGSQL.5432")));
        if let Some(acceptor) = self.acceptor.take() {
            waiting("the mock server", || acceptor.join()).unwrap();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Accepts clients, each on a thread of its own that ends with the connection.
fn accept(listener: &UnixListener, shared: &Arc<Shared>, streams: &Sender<Server>) {
    loop {
        let (socket, _) = listener.accept().unwrap();
        if shared.is_closed.load(Ordering::Acquire) {
            return;
        }
        let (shared, streams) = (Arc::clone(shared), streams.clone());
        thread::spawn(move || {
            let (mut server, startup) = Server::start(socket);
            let is_sql = !startup.windows(11).any(|word| word == b"replication");
            let state = shared.state.lock().unwrap().clone();
            match if is_sql { state.sql } else { state.replication } {
                Reception::Refuses(code) => server.send(&error(code, "refused")),
                Reception::Hangs => shared.hanging.lock().unwrap().push(server),
                Reception::Accepts if is_sql => sql::serve(server, &shared),
                Reception::Accepts => replicate(server, &shared, &streams),
            }
        });
    }
}

/// Answers the commands of a replication connection until its stream starts.
fn replicate(mut server: Server, shared: &Shared, streams: &Sender<Server>) {
    server.send(&greeting());
    while let Some((b'Q', command)) = server.receive() {
        let command = String::from_utf8(command).unwrap().trim_end_matches('\0').to_owned();
        let starts = command.starts_with("START_REPLICATION");
        shared.commands.lock().unwrap().push(command.clone());
        if !execute(&mut server, shared, &command) {
            return;
        }
        if starts {
            let _ = streams.send(server);
            return;
        }
    }
}

/// Answers a command. False means that the connection is to be closed.
fn execute(server: &mut Server, shared: &Shared, command: &str) -> bool {
    let is_at = |start: &&str| command.starts_with(*start);
    let (answer, closes, hangs) = {
        let mut state = shared.state.lock().unwrap();
        let closes = state.closes_at.take_if(|start| is_at(&&**start)).is_some();
        let hangs = state.hangs_at.take_if(|start| is_at(&&**start)).is_some();
        let failed = state.fails_at.filter(|(start, _)| is_at(start));
        let answer = match failed {
            Some((_, code)) => [error(code, "failed"), ready()].concat(),
            None => answer(command, &mut state),
        };
        (answer, closes, hangs)
    };
    if hangs {
        while !shared.is_cancelled.swap(false, Ordering::AcqRel) {
            if shared.is_closed.load(Ordering::Acquire) {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        server.send(&[error("57014", "cancelled"), ready()].concat());
        return true;
    }
    if command.starts_with("COPY ") || !closes {
        server.send(&answer);
    }
    !closes
}

fn answer(command: &str, state: &mut MockState) -> Vec<u8> {
    if command.starts_with("START_REPLICATION") {
        state.slot = state.acquired_slot.take().or(state.slot);
        return message(b'W', b"\0\0\0");
    }
    if command.starts_with("CREATE_REPLICATION_SLOT") {
        let point = state.point;
        if state.is_late && !command.contains("_copy_") {
            state.slot = Some(MockSlot::at(48));
            return [error("42710", "exists"), ready()].concat();
        }
        state.fails_at = state.fails_once_created.take().or(state.fails_at);
        if !command.contains("_copy_") {
            state.slot = Some(MockSlot::at(point.as_u64()));
        }
        let names = ["slot_name", "consistent_point", "snapshot_name"];
        return row(&names, &["s", &point.to_string(), "exported"]);
    }
    if command.starts_with("COPY ") {
        return state.copy.clone();
    }
    if command == "IDENTIFY_SYSTEM" {
        let (system, timeline) = (state.system_identifier.to_string(), state.timeline.to_string());
        let names = ["systemid", "timeline", "xlogpos", "dbname"];
        return row(&names, &[&system, &timeline, &state.wal_end.to_string(), "app"]);
    }
    if command.starts_with("TIMELINE_HISTORY") {
        return row(&["filename", "content"], &["history", state.history]);
    }
    if command.contains("FROM pg_catalog.pg_replication_slots AS slot,") {
        let columns = state.slot.map(|slot| slot.columns(state.wal_end));
        let values = columns.iter().flatten().map(String::as_str).collect::<Vec<_>>();
        return row(&["?column?"; 19], &values);
    }
    if command.contains("publication.puballtables, publication.pubinsert,") {
        let names = ["oid", "all", "insert", "update", "delete", "truncate", "root", "generated"];
        return row(&names, &["5", "f", "t", "t", "t", "t", "f", "n"]);
    }
    if command.starts_with("SELECT entry.") {
        return [message(b'C', b"SELECT 0\0"), ready()].concat();
    }
    if command.contains("AS publication") {
        return row(&["pubname"], &["p"]);
    }
    if command.contains("pg_control_system") {
        let system = state.system_identifier + u64::from(state.is_other);
        let names = ["system_identifier", "is_in_recovery"];
        return row(&names, &[&system.to_string(), &state.is_standby.to_string()]);
    }
    if command.starts_with("SELECT pg_catalog.pg_is_in_recovery()") {
        return row(&["is_in_recovery"], &["false"]);
    }
    if command == "SELECT pg_catalog.pg_export_snapshot()" {
        return row(&["pg_export_snapshot"], &["kept"]);
    }
    if command.starts_with("DROP_REPLICATION_SLOT") && !command.contains("_copy_") {
        state.slot = None;
    }
    if command.contains("'wal_sender_timeout'") {
        return row(&["setting"], &[&state.wal_sender_timeout.to_string()]);
    }
    if command == "SHOW wal_level" {
        return row(&["wal_level"], &["logical"]);
    }
    if command == "SELECT pg_catalog.pg_backend_pid()" {
        return row(&["pg_backend_pid"], &["7"]);
    }
    [message(b'C', b"DONE\0"), ready()].concat()
}
