//! `pgoutput slot create`.

use std::time::Duration;

use pgoutput_reader::{CreateSlot, ErrorKind, ReaderBuilder};
use serde_json::json;

use crate::args::SlotCreate;
use crate::print::failure;
use crate::report::Report;
use crate::result::{print_json, print_text};
use crate::{Failure, signals, stdout};

pub(super) fn run(arguments: &SlotCreate) -> Result<(), Failure> {
    let report = Report::of(arguments.verbosity);
    let config = arguments.server.config()?;
    // The closed output of a command that has created a slot would be noticed too late.
    stdout::open().map_err(Failure::Run)?;
    let signalled = signals::SignalTarget::install()
        .map_err(|error| Failure::Run(format!("catching signals: {error}")))?;
    let mut builder = ReaderBuilder::from(config).on_slot_wait(move |wait| report.waiting(wait));
    if let Some(seconds) = arguments.slot_wait {
        builder = builder.slot_wait_limit(Duration::from_secs(seconds));
    }
    signalled.set_stop_handle(builder.stop_handle().map_err(|error| failure(&error))?);
    let name = &arguments.name;
    let create = CreateSlot::new(name).two_phase(arguments.two_phase).failover(arguments.failover);
    let created = builder.create_slot(&create).map_err(|error| match error.kind() {
        ErrorKind::Stopped { .. } => {
            Failure::Run("stopped by a signal before the slot was created; none remains".into())
        }
        _ => failure(&error),
    })?;
    let lsn = created.consistent_point;
    let printed = if arguments.result.json {
        let slot = json!({ "slot_name": name, "confirmed_flush_lsn": lsn.to_string() });
        print_json("created", &slot)
    } else {
        print_text(&format_args!("created slot \"{name}\" at {lsn}"))
    };
    report.keeps_wal(name);
    printed.map_err(|failure| failure.with(&format!("slot \"{name}\" was created at {lsn}")))
}
