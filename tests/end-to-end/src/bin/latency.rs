//! What letting reads gather adds to the latency of a trickle.
//!
//! `latency [SECONDS] [ROUNDS]`: single-row transactions, 300 and 3,000 a second, each carrying the time it was
//! made at; the stream is read with the default delay and without any, in turns, 2 seconds and 5 rounds of each.

use std::env;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pgoutput_decode::{Message, TupleColumn};
use pgoutput_end_to_end::{Problem, exit, median};
use pgoutput_harness::{Database, Server};
use pgoutput_reader::{Config, Connection, StartReplication};

fn main() -> ExitCode {
    exit(run())
}

fn run() -> Result<(), Problem> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let seconds = arguments.first().map_or(Ok(2), |seconds| seconds.parse())?;
    let rounds = arguments.get(1).map_or(Ok(5), |rounds| rounds.parse())?;
    let server = Server::any()?;
    let database = server.database("latency");
    database.client().batch_execute(
        "create table t (id int primary key, made int8); create publication p for table t",
    )?;
    let delay = Config::default().get_max_read_delay();
    println!("PostgreSQL {}; microseconds, the middle one of {rounds} rounds", server.version());
    println!(
        "{:>12} {:>10} {:>10} {:>12} {:>12} {:>12} {:>12}",
        "a second", "median", "p99", "without", "p99", "added", "added p99"
    );
    for rate in [300, 3000] {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            with.push(trickle(&database, rate, seconds, delay)?);
            without.push(trickle(&database, rate, seconds, Duration::ZERO)?);
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

/// Median and 99th percentile, in microseconds, from before a transaction to its row's arrival.
fn trickle(
    database: &Database<'_>,
    rate: u32,
    seconds: u32,
    delay: Duration,
) -> Result<[f64; 2], Problem> {
    let mut client = database.client();
    // Commits stay synchronous: others are not sent before the log is flushed, some 200 ms later.
    client.batch_execute("truncate t")?;
    client.execute("select pg_create_logical_replication_slot('run', 'pgoutput')", &[])?;
    let mut config: Config = database.dsn_tcp().parse()?;
    config.max_read_delay(delay);
    let transactions = rate * seconds;
    let reader = thread::spawn(move || -> Result<Vec<f64>, String> {
        read(&config, transactions).map_err(|problem| problem.to_string())
    });
    let insert = client.prepare("insert into t values ($1, $2)")?;
    let (start, pause) = (Instant::now(), Duration::from_secs(1) / rate);
    for number in 0..transactions {
        // Behind its time it does not wait.
        let at = start + pause * number;
        thread::sleep(at.saturating_duration_since(Instant::now()));
        client.execute(&insert, &[&number.cast_signed(), &now()])?;
    }
    let mut latencies = reader.join().map_err(|_| "the reader panicked")??;
    // What arrived while the stream was opened is not counted.
    latencies.drain(..latencies.len() / 4);
    latencies.sort_by(f64::total_cmp);
    let at = |part: usize| latencies.get(latencies.len() * part / 100).copied().unwrap_or_default();
    while client.execute(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots
         where slot_name = 'run' and not active",
        &[],
    )? == 0
    {
        thread::sleep(Duration::from_millis(5));
    }
    Ok([at(50), at(99)])
}

fn read(config: &Config, transactions: u32) -> Result<Vec<f64>, Problem> {
    let mut stream = Connection::connect(config)?.stream(&StartReplication::new("run", ["p"]))?;
    let mut latencies = Vec::new();
    while latencies.len() < transactions as usize
        && let Some(event) = stream.next_event()
    {
        if let Message::Insert(body) = event?.message
            && let Some(TupleColumn::Text(made)) = body.new.get(1)
        {
            let made: i64 = std::str::from_utf8(made)?.parse()?;
            let took = Duration::from_micros(u64::try_from(now() - made).unwrap_or_default());
            latencies.push(took.as_secs_f64() * 1e6);
        }
    }
    stream.stop()?;
    Ok(latencies)
}

/// This machine's clock, in microseconds.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}
