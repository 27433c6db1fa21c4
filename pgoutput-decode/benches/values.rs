//! What reading a row's values costs, beside decoding alone and beside `serde_json` reading the same struct from JSON.
//!
//! `cargo bench -p pgoutput-decode --features serde --bench values`. Nanoseconds a row, all from one interleaved run; and how many
//! allocations a row makes.

use std::hint::black_box;

use pgoutput_bench::{
    Counting, Frame, Input, Lane, allocations, bulk_relation, columns, compare, generated, walk,
};
use pgoutput_decode::row::Row;
use pgoutput_decode::value::{Numeric, Value};
use pgoutput_decode::{Message, Relation, Relations, TimestampTz, TupleData};
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The row with every column in a type of its own.
#[derive(Debug, Serialize, Deserialize)]
struct Record<'a> {
    id: i32,
    a: &'a str,
    b: i64,
    c: String,
    d: String,
    e: bool,
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("values of a row of 6 columns: nanoseconds a row, ratio to decoding it");
    for input in generated().iter().filter(|input| input.name.starts_with("bulk")) {
        println!("{}", measure(input));
    }
}

fn measure(input: &Input) -> pgoutput_bench::Report {
    let mut relations = Relations::new();
    let description = bulk_relation();
    let Ok(Message::Relation(body)) = Message::decode(&description, false) else {
        unreachable!("a Relation message")
    };
    let relation = relations.update(&body).clone();
    let relation: &Relation = &relation;
    let frames: Vec<Frame<'_>> = input.frames().collect();
    let json: Vec<String> = frames.iter().map(|frame| to_json(relation, frame)).collect();
    for (name, read) in [("row.get", get as fn(Row<'_>) -> usize), ("deserialize", deserialize)] {
        let ((), made) = allocations(|| {
            for frame in &frames {
                black_box(read(row(relation, frame)));
            }
        });
        println!("  {name}: {} allocations a row", made / frames.len() as u64);
    }
    let mut copied = Vec::with_capacity(input.stream().len());
    let each = |work: fn(Row<'_>) -> usize| {
        let frames = &frames;
        move || {
            for frame in frames {
                black_box(work(black_box(row(relation, frame))));
            }
        }
    };
    let lanes = vec![
        Lane::new("decode, columns as bytes", || {
            for frame in &frames {
                let message = Message::decode(black_box(frame.bytes), false);
                black_box(columns(&message.expect("a good message")));
            }
        }),
        Lane::new("memcpy", || {
            walk::copy(input.stream(), &mut copied);
        }),
        Lane::new("row.get of each column", each(get)),
        Lane::new("each column as Value", each(get_any)),
        Lane::new("row.deserialize", each(deserialize)),
        Lane::new("serde_json, the same struct", || {
            for line in &json {
                let record: Record<'_> = serde_json::from_str(black_box(line)).expect("good JSON");
                black_box(take(&record));
            }
        }),
    ];
    compare(input.name.clone(), input.len(), lanes)
}

fn row<'a>(relation: &'a Relation, frame: &Frame<'a>) -> Row<'a> {
    let Ok(Message::Insert(body)) = Message::decode(frame.bytes, frame.in_stream) else {
        unreachable!("the inputs are inserts")
    };
    let new: TupleData<'a> = body.new;
    Row::new(relation, new).expect("as wide as its relation")
}

fn get(row: Row<'_>) -> usize {
    let id: i32 = row.get("id").expect("an int4");
    let text: &str = row.get("a").expect("a text");
    let number: i64 = row.get("b").expect("an int8");
    let time: TimestampTz = row.get("c").expect("a timestamptz");
    let price: Numeric<'_> = row.get("d").expect("a numeric");
    let flag: bool = row.get("e").expect("a bool");
    black_box((id, number, time, price, flag));
    text.len()
}

/// What a program does that does not know its columns.
fn get_any(row: Row<'_>) -> usize {
    row.columns()
        .filter(|column| {
            let value: Option<Value<'_>> = column.get().expect("a known type");
            black_box(value).is_some()
        })
        .count()
}

fn deserialize(row: Row<'_>) -> usize {
    take(&row.deserialize().expect("the row's own struct"))
}

fn take(record: &Record<'_>) -> usize {
    black_box(record).a.len()
}

fn to_json(relation: &Relation, frame: &Frame<'_>) -> String {
    let record: Record<'_> = row(relation, frame).deserialize().expect("the row's own struct");
    serde_json::to_string(&record).expect("JSON")
}
