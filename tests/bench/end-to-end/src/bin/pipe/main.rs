//! The throughput of `pgoutput pipe` into each destination, beside `pgoutput tail > FILE`. See
//! `pipe --help`.

mod lane;
mod log;

use std::process::ExitCode;

use clap::{Parser, value_parser};
use pgoutput_end_to_end::transport::Transport;
use pgoutput_end_to_end::usage::{self, Usage, cpu_seconds, watch};
use pgoutput_end_to_end::workload::{Workload, mark_end};
use pgoutput_end_to_end::{Problem, exit, median};
use pgoutput_harness::Server;
use postgres::Client;

use lane::{Lane, Task};

/// Measures `pgoutput pipe` into files, Redis, NATS and Kafka, beside `pgoutput tail > FILE`.
///
/// Rows of pgbench and rows with 100 columns are written to a throwaway server before anything is
/// measured. Then each lane reads all of them from a copy of the same slot, in turns, into a new
/// file or engine, and its records are counted. Rates are to `tail` in the same round: above 1 is
/// faster.
#[derive(Debug, Parser)]
#[command(name = "pipe", verbatim_doc_comment)]
struct Args {
    /// Rows of each workload, 10 to 100,000,000; of 100 columns a tenth of them.
    #[arg(default_value_t = 250_000, value_parser = value_parser!(u32).range(10..=100_000_000))]
    rows: u32,
    /// Runs of each lane, 1 to 1000; the median of their figures is shown.
    #[arg(default_value_t = 3, value_parser = value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Only these lanes, and always tail.
    #[arg(long, value_enum, value_delimiter = ',')]
    lanes: Vec<Lane>,
    /// The program [default: the one beside this program].
    #[arg(long, value_name = "PROGRAM")]
    program: Option<std::path::PathBuf>,
    /// Further options of `pgoutput pipe`.
    #[arg(last = true)]
    options: Vec<String>,
}

/// The figures of a run.
struct Run {
    usage: Usage,
    /// The CPU time of the engine in seconds.
    engine: f64,
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Problem> {
    usage::check()?;
    let beside = std::env::current_exe()?.with_file_name("pgoutput");
    let program = args.program.clone().unwrap_or(beside);
    if !program.exists() {
        return Err(format!("there is no {}; {}", program.display(), lane::BUILD).into());
    }
    let server = Transport::Tcp.server()?;
    let wanted =
        |lane: &Lane| *lane == Lane::Tail || args.lanes.is_empty() || args.lanes.contains(lane);
    let lanes: Vec<Lane> = Lane::ALL.into_iter().filter(wanted).collect();
    for workload in [Workload::Narrow, Workload::Wide] {
        measure(&server, workload, &lanes, &program, args)?;
    }
    Ok(())
}

fn measure(
    server: &Server,
    workload: Workload,
    lanes: &[Lane],
    program: &std::path::Path,
    args: &Args,
) -> Result<(), Problem> {
    let database = server.database("pipe");
    let mut client = database.client();
    let rows = workload.write(&mut client, args.rows)?;
    let until = mark_end(&mut client)?;
    let (dsn, options) = (database.dsn_tcp(), args.options.clone());
    let task = Task { program: program.into(), dsn, until, options };
    let mut runs: Vec<(Lane, Vec<Run>)> = lanes.iter().map(|lane| (*lane, Vec::new())).collect();
    for _ in 0..args.rounds {
        for (lane, runs) in &mut runs {
            let run = one(&mut client, *lane, &task, rows);
            runs.push(run.map_err(|why| format!("{}: {why}", lane.name()))?);
        }
    }
    client.execute("select pg_catalog.pg_drop_replication_slot('base')", &[])?;
    println!(
        "\nPostgreSQL {}, {rows} rows, {}, the middle one of {} rounds\n",
        server.version(),
        workload.rows_are(),
        args.rounds
    );
    report(rows, &runs);
    Ok(())
}

/// Runs a lane on a copy of the slot, into a new destination, and counts its records.
fn one(client: &mut Client, lane: Lane, task: &Task, rows: u32) -> Result<Run, Problem> {
    client.execute("select pg_catalog.pg_copy_logical_replication_slot('base', 'run')", &[])?;
    let log = lane.log()?;
    let before = log.pid().map(cpu_seconds).transpose()?;
    let mut child = lane.command(task, &*log)?.spawn()?;
    let usage = watch(&mut child, || None);
    drop_slot(client)?;
    let usage = usage?;
    let after = log.pid().map(cpu_seconds).transpose()?;
    let records = log.records()?;
    // The row after the end LSN may be stored.
    if !(u64::from(rows)..=u64::from(rows) + 1).contains(&records) {
        return Err(format!("it stored {records} records of {rows}").into());
    }
    Ok(Run { usage, engine: after.unwrap_or(0.0) - before.unwrap_or(0.0) })
}

/// Drops the slot, which the server releases a moment after its reader has left.
fn drop_slot(client: &mut Client) -> Result<(), Problem> {
    let drop =
        "select pg_catalog.pg_drop_replication_slot(slot_name) from pg_catalog.pg_replication_slots
        where slot_name OPERATOR(pg_catalog.=) 'run' and not active";
    while client.execute(drop, &[])? == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Ok(())
}

/// Prints a table in Markdown, compared with the first lane.
fn report(rows: u32, runs: &[(Lane, Vec<Run>)]) {
    let Some((_, first)) = runs.first() else { return };
    println!(
        "| lane | seconds | rate | program, µs per row | ratio | engine, µs per row | MiB |\n\
         | --- | --- | --- | --- | --- | --- | --- |"
    );
    for (lane, runs) in runs {
        let middle = |figure: fn(&Run) -> f64| median(runs.iter().map(figure).collect());
        // The rounds one by one: other work on the machine affects all lanes of a round.
        let ratio = |figure: fn(&Run) -> f64| {
            median(runs.iter().zip(first).map(|(run, first)| figure(run) / figure(first)).collect())
        };
        println!(
            "| {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.1} |",
            lane.name(),
            middle(|run| run.usage.wall),
            1.0 / ratio(|run| run.usage.wall),
            middle(|run| run.usage.cpu) * 1e6 / f64::from(rows),
            ratio(|run| run.usage.cpu),
            middle(|run| run.engine) * 1e6 / f64::from(rows),
            middle(|run| run.usage.memory) / 1024.0
        );
    }
}
