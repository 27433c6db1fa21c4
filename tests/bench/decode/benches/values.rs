//! The cost of reading a row's values, compared with decoding alone and with `serde_json` reading
//! the same struct from JSON.
//!
//! `cargo bench -p pgoutput-bench --bench values` prints nanoseconds per row, all from one
//! interleaved run, and allocations per row.

use std::hint::black_box;

use pgoutput_bench::values::{Record, deserialize, get, get_any, row};
use pgoutput_bench::{
    Candidate, Counting, Frame, Input, Report, allocations, bulk_relation, columns, compare,
    generated, walk,
};
use pgoutput_decode::row::{Row, RowError};
use pgoutput_decode::{Message, Relation, Relations};

type Read = fn(Row<'_>) -> Result<(), RowError>;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!(
        "values of a row of 6 columns, compared with decoding it: {}",
        Report::legend("a row")
    );
    for input in generated().iter().filter(|input| input.name.starts_with("bulk")) {
        println!("{}", measure(input));
    }
}

fn measure(input: &Input) -> Report {
    let mut relations = Relations::new();
    let description = bulk_relation();
    let Ok(Message::Relation(body)) = Message::decode(&description, false) else {
        unreachable!("a Relation message")
    };
    let relation = relations.update(&body).clone();
    let relation: &Relation = &relation;
    let frames: Vec<Frame<'_>> = input.frames().collect();
    let json: Vec<String> = frames.iter().map(|frame| to_json(relation, frame)).collect();
    for (name, read) in [("row.get", get as Read), ("deserialize", deserialize)] {
        let ((), count) = allocations(|| {
            for frame in &frames {
                read(row(relation, frame)).expect("a valid row");
            }
        });
        println!("  {name}: {} allocations a row", count / frames.len() as u64);
    }
    let mut copied = Vec::with_capacity(input.stream().len());
    let each = |read: Read| {
        let frames = &frames;
        move || {
            for frame in frames {
                read(row(relation, frame)).expect("a valid row");
            }
        }
    };
    let candidates = vec![
        Candidate::new("decode, columns as bytes", || {
            for frame in &frames {
                let message = Message::decode(black_box(frame.bytes), false);
                black_box(columns(&message.expect("a valid message")));
            }
        }),
        Candidate::new("memcpy", || {
            walk::copy(input.stream(), &mut copied);
        }),
        Candidate::new("row.get of each column", each(get)),
        Candidate::new("each column as Value", each(get_any)),
        Candidate::new("row.deserialize", each(deserialize)),
        Candidate::new("serde_json, the same struct", || {
            for line in &json {
                let record: Record<'_> = serde_json::from_str(black_box(line)).expect("valid JSON");
                black_box(record);
            }
        }),
    ];
    compare(input.name.clone(), input.len(), candidates)
}

fn to_json(relation: &Relation, frame: &Frame<'_>) -> String {
    let record: Record<'_> = row(relation, frame).deserialize().expect("the row's own struct");
    serde_json::to_string(&record).expect("JSON")
}
