//! The latency that collecting reads adds at a low rate of changes.
//!
//! See `latency --help`.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::{Parser, value_parser};
use pgoutput_decode::{Message, TupleColumn};
use pgoutput_end_to_end::transport::Transport;
use pgoutput_end_to_end::{Problem, exit, median};
use pgoutput_harness::Database;
use pgoutput_reader::{Config, Connection, ReaderBuilder, StartReplication};

/// Measures the latency that collecting reads adds at a low rate of changes.
///
/// 300 and 3,000 transactions per second, whose rows carry the time of their creation. The stream
/// is read with the default delay and without a delay, in turns. Figures are microseconds from
/// before a transaction to the arrival of each of its rows.
#[derive(Debug, Parser)]
#[command(name = "latency", verbatim_doc_comment)]
struct Args {
    /// Seconds that each run lasts, 1 to 3600.
    #[arg(default_value_t = 2, value_parser = value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Runs of each kind, 1 to 1000; the median of their figures is shown.
    #[arg(default_value_t = 5, value_parser = value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Transport from the server.
    #[arg(long, value_enum, default_value_t = Transport::Tcp)]
    over: Transport,
    /// Rows that each transaction inserts, 1 to 10,000; with more rows than the machine can send,
    /// the backlog is measured.
    #[arg(long, value_name = "ROWS", default_value_t = 1)]
    #[arg(value_parser = value_parser!(u32).range(1..=10_000))]
    rows_per_transaction: u32,
    /// Read the change events of `Reader` instead of messages.
    #[arg(long)]
    events: bool,
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Problem> {
    let server = args.over.server()?;
    let database = server.database("latency");
    database.client().batch_execute(
        "create table t (id int8 primary key, made int8); create publication p for table t",
    )?;
    let delay = Config::default().get_max_read_delay();
    println!(
        "PostgreSQL {}, over {}, rows per transaction: {}; \
         microseconds, median of {} rounds",
        server.version(),
        args.over.name(),
        args.rows_per_transaction,
        args.rounds
    );
    println!(
        "{:>12} {:>10} {:>10} {:>12} {:>12} {:>12} {:>12}",
        "a second", "median", "p99", "without", "p99", "added", "added p99"
    );
    for rate in [300, 3000] {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            with.push(trickle(&database, args, rate, delay)?);
            without.push(trickle(&database, args, rate, Duration::ZERO)?);
        }
        let middle =
            |runs: &[[f64; 2]], which: usize| median(runs.iter().map(|run| run[which]).collect());
        let [with, without] = [with, without].map(|runs| [middle(&runs, 0), middle(&runs, 1)]);
        println!(
            "{rate:12} {:10.0} {:10.0} {:12.0} {:12.0} {:12.0} {:12.0}",
            with[0],
            with[1],
            without[0],
            without[1],
            with[0] - without[0],
            with[1] - without[1]
        );
    }
    Ok(())
}

/// Returns median and 99th percentile, in microseconds, from before a transaction to its rows'
/// arrival.
fn trickle(
    database: &Database<'_>,
    args: &Args,
    rate: u32,
    delay: Duration,
) -> Result<[f64; 2], Problem> {
    let mut client = database.client();
    // Commits stay synchronous. Asynchronous ones are not sent before the WAL is flushed, some 200
    // ms later.
    client.batch_execute("truncate t")?;
    client
        .execute("select pg_catalog.pg_create_logical_replication_slot('run', 'pgoutput')", &[])?;
    let config: Config = args.over.dsn(database).parse()?;
    let config = config.max_read_delay(delay);
    let (transactions, each) = (rate * args.seconds, i64::from(args.rows_per_transaction));
    let rows = u64::from(transactions) * u64::from(args.rows_per_transaction);
    let read = if args.events { read_events } else { read };
    let reader = thread::spawn(move || -> Result<Vec<f64>, String> {
        read(&config, rows).map_err(|problem| problem.to_string())
    });
    let insert = client.prepare(
        "insert into t select ($1::bigint operator(pg_catalog.*) $2) operator(pg_catalog.+) n,
                $3::bigint
         from pg_catalog.generate_series(1, $2::bigint) n",
    )?;
    let (start, pause) = (Instant::now(), Duration::from_secs(1) / rate);
    for number in 0..transactions {
        // When it is late it does not wait.
        let at = start + pause * number;
        thread::sleep(at.saturating_duration_since(Instant::now()));
        client.execute(&insert, &[&i64::from(number), &each, &now()])?;
    }
    let mut latencies = reader.join().map_err(|_| "the reader panicked")??;
    // Rows that arrived while the stream was being opened are not counted.
    latencies.drain(..latencies.len() / 4);
    latencies.sort_by(f64::total_cmp);
    let at = |part: usize| latencies.get(latencies.len() * part / 100).copied().unwrap_or_default();
    while client.execute(
        "select pg_catalog.pg_drop_replication_slot(slot_name) from pg_catalog.pg_replication_slots
         where slot_name OPERATOR(pg_catalog.=) 'run' and not active",
        &[],
    )? == 0
    {
        thread::sleep(Duration::from_millis(5));
    }
    Ok([at(50), at(99)])
}

fn read(config: &Config, rows: u64) -> Result<Vec<f64>, Problem> {
    let mut stream = Connection::connect(config)?.stream(&StartReplication::new("run", ["p"]))?;
    let mut latencies = Vec::new();
    while (latencies.len() as u64) < rows
        && let Some(event) = stream.next_event()
    {
        if let Message::Insert(body) = event?.message
            && let Some(TupleColumn::Text(made)) = body.new.get(1)
        {
            latencies.push(since(std::str::from_utf8(made)?.parse()?));
        }
    }
    stream.stop()?;
    Ok(latencies)
}

fn read_events(config: &Config, rows: u64) -> Result<Vec<f64>, Problem> {
    let mut reader = ReaderBuilder::from(config.clone()).slot("run").publication("p").connect()?;
    let mut latencies = Vec::new();
    while (latencies.len() as u64) < rows
        && let Some(event) = reader.next()
    {
        if let Some(row) = event?.after() {
            latencies.push(since(row.get("made")?));
        }
    }
    reader.stop()?;
    Ok(latencies)
}

/// Returns the microseconds since this time, which [`now`] returned.
fn since(made: i64) -> f64 {
    Duration::from_micros(u64::try_from(now() - made).unwrap_or_default()).as_secs_f64() * 1e6
}

/// Returns this machine's clock, in microseconds.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}
