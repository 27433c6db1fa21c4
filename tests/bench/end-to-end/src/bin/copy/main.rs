//! The time, CPU time and memory of an initial copy, beside `COPY` in psql and `pg_dump`. See
//! `copy --help`.

mod copier;

use std::env;
use std::io::Read;
use std::process::ExitCode;

use clap::{Parser, value_parser};
use pgoutput_end_to_end::transport::Transport;
use pgoutput_end_to_end::usage::{self, Usage, watch};
use pgoutput_end_to_end::{Problem, exit, median};
use pgoutput_harness::Install;
use postgres::Client;

use copier::{Copier, Task, copied_rows};

/// The number of tables, so that each of the four jobs of pg_dump has one.
const TABLES: u32 = 4;

/// Measures an initial copy: time, CPU time of the client, and memory.
///
/// Four tables with 6 columns are written to a throwaway server before anything is measured. Then
/// each program copies them, in turns. Ratios are to psql, or to pg_dump with the same number of
/// jobs, in the same round.
#[derive(Debug, Parser)]
#[command(name = "copy", verbatim_doc_comment)]
struct Args {
    /// Rows of all tables together, 4 to 100,000,000.
    #[arg(default_value_t = 1_000_000, value_parser = value_parser!(u32).range(4..=100_000_000))]
    rows: u32,
    /// Copies by each program, 1 to 1000; the median of its figures is shown.
    #[arg(default_value_t = 3, value_parser = value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Transport from the server.
    #[arg(long, value_enum, default_value_t = Transport::Tcp)]
    over: Transport,
}

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    if arguments.next().is_some_and(|first| first == "consume") {
        let (name, dsn) = (arguments.next(), arguments.next());
        let rows = copied_rows(&name.unwrap_or_default(), &dsn.unwrap_or_default());
        return exit(rows.map(|rows| println!("{rows}")));
    }
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Problem> {
    usage::check()?;
    let server = args.over.server()?;
    for copier in Copier::ALL {
        copier.program(server.install().bin())?;
    }
    let database = server.database("copy");
    let rows = write(&mut database.client(), args.rows / TABLES)?;
    let task = Task { dsn: args.over.dsn(&database) };
    let mut runs: Vec<(Copier, Vec<Usage>)> =
        Copier::ALL.into_iter().map(|copier| (copier, Vec::new())).collect();
    for _ in 0..args.rounds {
        for (copier, runs) in &mut runs {
            let usage = one(*copier, &task, server.install(), rows)
                .map_err(|why| format!("{}: {why}", copier.name()))?;
            runs.push(usage);
        }
    }
    println!(
        "PostgreSQL {}, {rows} rows of 6 columns in {TABLES} tables, the middle one of {} rounds, \
         over {}",
        server.version(),
        args.rounds,
        args.over.name()
    );
    report(rows, &runs);
    Ok(())
}

/// Creates the tables and the publication `p`, and returns the number of rows.
fn write(client: &mut Client, rows: u32) -> Result<u32, Problem> {
    const COLUMNS: &str = "id int primary key, a text, b int8, c timestamptz, d numeric, e bool";
    const ROW: &str = "g, 'some text of a row', g * 7, now(), g * 1.25, g % 2 = 0";
    for table in 1..=TABLES {
        client.batch_execute(&format!(
            "create table t{table} ({COLUMNS});
             insert into t{table} select {ROW} from pg_catalog.generate_series(1, {rows}) g"
        ))?;
    }
    // Nothing is left to do for the first reader of a page.
    client.batch_execute("create publication p for all tables")?;
    client.batch_execute("vacuum (freeze, analyze)")?;
    client.batch_execute("checkpoint")?;
    Ok(rows * TABLES)
}

fn one(copier: Copier, task: &Task, install: &Install, rows: u32) -> Result<Usage, Problem> {
    let folder = copier.folder();
    let mut child = copier.command(task, install, folder.as_deref())?.spawn()?;
    let usage = watch(&mut child, || None);
    if let Some(folder) = &folder {
        std::fs::remove_dir_all(folder)?;
    }
    let usage = usage?;
    if let Some(mut output) = child.stdout.take() {
        let mut printed = String::new();
        output.read_to_string(&mut printed)?;
        if printed.trim().parse() != Ok(rows) {
            return Err(format!("it copied {} rows of {rows}", printed.trim()).into());
        }
    }
    Ok(usage)
}

/// Prints a line for each program, compared with the one that does the same without events.
fn report(rows: u32, runs: &[(Copier, Vec<Usage>)]) {
    println!(
        "{:<26} {:>8} {:>7} {:>8} {:>7} {:>8}",
        "", "wall s", "ratio", "us/row", "ratio", "MB"
    );
    for (copier, usages) in runs {
        let base = runs.iter().find(|(other, _)| *other == copier.base());
        let Some((_, base)) = base else { continue };
        let middle = |figure: fn(&Usage) -> f64| median(usages.iter().map(figure).collect());
        // The rounds one by one: other work on the machine affects all programs of a round.
        let ratio = |figure: fn(&Usage) -> f64| {
            let rounds = usages.iter().zip(base);
            median(rounds.map(|(run, base)| figure(run) / figure(base)).collect())
        };
        println!(
            "{:<26} {:>8.2} {:>7.2} {:>8.3} {:>7.2} {:>8.1}",
            copier.name(),
            middle(|usage| usage.wall),
            ratio(|usage| usage.wall),
            middle(|usage| usage.cpu) * 1e6 / f64::from(rows),
            ratio(|usage| usage.cpu),
            middle(|usage| usage.memory) / 1024.0,
        );
    }
}
