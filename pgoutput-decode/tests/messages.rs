//! Every message byte by byte, in the layout of the manual, section "Logical Replication Message
//! Formats". Seven kinds are also tested inside a chunk, where a transaction id follows the tag.

use pgoutput_decode::message::{
    BeginBody, BeginPrepareBody, ColumnBody, CommitBody, CommitPreparedBody, MessageFlags,
    OriginBody, PrepareBody, RollbackPreparedBody, StreamAbortBody, StreamAbortTail,
    StreamCommitBody, StreamPrepareBody, StreamStartBody, TruncateFlags,
};
use pgoutput_decode::{
    ColumnFlags, Decoder, Lsn, Message, Oid, OldTuple, ReplicaIdentity, TimestampTz, TupleColumn,
    Xid,
};

const LSN: Lsn = Lsn::new(0x158_FAC8);
const END: Lsn = Lsn::new(0x1_0158_FAF8);
const XID: Xid = Xid::new(777);
const SUBXID: Xid = Xid::new(0xFFFF_FFFE);
const TABLE: Oid = Oid::new(16403);

/// Returns the time that the eight bytes of [`TIME`] represent.
fn time() -> TimestampTz {
    let time = TimestampTz::from_unix_micros(1_642_180_930_298_334).unwrap();
    assert_eq!(time.to_string(), "2022-01-14 17:22:10.298334+00");
    time
}

const TIME: &[u8] = b"\x00\x02\x78\x8C\xCF\xCA\x01\xDE";

/// Decodes one frame outside of any chunk.
fn decode(frame: &[u8]) -> Message<'_> {
    Decoder::new().decode(frame).unwrap()
}

/// Returns the frame as it is inside a chunk: with the id of the (sub)transaction after its tag.
fn with_stream_xid(plain: &[u8]) -> Vec<u8> {
    let (letter, rest) = plain.split_first().unwrap();
    [&[*letter], &b"\xFF\xFF\xFF\xFE"[..], rest].concat()
}

/// Decodes one frame inside a chunk of transaction 777.
fn decode_in_chunk(frame: &[u8]) -> Message<'_> {
    let mut decoder = Decoder::new();
    decoder.decode(b"S\0\0\x03\x09\x01").unwrap();
    let message = decoder.decode(frame).unwrap();
    assert_eq!(message.stream_xid(), Some(SUBXID));
    assert_eq!(decoder.stream_xid(), Some(XID), "the chunk stays open");
    message
}

#[test]
fn begin() {
    let frame = [
        b"B",                             // Byte1('B')
        &b"\0\0\0\0\x01\x58\xFA\xC8"[..], // Int64 (XLogRecPtr): final LSN of the transaction
        TIME,                             // Int64 (TimestampTz): commit timestamp
        b"\0\0\x03\x09",                  // Int32 (TransactionId)
    ]
    .concat();
    let body = BeginBody { final_lsn: LSN, commit_time: time(), xid: XID };
    assert_eq!(decode(&frame), Message::Begin(body));
}

#[test]
fn message() {
    let frame = [
        b"M",                        // Byte1('M')
        &b"\x01"[..],                // Int8: flags, 1 when transactional
        b"\0\0\0\0\x01\x58\xFA\xC8", // Int64 (XLogRecPtr): LSN of the message
        b"audit\0",                  // String: prefix
        b"\0\0\0\x03",               // Int32: length of the content
        b"a\0b",                     // Byten: content
    ]
    .concat();
    let streamed = with_stream_xid(&frame);
    for (message, xid) in [(decode(&frame), None), (decode_in_chunk(&streamed), Some(SUBXID))] {
        let Message::Message(body) = message else { panic!("{message:?}") };
        assert_eq!((body.xid, body.flags), (xid, MessageFlags::TRANSACTIONAL));
        assert!(body.flags.is_transactional());
        assert_eq!((body.lsn, body.prefix, body.content), (LSN, "audit", &b"a\0b"[..]));
    }
}

#[test]
fn commit() {
    let frame = [
        b"C",                          // Byte1('C')
        &b"\0"[..],                    // Int8(0): flags, unused
        b"\0\0\0\0\x01\x58\xFA\xC8",   // Int64 (XLogRecPtr): LSN of the commit
        b"\0\0\0\x01\x01\x58\xFA\xF8", // Int64 (XLogRecPtr): end LSN of the transaction
        TIME,                          // Int64 (TimestampTz): commit timestamp
    ]
    .concat();
    let body = CommitBody { flags: 0, commit_lsn: LSN, end_lsn: END, commit_time: time() };
    assert_eq!(decode(&frame), Message::Commit(body));
}

#[test]
fn origin() {
    let frame = [
        b"O",                             // Byte1('O')
        &b"\0\0\0\0\x01\x58\xFA\xC8"[..], // Int64 (XLogRecPtr): commit LSN on the origin server
        b"upstream\0",                    // String: name of the origin
    ]
    .concat();
    let body = Message::Origin(OriginBody { commit_lsn: LSN, name: "upstream" });
    assert_eq!(decode(&frame), body);
    // Inside a chunk it carries no id, so the bytes are the same.
    assert_eq!(Message::decode(&frame, true), Ok(body));
}

#[test]
fn relation() {
    let frame = [
        b"R",                 // Byte1('R')
        &b"\0\0\x40\x13"[..], // Int32 (Oid): OID of the relation
        b"public\0",          // String: namespace
        b"readme\0",          // String: relation name
        b"d",                 // Int8: replica identity, as relreplident
        b"\0\x02",            // Int16: number of columns
        b"\x01",              //   Int8: flags, 1 for a key column
        b"id\0",              //   String: name of the column
        b"\0\0\0\x17",        //   Int32 (Oid): OID of its type, 23 is integer
        b"\xFF\xFF\xFF\xFF",  //   Int32: type modifier, -1 for none
        b"\0",                //   Int8
        "größe\0".as_bytes(), //   String
        b"\0\0\x06\xA4",      //   Int32 (Oid): 1700 is numeric
        b"\0\x0A\0\x06",      //   Int32: (10,2)
    ]
    .concat();
    let streamed = with_stream_xid(&frame);
    for (message, xid) in [(decode(&frame), None), (decode_in_chunk(&streamed), Some(SUBXID))] {
        let Message::Relation(body) = message else { panic!("{message:?}") };
        assert_eq!((body.xid, body.oid, body.name), (xid, TABLE, "readme"));
        assert_eq!((body.wire_namespace, body.namespace()), ("public", "public"));
        assert_eq!(body.replica_identity, ReplicaIdentity::DEFAULT);
        let id = ColumnBody {
            flags: ColumnFlags::KEY,
            name: "id",
            type_oid: Oid::new(23),
            type_modifier: -1,
        };
        let size = ColumnBody {
            flags: ColumnFlags(0),
            name: "größe",
            type_oid: Oid::new(1700),
            type_modifier: 0xA_0006,
        };
        assert_eq!(body.columns.iter().collect::<Vec<_>>(), [id, size]);
    }
}

#[test]
fn an_empty_namespace_is_pg_catalog() {
    let Message::Relation(body) = decode(b"R\0\0\x04\xEE\0pg_class\0n\0\0") else { panic!() };
    assert_eq!((body.wire_namespace, body.namespace()), ("", "pg_catalog"));
    assert!(body.columns.is_empty());
    let Message::Type(body) = decode(b"Y\0\0\0\x17\0int4\0") else { panic!() };
    assert_eq!((body.wire_namespace, body.namespace()), ("", "pg_catalog"));
}

#[test]
fn type_() {
    let frame = [
        b"Y",                 // Byte1('Y')
        &b"\0\0\x40\x13"[..], // Int32 (Oid): OID of the type
        b"public\0",          // String: namespace
        b"mood\0",            // String: name of the type
    ]
    .concat();
    let streamed = with_stream_xid(&frame);
    for (message, xid) in [(decode(&frame), None), (decode_in_chunk(&streamed), Some(SUBXID))] {
        let Message::Type(body) = message else { panic!("{message:?}") };
        assert_eq!((body.xid, body.oid), (xid, TABLE));
        assert_eq!((body.namespace(), body.name), ("public", "mood"));
    }
}

#[test]
fn insert() {
    let frame = [
        b"I",                     // Byte1('I')
        &b"\0\0\x40\x13"[..],     // Int32 (Oid): OID of the relation
        b"N",                     // Byte1('N'): a new tuple follows
        b"\0\x04",                // Int16: number of columns
        b"t\0\0\0\x0242",         //   Byte1('t'), Int32 length, the value as text
        b"b\0\0\0\x04\0\0\0\x07", //   Byte1('b'), Int32 length, the value in binary
        b"n",                     //   Byte1('n'): NULL
        b"u",                     //   Byte1('u'): an unchanged TOAST value
    ]
    .concat();
    let streamed = with_stream_xid(&frame);
    for (message, xid) in [(decode(&frame), None), (decode_in_chunk(&streamed), Some(SUBXID))] {
        let Message::Insert(body) = message else { panic!("{message:?}") };
        assert_eq!((body.xid, body.relation, body.new.len()), (xid, TABLE, 4));
        let columns: Vec<_> = body.new.columns().collect();
        let expected = [
            TupleColumn::Text(b"42"),
            TupleColumn::Binary(&[0, 0, 0, 7]),
            TupleColumn::Null,
            TupleColumn::Unchanged,
        ];
        assert_eq!(columns, expected);
    }
}

#[test]
fn update() {
    // Byte1('U'), Int32 (Oid): OID of the relation
    let start = b"U\0\0\x40\x13";
    // Byte1('N'), Int16 number of columns, the columns of the new row
    let new = b"N\0\x02t\0\0\0\x012u";
    let key = b"K\0\x02t\0\0\0\x011n"; // Byte1('K'): the old key
    let old = b"O\0\x02t\0\0\0\x011t\0\0\0\x01x"; // Byte1('O'): the whole old row
    for (number, before) in [&b""[..], key, old].into_iter().enumerate() {
        let frame = [start, before, new].concat();
        let streamed = with_stream_xid(&frame);
        for (message, xid) in [(decode(&frame), None), (decode_in_chunk(&streamed), Some(SUBXID))] {
            let Message::Update(body) = message else { panic!("{message:?}") };
            assert_eq!((body.xid, body.relation), (xid, TABLE));
            let columns: Vec<_> = body.new.columns().collect();
            assert_eq!(columns, [TupleColumn::Text(b"2"), TupleColumn::Unchanged]);
            match (number, body.old) {
                (0, None) => {}
                (1, Some(OldTuple::Key(key))) => {
                    let flags = [ColumnFlags::KEY, ColumnFlags(0)];
                    let key: Vec<_> = key.columns(flags).collect();
                    assert_eq!(key, [(0, TupleColumn::Text(b"1"))]);
                }
                (2, Some(OldTuple::Full(row))) => {
                    assert_eq!(row.get(1), Some(TupleColumn::Text(b"x")));
                }
                (_, other) => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn delete() {
    for (letter, whole) in [(b"K", false), (b"O", true)] {
        let frame = [
            b"D",                 // Byte1('D')
            &b"\0\0\x40\x13"[..], // Int32 (Oid): OID of the relation
            letter,               // Byte1('K') the key, or Byte1('O') the whole old row
            b"\0\x02",            // Int16: number of columns
            b"t\0\0\0\x011",
            b"n",
        ]
        .concat();
        let streamed = with_stream_xid(&frame);
        for (message, xid) in [(decode(&frame), None), (decode_in_chunk(&streamed), Some(SUBXID))] {
            let Message::Delete(body) = message else { panic!("{message:?}") };
            assert_eq!((body.xid, body.relation), (xid, TABLE));
            let columns = match body.old {
                OldTuple::Key(key) if !whole => key.full_width(),
                OldTuple::Full(row) if whole => row,
                other => panic!("{other:?}"),
            };
            assert_eq!(
                columns.columns().collect::<Vec<_>>(),
                [TupleColumn::Text(b"1"), TupleColumn::Null]
            );
        }
    }
}

#[test]
fn truncate() {
    let frame = [
        b"T",                // Byte1('T')
        &b"\0\0\0\x02"[..],  // Int32: number of relations
        b"\x03",             // Int8: 1 for CASCADE, 2 for RESTART IDENTITY
        b"\0\0\x40\x13",     // Int32 (Oid)
        b"\xFF\xFF\xFF\xFF", // Int32 (Oid)
    ]
    .concat();
    let streamed = with_stream_xid(&frame);
    for (message, xid) in [(decode(&frame), None), (decode_in_chunk(&streamed), Some(SUBXID))] {
        let Message::Truncate(body) = message else { panic!("{message:?}") };
        assert_eq!((body.xid, body.flags), (xid, TruncateFlags(3)));
        assert!(body.flags.cascade() && body.flags.restart_identity());
        assert_eq!(body.relations.iter().collect::<Vec<_>>(), [TABLE, Oid::new(u32::MAX)]);
    }
}

#[test]
fn stream_start() {
    let frame = [
        b"S",                 // Byte1('S')
        &b"\0\0\x03\x09"[..], // Int32 (TransactionId)
        b"\x01",              // Int8: 1 for the first chunk of this transaction
    ]
    .concat();
    let body = StreamStartBody { xid: XID, first_segment: 1 };
    assert_eq!(decode(&frame), Message::StreamStart(body));
    assert!(body.is_first_segment());
}

#[test]
fn stream_stop() {
    let mut decoder = Decoder::new();
    decoder.decode(b"S\0\0\x03\x09\0").unwrap();
    // Byte1('E'), nothing else.
    assert_eq!(decoder.decode(b"E"), Ok(Message::StreamStop));
    assert_eq!(decoder, Decoder::new());
}

#[test]
fn stream_commit() {
    let frame = [
        b"c",                          // Byte1('c')
        &b"\0\0\x03\x09"[..],          // Int32 (TransactionId)
        b"\0",                         // Int8(0): flags, unused
        b"\0\0\0\0\x01\x58\xFA\xC8",   // Int64 (XLogRecPtr): LSN of the commit
        b"\0\0\0\x01\x01\x58\xFA\xF8", // Int64 (XLogRecPtr): end LSN of the transaction
        TIME,                          // Int64 (TimestampTz): commit timestamp
    ]
    .concat();
    let (commit_lsn, end_lsn, commit_time) = (LSN, END, time());
    let body = StreamCommitBody { xid: XID, flags: 0, commit_lsn, end_lsn, commit_time };
    assert_eq!(decode(&frame), Message::StreamCommit(body));
}

#[test]
fn stream_abort() {
    let short = [
        b"A",                 // Byte1('A')
        &b"\0\0\x03\x09"[..], // Int32 (TransactionId)
        b"\xFF\xFF\xFF\xFE",  // Int32 (TransactionId): of the subtransaction
    ]
    .concat();
    let body = StreamAbortBody { xid: XID, subxid: SUBXID, tail: None };
    assert_eq!(decode(&short), Message::StreamAbort(body));
    let long = [
        &short[..],
        b"\0\0\0\0\x01\x58\xFA\xC8", // Int64 (XLogRecPtr): LSN of the abort, streaming parallel
        TIME,                        // Int64 (TimestampTz): abort timestamp, streaming parallel
    ]
    .concat();
    let tail = Some(StreamAbortTail { abort_lsn: LSN, abort_time: time() });
    assert_eq!(decode(&long), Message::StreamAbort(StreamAbortBody { tail, ..body }));
}

#[test]
fn begin_prepare() {
    let frame = [
        b"b",                             // Byte1('b')
        &b"\0\0\0\0\x01\x58\xFA\xC8"[..], // Int64 (XLogRecPtr): LSN of the prepare
        b"\0\0\0\x01\x01\x58\xFA\xF8",    // Int64 (XLogRecPtr): end LSN of the prepared transaction
        TIME,                             // Int64 (TimestampTz): prepare timestamp
        b"\0\0\x03\x09",                  // Int32 (TransactionId)
        b"order-7\0",                     // String: the user's GID
    ]
    .concat();
    let (prepare_lsn, end_lsn, prepare_time) = (LSN, END, time());
    let body = BeginPrepareBody { prepare_lsn, end_lsn, prepare_time, xid: XID, gid: "order-7" };
    assert_eq!(decode(&frame), Message::BeginPrepare(body));
}

#[test]
fn prepare_and_stream_prepare() {
    let frame = |letter: &[u8]| {
        [
            letter,                        // Byte1('P') or Byte1('p')
            b"\0",                         // Int8(0): flags, unused
            b"\0\0\0\0\x01\x58\xFA\xC8",   // Int64 (XLogRecPtr): LSN of the prepare
            b"\0\0\0\x01\x01\x58\xFA\xF8", // Int64 (XLogRecPtr): end LSN of the PREPARE
            TIME,                          // Int64 (TimestampTz): prepare timestamp
            b"\0\0\x03\x09",               // Int32 (TransactionId)
            b"order-7\0",                  // String: the user's GID
        ]
        .concat()
    };
    let (flags, prepare_lsn, end_lsn, prepare_time) = (0, LSN, END, time());
    let (xid, gid) = (XID, "order-7");
    let body = PrepareBody { flags, prepare_lsn, end_lsn, prepare_time, xid, gid };
    assert_eq!(decode(&frame(b"P")), Message::Prepare(body));
    let body = StreamPrepareBody { flags, prepare_lsn, end_lsn, prepare_time, xid, gid };
    assert_eq!(decode(&frame(b"p")), Message::StreamPrepare(body));
}

#[test]
fn commit_prepared() {
    let frame = [
        b"K",                          // Byte1('K')
        &b"\0"[..],                    // Int8(0): flags, unused
        b"\0\0\0\0\x01\x58\xFA\xC8",   // Int64 (XLogRecPtr): LSN of the commit
        b"\0\0\0\x01\x01\x58\xFA\xF8", // Int64 (XLogRecPtr): end LSN of the commit
        TIME,                          // Int64 (TimestampTz): commit timestamp
        b"\0\0\x03\x09",               // Int32 (TransactionId)
        b"order-7\0",                  // String: the user's GID
    ]
    .concat();
    let (flags, commit_lsn, end_lsn, commit_time) = (0, LSN, END, time());
    let (xid, gid) = (XID, "order-7");
    let body = CommitPreparedBody { flags, commit_lsn, end_lsn, commit_time, xid, gid };
    assert_eq!(decode(&frame), Message::CommitPrepared(body));
}

#[test]
fn rollback_prepared() {
    let frame = [
        b"r",                          // Byte1('r')
        &b"\0"[..],                    // Int8(0): flags, unused
        b"\0\0\0\0\x01\x58\xFA\xC8",   // Int64 (XLogRecPtr): end LSN of the prepared transaction
        b"\0\0\0\x01\x01\x58\xFA\xF8", // Int64 (XLogRecPtr): end LSN of the rollback
        TIME,                          // Int64 (TimestampTz): prepare timestamp
        b"\0\0\0\0\0\0\0\0",           // Int64 (TimestampTz): rollback timestamp
        b"\0\0\x03\x09",               // Int32 (TransactionId)
        b"order-7\0",                  // String: the user's GID
    ]
    .concat();
    let body = RollbackPreparedBody {
        flags: 0,
        prepare_end_lsn: LSN,
        rollback_end_lsn: END,
        prepare_time: time(),
        rollback_time: TimestampTz::EPOCH,
        xid: XID,
        gid: "order-7",
    };
    assert_eq!(decode(&frame), Message::RollbackPrepared(body));
}

/// Checks that flags and identities that no server sends today are kept.
#[test]
fn unknown_flags_and_identities_are_kept() {
    let Message::Relation(body) = decode(b"R\0\0\0\x01s\0t\0z\0\x01\x81c\0\0\0\0\x17\0\0\0\0")
    else {
        panic!()
    };
    assert_eq!(body.replica_identity, ReplicaIdentity(b'z'));
    let flags = body.columns.iter().next().map(|column| column.flags);
    assert_eq!(flags, Some(ColumnFlags(0x81)));
    let Message::StreamStart(body) = decode(b"S\0\0\0\x01\x02") else { panic!() };
    assert_eq!((body.first_segment, body.is_first_segment()), (2, false));
}

/// Checks that values and names are borrowed from their offset in the frame.
#[test]
fn values_and_names_are_slices_of_the_frame() {
    let at = |frame: &[u8], part: &[u8]| part.as_ptr() as usize - frame.as_ptr() as usize;
    // Not UTF-8, which decoding does not check.
    let value = vec![0xFF; 100_000];
    let frame = [&b"I\0\0\x40\x13N\0\x01t\x00\x01\x86\xA0"[..], &value].concat();
    let Message::Insert(body) = decode(&frame) else { panic!() };
    let Some(TupleColumn::Text(slice)) = body.new.get(0) else { panic!() };
    assert_eq!((at(&frame, slice), slice.len()), (13, 100_000));

    let frame = b"O\0\0\0\0\0\0\0\0upstream\0".to_vec();
    let Message::Origin(body) = decode(&frame) else { panic!() };
    assert_eq!(at(&frame, body.name.as_bytes()), 9);

    let frame = b"M\0\0\0\0\0\0\0\0\0p\0\0\0\0\x02\xFF\xFE".to_vec();
    let Message::Message(body) = decode(&frame) else { panic!() };
    assert_eq!((at(&frame, body.prefix.as_bytes()), at(&frame, body.content)), (10, 16));
}
