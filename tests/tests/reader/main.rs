//! The reader on real servers.

mod acknowledge;
mod alter_type;
mod bad_input;
mod catalogue;
mod changes;
mod encodings;
mod errors;
mod frames;
mod idle;
mod json_values;
mod liveness;
mod many_tables;
mod options;
mod polling;
mod position;
mod positions_told;
mod reconnect;
mod reconnect_limits;
mod replica_identity;
mod resume;
mod settings;
mod shutdown;
mod slot_health;
mod standby;
mod stopping;
mod types_gone;
