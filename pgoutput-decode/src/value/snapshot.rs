//! `pg_snapshot` and `txid_snapshot`: text `xmin:xmax:xid,…`, binary a count and the transaction ids, JSON a string.

use core::fmt::{self, Write};

use super::input::Input;
use super::json_out::WriteJson;
use super::{FieldType, FromField, ValueError, Xid8, type_oid};

/// A `pg_snapshot` or `txid_snapshot`: which transactions were over at a moment.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, Snapshot, Xid8, type_oid};
///
/// let field = Field::new(type_oid::PG_SNAPSHOT, Format::Text, b"10:20:11,14");
/// let snapshot: Snapshot = field.get()?;
/// assert_eq!((snapshot.xmin(), snapshot.xmax()), (Xid8(10), Xid8(20)));
/// assert!(snapshot.in_progress().eq([Xid8(11), Xid8(14)]));
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    xmin: u64,
    xmax: u64,
    in_progress: InProgress<'a>,
}

/// The transactions of a [`Snapshot`] that were in progress.
#[derive(Debug, Clone, Copy)]
#[must_use = "iterators do nothing unless they are asked for their items"]
pub struct InProgress<'a>(Source<'a>);

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Text(Input<'a>),
    Binary(Input<'a>),
}

impl Snapshot<'_> {
    /// The lowest transaction id that was still in progress: all below were over.
    pub const fn xmin(&self) -> Xid8 {
        Xid8(self.xmin)
    }

    /// One past the highest transaction id that was over: this and all above had not begun.
    pub const fn xmax(&self) -> Xid8 {
        Xid8(self.xmax)
    }
}

impl<'a> Snapshot<'a> {
    /// The transactions between [`xmin`](Self::xmin) and [`xmax`](Self::xmax) that were in progress, in order.
    pub const fn in_progress(&self) -> InProgress<'a> {
        self.in_progress
    }
}

fn take_text(input: &mut Input<'_>) -> Result<u64, ValueError> {
    let start = *input;
    let number = core::str::from_utf8(input.number_run()?).ok();
    number.and_then(|number| number.parse().ok()).ok_or(start.malformed("a transaction id"))
}

impl<'a> FromField<'a> for Snapshot<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        matches!(ty.oid(), type_oid::PG_SNAPSHOT | type_oid::TXID_SNAPSHOT)
    }

    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(text);
        let xmin = take_text(&mut input)?;
        input.expect(b':', "a colon")?;
        let xmax = take_text(&mut input)?;
        input.expect(b':', "a colon")?;
        let in_progress = InProgress(Source::Text(input));
        if !input.rest().is_empty() {
            take_text(&mut input)?;
        }
        while input.eat(b',') {
            take_text(&mut input)?;
        }
        input.end("a comma")?;
        Ok(Self { xmin, xmax, in_progress })
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(bytes);
        let mut left = u32::from_be_bytes(input.array()?);
        let xmin = u64::from_be_bytes(input.array()?);
        let xmax = u64::from_be_bytes(input.array()?);
        let in_progress = InProgress(Source::Binary(input));
        while left > 0 {
            input.array::<8>()?;
            left -= 1;
        }
        input.finish()?;
        Ok(Self { xmin, xmax, in_progress })
    }
}

impl Iterator for InProgress<'_> {
    type Item = Xid8;

    fn next(&mut self) -> Option<Xid8> {
        // They were read once without an error; what fails is the end.
        match &mut self.0 {
            Source::Binary(input) => input.array().map(u64::from_be_bytes).ok(),
            Source::Text(input) => {
                input.eat(b',');
                take_text(input).ok()
            }
        }
        .map(Xid8)
    }
}

impl core::iter::FusedIterator for InProgress<'_> {}

impl PartialEq for Snapshot<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.xmin, self.xmax) == (other.xmin, other.xmax) && self.in_progress.eq(other.in_progress)
    }
}

impl Eq for Snapshot<'_> {}

impl fmt::Display for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        for (at, xid) in self.in_progress().enumerate() {
            if at > 0 {
                f.write_char(',')?;
            }
            write!(f, "{xid}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for Snapshot<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Field, Format};
    use std::string::ToString;

    #[test]
    fn both_forms_are_the_same_snapshot() {
        let binary = b"\0\0\0\x01\0\0\0\0\0\0\0\x0A\0\0\0\0\0\0\0\x14\0\0\0\0\0\0\0\x0B";
        let read = |format, bytes| Field::new(type_oid::PG_SNAPSHOT, format, bytes).get();
        let from_binary: Snapshot<'_> = read(Format::Binary, binary).unwrap();
        assert_eq!(from_binary.to_string(), "10:20:11");
        assert_eq!(read(Format::Text, b"10:20:11"), Ok(from_binary));
        assert_eq!(read(Format::Text, b"10:10:").unwrap().to_string(), "10:10:");
        for end in 0..binary.len() {
            assert!(read(Format::Binary, &binary[..end]).is_err());
        }
        assert!(read(Format::Binary, &[255; 20]).is_err());
        for text in
            ["", "10", "10:20", "10:20:,", "10:20:11,", "10:20:x", "18446744073709551616:1:"]
        {
            assert!(read(Format::Text, text.as_bytes()).is_err(), "{text}");
        }
    }
}
