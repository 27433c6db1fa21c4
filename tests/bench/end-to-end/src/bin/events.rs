//! The cost of a change event by itself: as JSON, read by columns, as a struct, and kept.
//!
//! See `events --help`.

use std::hint::black_box;
use std::process::ExitCode;

use clap::{Parser, value_parser};
use pgoutput_bench::{Candidate, Counting, Record, Report, allocations, compare};
use pgoutput_end_to_end::workload::Workload;
use pgoutput_end_to_end::{Problem, exit};
use pgoutput_harness::Server;
use pgoutput_reader::{Acknowledge, ChangeEvent, Next, Reader, Row, RowError, StreamOptions};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Measures the cost of a change event by itself: as JSON, read by columns, as a struct, and kept.
///
/// Rows of the workloads bulk and binary are read once from a throwaway server and then processed
/// in turns. The figures are nanoseconds of this thread's CPU time per event, and two ratios to
/// serde_json writing the same event.
#[derive(Debug, Parser)]
#[command(name = "events", verbatim_doc_comment)]
struct Args {
    /// Rows of each workload, 1 to 10,000,000, all in memory at once.
    #[arg(default_value_t = 2_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    rows: u32,
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(&Args { rows }: &Args) -> Result<(), Problem> {
    let server = Server::any()?;
    println!("PostgreSQL {}, {rows} rows; {}", server.version(), Report::legend("an event"));
    for workload in [Workload::Bulk, Workload::Binary] {
        if workload.is_binary() && server.major() < 14 {
            continue;
        }
        let database = server.database("events");
        workload.write(&mut database.client(), rows)?;
        let mut reader = Reader::builder(&database.dsn_tcp())
            .slot("base")
            .publication("p")
            .options(StreamOptions::new().binary(workload.is_binary()))
            .acknowledge(Acknowledge::Never)
            .connect()?;
        let (events, made) = allocations(|| read(&mut reader, rows));
        reader.stop()?;
        println!("\n{}: {made} allocations while {rows} events were read", workload.name());
        println!("{}", measure(workload, &events?)?);
        database.client().execute("select pg_catalog.pg_drop_replication_slot('base')", &[])?;
    }
    Ok(())
}

fn read(reader: &mut Reader, rows: u32) -> Result<Vec<ChangeEvent>, Problem> {
    let mut events = Vec::with_capacity(rows as usize);
    while events.len() < rows as usize {
        match reader.next_timeout(std::time::Duration::from_secs(60))? {
            Next::Event(event) => events.push(event),
            other => return Err(format!("{} rows, then {other:?}", events.len()).into()),
        }
    }
    Ok(events)
}

fn measure(workload: Workload, events: &[ChangeEvent]) -> Result<pgoutput_bench::Report, Problem> {
    let records: Vec<Record> =
        events.iter().map(|event| record(&after(event))).collect::<Result<_, _>>()?;
    let lines: Vec<String> = records.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    let (mut by_serde, mut direct) = (Vec::new(), String::new());
    let candidates = vec![
        Candidate::new("serde_json of the event", || {
            for event in events {
                by_serde.clear();
                serde_json::to_writer(&mut by_serde, black_box(event)).expect("JSON");
                black_box(&by_serde);
            }
        }),
        Candidate::new("write_json, the same bytes", || {
            for event in events {
                direct.clear();
                black_box(event).write_json(&mut direct).expect("JSON");
                black_box(&direct);
            }
        }),
        Candidate::new("row.get of each column", || {
            for event in events {
                black_box(columns(&after(black_box(event))).expect("the row's own types"));
            }
        }),
        Candidate::new("row.deserialize", || {
            for event in events {
                black_box(record(&after(black_box(event))).expect("the row's own struct"));
            }
        }),
        Candidate::new("serde_json to that struct", || {
            for line in &lines {
                let record: Record = serde_json::from_str(black_box(line)).expect("JSON");
                black_box(record);
            }
        }),
        Candidate::new("clone", || {
            for event in events {
                black_box(black_box(event).clone());
            }
        }),
    ];
    Ok(compare(workload.name(), events.len(), candidates))
}

fn after(event: &ChangeEvent) -> Row<'_> {
    event.after().expect("the workloads are inserts")
}

fn record(row: &Row<'_>) -> Result<Record, RowError> {
    row.deserialize()
}

fn columns<'a>(row: &Row<'a>) -> Result<(i32, &'a str, i64, bool), RowError> {
    let time: pgoutput_decode::TimestampTz = row.get("c")?;
    let number: pgoutput_decode::value::Numeric<'_> = row.get("d")?;
    black_box((time, number));
    Ok((row.get("id")?, row.get("a")?, row.get("b")?, row.get("e")?))
}
