//! Other decoders of pgoutput compared with this one, over the same frames, in turns.
//!
//! ```text
//! cd tests/bench/peers && cargo run --release         # every input
//! cd tests/bench/peers && cargo run --release -- bulk # the inputs whose name starts with "bulk"
//! ```
//!
//! The figures are nanoseconds of this thread's CPU time per message, two ratios to
//! `pgoutput-decode`, and allocations per message. Each peer gets its preferred input: `Bytes` if
//! it keeps them, a slice if it copies. Ours visits every column in addition to decoding, while the
//! others only decode.
//!
//! For pg_walstream this measures the parser, its rows and its deserializer. `consume` has its
//! connection.

use std::hint::black_box;
use std::process::ExitCode;

use bytes::Bytes;
use pg_walstream::protocol::{
    ColumnInfo, LogicalReplicationMessage, LogicalReplicationParser, RelationInfo,
};

use pgoutput::events::event::{Event, EventType};
use pgoutput::options::{
    BinaryValueTraitOff, BinaryValueTraitOn, StreamingValueTraitOff, StreamingValueTraitOn,
};
use pgoutput_bench::{
    BULK_COLUMNS, Counting, Frame, Input, Record, Report, Work, bulk_relation, columns,
    compare_counted, decoded_columns, generated,
};
use pgoutput_decode::row::Row;
use pgoutput_decode::{Message, Relation};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let inputs = generated();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted: Vec<&Input> = match &arguments[..] {
        [] => inputs.iter().collect(),
        [start] => inputs.iter().filter(|input| input.name.starts_with(start)).collect(),
        _ => Vec::new(),
    };
    if wanted.is_empty() {
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let names = names.join(", ");
        match &arguments[..] {
            [start] if !start.starts_with('-') => {
                eprintln!("no input's name starts with {start:?}; there are: {names}")
            }
            _ => eprintln!("usage: pgoutput-peers [START of the name of an input: {names}]"),
        }
        return ExitCode::FAILURE;
    }
    println!("decoding, compared with pgoutput-decode: {}", Report::legend("a message"));
    for input in &wanted {
        println!("{}", decode(input));
    }
    if let Some(input) = wanted.iter().find(|input| input.name == "bulk") {
        println!("from a frame to a struct of its 6 columns");
        println!("{}", to_struct(input));
    }
    ExitCode::SUCCESS
}

/// The frames of an input, as slices and as `Bytes` of one buffer.
struct Frames<'a> {
    slices: Vec<Frame<'a>>,
    shared: Vec<Bytes>,
}

impl<'a> Frames<'a> {
    fn of(input: &'a Input) -> Self {
        let slices: Vec<Frame<'a>> = input.frames().collect();
        let whole = Bytes::copy_from_slice(input.stream());
        let start = input.stream().as_ptr().addr();
        let shared = slices.iter().map(|frame| {
            let at = frame.bytes.as_ptr().addr() - start;
            whole.slice(at..at + frame.bytes.len())
        });
        Self { shared: shared.collect(), slices }
    }
}

fn decode(input: &Input) -> Report {
    let frames = Frames::of(input);
    let is_binary = input.name == "bulk binary";
    let is_streamed = input.name == "streamed";
    let mut work: Vec<Work<'_>> = vec![
        ("pgoutput-decode", Box::new(|| columns_while_decoding(&frames))),
        ("pgoutput-decode, then columns", Box::new(|| columns_after_decode(&frames))),
    ];
    if is_streamed {
        println!("  (pgsync-postgres knows no streamed transactions)");
    } else {
        work.push(("pgsync-postgres 0.1.1", Box::new(|| pgsync(&frames))));
    }
    work.push((
        "pgoutput 0.0.7",
        match (is_binary, is_streamed) {
            (true, _) => Box::new(|| pgoutput_binary(&frames)),
            (_, true) => Box::new(|| pgoutput_streamed(&frames)),
            _ => Box::new(|| pgoutput_text(&frames)),
        },
    ));
    work.push(("pg_walstream 0.10 parser", Box::new(|| walstream(&frames))));
    compare_counted(input, work)
}

fn to_struct(input: &Input) -> Report {
    let frames = Frames::of(input);
    let description = bulk_relation();
    let Ok(Message::Relation(body)) = Message::decode(&description, false) else {
        unreachable!("a Relation message")
    };
    let ours = Relation::from(&body);
    let columns = BULK_COLUMNS.into_iter().enumerate();
    let columns =
        columns.map(|(n, (name, oid))| ColumnInfo::new(u8::from(n == 0), name.to_owned(), oid, -1));
    let theirs = RelationInfo::new(16_403, "public", "t", b'd', columns.collect());
    let work: Vec<Work<'_>> = vec![
        (
            "pgoutput-decode",
            Box::new(|| {
                for frame in &frames.slices {
                    let Ok(Message::Insert(body)) = Message::decode(black_box(frame.bytes), false)
                    else {
                        unreachable!("the input is inserts")
                    };
                    let row = Row::new(&ours, body.new).expect("as wide as its relation");
                    take(row.deserialize().expect("the row's own struct"));
                }
            }),
        ),
        (
            "pg_walstream 0.10",
            Box::new(|| {
                let mut parser = LogicalReplicationParser::with_protocol_version(1);
                for frame in &frames.shared {
                    let message = parser.parse_wal_message_bytes(black_box(frame).clone());
                    let LogicalReplicationMessage::Insert { tuple, .. } =
                        message.expect("a valid message").message
                    else {
                        unreachable!("the input is inserts")
                    };
                    take(
                        tuple
                            .into_row_data(&theirs)
                            .deserialize_into()
                            .expect("the row's own struct"),
                    );
                }
            }),
        ),
    ];
    compare_counted(input, work)
}

fn take(record: Record) {
    let Record { id, a, b, c, d, e } = black_box(record);
    black_box((id, a.len(), b, c.len(), d.len(), e));
}

/// Visits columns while the message is checked.
fn columns_while_decoding(frames: &Frames<'_>) {
    for frame in &frames.slices {
        let sum = decoded_columns(black_box(frame.bytes), frame.in_stream);
        black_box(sum.expect("a valid message"));
    }
}

/// Visits columns of a checked message.
fn columns_after_decode(frames: &Frames<'_>) {
    for frame in &frames.slices {
        let message = Message::decode(black_box(frame.bytes), frame.in_stream);
        black_box(columns(&message.expect("a valid message")));
    }
}

fn pgsync(frames: &Frames<'_>) {
    for frame in &frames.shared {
        let message =
            pgsync_postgres::replication::pgoutput::decode_logical(black_box(frame).clone());
        black_box(message.expect("a valid message"));
    }
}

fn walstream(frames: &Frames<'_>) {
    let mut parser = LogicalReplicationParser::with_protocol_version(2);
    for frame in &frames.shared {
        let message = parser.parse_wal_message_bytes(black_box(frame).clone());
        black_box(message.expect("a valid message"));
    }
}

/// Splits a frame into its kind and the rest.
fn split(frame: &[u8]) -> (EventType, &[u8]) {
    let (tag, rest) = frame.split_first().expect("no frame is empty");
    (EventType::from_char(*tag).expect("a known kind"), rest)
}

fn pgoutput_text(frames: &Frames<'_>) {
    for frame in &frames.slices {
        let (kind, rest) = split(black_box(frame.bytes));
        let event = Event::<BinaryValueTraitOff, StreamingValueTraitOff>::parse(&kind, rest);
        black_box(event.expect("a valid message"));
    }
}

fn pgoutput_binary(frames: &Frames<'_>) {
    for frame in &frames.slices {
        let (kind, rest) = split(black_box(frame.bytes));
        let event = Event::<BinaryValueTraitOn, StreamingValueTraitOff>::parse(&kind, rest);
        black_box(event.expect("a valid message"));
    }
}

fn pgoutput_streamed(frames: &Frames<'_>) {
    for frame in &frames.slices {
        let (kind, rest) = split(black_box(frame.bytes));
        let event = Event::<BinaryValueTraitOff, StreamingValueTraitOn>::parse(&kind, rest);
        black_box(event.expect("a valid message"));
    }
}
