//! Replacing lost streams, against a mock server.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use pgoutput_decode::{StandbyStatusUpdate, TimestampTz};

use super::super::reconnect_policy::{Reconnect, ReconnectAttempt};
use super::*;
use crate::connection::tests::{Server, message, ready};
use crate::error::SetupError;
use crate::event::ReaderId;
use crate::listener::Listener;
use crate::proto::{MissingPublication, StartReplication, StreamOptions};
use crate::setup::SlotWaitOptions;
use crate::source::identify;
use crate::source::mock_server::{MockServer, MockSlot, Reception};
use crate::stream::{AcknowledgedLsns, Publications, SkippedPublication};

/// A timeout that does not pass in a test that succeeds.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A delay that does not end in a test.
const HOUR: Duration = Duration::from_secs(3600);

fn soon() -> Instant {
    Instant::now() + TIMEOUT
}

fn now() -> Instant {
    Instant::now()
}

/// Attempts without a delay.
fn at_once() -> Reconnect {
    Reconnect::default().initial_delay(Duration::ZERO).max_delay(HOUR).max_elapsed(None)
}

fn settings(reconnect: Reconnect) -> StreamSettings {
    let options = StreamOptions::new().missing_publication(MissingPublication::Skip);
    StreamSettings {
        heartbeat: false,
        temporary: false,
        reconnect,
        on_reconnect: None,
        on_reconnected: None,
        publications: Publications::of(&StartReplication::new("s", ["p"]).options(options)),
        on_skipped: None,
        on_slot_at_risk: None,
        acknowledged: Arc::new(AcknowledgedLsns::new(false)),
        falls_back: true,
        copy: None,
    }
}

fn identity(opener: &StreamOpener, opened: &Opened) -> Arc<StreamIdentity> {
    Arc::new(identify(ReaderId::unique(), &opened.system, &opener.start, false))
}

fn replication(server: &MockServer, settings: StreamSettings) -> Replication {
    let start = StartReplication::new("s", ["p"]);
    let opener = StreamOpener { config: server.config(), start };
    let wait_options = SlotWaitOptions { limit: Duration::ZERO, listener: None, stop: None };
    let opened = opener.open(None, None, &wait_options).unwrap();
    let identity = identity(&opener, &opened);
    Replication::new(opener, opened, settings, identity, None).unwrap()
}

fn keepalive(wal_end: u64) -> Vec<u8> {
    message(b'd', &[&b"k"[..], &wal_end.to_be_bytes(), &[0; 9]].concat())
}

fn begin(wal_start: u64) -> Vec<u8> {
    let envelope = [&b"w"[..], &wal_start.to_be_bytes(), &[0; 16]].concat();
    message(b'd', &[&envelope[..], b"B", &[0; 20]].concat())
}

fn notice(text: &str, routine: &str) -> Vec<u8> {
    let fields = format!("SWARNING\0VWARNING\0C01000\0M{text}\0R{routine}\0\0");
    message(b'N', fields.as_bytes())
}

/// The next status update that satisfies this.
fn status(server: &mut Server, wanted: impl Fn(&StandbyStatusUpdate) -> bool) {
    while !wanted(&StandbyStatusUpdate::decode(&server.expect(b'd')).unwrap()) {}
}

fn cut() -> Error {
    Error::io("reading changes from", "db:5432", io::ErrorKind::ConnectionReset.into())
}

fn server_error(code: &str) -> Error {
    ServerMessage::new([(b'C', code.as_bytes())].into_iter(), true).into()
}

fn stopped() -> Error {
    Error::stopped("reading changes from", "db:5432")
}

/// Closes the server's end, and steps until that is noticed.
fn lose(replication: &mut Replication, stream: Server) {
    drop(stream);
    let error = replication.step(soon).unwrap_err();
    replication.replace_stream(error).unwrap();
}

fn restart(replication: &mut Replication, server: &MockServer) -> Server {
    let step = replication.step(soon).unwrap();
    assert!(matches!(step, Step::Restarted), "{step:?}");
    server.stream()
}

fn step_is_keepalive(replication: &mut Replication) {
    let step = replication.step(soon).unwrap();
    assert!(matches!(step, Step::Keepalive(_)), "{step:?}");
}

#[test]
fn attempts_follow_each_other_until_one_succeeds() {
    let server = MockServer::new("attempts");
    let mut settings = settings(at_once());
    let (sender, attempts) = channel();
    settings.on_reconnect =
        Some(Listener::new(Arc::new(Mutex::new(move |attempt: &ReconnectAttempt<'_>| {
            let cause = attempt.cause.sqlstate().map(str::to_owned);
            sender.send((attempt.attempt, cause)).unwrap();
        }))));
    let (sender, reconnections) = channel();
    settings.on_reconnected =
        Some(Listener::new(Arc::new(Mutex::new(move |again: &Reconnected<'_>| {
            sender.send((again.attempt, again.address.to_owned())).unwrap();
        }))));
    let acknowledged = Arc::clone(&settings.acknowledged);
    let mut replication = replication(&server, settings);
    let mut stream = server.stream();
    stream.send(&keepalive(100));
    step_is_keepalive(&mut replication);
    acknowledged.set(Lsn::ZERO, Lsn::new(64), Lsn::new(64), false);
    server.set(|state| {
        state.replication = Reception::Refuses("57P03");
        state.slot = Some(MockSlot { standby_names: "*", ..MockSlot::at(64) });
    });
    lose(&mut replication, stream);
    let health = replication.health();
    assert_eq!((health.received, health.connected, health.reconnects), (Lsn::new(100), false, 0));

    let refused = replication.step(soon).unwrap_err();
    assert_eq!(refused.sqlstate(), Some("57P03"));
    replication.replace_stream(refused).unwrap();
    server.set(|state| state.replication = Reception::Accepts);
    server.commands();
    assert!(!replication.commits_wait());
    let mut stream = restart(&mut replication, &server);
    assert!(replication.commits_wait());
    assert!(
        server.commands().iter().any(|command| command.contains("LOGICAL 0/40 ")),
        "the acknowledged LSN"
    );
    let health = replication.health();
    assert_eq!((health.received, health.connected, health.reconnects), (Lsn::new(100), true, 1));
    let address = replication.address.clone();
    assert!(address.ends_with(".s.PGSQL.5432"));
    let reported = [(1, None), (2, Some("57P03".to_owned()))];
    assert_eq!(attempts.try_iter().collect::<Vec<_>>(), reported);
    assert_eq!(reconnections.try_iter().collect::<Vec<_>>(), [(2, address)]);

    stream.send(&keepalive(200));
    step_is_keepalive(&mut replication);
    lose(&mut replication, stream);
    let stream = restart(&mut replication, &server);
    let health = replication.health();
    assert_eq!((health.received, health.reconnects), (Lsn::new(200), 2));
    drop(stream);
}

#[test]
fn an_attempt_waits_for_its_delay_and_a_stop_ends_the_wait() {
    let server = MockServer::new("delay");
    let delay = Reconnect::default().initial_delay(HOUR).max_delay(HOUR).jitter(0);
    let mut replication = replication(&server, settings(delay.max_elapsed(None)));
    lose(&mut replication, server.stream());
    let is_waiting = |replication: &Replication| {
        let least = Instant::now() + HOUR / 2;
        matches!(replication.phase, Phase::Waiting { until } if until > least)
    };
    assert!(is_waiting(&replication));
    assert!(matches!(replication.step(now), Ok(Step::TimedOut)));
    assert!(is_waiting(&replication));
    replication.stop_handle().stop();
    for _ in 0..2 {
        assert!(matches!(replication.step(now), Ok(Step::Stopped)));
        assert!(matches!(replication.phase, Phase::Open));
    }
}

#[test]
fn an_attempt_in_progress_outlasts_a_deadline_and_ends_with_a_stop() {
    let server = MockServer::new("hangs");
    let mut replication = replication(&server, settings(at_once()));
    server.set(|state| state.replication = Reception::Hangs);
    lose(&mut replication, server.stream());
    for _ in 0..2 {
        assert!(matches!(replication.step(now), Ok(Step::TimedOut)));
        assert!(matches!(replication.phase, Phase::Trying(_)));
    }
    replication.stop_handle().stop();
    assert!(matches!(replication.step(soon), Ok(Step::Stopped)));
    assert!(matches!(replication.phase, Phase::Open));
}

#[test]
fn only_an_error_that_may_pass_is_followed_by_an_attempt() {
    let server = MockServer::new("passes");
    for reconnect in [at_once(), Reconnect::never()] {
        for temporary in [false, true] {
            let settings = StreamSettings { temporary, ..settings(reconnect.clone()) };
            let mut replication = replication(&server, settings);
            let error = replication.replace_stream(server_error("28P01")).unwrap_err();
            assert_eq!(error.sqlstate(), Some("28P01"));
            assert!(matches!(error.kind(), ErrorKind::Server(_)), "{error:?}");
            let lost = replication.replace_stream(cut()).map_err(Error::into_kind);
            let is_expected = match (temporary, reconnect.is_never()) {
                (true, _) => {
                    matches!(&lost, Err(ErrorKind::TemporarySlotLost { slot, .. }) if slot == "s")
                }
                (false, true) => matches!(lost, Err(ErrorKind::Io { .. })),
                (false, false) => lost.is_ok(),
            };
            assert!(is_expected, "{temporary} {reconnect:?}: {lost:?}");
        }
    }
}

#[test]
fn the_last_attempt_ends_the_outage() {
    let server = MockServer::new("gives-up");
    let mut replication = replication(&server, settings(at_once().max_attempts(Some(1))));
    server.set(|state| state.replication = Reception::Refuses("57P03"));
    lose(&mut replication, server.stream());
    let refused = replication.step(soon).unwrap_err();
    let error = replication.replace_stream(refused).unwrap_err();
    let ErrorKind::GaveUp { attempts: 1, last: Some(last), .. } = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(last.sqlstate(), Some("57P03"));
}

/// Loses a stream, replaces it, and loses the new one; returns the number of the next attempt.
fn attempt_after_two_losses(name: &str, act: impl FnOnce(&mut Replication)) -> u32 {
    let server = MockServer::new(name);
    let mut replication = replication(&server, settings(at_once()));
    lose(&mut replication, server.stream());
    let stream = restart(&mut replication, &server);
    act(&mut replication);
    lose(&mut replication, stream);
    replication.outage.as_ref().unwrap().attempt()
}

#[test]
fn attempts_are_counted_again_after_a_stable_connection_or_an_event() {
    let seconds = |seconds| Duration::from_secs(seconds);
    let aged = |replication: &mut Replication, age| {
        let opened_at = Instant::now().checked_sub(age).unwrap();
        replication.stability = Stability::new(opened_at, Lsn::new(1000));
    };
    assert_eq!(attempt_after_two_losses("unstable", |_| {}), 2);
    assert_eq!(attempt_after_two_losses("delivered", Replication::delivered), 1);
    assert_eq!(attempt_after_two_losses("lasted", |lost| aged(lost, 2 * HOUR)), 1);
    for (name, reached, expected) in [("caught-up", 1000, 1), ("not-caught-up", 999, 2)] {
        let attempt = attempt_after_two_losses(name, |replication| {
            aged(replication, seconds(2));
            replication.caught_up(Lsn::new(reached));
        });
        assert_eq!(attempt, expected, "{name}");
    }
}

#[test]
fn notices_of_earlier_streams_are_kept() {
    let server = MockServer::new("notices");
    let mut replication = replication(&server, settings(at_once()));
    let mut stream = server.stream();
    let send = |stream: &mut Server, replication: &mut Replication, texts: [u32; 2]| {
        for text in texts[0]..texts[1] {
            stream.send(&notice(&text.to_string(), "elsewhere"));
        }
        stream.send(&keepalive(1));
        step_is_keepalive(replication);
    };
    let texts = |replication: &mut Replication| {
        let notices = replication.take_notices();
        notices.iter().map(|notice| notice.message().to_owned()).collect::<Vec<_>>()
    };
    send(&mut stream, &mut replication, [0, 1]);
    assert_eq!(texts(&mut replication), ["0"]);
    send(&mut stream, &mut replication, [1, 61]);
    lose(&mut replication, stream);
    let mut stream = restart(&mut replication, &server);
    send(&mut stream, &mut replication, [61, 121]);
    assert_eq!(texts(&mut replication).len(), 120);
    send(&mut stream, &mut replication, [121, 181]);
    lose(&mut replication, stream);
    let mut stream = restart(&mut replication, &server);
    send(&mut stream, &mut replication, [181, 241]);
    lose(&mut replication, stream);
    let newest: Vec<_> = (141..241).map(|text: u32| text.to_string()).collect();
    assert_eq!(texts(&mut replication), newest);
    assert_eq!(texts(&mut replication), [""; 0]);
}

#[test]
fn a_skipped_publication_is_reported() {
    let server = MockServer::new("skipped");
    let mut settings = settings(at_once());
    let (sender, skipped) = channel();
    settings.on_skipped =
        Some(Listener::new(Arc::new(Mutex::new(move |skipped: &SkippedPublication| {
            sender.send(skipped.publication.clone()).unwrap();
        }))));
    let mut replication = replication(&server, settings);
    let warning = notice("skipped loading publication \"p\"", "LoadPublications");
    server.stream().send(&warning);
    assert!(matches!(replication.step(soon), Ok(Step::PublicationSkipped)));
    assert_eq!(skipped.try_iter().collect::<Vec<_>>(), ["p"]);
}

#[test]
fn messages_are_read_as_long_as_their_stream_is_there() {
    let server = MockServer::new("messages");
    let mut replication = replication(&server, settings(at_once()));
    let mut stream = server.stream();
    stream.send(&begin(80));
    let Ok(Step::Message(frame)) = replication.step(soon) else { panic!("no message") };
    let event = replication.read(frame).unwrap().unwrap();
    assert_eq!((event.wal_start, event.frame.len()), (Lsn::new(80), 21));
    replication.release();
    lose(&mut replication, stream);
    replication.release();
    assert!(matches!(replication.read(frame), Ok(None)));
}

#[test]
fn a_stop_ends_the_steps_but_not_those_after_it() {
    let server = MockServer::new("stop");
    let opener = StreamOpener { config: server.config(), start: StartReplication::new("s", ["p"]) };
    let wait_options = SlotWaitOptions { limit: Duration::ZERO, listener: None, stop: None };
    let opened = opener.open(None, None, &wait_options).unwrap();
    let wake = WakePipe::new().unwrap();
    let stop = StopHandle::new(wake.waker());
    let (settings, identity) = (settings(at_once()), identity(&opener, &opened));
    let mut replication =
        Replication::new(opener, opened, settings, identity, Some((wake, stop.clone()))).unwrap();
    assert!(!replication.is_stop(&stopped()));
    // The handle of the caller.
    stop.stop();
    assert!(replication.stop_handle().is_stopped());
    assert!(replication.is_stop(&stopped()) && !replication.is_stop(&cut()));
    assert!(matches!(replication.step(soon), Ok(Step::Stopped)));
    let mut stream = server.stream();
    stream.send(&begin(80));
    assert!(matches!(replication.step_after_stop(soon()), Ok(Step::Message(_))));
    drop(stream);
    let error = replication.step_after_stop(soon()).unwrap_err();
    replication.replace_stream(error).unwrap();
    assert!(matches!(replication.step_after_stop(soon()), Ok(Step::Stopped)));
}

#[test]
fn stopping_reports_what_was_acknowledged() {
    let server = MockServer::new("stopping");
    let settings = settings(at_once());
    let acknowledged = Arc::clone(&settings.acknowledged);
    let replication = replication(&server, settings);
    let mut stream = server.stream();
    acknowledged.set(Lsn::ZERO, Lsn::new(64), Lsn::new(64), false);
    let end = [message(b'c', b""), message(b'C', b"COPY 0\0"), ready()].concat();
    stream.send(&end);
    replication.stop().unwrap();
    status(&mut stream, |status| status.flush == Lsn::new(64));
    stream.expect(b'c');
    stream.expect(b'X');
}

#[test]
fn without_a_stream_stopping_fails_if_something_is_not_reported() {
    let server = MockServer::new("unreported");
    for (lsn, is_reported) in [(0, true), (64, false)] {
        let settings = settings(at_once());
        let acknowledged = Arc::clone(&settings.acknowledged);
        let mut replication = replication(&server, settings);
        lose(&mut replication, server.stream());
        acknowledged.set(Lsn::ZERO, Lsn::new(lsn), Lsn::new(lsn), false);
        let result = replication.stop().map_err(Error::into_kind);
        assert_eq!(result.is_ok(), is_reported, "{lsn}");
        assert!(matches!(result, Ok(()) | Err(ErrorKind::Io { .. })), "{result:?}");
    }
}

#[test]
fn what_was_sent_over_a_lost_stream_counts_when_the_slot_has_it() {
    let server = MockServer::new("sent");
    for has_it in [false, true] {
        let settings = settings(at_once());
        let acknowledged = Arc::clone(&settings.acknowledged);
        let mut replication = replication(&server, settings);
        let mut stream = server.stream();
        acknowledged.set(Lsn::ZERO, Lsn::new(64), Lsn::new(64), true);
        replication.perform(Due { keepalive: true, message: None }).unwrap();
        status(&mut stream, |status| status.flush == Lsn::new(64));
        assert_eq!(replication.health().flushed, Lsn::new(64));
        lose(&mut replication, stream);
        if has_it {
            server.set(|state| state.slot = Some(MockSlot::at(64)));
            let stream = restart(&mut replication, &server);
            lose(&mut replication, stream);
        }
        assert_eq!(replication.stop().is_ok(), has_it);
    }
}

#[test]
fn a_tick_sends_a_status_update_and_notices_that_it_cannot() {
    let server = MockServer::new("tick");
    server.set(|state| state.wal_sender_timeout = 3);
    let settings = settings(at_once());
    let acknowledged = Arc::clone(&settings.acknowledged);
    let mut replication = replication(&server, settings);
    let mut stream = server.stream();
    acknowledged.set(Lsn::ZERO, Lsn::new(64), Lsn::new(64), false);
    let deadline = soon();
    while replication.health().flushed.is_zero() {
        assert!(Instant::now() < deadline, "nothing was sent");
        replication.tick().unwrap();
    }
    status(&mut stream, |status| status.flush == Lsn::new(64));
    // The server reads nothing more.
    while replication.perform(Due { keepalive: true, message: None }).is_ok() {
        assert!(Instant::now() < deadline, "everything was sent");
    }
    while replication.health().connected {
        assert!(Instant::now() < deadline, "the failure was not noticed");
        replication.tick().unwrap();
    }
    replication.tick().unwrap();
    assert_eq!(replication.health().flushed, Lsn::new(64));
}

#[test]
fn what_is_due_is_sent_on_either_connection() {
    let server = MockServer::new("due");
    let mut replication = replication(&server, settings(at_once()));
    let mut stream = server.stream();
    server.queries();
    replication.perform(Due { keepalive: true, message: Some("beat") }).unwrap();
    status(&mut stream, |status| status.reply == 1);
    let is_message = |query: &String| query.contains("pg_logical_emit_message");
    assert!(server.queries().iter().any(is_message));
    replication.perform(Due::default()).unwrap();
    lose(&mut replication, stream);
    replication.perform(Due { keepalive: true, message: Some("beat") }).unwrap();
    assert!(!server.queries().iter().any(is_message));
}

#[test]
fn an_idle_message_that_cannot_be_written_now_is_left_out() {
    let server = MockServer::new("left-out");
    for (code, is_error) in [("57P03", false), ("42501", true)] {
        server.set(|state| state.sql = Reception::Refuses(code));
        let mut replication = replication(&server, settings(at_once()));
        let written = replication.perform(Due { keepalive: false, message: Some("beat") });
        assert_eq!(written.is_err(), is_error, "{written:?}");
    }
}

#[test]
fn a_lost_stream_is_not_connected_even_if_it_was_not_the_one_that_failed() {
    let server = MockServer::new("catalogue-failed");
    let mut replication = replication(&server, settings(at_once()));
    let stream = server.stream();
    assert!(replication.health().connected);
    replication.replace_stream(cut()).unwrap();
    assert!(!replication.health().connected);
    stream.ended();
}

#[test]
fn an_invalidated_slot_explains_the_error_of_the_server() {
    let server = MockServer::new("explained");
    let mut replication = replication(&server, settings(Reconnect::never()));
    let explained = |replication: &mut Replication, code: &str| {
        replication.replace_stream(server_error(code)).unwrap_err().into_kind()
    };
    let is_as_sent = |error: ErrorKind| matches!(error, ErrorKind::Server(_));
    assert!(is_as_sent(explained(&mut replication, "57P01")));
    let invalidated = MockSlot { invalidation_reason: "wal_removed", ..MockSlot::at(48) };
    server.set(|state| state.slot = Some(invalidated));
    for code in ["57P01", "55000"] {
        let error = explained(&mut replication, code);
        let expected = SetupError::SlotLost { slot: "s".into(), reason: "wal_removed".into() };
        assert!(matches!(&error, ErrorKind::Setup(error) if *error == expected), "{error:?}");
    }
    assert!(is_as_sent(explained(&mut replication, "42704")));
}

#[test]
fn without_an_answer_of_the_catalogue_the_error_stays() {
    let server = MockServer::new("unexplained");
    server.set(|state| {
        state.sql = Reception::Refuses("53300");
        let reason = "wal_removed";
        state.acquired_slot = Some(MockSlot { invalidation_reason: reason, ..MockSlot::at(48) });
    });
    let mut replication = replication(&server, settings(Reconnect::never()));
    let error = replication.replace_stream(server_error("57P01")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Server(_)), "{error:?}");
}

#[test]
fn the_catalogue_answers_a_need() {
    let server = MockServer::new("need");
    let mut replication = replication(&server, settings(at_once()));
    let facts = replication.answer(&Need::MoneyDigits, &Schemas::new("app", 1)).unwrap();
    assert!(matches!(facts, Facts::MoneyDigits(2)), "{facts:?}");
    assert_eq!(replication.catalog().slot_status("s").unwrap().wal_end, Lsn::new(1000));
}

#[test]
fn the_state_of_a_new_stream_continues_that_of_the_earlier_ones() {
    let health = |lsns: [u64; 4], sent: Option<i64>, reconnects, connected| Health {
        received: Lsn::new(lsns[0]),
        acknowledged: Lsn::new(lsns[1]),
        flushed: Lsn::new(lsns[2]),
        server_wal_end: Lsn::new(lsns[3]),
        last_send_time: sent.map(TimestampTz::from_micros),
        last_received: Instant::now(),
        last_commit_time: None,
        idle: false,
        connected,
        spilled: 0,
        spill: 0,
        in_progress: 0,
        reconnects,
    };
    let before = health([40, 30, 20, 50], Some(1), 3, false);
    let first = health([0; 4], None, 0, true);
    let at = first.last_received;
    let merged_first = Health { last_received: at, connected: true, ..before };
    assert_eq!(merged(&before, first), merged_first);
    let later = health([41, 31, 21, 51], Some(2), 0, true);
    assert_eq!(merged(&before, later), Health { reconnects: 3, ..later });
}
