//! Records as lines.

use std::io::{self, Write};

use serde::de::IgnoredAny;

use super::batch::Record;
use crate::args::{EnvelopeArg, LinesArg, Pipe};

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// The value, or `null` for a tombstone.
    Value,
    /// An object with the topic, the key and the value.
    Record,
}

impl Lines {
    /// Returns the form that was chosen, or that of the envelope: records of debezium are not
    /// complete without their keys.
    pub(crate) fn of(pipe: &Pipe) -> Self {
        match (pipe.lines, pipe.envelope) {
            (Some(LinesArg::Value), _) | (None, EnvelopeArg::Seed) => Self::Value,
            (Some(LinesArg::Record), _) | (None, EnvelopeArg::Debezium) => Self::Record,
        }
    }

    /// Writes the line of a record. Values are JSON texts on one line.
    pub(crate) fn write(self, out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
        let value = record.value.unwrap_or("null");
        if self == Self::Record {
            out.write_all(b"{\"topic\":")?;
            serde_json::to_writer(&mut *out, &**record.topic)?;
            out.write_all(b",\"key\":")?;
            write_key(out, record.key)?;
            out.write_all(b",\"value\":")?;
        }
        out.write_all(value.as_bytes())?;
        out.write_all(if self == Self::Record { b"}\n" } else { b"\n" })
    }
}

/// Writes a key, as a string unless it is JSON itself.
fn write_key(out: &mut impl Write, key: Option<&str>) -> io::Result<()> {
    let Some(key) = key else { return out.write_all(b"null") };
    match serde_json::from_str::<IgnoredAny>(key) {
        Ok(_) => out.write_all(key.as_bytes()),
        Err(_) => Ok(serde_json::to_writer(out, key)?),
    }
}
