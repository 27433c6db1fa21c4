//! Laws 3 and 7: every accepted frame is encoded to the same bytes, and a built message equals the
//! one read.

use pgoutput_decode::encode::{EncodeError, Encoder, OidsBuf, RelationColumnsBuf, TupleBuf};
use pgoutput_decode::message::{
    CommitBody, DeleteBody, InsertBody, MessageBody, MessageFlags, OriginBody, RelationBody,
    StreamStartBody, TruncateBody, TruncateFlags, TypeBody, UpdateBody,
};
use pgoutput_decode::{
    ColumnFlags, CopyData, Decoder, Lsn, Message, Oid, OldTuple, PrimaryKeepalive, Relations,
    ReplicaIdentity, Tag, TimestampTz, TupleColumn, XLogData, Xid,
};
use pgoutput_strategies::{any_frame, message, mutated, sequences, tuple};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(pgoutput_strategies::config())]

    #[test]
    fn law_3_every_accepted_frame_re_encodes_to_the_same_bytes(
        frame in any_frame(),
        damaged in mutated(any_frame().prop_map(|frame| frame.bytes)),
    ) {
        let message = Message::decode(&frame.bytes, frame.in_stream)?;
        prop_assert_eq!(message.to_bytes()?, &frame.bytes[..]);
        for in_stream in [false, true] {
            if let Ok(message) = Message::decode(&damaged, in_stream) {
                prop_assert_eq!(message.to_bytes()?, &damaged[..]);
            }
        }
    }

    #[test]
    fn law_3_an_encoder_accepts_every_valid_stream(frames in sequences()) {
        let (mut decoder, mut encoder) = (Decoder::new(), Encoder::new());
        for frame in &frames {
            let mut out = Vec::new();
            encoder.encode(&decoder.decode(frame)?, &mut out)?;
            prop_assert_eq!(&out, frame);
            prop_assert_eq!(encoder.stream_xid(), decoder.stream_xid());
        }
    }

    #[test]
    fn law_3_envelopes_re_encode_to_the_same_bytes(
        start in any::<[u8; 8]>(), end in any::<[u8; 8]>(), time in any::<[u8; 8]>(),
        reply in any::<u8>(), data in vec(any::<u8>(), 0..64),
    ) {
        let xlog_data = [b"w", &start[..], &end, &time, &data].concat();
        let keepalive = [b"k", &end[..], &time, &[reply]].concat();
        for payload in [xlog_data, keepalive] {
            let mut out = Vec::new();
            CopyData::decode(&payload)?.encode(&mut out);
            prop_assert_eq!(out, payload);
        }
    }

    #[test]
    fn law_7_a_tuple_built_column_by_column_equals_the_one_read(wire in tuple()) {
        let frame = [&b"I\0\0\0\x01N"[..], &wire].concat();
        let Message::Insert(insert) = Message::decode(&frame, false)? else { unreachable!() };
        let built = TupleBuf::from_columns(insert.new.columns())?;
        prop_assert_eq!(built.as_tuple(), insert.new);
        prop_assert_eq!(TupleBuf::from(insert.new), built);
    }

    #[test]
    fn law_7_an_owned_relation_equals_the_one_read(wire in message(b'R', false)) {
        let Message::Relation(body) = Message::decode(&wire, false)? else { unreachable!() };
        let mut relations = Relations::new();
        let held = relations.update(&body);
        let mut columns = RelationColumnsBuf::new();
        for column in held.columns() {
            columns.push(column.flags, &column.name, column.type_oid, column.type_modifier)?;
        }
        prop_assert_eq!(held.namespace(), body.namespace());
        let rebuilt = RelationBody {
            xid: None,
            oid: held.oid(),
            wire_namespace: body.wire_namespace,
            name: held.name(),
            replica_identity: held.replica_identity(),
            columns: columns.as_columns(),
        };
        prop_assert_eq!(rebuilt, body);
        prop_assert_eq!(Message::Relation(rebuilt).to_bytes()?, wire);
    }
}

#[test]
fn built_changes_have_the_bytes_of_the_manual() {
    let mut row = TupleBuf::new();
    row.text("1").unwrap().null().unwrap().unchanged().unwrap();
    row.binary(7_i32.to_be_bytes()).unwrap();
    let mut key = TupleBuf::new();
    key.push(TupleColumn::Text(b"1")).unwrap().push(TupleColumn::Null).unwrap();
    let relation = Oid::new(0x4013);
    let tables: OidsBuf = [relation, Oid::new(1)].into_iter().collect();
    let cases: [(Message<'_>, &[u8]); 4] = [
        (
            Message::Insert(InsertBody { xid: None, relation, new: row.as_tuple() }),
            b"I\0\0\x40\x13N\0\x04t\0\0\0\x011nub\0\0\0\x04\0\0\0\x07",
        ),
        (
            Message::Update(UpdateBody {
                xid: Some(Xid::new(777)),
                relation,
                old: Some(OldTuple::Key(key.as_key())),
                new: key.as_tuple(),
            }),
            b"U\0\0\x03\x09\0\0\x40\x13K\0\x02t\0\0\0\x011nN\0\x02t\0\0\0\x011n",
        ),
        (
            Message::Delete(DeleteBody {
                xid: None,
                relation,
                old: OldTuple::Full(key.as_tuple()),
            }),
            b"D\0\0\x40\x13O\0\x02t\0\0\0\x011n",
        ),
        (
            Message::Truncate(TruncateBody {
                xid: None,
                flags: TruncateFlags::RESTART_IDENTITY,
                relations: tables.as_oids(),
            }),
            b"T\0\0\0\x02\x02\0\0\x40\x13\0\0\0\x01",
        ),
    ];
    for (message, bytes) in cases {
        assert_eq!(message.to_bytes().unwrap(), bytes);
        assert_eq!(Message::decode(bytes, message.stream_xid().is_some()), Ok(message));
    }
}

#[test]
fn built_envelopes_have_the_bytes_of_the_manual() {
    let (wal_start, wal_end) = (Lsn::new(1), Lsn::new(2));
    let send_time = TimestampTz::from_micros(-1);
    let mut out = Vec::new();
    XLogData { wal_start, wal_end, send_time, data: b"E" }.encode(&mut out);
    assert_eq!(out, b"w\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFE");
    assert_eq!(out.len(), XLogData::HEADER_LEN + 1);
    out.clear();
    PrimaryKeepalive { wal_end, send_time, reply: 9 }.encode(&mut out);
    assert_eq!(out, b"k\0\0\0\0\0\0\0\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x09");
    assert_eq!(out.len(), PrimaryKeepalive::LEN);
}

#[test]
fn a_zero_byte_in_a_name_is_an_error_that_leaves_the_buffer_unchanged() {
    let (oid, lsn, xid) = (Oid::new(1), Lsn::ZERO, None);
    let columns = RelationColumnsBuf::new();
    let relation = |wire_namespace, name| {
        let (replica_identity, columns) = (ReplicaIdentity::DEFAULT, columns.as_columns());
        Message::Relation(RelationBody {
            xid,
            oid,
            wire_namespace,
            name,
            replica_identity,
            columns,
        })
    };
    let type_body = TypeBody { xid, oid, wire_namespace: "", name: "ab\0" };
    let flags = MessageFlags(0);
    let message_body = MessageBody { xid, flags, lsn, prefix: "p\0", content: b"" };
    let cases = [
        (relation("a\0b", ""), "namespace", 1),
        (relation("", "\0"), "relation name", 0),
        (Message::Type(type_body), "type name", 2),
        (Message::Origin(OriginBody { commit_lsn: lsn, name: "x\0" }), "origin name", 1),
        (Message::Message(message_body), "message prefix", 1),
    ];
    for (message, field, offset) in cases {
        let mut out = b"before".to_vec();
        assert_eq!(message.encode(&mut out), Err(EncodeError::InteriorZero { field, offset }));
        assert_eq!(out, b"before", "{field}");
    }
    // Five kinds of messages have a GID; each is read from a valid frame and given an invalid name.
    for kind in *b"bPKrp" {
        let numbers = if kind == b'b' { 28 } else { 29 } + if kind == b'r' { 8 } else { 0 };
        let frame = [&[kind][..], &vec![0; numbers], b"gid\0"].concat();
        let bad = "g\0";
        let message = match Message::decode(&frame, false).unwrap() {
            Message::BeginPrepare(mut body) => {
                body.gid = bad;
                Message::BeginPrepare(body)
            }
            Message::Prepare(mut body) => {
                body.gid = bad;
                Message::Prepare(body)
            }
            Message::CommitPrepared(mut body) => {
                body.gid = bad;
                Message::CommitPrepared(body)
            }
            Message::RollbackPrepared(mut body) => {
                body.gid = bad;
                Message::RollbackPrepared(body)
            }
            Message::StreamPrepare(mut body) => {
                body.gid = bad;
                Message::StreamPrepare(body)
            }
            other => panic!("{other:?}"),
        };
        let error = EncodeError::InteriorZero { field: "GID", offset: 1 };
        assert_eq!(message.to_bytes(), Err(error));
    }
    assert_eq!(
        EncodeError::InteriorZero { field: "origin name", offset: 1 }.to_string(),
        "origin name has a zero byte at byte 1, which would end it on the wire: remove it"
    );
}

#[test]
fn more_columns_than_the_wire_can_count_are_an_error() {
    let mut row = TupleBuf::new();
    let mut columns = RelationColumnsBuf::new();
    for _ in 0..u16::MAX {
        row.null().unwrap();
        columns.push(ColumnFlags(0), "", Oid::new(23), -1).unwrap();
    }
    let error = EncodeError::TooLong { field: "column count", length: 65_536, limit: 65_535 };
    assert_eq!(row.null().unwrap_err(), error);
    assert_eq!(columns.push(ColumnFlags(0), "", Oid::new(23), -1).unwrap_err(), error);
    assert_eq!((row.as_tuple().len(), columns.as_columns().len()), (65_535, 65_535));
    assert_eq!(row.as_tuple().as_bytes().len(), 65_535);
    assert_eq!(
        error.to_string(),
        "column count of 65536 exceeds the limit of 65535 in the wire format"
    );
}

/// The pages of the value are never touched: it is rejected by its length.
#[test]
#[cfg(target_pointer_width = "64")]
fn a_value_longer_than_its_length_field_allows_is_an_error() {
    let value = vec![0; 1 << 31];
    let (length, limit) = (1 << 31, (1 << 31) - 1);
    let mut row = TupleBuf::new();
    row.text("kept").unwrap();
    let before = row.clone();
    let error = EncodeError::TooLong { field: "column value", length, limit };
    assert_eq!(row.text(&value).unwrap_err(), error);
    assert_eq!(row.binary(&value).unwrap_err(), error);
    assert_eq!(row, before);
    let (flags, lsn) = (MessageFlags(0), Lsn::ZERO);
    let body = MessageBody { xid: None, flags, lsn, prefix: "p", content: &value };
    let error = EncodeError::TooLong { field: "content", length, limit };
    assert_eq!(Message::Message(body).to_bytes(), Err(error));
}

#[test]
fn an_encoder_rejects_what_a_decoder_would_reject() {
    let row = TupleBuf::new();
    let insert =
        |xid| Message::Insert(InsertBody { xid, relation: Oid::new(1), new: row.as_tuple() });
    let (bare, part) = (insert(None), insert(Some(Xid::new(778))));
    let start = Message::StreamStart(StreamStartBody { xid: Xid::new(777), first_segment: 1 });
    let (commit_lsn, end_lsn, commit_time) = (Lsn::new(1), Lsn::new(2), TimestampTz::EPOCH);
    let commit = Message::Commit(CommitBody { flags: 0, commit_lsn, end_lsn, commit_time });

    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    let steps = [
        (Message::StreamStop, Err(EncodeError::StrayStreamStop)),
        (part, Err(EncodeError::UnexpectedXid(Tag::INSERT))),
        (bare, Ok(())),
        (commit, Ok(())),
        (start, Ok(())),
        (start, Err(EncodeError::NestedStreamStart)),
        (commit, Err(EncodeError::InsideStream(Tag::COMMIT))),
        (bare, Err(EncodeError::MissingXid(Tag::INSERT))),
        (part, Ok(())),
        (Message::StreamStop, Ok(())),
    ];
    for (message, expected) in steps {
        let before = (encoder, out.len());
        assert_eq!(encoder.encode(&message, &mut out), expected, "{message:?}");
        assert_eq!((encoder, out.len()) == before, expected.is_err(), "{message:?}");
    }
    assert_eq!(encoder, Encoder::new());
}
