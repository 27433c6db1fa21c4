//! Blocking PostgreSQL change data capture.

pub mod config;

pub use config::{Config, ConfigError, SslMode};
