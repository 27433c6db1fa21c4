//! Redis Streams.
#![cfg(feature = "redis")]

mod access;
mod crashes;
mod delivery;
mod part;
mod refusals;
mod scene;
mod server;
mod tls;

pub(crate) use server::RedisServer;
