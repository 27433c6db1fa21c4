//! The command `pgoutput slot`.

mod advance;
mod create;
mod drop;
mod facts;
mod list;

use crate::Failure;
use crate::args::Slot;

pub(crate) fn run(arguments: &Slot) -> Result<(), Failure> {
    match arguments {
        Slot::List(list) => list::run(list),
        Slot::Create(create) => create::run(create),
        Slot::Drop(drop) => drop::run(drop),
        Slot::Advance(advance) => advance::run(advance),
    }
}
