//! Writes `date`, `time`, `timetz`, `timestamp`, `timestamptz` and `interval`.

use super::{EncodeError, Write, Writer};
use crate::timestamp::TimestampTz;
use crate::value::{Date, Interval, Time, TimeTz, Timestamp, ValueError};

impl Write for Date {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.i32(self.as_days());
        Ok(())
    }
}

impl Write for Time {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.i64(self.as_micros());
        Ok(())
    }
}

impl Write for TimeTz {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.time().write(writer)?;
        // Seconds west of UTC; the type allows less than 16 hours.
        writer.i32(self.utc_offset_seconds().wrapping_neg());
        Ok(())
    }
}

impl Write for Timestamp {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.i64(self.as_micros());
        Ok(())
    }
}

impl Write for TimestampTz {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.timestamp(*self);
        Ok(())
    }
}

impl Write for Interval {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        if self.is_finite() && !Self::new(self.months, self.days, self.micros).is_finite() {
            // Its bytes would be read as an infinity.
            return Err(ValueError::out_of_range("the binary form of an interval").into());
        }
        writer.i64(self.micros);
        writer.i32(self.days);
        writer.i32(self.months);
        Ok(())
    }
}
