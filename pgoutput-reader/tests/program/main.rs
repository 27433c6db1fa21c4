//! The `pgoutput` program on real servers.

mod copy;
mod decode;
mod doctor;
mod filters;
mod help;
mod hostile;
mod masks;
#[cfg(target_os = "linux")]
mod memory;
mod metrics;
mod poll;
mod publications;
mod reconnect;
mod replay;
mod report;
mod run;
mod schemas;
mod signals;
mod slots;
mod snapshot;
mod snapshot_added;
mod stdout;
mod tail;
mod terminal;
#[cfg(feature = "tls")]
mod tls;
mod usage;
mod writing;
