//! Redis Streams: `redis://` and `rediss://`.
//!
//! A record is an entry of a stream. The position and the last ID of each stream are fields of a
//! hash, the *state*, which is written in the same transaction (MULTI). An error inside EXEC does
//! not undo the other commands, so everything that could fail is verified before, and WATCH makes
//! EXEC do nothing if a key was modified meanwhile.

mod commands;
mod connection;
mod durability;
mod entry_id;
mod error;
mod redis_log;
mod settings;
mod state;
mod transaction;
mod verify;

pub(crate) use settings::Settings;
