//! The `pgoutput` program on real servers.

mod run;
mod tail;
mod usage;
