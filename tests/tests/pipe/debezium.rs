//! Tests of debezium.
