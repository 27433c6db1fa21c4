//! Blocking PostgreSQL change data capture.
