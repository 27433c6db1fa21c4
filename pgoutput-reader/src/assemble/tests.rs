//! Hand-written chunks, with blocks in a vector instead of files.

use std::collections::{BTreeMap, BTreeSet};

use pgoutput_decode::TimestampTz;
use proptest::prelude::*;

use super::*;

/// An assembler, and the content of its files.
struct Rig {
    assembler: Assembler,
    files: BTreeMap<u64, Vec<u8>>,
    in_stream: bool,
}

fn start(xid: u32, is_first: bool) -> Vec<u8> {
    [&b"S"[..], &xid.to_be_bytes(), &[u8::from(is_first)]].concat()
}

fn abort(xid: u32, sub: u32) -> Vec<u8> {
    [&b"A"[..], &xid.to_be_bytes(), &sub.to_be_bytes()].concat()
}

fn commit(xid: u32, commit_lsn: u64) -> Vec<u8> {
    let (xid, end) = (xid.to_be_bytes(), commit_lsn + 48);
    [&b"c"[..], &xid, b"\0", &commit_lsn.to_be_bytes(), &end.to_be_bytes(), &[0; 8]].concat()
}

fn insert(xid: u32, value: &str) -> Vec<u8> {
    let len = u32::try_from(value.len()).unwrap().to_be_bytes();
    [&b"I"[..], &xid.to_be_bytes(), b"\0\0\0\x01N\0\x01t", &len, value.as_bytes()].concat()
}

fn relation(xid: u32, name: &str) -> Vec<u8> {
    let name = format!("public\0{name}\0d\0\0");
    [&b"R"[..], &xid.to_be_bytes(), b"\0\0\0\x01", name.as_bytes()].concat()
}

impl Rig {
    fn new(memory_limit: usize) -> Self {
        let assembler = Assembler::new(Lsn::ZERO, memory_limit);
        Self { assembler, files: BTreeMap::new(), in_stream: false }
    }

    fn try_message(&mut self, lsn: u64, frame: &[u8]) -> Result<Assembled, StreamError> {
        let message = Message::decode(frame, self.in_stream).unwrap();
        let lsn = Lsn::new(lsn);
        let (wal_start, wal_end, send_time) = (lsn, lsn, TimestampTz::from_micros(0));
        let in_stream = self.in_stream;
        let event = StreamEvent { wal_start, wal_end, send_time, message, frame, in_stream };
        let assembled = self.assembler.message(&event)?;
        match message {
            Message::StreamStart(_) => self.in_stream = true,
            Message::StreamStop => self.in_stream = false,
            _ => {}
        }
        while let Some(block) = self.assembler.next_to_spill() {
            let file = self.files.entry(block.file.number()).or_default();
            // What follows was rolled back.
            file.truncate(usize::try_from(block.offset).unwrap());
            assert_eq!(file.len() as u64, block.offset);
            file.extend_from_slice(block.bytes);
            self.assembler.spilled();
        }
        self.remove_released();
        Ok(assembled)
    }

    fn remove_released(&mut self) {
        for file in self.assembler.take_released() {
            self.files.remove(&file.number()).expect("a file is released once");
        }
    }

    fn kept(&mut self, lsn: u64, frame: &[u8]) {
        assert_eq!(self.try_message(lsn, frame).unwrap(), Assembled::Kept);
    }

    /// A chunk of inserts: the transaction and the value of each. Its LSN is in the value.
    fn chunk(&mut self, top: u32, is_first: bool, rows: &[(u32, u64)]) {
        self.kept(0, &start(top, is_first));
        for (xid, lsn) in rows {
            self.kept(*lsn, &insert(*xid, &lsn.to_string()));
        }
        self.kept(0, b"E");
    }

    /// Replays a transaction that has just ended.
    fn replay(&mut self) -> Result<Vec<(Arrival, String)>, Error> {
        let mut replayed = Vec::new();
        while self.assembler.is_replaying() {
            match self.assembler.replayed()? {
                Replayed::Message(message, arrival) => {
                    replayed.push((arrival, format!("{message:?}")));
                    self.assembler.advance();
                }
                Replayed::Spilled(block) => {
                    let from = usize::try_from(block.offset).unwrap();
                    let bytes = self.files[&block.file.number()][from..from + block.len].to_vec();
                    self.assembler.load(bytes)?;
                }
                Replayed::End => panic!("the replay is not over"),
            }
        }
        self.remove_released();
        Ok(replayed)
    }

    /// The LSNs of the rows of a transaction that ends now.
    fn commit(&mut self, xid: u32, commit_lsn: u64) -> Vec<u64> {
        assert_eq!(self.try_message(0, &commit(xid, commit_lsn)).unwrap(), Assembled::Ended);
        let replayed = self.replay().unwrap();
        let (first, rest) = replayed.split_first().unwrap();
        let (last, rows) = rest.split_last().unwrap();
        assert!(first.1.starts_with("Begin(") && last.1.starts_with("Commit("), "{replayed:?}");
        for (arrival, _) in [first, last] {
            assert_eq!(arrival.lsn, Lsn::new(commit_lsn));
        }
        rows.iter()
            .map(|(arrival, row)| {
                let lsn = arrival.lsn.as_u64();
                assert!(row.contains(&format!("Text(\"{lsn}\")")), "{row}");
                lsn
            })
            .collect()
    }
}

#[test]
fn a_committed_transaction_is_replayed_as_an_ordinary_one() {
    for memory_limit in [usize::MAX, 0] {
        let mut rig = Rig::new(memory_limit);
        rig.chunk(7, true, &[(7, 1), (8, 2)]);
        rig.chunk(9, true, &[(9, 3)]);
        rig.chunk(7, false, &[(7, 4)]);
        rig.chunk(7, false, &[]);
        assert_eq!(rig.commit(7, 100), [1, 2, 4]);
        assert_eq!(rig.commit(9, 200), [3]);
        assert_eq!((rig.assembler.memory, rig.files.len()), (0, 0));
    }
}

#[test]
fn a_message_outside_of_chunks_passes_with_its_order() {
    let mut rig = Rig::new(0);
    let message = [&b"M\0"[..], &5_u64.to_be_bytes(), b"p\0", &[0; 4]].concat();
    let passes = |order| Assembled::Passes(Arrival { lsn: Lsn::new(5), order });
    assert_eq!(rig.try_message(5, &message).unwrap(), passes(0));
    rig.chunk(7, true, &[]);
    assert_eq!(rig.try_message(5, &message).unwrap(), passes(2));
    assert_eq!(rig.try_message(5, &message).unwrap(), passes(2));
}

#[test]
fn a_description_has_the_order_of_its_arrival() {
    let mut rig = Rig::new(usize::MAX);
    rig.kept(0, &start(7, true));
    rig.kept(0, &relation(7, "old"));
    rig.kept(0, b"E");
    rig.kept(0, &start(7, false));
    rig.kept(0, &relation(7, "new"));
    rig.kept(0, b"E");
    rig.try_message(0, &commit(7, 100)).unwrap();
    let orders: Vec<_> = rig.replay().unwrap().iter().map(|(arrival, _)| arrival.order).collect();
    assert_eq!(orders, [0, 1, 3, 0]);
}

#[test]
fn a_rollback_drops_what_follows_its_start() {
    for memory_limit in [usize::MAX, 0] {
        let mut rig = Rig::new(memory_limit);
        rig.chunk(7, true, &[(7, 1), (8, 2), (9, 3), (8, 4)]);
        // Innermost first; the server also reports what this has dropped already.
        rig.kept(0, &abort(7, 9));
        rig.kept(0, &abort(7, 8));
        rig.chunk(7, false, &[(10, 5), (7, 6)]);
        rig.kept(0, &abort(7, 8));
        assert_eq!(rig.commit(7, 100), [1, 5, 6]);
    }
}

#[test]
fn a_rollback_of_a_subtransaction_that_started_inside_another_one() {
    let mut rig = Rig::new(usize::MAX);
    // 9 is inside 8, wrote first and was released; then 8 is rolled back.
    rig.chunk(7, true, &[(7, 1), (9, 2), (8, 3)]);
    rig.kept(0, &abort(7, 9));
    rig.kept(0, &abort(7, 8));
    assert_eq!(rig.commit(7, 100), [1]);
}

#[test]
fn a_rollback_of_the_transaction_drops_it_with_its_file() {
    let mut rig = Rig::new(0);
    rig.chunk(7, true, &[(7, 1), (8, 2)]);
    assert_eq!(rig.files.len(), 1);
    rig.kept(0, &abort(7, 7));
    assert_eq!((rig.assembler.memory, rig.files.len()), (0, 0));
    // One that nobody asked for.
    rig.kept(0, &abort(7, 7));
    rig.kept(0, &abort(70, 71));
    rig.chunk(7, true, &[(7, 3)]);
    assert_eq!(rig.commit(7, 100), [3]);
}

#[test]
fn a_new_stream_starts_over() {
    let mut rig = Rig::new(0);
    rig.chunk(7, true, &[(7, 1)]);
    rig.chunk(8, true, &[(8, 2)]);
    rig.try_message(0, &commit(8, 100)).unwrap();
    rig.assembler.restart(Lsn::ZERO);
    rig.remove_released();
    assert_eq!((rig.assembler.memory, rig.files.len()), (0, 0));
    assert!(!rig.assembler.is_replaying());
    rig.chunk(7, true, &[(7, 1)]);
    rig.kept(0, &start(8, true));
    rig.assembler.restart(Lsn::ZERO);
    assert!(!rig.assembler.in_chunk());
}

#[test]
fn a_chunk_without_its_first_and_a_commit_without_chunks_are_errors() {
    let out_of_sequence =
        |result: Result<_, _>| matches!(result, Err(StreamError::OutOfSequence { .. }));
    let mut rig = Rig::new(0);
    assert!(out_of_sequence(rig.try_message(0, &start(7, false))));
    assert!(out_of_sequence(rig.try_message(0, &commit(7, 100))));
    rig.chunk(7, true, &[]);
    assert!(out_of_sequence(rig.try_message(0, &start(7, true))));
}

#[test]
fn a_damaged_block_is_an_error_and_no_message() {
    let mut rig = Rig::new(0);
    rig.chunk(7, true, &[(7, 11), (7, 12)]);
    let file = rig.files.values_mut().next().unwrap();
    let second_row = file.len() - 1;
    file[second_row] ^= 1;
    rig.try_message(0, &commit(7, 100)).unwrap();
    let error = rig.replay().unwrap_err().into_kind();
    let crate::error::ErrorKind::Spill(SpillError::Corrupt { xid, offset, lsn }) = error else {
        panic!("{error}")
    };
    assert!(offset > 0, "the first block is not damaged");
    assert_eq!((xid, lsn), (Xid::new(7), Lsn::new(12)));
}

#[test]
fn a_prepared_transaction_is_replayed_up_to_its_prepare() {
    let mut rig = Rig::new(0);
    rig.chunk(7, true, &[(7, 1)]);
    let prepare = [&b"p\0"[..], &[0; 24], &7_u32.to_be_bytes(), b"gid\0"].concat();
    assert_eq!(rig.try_message(0, &prepare).unwrap(), Assembled::Ended);
    let replayed = rig.replay().unwrap();
    assert!(replayed[0].1.starts_with("BeginPrepare(") && replayed[0].1.contains("\"gid\""));
    assert!(replayed[2].1.starts_with("Prepare(") && replayed[2].1.contains("\"gid\""));
}

/// It was prepared before the slot had TWO_PHASE, so the server sends it with its commit.
#[test]
fn a_prepared_transaction_that_is_sent_late_is_replayed_as_an_ordinary_one() {
    let commit_prepared = [
        &b"K\0"[..],
        &500_u64.to_be_bytes(),
        &548_u64.to_be_bytes(),
        &[0; 8],
        &7_u32.to_be_bytes(),
        b"gid\0",
    ]
    .concat();
    let plain = [&b"I\0\0\0\x01N\0\x01t\0\0\0\x01"[..], b"1"].concat();
    for (prepare_lsn, is_late) in [(0xFF_u64, true), (0x100, false)] {
        let lsns = &[prepare_lsn; 3].map(u64::to_be_bytes).concat();
        let begin = [&b"b"[..], lsns, &7_u32.to_be_bytes(), b"gid\0"].concat();
        let prepare = [&b"P\0"[..], lsns, &7_u32.to_be_bytes(), b"gid\0"].concat();
        let mut rig = Rig::new(0);
        rig.assembler.restart(Lsn::new(0x100));
        let frames = [&begin, &plain, &prepare];
        for frame in frames {
            let assembled = rig.try_message(1, frame).unwrap();
            assert_eq!(assembled == Assembled::Kept, is_late);
        }
        let assembled = rig.try_message(500, &commit_prepared).unwrap();
        assert_eq!(assembled == Assembled::Ended, is_late);
        if is_late {
            let replayed = rig.replay().unwrap();
            assert_eq!(replayed.len(), 3);
            assert!(replayed[0].1.starts_with("Begin(") && replayed[1].0.lsn == Lsn::new(1));
            assert_eq!(replayed[2].0.lsn, Lsn::new(500));
        }
        // The same, if it was streamed.
        rig.chunk(7, true, &[(7, 1)]);
        let stream_prepare = [&b"p\0"[..], lsns, &7_u32.to_be_bytes(), b"gid\0"].concat();
        let assembled = rig.try_message(1, &stream_prepare).unwrap();
        assert_eq!(assembled, if is_late { Assembled::Kept } else { Assembled::Ended });
        if is_late {
            assert_eq!(rig.try_message(500, &commit_prepared).unwrap(), Assembled::Ended);
            assert_eq!(rig.replay().unwrap().len(), 3);
        }
    }
}

#[test]
fn a_transactional_message_in_a_chunk_cannot_be_attributed() {
    let mut rig = Rig::new(0);
    rig.kept(0, &start(7, true));
    let message = [&b"M"[..], &7_u32.to_be_bytes(), b"\x01", &5_u64.to_be_bytes(), b"p\0", &[0; 4]];
    let error = rig.try_message(5, &message.concat()).unwrap_err();
    assert_eq!(error, StreamError::MessageInChunk { xid: Xid::new(7), lsn: Lsn::new(5) });
}

/// A loop of rolled back subtransactions takes no more space than one of them.
#[test]
fn the_space_of_blocks_that_were_rolled_back_is_used_again() {
    let mut rig = Rig::new(0);
    rig.chunk(7, true, &[(7, 1)]);
    let mut lengths = Vec::new();
    for sub in 8..20 {
        rig.chunk(7, false, &[(sub, 2), (sub, 3)]);
        lengths.push(rig.files.values().map(Vec::len).sum::<usize>());
        rig.kept(0, &abort(7, sub));
    }
    assert!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
    assert_eq!(rig.commit(7, 100), [1]);
}

/// Otherwise the memory of the block would never be freed.
#[test]
fn a_block_that_a_rollback_empties_is_dropped() {
    let mut rig = Rig::new(50_000);
    rig.kept(0, &start(7, true));
    rig.kept(1, &insert(8, &"x".repeat(40_000)));
    rig.kept(0, b"E");
    rig.kept(0, &abort(7, 8));
    assert_eq!(rig.assembler.memory, 0);
    rig.kept(0, &start(7, false));
    for lsn in 2..100 {
        rig.kept(lsn, &insert(7, &"x".repeat(10_000)));
        assert!(rig.assembler.memory <= 50_000 + 16_384, "{}", rig.assembler.memory);
    }
}

#[test]
fn a_long_frame_has_a_block_of_its_own() {
    for memory_limit in [usize::MAX, 100_000] {
        let mut rig = Rig::new(memory_limit);
        rig.chunk(7, true, &[(7, 1)]);
        rig.kept(0, &start(7, false));
        rig.kept(2, &insert(7, &"x".repeat(1_000_000)));
        rig.kept(0, b"E");
        assert_eq!(rig.files.len(), usize::from(memory_limit < 1_000_000));
        rig.chunk(7, false, &[(7, 3)]);
        rig.try_message(0, &commit(7, 100)).unwrap();
        let lsns: Vec<_> =
            rig.replay().unwrap().iter().map(|(arrival, _)| arrival.lsn.as_u64()).collect();
        assert_eq!(lsns, [100, 1, 2, 3, 100]);
    }
}

/// What a session does.
#[derive(Debug, Clone, Copy)]
enum Action {
    Insert,
    Savepoint,
    Release,
    RollbackToSavepoint,
    /// The server sends what it has read.
    Chunk,
    Rollback,
    Commit,
}

/// A session in a transaction, and what the server has not sent of it.
struct Session {
    top: u32,
    /// The transaction and its active subtransactions.
    active: Vec<u32>,
    /// The subtransactions inside each transaction, with itself.
    inside: BTreeMap<u32, BTreeSet<u32>>,
    rows: Vec<(u32, u64)>,
    unsent: Vec<(u32, u64)>,
    sent: BTreeSet<u32>,
}

impl Session {
    fn new(top: u32) -> Self {
        let inside = BTreeMap::from([(top, BTreeSet::from([top]))]);
        let (rows, unsent, sent) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { top, active: vec![top], inside, rows, unsent, sent }
    }
}

/// Sessions with nested savepoints, whose transactions arrive in chunks.
fn run(actions: &[(usize, Action)], memory_limit: usize) {
    let mut rig = Rig::new(memory_limit);
    let (mut next_xid, mut lsn) = (100, 0);
    let mut new_xid = || {
        next_xid += 1;
        next_xid
    };
    let mut sessions: Vec<_> = (0..3).map(|_| Session::new(new_xid())).collect();
    for (session, action) in actions {
        let session = &mut sessions[session % 3];
        lsn += 1;
        let send = |rig: &mut Rig, session: &mut Session| {
            let rows = std::mem::take(&mut session.unsent);
            let is_first = session.sent.is_empty();
            session.sent.insert(session.top);
            session.sent.extend(rows.iter().map(|(xid, _)| *xid));
            rig.chunk(session.top, is_first, &rows);
        };
        match action {
            Action::Insert => {
                let row = (*session.active.last().unwrap(), lsn);
                session.rows.push(row);
                session.unsent.push(row);
            }
            Action::Savepoint => {
                let xid = new_xid();
                session.active.push(xid);
                for outer in &session.active {
                    session.inside.entry(*outer).or_default().insert(xid);
                }
            }
            Action::Release if session.active.len() > 1 => drop(session.active.pop()),
            Action::RollbackToSavepoint if session.active.len() > 1 => {
                let xid = session.active.pop().unwrap();
                let aborted = session.inside[&xid].clone();
                session.rows.retain(|(xid, _)| !aborted.contains(xid));
                session.unsent.retain(|(xid, _)| !aborted.contains(xid));
                // Innermost first, and only those that were sent.
                for sub in aborted.iter().rev().filter(|sub| session.sent.contains(sub)) {
                    rig.kept(0, &abort(session.top, *sub));
                }
            }
            Action::Chunk => send(&mut rig, session),
            Action::Rollback => {
                if !session.sent.is_empty() {
                    rig.kept(0, &abort(session.top, session.top));
                }
                *session = Session::new(new_xid());
            }
            Action::Commit => {
                send(&mut rig, session);
                let expected: Vec<_> = session.rows.iter().map(|(_, lsn)| *lsn).collect();
                assert_eq!(rig.commit(session.top, lsn), expected);
                *session = Session::new(new_xid());
            }
            Action::Release | Action::RollbackToSavepoint => {}
        }
        assert!(rig.assembler.memory <= memory_limit.max(3 * 2000), "{}", rig.assembler.memory);
    }
    for session in sessions.iter().filter(|session| !session.sent.is_empty()) {
        rig.kept(0, &abort(session.top, session.top));
    }
    assert_eq!((rig.assembler.memory, rig.files.len()), (0, 0));
}

proptest! {
    #[test]
    fn sessions_with_savepoints_commit_what_they_have_not_rolled_back(
        actions in prop::collection::vec(
            (
                0_usize..3,
                prop_oneof![
                    8 => Just(Action::Insert),
                    3 => Just(Action::Savepoint),
                    2 => Just(Action::Release),
                    2 => Just(Action::RollbackToSavepoint),
                    3 => Just(Action::Chunk),
                    1 => Just(Action::Rollback),
                    1 => Just(Action::Commit),
                ],
            ),
            1..120,
        ),
        memory_limit in prop_oneof![Just(usize::MAX), Just(20_000), Just(0)],
    ) {
        run(&actions, memory_limit);
    }
}
