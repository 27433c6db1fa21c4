//! `pgoutput pipe` into real engines.

mod debezium;
mod destination;
mod faults;
mod file;
mod kafka;
mod nats;
mod program;
mod redis;
