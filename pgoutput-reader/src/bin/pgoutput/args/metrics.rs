//! The arguments of metrics.

use std::path::PathBuf;

// Where metrics are published.
#[derive(Debug, clap::Args)]
pub(crate) struct MetricsArgs {
    /// Write metrics in the Prometheus text format to this file, every five seconds and at the end.
    /// The file is replaced as a whole.
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics_file: Option<PathBuf>,

    /// Serve metrics in the Prometheus text format over HTTP at this address, as in 127.0.0.1:9187,
    /// with the path /metrics.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) metrics: Option<String>,
}
