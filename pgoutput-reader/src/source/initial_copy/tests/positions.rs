//! The tables that each step of a copy counts as copied.

use super::*;
use crate::snapshot::LocalRows;

/// A copy at 256 of the tables 10, 11 and 12, which have two rows each, after this start. The slot
/// is confirmed at 48.
fn copy(server: &MockServer, create: Option<CreateSlot>, position: Option<&str>) -> InitialCopy {
    server.set(|state| {
        (state.point, state.copy) = (Lsn::new(0x100), rows(&["1", "2"], true));
        if create.is_some() {
            state.slot = None;
        }
    });
    let stored = position.map(|end| stored(server, end));
    let opened = open(server, create, stored.as_ref()).unwrap();
    let start = opener(server).start;
    let identity = Arc::new(identify(ReaderId::unique(), &opened.system, &start, false));
    let Session::Copy(connection, slot, mut plan) = opened.session else { panic!("no copy") };
    plan.tables = [10, 11, 12].map(table).into();
    InitialCopy::new(Rows::Local(Box::new(LocalRows::new(connection, slot))), plan, identity)
}

/// Each step, with the tables that positions of its table have, before its end and after, and
/// those that count as copied if the connection is then lost.
fn shown(mut copy: InitialCopy) -> Vec<String> {
    let text = |copied: Option<&Copied>| copied.map(Copied::to_string).unwrap_or_default();
    let mut all = Vec::new();
    while !copy.is_complete() {
        let step = format!("{:?}", copy.step(soon).unwrap());
        let positions = copy.part().map(|part| {
            let [within, after] = [&part.context.within, &part.context.after]
                .map(|identity| text(identity.copied.as_deref()));
            format!(" {within} {after}")
        });
        let lost = text(Some(&copy.copied()));
        all.push(format!("{step}{} | {lost}", positions.unwrap_or_default()));
    }
    all
}

#[test]
fn rows_of_a_table_are_copied_in_part_and_its_last_one_finishes_it() {
    let server = MockServer::new("copy-positions");
    let expected = [
        "Table +10 0/100-10 | ",
        "Row +10 0/100-10 | +10",
        "Row +10 0/100-10 | +10",
        "TableEnd | 0/100-10",
        "Table 0/100-10+11 0/100-11 | 0/100-10",
        "Row 0/100-10+11 0/100-11 | 0/100-10+11",
        "Row 0/100-10+11 0/100-11 | 0/100-10+11",
        "TableEnd | 0/100-11",
        "Table 0/100-11+12 0/100-12 | 0/100-11",
        "Row 0/100-11+12 0/100-12 | 0/100-11+12",
        "Row 0/100-11+12 0/100-12 | 0/100-11+12",
        "TableEnd | 0/100-12",
        // The slot starts at the snapshot, so that the stream has no change that is copied.
        "End   | 0/100-12",
    ];
    assert_eq!(shown(copy(&server, Some(created()), None)), expected);
}

#[test]
fn a_copy_that_continues_keeps_the_earlier_points_until_the_stream_has_passed_them() {
    let server = MockServer::new("copy-points");
    let expected = [
        "Table 0/30-10+11 0/30-10,0/100-11 | 0/30-10+11",
        "Again 0/30-10+11 0/30-10,0/100-11 | 0/30-10+11",
        "Row 0/30-10+11 0/30-10,0/100-11 | 0/30-10+11",
        "Row 0/30-10+11 0/30-10,0/100-11 | 0/30-10+11",
        "TableEnd | 0/30-10,0/100-11",
        "Table 0/30-10,0/100-11+12 0/30-10,0/100-12 | 0/30-10,0/100-11",
        "Again 0/30-10,0/100-11+12 0/30-10,0/100-12 | 0/30-10,0/100-11",
        "Row 0/30-10,0/100-11+12 0/30-10,0/100-12 | 0/30-10,0/100-11+12",
        "Row 0/30-10,0/100-11+12 0/30-10,0/100-12 | 0/30-10,0/100-11+12",
        "TableEnd | 0/30-10,0/100-12",
        "End 0/30-10,0/100-* 0/30-10,0/100-* | 0/30-10,0/100-12",
    ];
    assert_eq!(shown(copy(&server, None, Some("0/30:-:0/30-10+11."))), expected);
}

/// Within one process, the other tables have delivered nothing.
#[test]
fn only_the_table_that_was_copied_in_part_is_emptied_after_a_lost_connection() {
    let server = MockServer::new("copy-emptied");
    let mut copy = copy(&server, None, Some("0/30:-:0/30-10+11."));
    copy.repeats = false;
    let steps: Vec<_> = shown(copy).iter().map(|step| step[..3].to_owned()).collect();
    let expected = ["Tab", "Aga", "Row", "Row", "Tab", "Tab", "Row", "Row", "Tab", "End"];
    assert_eq!(steps, expected);
}

/// A status update over the stream of several jobs can fail there.
#[test]
fn a_connection_lost_after_the_end_does_not_end_the_copy_again() {
    let server = MockServer::new("copy-ended");
    server.set(|state| state.point = Lsn::new(0x100));
    let opened = open(&server, None, None).unwrap();
    let mut replication = replication(&server, opened, &[]);
    assert_eq!(step(&mut replication), "end");
    let reset = std::io::ErrorKind::ConnectionReset.into();
    replication.replace_stream(Error::io("writing to", "a server", reset)).unwrap();
    assert_eq!(step(&mut replication), "stream");
    let start = "START_REPLICATION SLOT \"s\" LOGICAL 0/100".to_owned();
    assert_eq!(commands(&server).split_off(4), [start]);
    drop(server.stream());
}
