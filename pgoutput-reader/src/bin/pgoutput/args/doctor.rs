//! The arguments of `pgoutput doctor`.

use super::Server;

#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) server: Server,

    /// The replication slot to check. Without it, the checks are those of a slot that is yet to be
    /// created.
    #[arg(long, value_name = "NAME")]
    pub(crate) slot: Option<String>,

    /// A publication to check, with its tables; may be repeated.
    #[arg(long = "publication", value_name = "NAME")]
    pub(crate) publications: Vec<String>,

    /// Leave out what is ok: print only warnings and errors.
    #[arg(help_heading = "Messages", short, long)]
    pub(crate) quiet: bool,

    /// Print one JSON object: {"findings":[{"severity":…,"object":…,"message":…,"sql":[…]}]}.
    #[arg(long)]
    pub(crate) json: bool,
}
