//! `tid`. Text: `(block,offset)`. Binary: both numbers. JSON: a string.

use core::fmt;

use super::input::Input;
use super::json_out::WriteJson;
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};

/// A `tid`: the physical location of a row version in its table.
///
/// ```
/// use pgoutput_decode::value::Tid;
///
/// assert_eq!(Tid { block: 42, offset: 7 }.to_string(), "(42,7)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tid {
    /// The block of the table, from 0.
    pub block: u32,
    /// The item in the block, from 1.
    pub offset: u16,
}

impl<'a> FromField<'a> for Tid {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::TID
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for Tid {
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(text);
        input.expect(b'(', "an opening parenthesis")?;
        let block = input.number(1, 10)?;
        input.expect(b',', "a comma")?;
        let offset = input.number(1, 5)?;
        input.expect(b')', "a closing parenthesis")?;
        input.end("the end after the parenthesis")?;
        match (u32::try_from(block), u16::try_from(offset)) {
            (Ok(block), Ok(offset)) => Ok(Self { block, offset }),
            _ => Err(ValueError::out_of_range("tid")),
        }
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(bytes);
        let block = u32::from_be_bytes(input.array()?);
        let offset = u16::from_be_bytes(input.array()?);
        input.finish()?;
        Ok(Self { block, offset })
    }
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.block, self.offset)
    }
}

impl WriteJson for Tid {}
