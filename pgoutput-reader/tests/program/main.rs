//! The `pgoutput` program on real servers.

mod run;
mod tail;
#[cfg(feature = "tls")]
mod tls;
mod usage;
