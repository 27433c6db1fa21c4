//! The reader on real servers.

mod acknowledge;
mod bad_input;
mod catalogue;
mod changes;
mod encodings;
mod errors;
mod json_values;
mod liveness;
mod options;
mod reconnect;
mod reconnect_limits;
mod resume;
mod settings;
mod shutdown;
