//! The command `pgoutput slot`.

mod advance;
mod create;
mod drop;
mod facts;
mod list;

use crate::Failure;
use crate::args::{Server, Slot};
use crate::session::Session;

/// Returns the names of all slots of the server.
pub(crate) fn names(server: &Server) -> Result<Vec<String>, Failure> {
    let slots = facts::SlotFacts::all(&mut Session::connect(server)?)?;
    Ok(slots.into_iter().map(|slot| slot.slot_name).collect())
}

pub(crate) fn run(arguments: &Slot) -> Result<(), Failure> {
    match arguments {
        Slot::List(list) => list::run(list),
        Slot::Create(create) => create::run(create),
        Slot::Drop(drop) => drop::run(drop),
        Slot::Advance(advance) => advance::run(advance),
    }
}
