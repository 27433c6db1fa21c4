//! CPU time, wall time and memory of each consumer, and of the server process that sends to it. See
//! `throughput --help`.

mod args;
mod report;

use std::env;
use std::io::Read;
use std::process::ExitCode;

use clap::Parser;
use pgoutput_end_to_end::consume::consume;
use pgoutput_end_to_end::consumer::{Consumer, Task};
use pgoutput_end_to_end::transport::Transport;
use pgoutput_end_to_end::usage::{self, Usage, watch};
use pgoutput_end_to_end::workload::{Workload, mark_end};
use pgoutput_end_to_end::{Problem, exit, peers};
use pgoutput_harness::{Install, Server};
use postgres::Client;

use args::{Args, Consume};

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == "consume") {
        let Consume { name, dsn, slot, until, binary } = Consume::parse_from(arguments);
        let rows = consume(&name, &Task { dsn, slot, until, binary });
        return exit(rows.map(|rows| println!("{rows}")));
    }
    exit(run(&Args::parse().checked()))
}

fn run(args: &Args) -> Result<(), Problem> {
    usage::check()?;
    let mut consumers = Consumer::OURS.to_vec();
    consumers.extend(peers::find(args.peers.as_deref())?);
    let server = args.over.server()?;
    for consumer in &consumers {
        consumer.program(server.install().bin())?;
    }
    println!(
        "PostgreSQL {}, {} rows, the middle one of {} rounds, over {}",
        server.version(),
        args.rows,
        args.rounds,
        args.over.name()
    );
    for workload in args.workload.all() {
        measure(&server, args.over, workload, &consumers, args.rows, args.rounds)?;
    }
    Ok(())
}

fn measure(
    server: &Server,
    over: Transport,
    workload: Workload,
    consumers: &[Consumer],
    rows: u32,
    rounds: u32,
) -> Result<(), Problem> {
    let first_major = workload.first_major();
    if server.major() < first_major {
        println!("{}: left out, PostgreSQL has it since {first_major}", workload.name());
        return Ok(());
    }
    let database = server.database("throughput");
    let mut client = database.client();
    let rows = workload.write(&mut client, rows)?;
    let until = mark_end(&mut client)?;
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
                // A peer may not support this transport.
                Err(why) if matches!(consumer, Consumer::Peer { .. }) => {
                    println!("left out of {}: {}: {why}", workload.name(), consumer.name());
                }
                Err(why) => return Err(format!("{}: {why}", consumer.name()).into()),
            }
        }
        runs = round;
    }
    client.execute("select pg_catalog.pg_drop_replication_slot('base')", &[])?;
    report::print(workload, rows, &runs);
    Ok(())
}

/// Runs a consumer on a copy of the slot.
fn one(
    client: &mut Client,
    consumer: &Consumer,
    task: &Task,
    install: &Install,
    rows: u32,
) -> Result<Usage, Problem> {
    client.execute("select pg_catalog.pg_copy_logical_replication_slot('base', 'run')", &[])?;
    let mut child = consumer.command(task, install.bin())?.spawn()?;
    let usage = watch(&mut child, || sender(client));
    drop_slot(client)?;
    let usage = usage?;
    if let Some(mut output) = child.stdout.take() {
        let mut printed = String::new();
        output.read_to_string(&mut printed)?;
        let seen: u32 = printed.trim().parse()?;
        // The row after the end LSN is counted if a consumer stops after a commit, and not if it
        // stops before it.
        if !(rows..=rows + 1).contains(&seen) {
            return Err(format!("it read {seen} rows of {rows}").into());
        }
    }
    Ok(usage)
}

/// Returns the server process that reads the slot.
fn sender(client: &mut Client) -> Option<u32> {
    let slot = "select active_pid from pg_catalog.pg_replication_slots
        where slot_name OPERATOR(pg_catalog.=) 'run'";
    let pid: Option<i32> = client.query_one(slot, &[]).ok()?.get(0);
    u32::try_from(pid?).ok()
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
