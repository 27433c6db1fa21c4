//! CPU, time and memory of each consumer, and of the server that sends to it.
//!
//! `road [WORKLOAD | all] [ROWS] [ROUNDS] [--over tcp | unix | tls] [--peers PROGRAM]`: unless told, all workloads, 250,000 rows,
//! 3 rounds, TCP, and the peers that are built in tests/peers.

use std::env;
use std::io::Read;
use std::process::ExitCode;

use pgoutput_end_to_end::consumer::{Consumer, Task, consume};
use pgoutput_end_to_end::over::Over;
use pgoutput_end_to_end::usage::{Usage, watch};
use pgoutput_end_to_end::workload::Workload;
use pgoutput_end_to_end::{Problem, exit, median, peers};
use pgoutput_harness::{Install, Server};
use postgres::Client;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    exit(match arguments[..] {
        ["consume", name, dsn, slot, until, binary] => {
            let [dsn, slot, until] = [dsn, slot, until].map(str::to_owned);
            consume(name, &Task { dsn, slot, until, binary: binary == "true" })
                .map(|rows| println!("{rows}"))
        }
        _ => run(&arguments),
    })
}

fn run(arguments: &[&str]) -> Result<(), Problem> {
    let (mut over, mut peers, mut plain) = (Over::default(), None, Vec::new());
    let mut arguments = arguments.iter().copied();
    while let Some(argument) = arguments.next() {
        match argument {
            "--over" => over = Over::named(arguments.next())?,
            "--peers" => peers = Some(arguments.next().ok_or("--peers takes a program")?),
            option if option.starts_with('-') => {
                return Err(format!("{option:?} is no option: --over, --peers").into());
            }
            argument => plain.push(argument),
        }
    }
    let wanted = plain.first().copied().unwrap_or("all");
    let rows = plain.get(1).map_or(Ok(250_000), |rows| rows.parse())?;
    let rounds = plain.get(2).map_or(Ok(3), |rounds| rounds.parse())?;
    if !Workload::ALL.iter().any(|workload| wanted == "all" || wanted == workload.name()) {
        return Err(format!("{wanted:?} is no workload").into());
    }
    let mut consumers = Consumer::OURS.to_vec();
    consumers.extend(peers::find(peers)?);
    let server = over.server()?;
    println!(
        "PostgreSQL {}, {rows} rows, the middle one of {rounds} rounds, over {}",
        server.version(),
        over.name()
    );
    for workload in Workload::ALL {
        if wanted == "all" || wanted == workload.name() {
            measure(&server, over, workload, &consumers, rows, rounds)?;
        }
    }
    Ok(())
}

fn measure(
    server: &Server,
    over: Over,
    workload: Workload,
    consumers: &[Consumer],
    rows: u32,
    rounds: u32,
) -> Result<(), Problem> {
    if workload.is_binary() && server.major() < 14 {
        println!("binary: left out, PostgreSQL has it since 14");
        return Ok(());
    }
    let database = server.database("road");
    let mut client = database.client();
    let rows = workload.write(&mut client, rows)?;
    let until = client.query_one("select pg_current_wal_lsn()::text", &[])?.get(0);
    // One more transaction, so that every consumer comes to a commit behind the position, whatever else was logged last.
    client.batch_execute(
        "create table the_end (id int primary key); insert into the_end values (1)",
    )?;
    let (slot, binary) = ("run".to_owned(), workload.is_binary());
    let task = Task { dsn: over.dsn(&database), slot, until, binary };
    let mut runs: Vec<(&Consumer, Vec<Usage>)> =
        consumers.iter().map(|consumer| (consumer, Vec::new())).collect();
    for _ in 0..rounds {
        let mut round = Vec::new();
        for (consumer, mut runs) in runs {
            match one(&mut client, consumer, &task, server.install(), rows) {
                Ok(usage) => {
                    runs.push(usage);
                    round.push((consumer, runs));
                }
                // There may be a way to the server that a peer does not know.
                Err(why) if matches!(consumer, Consumer::Peer { .. }) => {
                    println!("left out of {}: {}: {why}", workload.name(), consumer.name());
                }
                Err(why) => return Err(format!("{}: {why}", consumer.name()).into()),
            }
        }
        runs = round;
    }
    client.execute("select pg_drop_replication_slot('base')", &[])?;
    report(workload, rows, &runs);
    Ok(())
}

/// Lets a consumer read a copy of the slot.
fn one(
    client: &mut Client,
    consumer: &Consumer,
    task: &Task,
    install: &Install,
    rows: u32,
) -> Result<Usage, Problem> {
    client.execute("select pg_copy_logical_replication_slot('base', 'run')", &[])?;
    let mut child = consumer.command(task, install.bin())?.spawn()?;
    let usage = watch(&mut child, || sender(client));
    drop_slot(client)?;
    let usage = usage?;
    if let Some(mut output) = child.stdout.take() {
        let mut said = String::new();
        output.read_to_string(&mut said)?;
        let seen: u32 = said.trim().parse()?;
        // The row behind the end is there when the last commit ended in front of the position.
        if !(rows..=rows + 1).contains(&seen) {
            return Err(format!("it read {seen} rows of {rows}").into());
        }
    }
    Ok(usage)
}

/// The process that reads the slot.
fn sender(client: &mut Client) -> Option<u32> {
    let slot = "select active_pid from pg_replication_slots where slot_name = 'run'";
    let pid: Option<i32> = client.query_one(slot, &[]).ok()?.get(0);
    u32::try_from(pid?).ok()
}

/// The server lets go of a slot a moment after its reader has left.
fn drop_slot(client: &mut Client) -> Result<(), Problem> {
    let drop = "select pg_drop_replication_slot(slot_name) from pg_replication_slots
        where slot_name = 'run' and not active";
    while client.execute(drop, &[])? == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Ok(())
}

fn report(workload: Workload, rows: u32, runs: &[(&Consumer, Vec<Usage>)]) {
    let Some((_, first)) = runs.first() else { return };
    println!("\n{}: {rows} rows, {}", workload.name(), workload.rows_are());
    println!(
        "{:<20} {:>8} {:>7} {:>8} {:>7} {:>8} {:>7} {:>8} {:>10}",
        "", "us/row", "ratio", "sender", "ratio", "wall s", "ratio", "MB", "waits/1000"
    );
    let rows = f64::from(rows);
    for (consumer, runs) in runs {
        let middle = |figure: fn(&Usage) -> f64| median(runs.iter().map(figure).collect());
        // Each round by itself: what else the machine did then, it did to all of them.
        let ratio = |figure: fn(&Usage) -> f64| {
            median(runs.iter().zip(first).map(|(run, first)| figure(run) / figure(first)).collect())
        };
        println!(
            "{:<20} {:8.3} {:7.2} {:8.3} {:7.2} {:8.2} {:7.2} {:8.1} {:10.1}",
            consumer.name(),
            middle(|usage| usage.cpu) * 1e6 / rows,
            ratio(|usage| usage.cpu),
            middle(|usage| usage.sender) * 1e6 / rows,
            ratio(|usage| usage.sender),
            middle(|usage| usage.wall),
            ratio(|usage| usage.wall),
            middle(|usage| usage.memory) / 1024.0,
            middle(|usage| usage.waits) * 1000.0 / rows,
        );
    }
}
