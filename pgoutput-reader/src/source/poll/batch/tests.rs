//! What a batch repeats.

use pgoutput_decode::message::{BeginBody, CommitBody, StreamStartBody};
use pgoutput_decode::{Lsn, Message, TimestampTz, Xid};

use super::Newest;

fn commit(commit_lsn: u64, end_lsn: u64) -> Message<'static> {
    Message::Commit(CommitBody {
        flags: 0,
        commit_lsn: Lsn::new(commit_lsn),
        end_lsn: Lsn::new(end_lsn),
        commit_time: TimestampTz::default(),
    })
}

#[test]
fn a_batch_repeats_what_the_slot_does_not_confirm() {
    let mut newest = Newest::default();
    assert!(!newest.is_repeated_from(Lsn::new(0)), "nothing was read");
    assert!(newest.add(&commit(0x100, 0x130), Lsn::new(0x130)));
    // The LSN that is confirmed after a transaction is inside of its commit record.
    for (confirmed, repeats) in [(0x90, true), (0x100, true), (0x101, false), (0x130, false)] {
        assert_eq!(newest.is_repeated_from(Lsn::new(confirmed)), repeats, "{confirmed:x}");
    }
    assert!(!newest.add(&commit(0x100, 0x130), Lsn::new(0x130)), "it is not new again");
    assert!(!newest.add(&commit(0x80, 0xA0), Lsn::new(0xA0)));
    assert!(newest.add(&commit(0x200, 0x230), Lsn::new(0x230)));
    assert!(newest.is_repeated_from(Lsn::new(0x130)));
}

#[test]
fn a_transaction_in_progress_is_always_repeated() {
    let mut newest = Newest::default();
    let begin = Message::Begin(BeginBody {
        final_lsn: Lsn::new(0x100),
        commit_time: TimestampTz::default(),
        xid: Xid::new(7),
    });
    assert!(!newest.add(&begin, Lsn::new(0x90)));
    assert!(!newest.in_progress);
    let start = StreamStartBody { xid: Xid::new(7), first_segment: 1 };
    assert!(!newest.add(&Message::StreamStart(start), Lsn::new(0)));
    assert!(newest.is_repeated_from(Lsn::MAX));
}
