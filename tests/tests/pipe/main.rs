//! `pgoutput pipe` into real engines.

mod debezium;
mod destination;
mod faults;
mod file;
mod kafka;
mod memory;
mod metrics;
mod nats;
mod program;
mod redis;
mod resume;
mod stdout;
mod tls;
mod usage;
