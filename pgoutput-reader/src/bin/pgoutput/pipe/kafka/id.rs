//! The name of a pipe in Kafka.

use crate::Failure;
use crate::args::Pipe;
use crate::pipe::route::SourceNames;

/// Returns the transactional id that is used unless the URL has one. It is the same after a
/// restart, and differs between slots.
pub(super) fn default(pipe: &Pipe) -> Result<String, Failure> {
    let name = SourceNames::of(pipe)?.name;
    Ok(format!("pgoutput.{name}.{}", pipe.slot))
}
