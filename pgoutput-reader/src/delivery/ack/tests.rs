use super::*;
use crate::error::ErrorKind;
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
            copied: None,
            known: None,
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
fn a_transaction_is_acknowledged_only_as_a_whole() {
    let (ack, of) = reader(Acknowledge::Manual);
    ack.acknowledge(of.at(1)).unwrap();
    ack.acknowledge(of.at(2)).unwrap();
    assert_eq!(ack.acknowledged(), Lsn::ZERO);
    ack.add_boundary(3, lsn(100));
    assert_eq!(ack.acknowledged(), Lsn::ZERO);
    ack.acknowledge(of.at(3)).unwrap();
    assert_eq!(ack.acknowledged(), lsn(100));
}

#[test]
fn out_of_order_acknowledges_the_contiguous_prefix() {
    let (ack, of) = reader(Acknowledge::Manual);
    for n in 1..=4 {
        ack.add_boundary(n, lsn(n * 10));
    }
    for (n, acknowledged) in [(3, 0), (2, 0), (1, 30), (4, 40)] {
        ack.acknowledge(of.at(n)).unwrap();
        assert_eq!(ack.acknowledged(), lsn(acknowledged), "after {n}");
    }
}

#[test]
fn through_covers_events_before_and_those_acknowledged_ahead() {
    let (ack, of) = reader(Acknowledge::Manual);
    for n in 1..=5 {
        ack.add_boundary(n, lsn(n * 10));
    }
    ack.acknowledge(of.at(4)).unwrap();
    ack.acknowledge_through(of.at(3)).unwrap();
    assert_eq!(ack.acknowledged(), lsn(40));
    ack.acknowledge_through(of.at(1)).unwrap();
    assert_eq!(ack.acknowledged(), lsn(40));
}

#[test]
fn an_idle_lsn_is_acknowledged_at_once_with_all_events() {
    let (ack, of) = reader(Acknowledge::Manual);
    ack.add_boundary(0, lsn(7));
    assert_eq!(ack.acknowledged(), lsn(7));
    ack.add_boundary(1, lsn(8));
    ack.add_boundary(1, lsn(9));
    assert_eq!(ack.acknowledged(), lsn(7));
    ack.acknowledge(of.at(1)).unwrap();
    assert_eq!(ack.acknowledged(), lsn(9));
}

#[test]
fn the_acknowledged_lsn_never_decreases() {
    let (ack, _) = reader(Acknowledge::Manual);
    ack.add_boundary(0, lsn(9));
    ack.add_boundary(0, lsn(3));
    assert_eq!(ack.acknowledged(), lsn(9));
}

/// Servers without the fix of 2025 would move the slot back.
#[test]
fn nothing_before_the_confirmed_lsn_of_the_start_is_acknowledged() {
    let (ack, _) = reader(Acknowledge::Stages);
    ack.set_confirmed(lsn(50));
    ack.add_boundary(0, lsn(40));
    assert_eq!((ack.acknowledged(), reported(&ack, 99)), (lsn(50), [50, 50, 50]));
}

#[test]
fn an_idle_position_is_acknowledged_after_its_events_and_delays_none() {
    let (ack, of) = reader(Acknowledge::Manual);
    let idle = |lsn, delivery| Position::idle(&of.0, Lsn::new(lsn), delivery);
    ack.acknowledge(idle(5, 0)).unwrap();
    assert_eq!(ack.acknowledged(), lsn(5));
    ack.add_boundary(1, lsn(10));
    ack.acknowledge(idle(15, 1)).unwrap();
    assert_eq!(ack.acknowledged(), lsn(5));
    // This one is dropped.
    let _ = idle(17, 1);
    ack.add_boundary(2, lsn(20));
    ack.acknowledge(of.at(1)).unwrap();
    assert_eq!(ack.acknowledged(), lsn(15));
    ack.acknowledge_through(idle(25, 2)).unwrap();
    assert_eq!(ack.acknowledged(), lsn(25));
}

#[test]
fn an_idle_position_acknowledged_late_does_not_wait_for_later_events() {
    let (ack, of) = reader(Acknowledge::Manual);
    let idle = Position::idle(&of.0, lsn(15), 1);
    ack.acknowledge(of.at(1)).unwrap();
    ack.add_boundary(1, lsn(10));
    ack.add_boundary(2, lsn(20));
    ack.acknowledge(idle).unwrap();
    assert_eq!(ack.acknowledged(), lsn(15));
    ack.acknowledge(of.at(2)).unwrap();
    assert_eq!(ack.acknowledged(), lsn(20));
}

#[test]
fn a_position_of_another_reader_is_an_error_and_acknowledges_nothing() {
    let (ack, of) = reader(Acknowledge::Stages);
    ack.add_boundary(1, lsn(10));
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
        assert_eq!(ack.acknowledged(), Lsn::ZERO);
    }
}

fn reported(ack: &Acknowledger, received: u64) -> [u64; 3] {
    let mut positions = Positions { write: lsn(received), ..Positions::default() };
    ack.lsns().add_to(&mut positions);
    [positions.write, positions.flush, positions.apply].map(Lsn::as_u64)
}

#[test]
fn stages_are_acknowledged_one_by_one() {
    let (ack, of) = reader(Acknowledge::Stages);
    ack.add_boundary(1, lsn(10));
    ack.add_boundary(2, lsn(20));
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
    assert_eq!((reported(&ack, 99), ack.acknowledged()), ([20, 20, 10], lsn(20)));
    ack.acknowledge(of.at(2)).unwrap();
    assert_eq!(reported(&ack, 99), [20, 20, 20]);
}

#[test]
fn without_stages_received_is_written_and_acknowledged_is_flushed_and_applied() {
    let (ack, of) = reader(Acknowledge::Manual);
    ack.add_boundary(1, lsn(10));
    assert_eq!(reported(&ack, 99), [99, 0, 0]);
    let refused = ack.acknowledge_stage(Stage::Written, of.at(1)).unwrap_err().into_kind();
    assert!(matches!(refused, ErrorKind::Position(PositionError::NoStages)));
    ack.acknowledge(of.at(1)).unwrap();
    assert_eq!(reported(&ack, 99), [99, 10, 10]);
}
