//! `pg_snapshot` and `txid_snapshot`. Text: `xmin:xmax:xip,…`. Binary: a count and the numbers.
//! JSON: a string.

use core::fmt;

use super::input::Input;
use super::json_out::WriteJson;
use super::{
    Field, FieldType, Format, FromField, FromFormats, ValueError, Xid8, from_formats, type_oid,
};

/// A `pg_snapshot`: the transactions in progress at a point in time (manual, "Transaction ID and
/// Snapshot Information Functions").
///
/// ```
/// use pgoutput_decode::value::{Field, Format, Snapshot, Xid8, type_oid};
///
/// let snapshot: Snapshot = Field::new(type_oid::PG_SNAPSHOT, Format::Text, b"10:20:10,14").get()?;
/// assert_eq!((snapshot.xmin(), snapshot.xmax()), (Xid8(10), Xid8(20)));
/// assert!(snapshot.in_progress().eq([Xid8(10), Xid8(14)]));
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    xmin: Xid8,
    xmax: Xid8,
    format: Format,
    in_progress: &'a [u8],
}

impl<'a> Snapshot<'a> {
    /// Returns the lowest transaction id that was in progress.
    pub const fn xmin(&self) -> Xid8 {
        self.xmin
    }

    /// Returns one more than the highest transaction id that had ended.
    pub const fn xmax(&self) -> Xid8 {
        self.xmax
    }

    /// Returns the transactions that were in progress.
    pub fn in_progress(&self) -> impl Iterator<Item = Xid8> + Clone + use<'a> {
        let mut input = Input::new(self.in_progress);
        let format = self.format;
        // The ids were checked when the snapshot was read.
        core::iter::from_fn(move || match format {
            Format::Text => {
                input.eat(b',');
                text_number(&mut input).ok()
            }
            Format::Binary => input.array().ok().map(|bytes| Xid8(u64::from_be_bytes(bytes))),
        })
    }
}

fn text_number(input: &mut Input<'_>) -> Result<Xid8, ValueError> {
    let start = input.offset();
    let digits = input.digits();
    Xid8::from_text(FieldType::new(type_oid::XID8), digits).map_err(|error| error.rebased(start))
}

impl<'a> FromField<'a> for Snapshot<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        matches!(ty.oid(), type_oid::PG_SNAPSHOT | type_oid::TXID_SNAPSHOT)
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for Snapshot<'a> {
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(text);
        let xmin = text_number(&mut input)?;
        input.expect(b':', "a colon")?;
        let xmax = text_number(&mut input)?;
        input.expect(b':', "a colon")?;
        let in_progress = input.rest();
        while !input.rest().is_empty() {
            if input.rest().len() < in_progress.len() {
                input.expect(b',', "a comma")?;
            }
            text_number(&mut input)?;
        }
        Ok(Self { xmin, xmax, format: Format::Text, in_progress })
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(bytes);
        let count = u32::from_be_bytes(input.array()?);
        let xmin = Xid8(u64::from_be_bytes(input.array()?));
        let xmax = Xid8(u64::from_be_bytes(input.array()?));
        let len = usize::try_from(count).ok().and_then(|count| count.checked_mul(8));
        let in_progress = input.take(len.unwrap_or(usize::MAX))?;
        input.finish()?;
        Ok(Self { xmin, xmax, format: Format::Binary, in_progress })
    }
}

impl PartialEq for Snapshot<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.xmin, self.xmax) == (other.xmin, other.xmax)
            && self.in_progress().eq(other.in_progress())
    }
}

impl Eq for Snapshot<'_> {}

impl fmt::Display for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        for (at, xid) in self.in_progress().enumerate() {
            write!(f, "{}{xid}", if at > 0 { "," } else { "" })?;
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
