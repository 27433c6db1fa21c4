//! What a new stream repeats: LSNs from before the events that were delivered, and changes that an
//! initial copy contains.

use pgoutput_decode::Oid;

use super::*;
use crate::event::{Copied, MessageId};

const END: u64 = 3000;

/// A delivery that has delivered a transaction that commits at 2000, and was idle at 3000.
fn interrupted(mode: Acknowledge) -> Feed {
    let mut feed = Feed::plain(mode);
    feed.transaction(2000);
    feed.keepalive(END);
    feed.delivery.restart(feed.start);
    feed
}

#[test]
fn an_idle_position_is_never_before_an_event_or_an_earlier_one() {
    let mut feed = interrupted(Acknowledge::Manual);
    for wal_end in [500, 2000, 2500, END - 1] {
        feed.keepalive(wal_end);
        assert_eq!(feed.delivery.idle_position(), None, "{wal_end}");
        assert!(!feed.delivery.is_idle());
    }
    feed.keepalive(END);
    assert_eq!(feed.delivery.idle_position().unwrap().commit_lsn(), lsn(END));
    feed.nothing(2000, &begin(2000));
    assert_eq!(feed.delivery.idle_position(), None);
}

#[test]
fn an_idle_position_is_never_before_the_newest_event() {
    let mut feed = Feed::plain(Acknowledge::Manual);
    feed.transaction(2000);
    feed.delivery.restart(feed.start);
    for wal_end in [500, 2000] {
        feed.keepalive(wal_end);
        assert_eq!(feed.delivery.idle_position(), None, "{wal_end}");
    }
    feed.keepalive(2048);
    assert_eq!(feed.delivery.idle_position().unwrap().commit_lsn(), lsn(2048));
}

#[test]
fn an_idle_position_is_never_before_the_confirmed_lsn_of_the_start() {
    let mut feed = Feed::plain(Acknowledge::Manual);
    feed.delivery.acknowledger().set_confirmed(lsn(1000));
    feed.keepalive(992);
    assert_eq!(feed.delivery.idle_position(), None);
    feed.keepalive(1000);
    assert!(feed.delivery.idle_position().is_some());
}

/// The slot may not show that a copy was completed after these LSNs.
#[test]
fn nothing_before_the_position_that_was_resumed_from_is_confirmed() {
    let position: Position = "1:7:1:s:0000000000000001:0/100000:-.".parse().unwrap();
    let (idle, output) = (Idle::Keepalives, OutputSettings::default());
    let from = Some((&position, 0x1000));
    let mut feed = Feed::resumed(Acknowledge::Automatic, idle, None, output, from);
    for wal_end in [0x1000, 0xF_0000, 0xF_FFF8] {
        feed.keepalive(wal_end);
        assert_eq!(feed.acknowledged(), 0, "{wal_end:#x}");
    }
    feed.keepalive(0x10_1000);
    assert!((0x10_0C00..0x10_1000).contains(&feed.acknowledged()));
}

#[test]
fn a_table_of_a_truncate_has_the_same_id_with_and_without_a_copy_of_another() {
    let ids = |copied: Option<Copied>, count| -> Vec<MessageId> {
        let mut feed = Feed::plain(Acknowledge::Manual);
        if let Some(copied) = copied {
            feed.delivery.set_copied(copied);
        }
        feed.nothing(2000, &begin(2000));
        for oid in 1..=3 {
            feed.nothing(0, &relation(oid));
        }
        let frame = truncate(&[1, 2, 3]);
        (0..count).map(|_| feed.event(1990, &frame).message_id()).collect()
    };
    let all = ids(None, 3);
    let (first, second) = (Copied::default().with(Oid::new(1), lsn(5000)), lsn(1000));
    assert_eq!(ids(Some(first.complete(second)), 2), all[1..]);
    let later = Copied::default().with(Oid::new(1), second).with(Oid::new(2), lsn(5000));
    assert_eq!(ids(Some(later.complete(second)), 2), [all[0], all[2]]);
}
