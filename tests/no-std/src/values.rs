//! Every entry point of values.

use core::fmt;

use pgoutput_decode::value::{
    Array, Bytea, ByteaBytes, Composite, Date, Elements, Field, Interval, JsonOptions, Numeric,
    Range, Time, Timestamp, Uuid, Value, ValueError,
};
use pgoutput_decode::{Lsn, Oid, TimestampTz};

/// Defines a function for each type, which reads it from either format.
macro_rules! probe_get {
    ($($name:ident: $ty:ty;)*) => {$(
        #[unsafe(no_mangle)]
        pub fn $name<'a>(field: &Field<'a>) -> Result<$ty, ValueError> {
            field.get()
        }
    )*};
}

probe_get! {
    probe_get_bool: bool;
    probe_get_i16: i16;
    probe_get_i32: i32;
    probe_get_i64: i64;
    probe_get_u32: u32;
    probe_get_f64: f64;
    probe_get_oid: Oid;
    probe_get_lsn: Lsn;
    probe_get_str: &'a str;
    probe_get_bytes: &'a [u8];
    probe_get_bytea: Bytea<'a>;
    probe_get_uuid: Uuid;
    probe_get_numeric: Numeric<'a>;
    probe_get_date: Date;
    probe_get_time: Time;
    probe_get_timestamp: Timestamp;
    probe_get_timestamptz: TimestampTz;
    probe_get_interval: Interval;
    probe_get_array: Array<'a>;
    probe_get_range: Range<'a>;
    probe_get_composite: Composite<'a>;
    probe_get_value: Value<'a>;
}

#[unsafe(no_mangle)]
pub fn probe_element<'a>(elements: &mut Elements<'a>) -> Option<Option<Field<'a>>> {
    elements.next()
}

#[unsafe(no_mangle)]
pub fn probe_bytea_byte(bytes: &mut ByteaBytes<'_>) -> Option<u8> {
    bytes.next()
}

/// A buffer that takes text until it is full.
pub struct Buffer {
    bytes: [u8; 256],
    len: usize,
}

impl fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len.checked_add(text.len()).ok_or(fmt::Error)?;
        let free = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        for (to, from) in free.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        self.len = end;
        Ok(())
    }
}

#[unsafe(no_mangle)]
pub fn probe_json(field: &Field<'_>, out: &mut Buffer) -> Result<(), ValueError> {
    field.write_json(out, JsonOptions::default())
}

#[unsafe(no_mangle)]
pub fn probe_text(field: &Field<'_>, out: &mut Buffer) -> Result<(), ValueError> {
    field.write_text(out)
}
