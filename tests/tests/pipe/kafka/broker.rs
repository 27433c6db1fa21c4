//! A broker with transactions, as far as the tests need them.
//!
//! Apache Kafka runs on a JVM and is not among the packages that the tests can fetch. This broker
//! follows the protocol's documentation: sequence numbers and epochs of producers, markers at the
//! end of transactions, the last stable offset, and the list of aborted transactions. What it has
//! acknowledged survives a kill, as in a cluster with replicas.

mod transactions;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::log::{INVALID_EPOCH, Log};
use super::scram::{Exchange, Hash};
use super::wire::{Answer, Request};

pub(super) const PRODUCE: i16 = 0;
pub(super) const FETCH: i16 = 1;
const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const CREATE_TOPICS: i16 = 19;
pub(super) const INIT_PRODUCER: i16 = 22;
pub(super) const ADD_PARTITIONS: i16 = 24;
pub(super) const END_TRANSACTION: i16 = 26;
const DESCRIBE_CONFIGS: i16 = 32;
const SASL_AUTHENTICATE: i16 = 36;

const UNKNOWN_TOPIC: i16 = 3;
const TOO_LARGE: i16 = 10;
const UNSUPPORTED_VERSION: i16 = 35;
const TOPIC_EXISTS: i16 = 36;
const INVALID_TRANSACTION: i16 = 48;
const UNSUPPORTED_MECHANISM: i16 = 33;
const AUTHENTICATION_FAILED: i16 = 58;

/// The versions of requests that are understood.
const VERSIONS: &[(i16, i16, i16)] = &[
    (PRODUCE, 3, 3),
    (FETCH, 4, 4),
    (LIST_OFFSETS, 2, 2),
    (METADATA, 4, 4),
    (FIND_COORDINATOR, 1, 1),
    (SASL_HANDSHAKE, 1, 1),
    (API_VERSIONS, 0, 0),
    (CREATE_TOPICS, 2, 4),
    (INIT_PRODUCER, 1, 1),
    (ADD_PARTITIONS, 0, 0),
    (END_TRANSACTION, 1, 1),
    (DESCRIBE_CONFIGS, 1, 1),
    (SASL_AUTHENTICATE, 0, 0),
];

/// A disturbance of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is answered with this error, and has no effect.
    Error(i16),
    /// The connection is closed before it has an effect.
    CutBefore,
    /// The connection is closed after it has had its effect.
    CutAfter,
}

/// A broker on a port of 127.0.0.1.
#[derive(Debug)]
pub(crate) struct Broker {
    port: u16,
    state: Arc<Mutex<State>>,
}

/// The settings of a broker.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// Whether topics must be created before they are written to.
    pub(super) creates_no_topics: bool,
    pub(super) has_no_transactions: bool,
    pub(super) max_message: Option<usize>,
    /// The name that clients are sent to, 127.0.0.1 if it is empty.
    pub(super) host: &'static str,
    /// The password of every user.
    pub(super) password: Option<&'static str>,
    /// Whether passwords are checked with SCRAM instead of PLAIN.
    pub(super) scram: Option<Hash>,
}

#[derive(Debug, Default)]
struct State {
    settings: Settings,
    topics: BTreeMap<String, Topic>,
    transactions: HashMap<String, Transaction>,
    producers: i64,
    faults: Vec<(i16, Fault)>,
    connections: Vec<TcpStream>,
    /// The number of starts, of which one listens.
    start: usize,
    is_down: bool,
    /// The port that clients are sent to.
    advertised: u16,
}

#[derive(Debug)]
struct Topic {
    partitions: Vec<Log>,
    policy: String,
}

#[derive(Debug, Default)]
struct Transaction {
    producer: i64,
    epoch: i16,
    partitions: BTreeSet<(String, usize)>,
    /// How the last one ended.
    ended: Option<bool>,
}

impl Broker {
    pub(crate) fn start() -> Self {
        Self::with(Settings::default())
    }

    pub(super) fn with(settings: Settings) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { settings, advertised: port, ..State::default() };
        let broker = Self { port, state: Arc::new(Mutex::new(state)) };
        broker.listen(listener);
        broker
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Sends clients to this port, which leads to the broker.
    pub(crate) fn advertise(&self, port: u16) {
        lock(&self.state).advertised = port;
    }

    /// Creates a topic.
    pub(super) fn create(&self, name: &str, partitions: usize, policy: &str) {
        let partitions = (0..partitions).map(|_| Log::default()).collect();
        let topic = Topic { partitions, policy: policy.into() };
        lock(&self.state).topics.insert(name.into(), topic);
    }

    /// Returns the offset after the last record of a topic's first partition.
    pub(super) fn end(&self, topic: &str) -> i64 {
        lock(&self.state).topics.get(topic).map_or(0, |topic| topic.partitions[0].end)
    }

    /// Deletes a topic.
    pub(super) fn delete(&self, name: &str) {
        lock(&self.state).topics.remove(name).unwrap();
    }

    /// Disturbs the next request of this kind.
    pub(super) fn disturb(&self, api: i16, fault: Fault) {
        lock(&self.state).faults.push((api, fault));
    }

    /// Returns whether all disturbances have happened.
    pub(super) fn is_undisturbed(&self) -> bool {
        lock(&self.state).faults.is_empty()
    }

    /// Ends it at once: answers in progress are lost.
    pub(crate) fn kill(&self) {
        let mut state = lock(&self.state);
        state.start += 1;
        state.is_down = true;
        for connection in state.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        drop(state);
        // Wakes the listener, which ends.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }

    /// Starts it again.
    pub(crate) fn restart(&self) {
        let listener = pgoutput_tests::eventually("the port to be free", || {
            TcpListener::bind(("127.0.0.1", self.port)).ok()
        });
        lock(&self.state).is_down = false;
        self.listen(listener);
    }

    fn listen(&self, listener: TcpListener) {
        let (state, start) = (Arc::clone(&self.state), lock(&self.state).start);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let mut locked = lock(&state);
                if locked.start != start {
                    return;
                }
                locked.connections.push(stream.try_clone().unwrap());
                drop(locked);
                let state = Arc::clone(&state);
                thread::spawn(move || serve(&state, stream, start));
            }
        });
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers the requests of a connection.
fn serve(state: &Mutex<State>, mut stream: TcpStream, start: usize) {
    let mut is_known = lock(state).settings.password.is_none();
    let mut exchange = None;
    while let Ok(mut request) = Request::read(&mut stream) {
        let mut locked = lock(state);
        if locked.start != start || locked.is_down {
            return;
        }
        let fault = locked.faults.iter().position(|(api, _)| *api == request.api);
        let fault = fault.map(|at| locked.faults.remove(at).1);
        if fault == Some(Fault::CutBefore) {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
        let mut answer = Answer::default();
        answer.i32(request.correlation);
        let error = match fault {
            Some(Fault::Error(error)) => error,
            _ => 0,
        };
        let api = request.api;
        if !is_known && !matches!(api, API_VERSIONS | SASL_HANDSHAKE | SASL_AUTHENTICATE) {
            return;
        }
        match api {
            SASL_AUTHENTICATE => {
                is_known = locked.authenticate(&mut exchange, &mut request, &mut answer);
            }
            _ => locked.answer(&mut request, &mut answer, error),
        }
        drop(locked);
        if fault == Some(Fault::CutAfter) {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
        if api == FETCH && answer.0.len() < 100 {
            // Nothing is there, so that the client need not ask at once.
            thread::sleep(Duration::from_millis(5));
        }
        let mut bytes = Vec::from(i32::try_from(answer.0.len()).unwrap().to_be_bytes());
        bytes.extend(answer.0);
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

impl State {
    fn host(&self) -> &'static str {
        if self.settings.host.is_empty() { "127.0.0.1" } else { self.settings.host }
    }

    fn answer(&mut self, request: &mut Request, answer: &mut Answer, error: i16) {
        match request.api {
            API_VERSIONS => self.versions(request, answer),
            METADATA => self.metadata(request, answer),
            PRODUCE => self.produce(request, answer, error),
            FETCH => self.fetch(request, answer),
            LIST_OFFSETS => self.list_offsets(request, answer),
            FIND_COORDINATOR => {
                answer.i32(0).i16(0).null();
                answer.i32(1).string(self.host()).i32(self.advertised.into());
            }
            CREATE_TOPICS => self.create_topics(request, answer),
            DESCRIBE_CONFIGS => self.describe_configs(request, answer),
            INIT_PRODUCER => self.init_producer(request, answer, error),
            ADD_PARTITIONS => self.add_partitions(request, answer, error),
            END_TRANSACTION => self.end_transaction(request, answer, error),
            SASL_HANDSHAKE => {
                let mechanism = self.settings.scram.map_or("PLAIN", Hash::mechanism);
                let is_known = request.string() == mechanism;
                answer.i16(if is_known { 0 } else { UNSUPPORTED_MECHANISM });
                answer.list([mechanism], |answer, name| {
                    answer.string(name);
                });
            }
            api => panic!("unexpected request {api}"),
        }
    }

    fn versions(&self, request: &Request, answer: &mut Answer) {
        let is_known = |api: i16| {
            let is_transactional = matches!(api, INIT_PRODUCER | ADD_PARTITIONS | END_TRANSACTION);
            !(self.settings.has_no_transactions && is_transactional)
        };
        answer.i16(if request.version == 0 { 0 } else { UNSUPPORTED_VERSION });
        let versions = VERSIONS.iter().filter(|(api, ..)| is_known(*api));
        answer.list(versions, |answer, (api, low, high)| {
            answer.i16(*api).i16(*low).i16(*high);
        });
    }

    /// Answers a step of an authentication, and returns whether that has succeeded.
    fn authenticate(
        &self,
        exchange: &mut Option<Exchange>,
        request: &mut Request,
        answer: &mut Answer,
    ) -> bool {
        let bytes = request.bytes();
        let right = self.settings.password.unwrap_or_default();
        let (reply, is_known) = match (self.settings.scram, exchange.take()) {
            (None, _) => {
                let password = bytes.rsplit(|byte| *byte == 0).next().unwrap_or_default();
                let is_right = right.as_bytes() == password;
                (is_right.then(Vec::new), is_right)
            }
            (Some(hash), None) => {
                let (begun, reply) = Exchange::begin(hash, right, &bytes);
                *exchange = Some(begun);
                (Some(reply), false)
            }
            (Some(_), Some(begun)) => {
                let reply = begun.finish(&bytes);
                let is_right = reply.is_some();
                (reply, is_right)
            }
        };
        match reply {
            Some(reply) => answer.i16(0).null().bytes(&reply),
            None => answer.i16(AUTHENTICATION_FAILED).string("Authentication failed").bytes(b""),
        };
        is_known
    }

    fn metadata(&mut self, request: &mut Request, answer: &mut Answer) {
        let names = request.list(Request::string);
        let creates = request.i8() != 0 && !self.settings.creates_no_topics;
        let names = names.unwrap_or_else(|| self.topics.keys().cloned().collect());
        answer.i32(0).list([()], |answer, ()| {
            answer.i32(1).string(self.host()).i32(self.advertised.into()).null();
        });
        answer.string("test").i32(1);
        answer.list(names, |answer, name| {
            if creates && !self.topics.contains_key(&name) {
                let topic = Topic { partitions: vec![Log::default()], policy: "delete".into() };
                self.topics.insert(name.clone(), topic);
            }
            let topic = self.topics.get(&name);
            answer.i16(if topic.is_some() { 0 } else { UNKNOWN_TOPIC }).string(&name).i8(0);
            let len = topic.map_or(0, |topic| topic.partitions.len());
            answer.list(0..i32::try_from(len).unwrap(), |answer, partition| {
                let broker = |answer: &mut Answer, ()| {
                    answer.i32(1);
                };
                answer.i16(0).i32(partition).i32(1).list([()], broker).list([()], broker);
            });
        });
    }

    fn partition(&mut self, topic: &str, partition: i32) -> Option<&mut Log> {
        self.topics.get_mut(topic)?.partitions.get_mut(usize::try_from(partition).ok()?)
    }

    fn produce(&mut self, request: &mut Request, answer: &mut Answer, error: i16) {
        let id = request.nullable();
        let (_acks, _timeout) = (request.i16(), request.i32());
        let topics = request.list(|request| {
            let topic = request.string();
            let read = |request: &mut Request| (request.i32(), request.bytes());
            (topic, request.list(read).unwrap())
        });
        answer.list(topics.unwrap(), |answer, (topic, partitions)| {
            answer.string(&topic).list(partitions, |answer, (partition, bytes)| {
                let stored = match error {
                    0 => self.append(id.as_deref(), &topic, partition, bytes),
                    error => Err(error),
                };
                let (error, offset) = stored.map_or_else(|error| (error, -1), |offset| (0, offset));
                answer.i32(partition).i16(error).i64(offset).i64(-1);
            });
        });
        answer.i32(0);
    }

    fn append(
        &mut self,
        id: Option<&str>,
        topic: &str,
        partition: i32,
        bytes: Vec<u8>,
    ) -> Result<i64, i16> {
        if self.settings.max_message.is_some_and(|max| bytes.len() > max) {
            return Err(TOO_LARGE);
        }
        if let Some(id) = id {
            let producer = i64::from_be_bytes(bytes[43..51].try_into().unwrap());
            let epoch = i16::from_be_bytes(bytes[51..53].try_into().unwrap());
            let transaction = self.transactions.get(id).ok_or(INVALID_TRANSACTION)?;
            if (transaction.producer, transaction.epoch) != (producer, epoch) {
                return Err(INVALID_EPOCH);
            }
            let key = (topic.to_owned(), usize::try_from(partition).unwrap());
            if !transaction.partitions.contains(&key) {
                return Err(INVALID_TRANSACTION);
            }
        }
        self.partition(topic, partition).ok_or(UNKNOWN_TOPIC)?.append(bytes)
    }

    fn fetch(&mut self, request: &mut Request, answer: &mut Answer) {
        let (_replica, _wait, _min) = (request.i32(), request.i32(), request.i32());
        let (_max, committed) = (request.i32(), request.i8() == 1);
        let topics = request.list(|request| {
            let topic = request.string();
            let read = |request: &mut Request| (request.i32(), request.i64(), request.i32());
            (topic, request.list(read).unwrap())
        });
        answer.i32(0).list(topics.unwrap(), |answer, (topic, partitions)| {
            answer.string(&topic).list(partitions, |answer, (partition, from, max)| {
                let max = usize::try_from(max).unwrap();
                let log = self.partition(&topic, partition);
                let (end, stable) = log.as_ref().map_or((-1, -1), |log| (log.end, log.stable()));
                let read = log.ok_or(UNKNOWN_TOPIC).and_then(|log| log.read(from, committed, max));
                let error = read.as_ref().err().copied().unwrap_or_default();
                let (bytes, aborted) = read.unwrap_or_default();
                answer.i32(partition).i16(error).i64(end).i64(stable);
                answer.list(aborted, |answer, aborted| {
                    answer.i64(aborted.producer).i64(aborted.first);
                });
                answer.bytes(&bytes);
            });
        });
    }

    fn list_offsets(&mut self, request: &mut Request, answer: &mut Answer) {
        let (_replica, committed) = (request.i32(), request.i8() == 1);
        let topics = request.list(|request| {
            let topic = request.string();
            let read = |request: &mut Request| (request.i32(), request.i64());
            (topic, request.list(read).unwrap())
        });
        answer.i32(0).list(topics.unwrap(), |answer, (topic, partitions)| {
            answer.string(&topic).list(partitions, |answer, (partition, time)| {
                let (error, offset) = match self.partition(&topic, partition) {
                    None => (UNKNOWN_TOPIC, -1),
                    // -2 is the beginning, -1 the end.
                    Some(_) if time == -2 => (0, 0),
                    Some(log) => (0, if committed { log.stable() } else { log.end }),
                };
                answer.i32(partition).i16(error).i64(-1).i64(offset);
            });
        });
    }

    fn create_topics(&mut self, request: &mut Request, answer: &mut Answer) {
        let topics = request.list(|request| {
            let (name, partitions, _replicas) = (request.string(), request.i32(), request.i16());
            request.list(|request| (request.i32(), request.list(Request::i32)));
            let configs = request.list(|request| (request.string(), request.nullable()));
            (name, partitions, configs.unwrap_or_default())
        });
        answer.i32(0).list(topics.unwrap(), |answer, (name, partitions, configs)| {
            let error = if self.topics.contains_key(&name) { TOPIC_EXISTS } else { 0 };
            if error == 0 {
                let policy = configs.into_iter().find(|(name, _)| name == "cleanup.policy");
                let policy = policy.and_then(|(_, value)| value).unwrap_or("delete".into());
                let partitions = (0..partitions).map(|_| Log::default()).collect();
                self.topics.insert(name.clone(), Topic { partitions, policy });
            }
            answer.string(&name).i16(error).null();
        });
    }

    fn describe_configs(&self, request: &mut Request, answer: &mut Answer) {
        let resources = request.list(|request| {
            let resource = (request.i8(), request.string());
            request.list(Request::string);
            resource
        });
        answer.i32(0).list(resources.unwrap(), |answer, (kind, name)| {
            let policy = self.topics.get(&name).map(|topic| topic.policy.as_str());
            answer.i16(if policy.is_some() { 0 } else { UNKNOWN_TOPIC }).null();
            answer.i8(kind).string(&name).list(policy, |answer, policy| {
                answer.string("cleanup.policy").string(policy).i8(0).i8(1).i8(0).i32(0);
            });
        });
    }
}
