use super::*;
use crate::ErrorKind;
use crate::event::StreamIdentity;
use crate::proto::feedback::Positions;

/// Positions of one reader, by their delivery numbers.
struct Of(Arc<StreamIdentity>);

impl Of {
    fn new(reader: ReaderId) -> Self {
        let slot = "s".into();
        Self(Arc::new(StreamIdentity {
            reader,
            system_identifier: 1,
            timeline: 1,
            slot,
            publications: 2,
        }))
    }

    fn at(&self, delivery: u64) -> Position {
        Position::new(&self.0, Lsn::ZERO, Some(0), delivery)
    }
}

fn reader(mode: Acknowledge) -> (Acknowledger, Of) {
    let reader = ReaderId::unique();
    (Acknowledger::new(reader, mode), Of::new(reader))
}

fn lsn(n: u64) -> Lsn {
    Lsn::new(n)
}

#[test]
fn a_transaction_is_confirmed_only_whole() {
    let (ack, of) = reader(Acknowledge::Manual);
    ack.acknowledge(of.at(1)).unwrap();
    ack.acknowledge(of.at(2)).unwrap();
    assert_eq!(ack.confirmed(), Lsn::ZERO);
    ack.mark(3, lsn(100));
    assert_eq!(ack.confirmed(), Lsn::ZERO);
    ack.acknowledge(of.at(3)).unwrap();
    assert_eq!(ack.confirmed(), lsn(100));
}

#[test]
fn out_of_order_confirms_the_contiguous_prefix() {
    let (ack, of) = reader(Acknowledge::Manual);
    for n in 1..=4 {
        ack.mark(n, lsn(n * 10));
    }
    for (n, confirmed) in [(3, 0), (2, 0), (1, 30), (4, 40)] {
        ack.acknowledge(of.at(n)).unwrap();
        assert_eq!(ack.confirmed(), lsn(confirmed), "after {n}");
    }
}

#[test]
fn through_covers_what_was_before_and_what_waited_behind() {
    let (ack, of) = reader(Acknowledge::Manual);
    for n in 1..=5 {
        ack.mark(n, lsn(n * 10));
    }
    ack.acknowledge(of.at(4)).unwrap();
    ack.acknowledge_through(of.at(3)).unwrap();
    assert_eq!(ack.confirmed(), lsn(40));
    ack.acknowledge_through(of.at(1)).unwrap();
    assert_eq!(ack.confirmed(), lsn(40));
}

#[test]
fn an_idle_position_is_confirmed_at_once_when_all_is_taken() {
    let (ack, of) = reader(Acknowledge::Manual);
    ack.mark(0, lsn(7));
    assert_eq!(ack.confirmed(), lsn(7));
    ack.mark(1, lsn(8));
    ack.mark(1, lsn(9));
    assert_eq!(ack.confirmed(), lsn(7));
    ack.acknowledge(of.at(1)).unwrap();
    assert_eq!(ack.confirmed(), lsn(9));
}

#[test]
fn never_goes_back() {
    let (ack, _) = reader(Acknowledge::Manual);
    ack.mark(0, lsn(9));
    ack.mark(0, lsn(3));
    assert_eq!(ack.confirmed(), lsn(9));
}

#[test]
fn an_idle_moment_is_confirmed_behind_the_events_before_it_and_holds_none_back() {
    let (ack, of) = reader(Acknowledge::Manual);
    let idle = |lsn, delivery| Position::idle(&of.0, Lsn::new(lsn), delivery);
    ack.acknowledge(idle(5, 0)).unwrap();
    assert_eq!(ack.confirmed(), lsn(5));
    ack.mark(1, lsn(10));
    ack.acknowledge(idle(15, 1)).unwrap();
    assert_eq!(ack.confirmed(), lsn(5));
    // This one is dropped.
    let _ = idle(17, 1);
    ack.mark(2, lsn(20));
    ack.acknowledge(of.at(1)).unwrap();
    assert_eq!(ack.confirmed(), lsn(15));
    ack.acknowledge_through(idle(25, 2)).unwrap();
    assert_eq!(ack.confirmed(), lsn(25));
}

#[test]
fn a_position_from_elsewhere_confirms_nothing_and_says_so() {
    let (ack, of) = reader(Acknowledge::Stages);
    ack.mark(1, lsn(10));
    let stored: Position = of.at(1).to_string().parse().unwrap();
    assert_eq!(stored, of.at(1));
    let other = Of::new(ReaderId::unique()).at(1);
    for foreign in [stored, other] {
        for refused in [
            ack.acknowledge(&foreign),
            ack.acknowledge_through(&foreign),
            ack.acknowledge_stage(Stage::Flushed, &foreign),
        ] {
            let error = refused.unwrap_err().into_kind();
            assert!(matches!(error, ErrorKind::Position(PositionError::NotDelivered { .. })));
        }
        assert_eq!(ack.confirmed(), Lsn::ZERO);
    }
}

fn reported(ack: &Acknowledger, received: u64) -> [u64; 3] {
    let mut positions = Positions { write: lsn(received), ..Positions::default() };
    ack.acknowledged().add_to(&mut positions);
    [positions.write, positions.flush, positions.apply].map(Lsn::as_u64)
}

#[test]
fn stages_are_told_apart() {
    let (ack, of) = reader(Acknowledge::Stages);
    ack.mark(1, lsn(10));
    ack.mark(2, lsn(20));
    assert_eq!(reported(&ack, 99), [0, 0, 0]);
    ack.acknowledge_stage(Stage::Written, of.at(1)).unwrap();
    ack.acknowledge_stage(Stage::Written, of.at(2)).unwrap();
    assert_eq!(reported(&ack, 99), [20, 0, 0]);
    ack.acknowledge_stage(Stage::Applied, of.at(1)).unwrap();
    assert_eq!(reported(&ack, 99), [20, 0, 10]);
    // The second is flushed before the first.
    ack.acknowledge_stage(Stage::Flushed, of.at(2)).unwrap();
    assert_eq!(reported(&ack, 99), [20, 0, 10]);
    ack.acknowledge_stage(Stage::Flushed, of.at(1)).unwrap();
    assert_eq!((reported(&ack, 99), ack.confirmed()), ([20, 20, 10], lsn(20)));
    ack.acknowledge(of.at(2)).unwrap();
    assert_eq!(reported(&ack, 99), [20, 20, 20]);
}

#[test]
fn without_stages_received_is_written_and_taken_is_the_rest() {
    let (ack, of) = reader(Acknowledge::Manual);
    ack.mark(1, lsn(10));
    assert_eq!(reported(&ack, 99), [99, 0, 0]);
    let refused = ack.acknowledge_stage(Stage::Written, of.at(1)).unwrap_err().into_kind();
    assert!(matches!(refused, ErrorKind::Position(PositionError::NoStages)));
    ack.acknowledge(of.at(1)).unwrap();
    assert_eq!(reported(&ack, 99), [99, 10, 10]);
}
