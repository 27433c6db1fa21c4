//! Writes texts, `"char"`, `bytea`, `json`, `jsonb` and `jsonpath`.

use super::{EncodeError, Write, Writer};
use crate::value::{Bytea, Char, Json, JsonPath, Jsonb, Text};

/// The version byte before `jsonb` and `jsonpath`.
const VERSION: u8 = 1;

impl Write for str {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.bytes(self.as_bytes());
        Ok(())
    }
}

impl Write for &str {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        str::write(self, writer)
    }
}

impl Write for Text<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.pieces().try_for_each(|piece| str::write(piece, writer))
    }
}

impl Write for Char {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(self.0);
        Ok(())
    }
}

impl Write for Bytea<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self.as_slice() {
            Some(bytes) => writer.bytes(bytes),
            None => self.bytes().for_each(|byte| writer.u8(byte)),
        }
        Ok(())
    }
}

impl Write for Json<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.0.write(writer)
    }
}

impl Write for Jsonb<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(VERSION);
        self.0.write(writer)
    }
}

impl Write for JsonPath<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(VERSION);
        self.0.write(writer)
    }
}
