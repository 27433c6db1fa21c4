//! `smallint`, `integer`, `bigint`, `oid`. Text: decimal. Binary: big-endian. JSON: a number.
//!
//! Every Rust integer can be read from all of them if the value fits, and from `xid`, `xid8` and
//! `cid`. The binary form of `regclass` and similar types is an oid; their text is an oid only if
//! the object does not exist.

use core::fmt::{self, Write};

use super::input::{Input, exactly};
use super::json_out::{JsonContext, quoted};
use super::{
    Field, FieldType, Format, FromField, JsonOptions, ValueError, ValueErrorKind, type_oid,
};
use crate::id::Oid;

/// Reads a decimal integer with an optional minus sign and nothing else, as PostgreSQL writes it.
pub(super) fn decimal(text: &[u8], target: &'static str) -> Result<i128, ValueError> {
    let mut input = Input::new(text);
    let negative = input.eat(b'-');
    let digits = input.digits();
    if digits.is_empty() {
        return Err(input.malformed("a digit"));
    }
    input.end("a digit")?;
    // This many digits always fit.
    if digits.len() <= 18 {
        let sum = |sum: i64, digit: &u8| sum * 10 + i64::from(digit - b'0');
        let magnitude = digits.iter().fold(0, sum);
        return Ok(if negative { -magnitude } else { magnitude }.into());
    }
    let mut magnitude: i128 = 0;
    for digit in digits {
        magnitude = magnitude
            .checked_mul(10)
            .and_then(|m| m.checked_add(i128::from(digit - b'0')))
            .ok_or(ValueError::out_of_range(target))?;
    }
    Ok(if negative { -magnitude } else { magnitude })
}

fn fit<T: TryFrom<i128>>(number: i128, target: &'static str) -> Result<T, ValueError> {
    T::try_from(number).map_err(|_| ValueError::out_of_range(target))
}

/// Reads a number of at most 18 digits that its type can hold, which nearly every number is. `None`
/// leaves it to [`text_number`].
#[inline]
fn short(ty: Oid, text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let (fours, rest) = digits.as_chunks();
    let mut number = 0;
    for digits in fours {
        number = number * 10_000 + i64::from(four_digits(*digits)?);
    }
    for digit in rest {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    let number = if is_negative { -number } else { number };
    let fits = match ty {
        type_oid::INT4 => i32::try_from(number).is_ok(),
        type_oid::INT8 => true,
        type_oid::INT2 => i16::try_from(number).is_ok(),
        type_oid::OID | type_oid::XID | type_oid::CID => u32::try_from(number).is_ok(),
        _ => false,
    };
    fits.then_some(number)
}

/// Returns the number with these digits; `None` if a byte is not a digit.
#[inline]
fn four_digits(text: [u8; 4]) -> Option<u32> {
    let digits = u32::from_le_bytes(text) ^ 0x3030_3030;
    // The addition carries into the eighth bit of a byte that is greater than 9 and less than 0x80.
    if (digits.wrapping_add(0x7676_7676) | digits) & 0x8080_8080 != 0 {
        return None;
    }
    // Ten times each digit plus the digit after it: the first and the third are the two pairs.
    let pairs = digits * 10 + (digits >> 8);
    Some((pairs & 0xFF) * 100 + (pairs >> 16 & 0xFF))
}

/// Returns the text of a number if it is also its JSON. This applies to the three most common
/// types, in the canonical form.
pub(super) fn json_text<'a>(field: &Field<'a>, options: JsonOptions) -> Option<&'a str> {
    let ty = field.ty().oid();
    // Numbers with this few characters are less than 2^53.
    if options.bigint_as_string && field.bytes().len() > 15 {
        return None;
    }
    if field.is_binary() || !matches!(ty, type_oid::INT2 | type_oid::INT4 | type_oid::INT8) {
        return None;
    }
    let is_not_canonical = matches!(field.bytes(), [b'0', _, ..] | [b'-', b'0', ..]);
    if is_not_canonical || short(ty, field.bytes()).is_none() {
        return None;
    }
    crate::utf8::text(field.bytes()).ok()
}

/// The greatest integer that no other integer is rounded to when it is stored as a double.
const MAX_SAFE: u128 = (1 << 53) - 1;

/// Writes a number that may be greater than [`MAX_SAFE`].
pub(super) fn write_json(
    number: i128,
    out: &mut dyn Write,
    context: JsonContext<'_>,
) -> fmt::Result {
    if context.options.bigint_as_string && number.unsigned_abs() > MAX_SAFE {
        quoted(out, &number)
    } else {
        write!(out, "{number}")
    }
}

fn text_number(ty: FieldType<'_>, text: &[u8]) -> Result<i128, ValueError> {
    Ok(match ty.oid() {
        type_oid::INT2 => fit::<i16>(decimal(text, "smallint")?, "smallint")?.into(),
        type_oid::INT4 => fit::<i32>(decimal(text, "integer")?, "integer")?.into(),
        type_oid::INT8 => fit::<i64>(decimal(text, "bigint")?, "bigint")?.into(),
        type_oid::XID8 => fit::<u64>(decimal(text, "xid8")?, "xid8")?.into(),
        type_oid::XID => fit::<u32>(decimal(text, "xid")?, "xid")?.into(),
        type_oid::CID => fit::<u32>(decimal(text, "cid")?, "cid")?.into(),
        _ => fit::<u32>(oid(ty, text)?, "oid")?.into(),
    })
}

/// Reads the text of an oid. For `regclass` and similar types it is an oid only if the object does
/// not exist; a hyphen means 0.
fn oid(ty: FieldType<'_>, text: &[u8]) -> Result<i128, ValueError> {
    if !ty.is_reg() {
        return decimal(text, "oid");
    }
    // For operators, the hyphen is a name and 0 is printed as a digit.
    let has_hyphen = !matches!(ty.oid(), type_oid::REGOPER | type_oid::REGOPERATOR);
    match text {
        b"-" if has_hyphen => Ok(0),
        // A name that begins with a digit is quoted.
        [b'0'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit) => decimal(text, "oid"),
        _ => Err(ValueError::new(ValueErrorKind::OtherFormat { target: "oid" }, 0)),
    }
}

/// Returns the text if it has no quotes. A number never has any, but a name may.
fn unquoted<'a>(field: &Field<'a>) -> Result<&'a [u8], ValueError> {
    field.plain().ok_or(if field.ty().is_reg() {
        ValueError::new(ValueErrorKind::OtherFormat { target: "oid" }, 0)
    } else {
        ValueError::malformed("a digit", 0)
    })
}

/// Reads a number of the most common types if it has the right length. `None` leaves it to
/// [`binary_number`].
#[inline]
fn short_binary(ty: Oid, bytes: &[u8]) -> Option<i64> {
    match ty {
        type_oid::INT4 => bytes.try_into().ok().map(|bytes| i32::from_be_bytes(bytes).into()),
        type_oid::INT8 => bytes.try_into().ok().map(i64::from_be_bytes),
        type_oid::INT2 => bytes.try_into().ok().map(|bytes| i16::from_be_bytes(bytes).into()),
        _ => None,
    }
}

/// Reads nearly every number, in a register. `oid` is the type below all domains. `None` leaves it
/// to the general code, which also creates the errors.
#[inline]
pub(crate) fn short_number(oid: Oid, format: Format, bytes: &[u8]) -> Option<i64> {
    match format {
        Format::Text => short(oid, bytes),
        Format::Binary => short_binary(oid, bytes),
    }
}

fn binary_number(ty: FieldType<'_>, bytes: &[u8]) -> Result<i128, ValueError> {
    Ok(match ty.oid() {
        type_oid::INT2 => i16::from_be_bytes(exactly(bytes)?).into(),
        type_oid::INT4 => i32::from_be_bytes(exactly(bytes)?).into(),
        type_oid::INT8 => i64::from_be_bytes(exactly(bytes)?).into(),
        type_oid::XID8 => u64::from_be_bytes(exactly(bytes)?).into(),
        _ => u32::from_be_bytes(exactly(bytes)?).into(),
    })
}

macro_rules! integer {
    ($($rust:ident $({ $($more:tt)* })?)*) => {$(
        impl<'a> FromField<'a> for $rust {
            #[inline]
            fn accepts(ty: FieldType<'_>) -> bool {
                matches!(
                    ty.oid(),
                    type_oid::INT2
                        | type_oid::INT4
                        | type_oid::INT8
                        | type_oid::OID
                        | type_oid::XID
                        | type_oid::XID8
                        | type_oid::CID
                ) || ty.is_reg()
            }

            #[inline]
            fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
                let number = short_number(field.ty().oid(), field.format(), field.bytes());
                if let Some(number) = number.and_then(|number| Self::try_from(number).ok()) {
                    return Ok(number);
                }
                match field.format() {
                    Format::Binary => {
                        fit(binary_number(field.ty(), field.bytes())?, stringify!($rust))
                    }
                    Format::Text => {
                        fit(text_number(field.ty(), unquoted(field)?)?, stringify!($rust))
                    }
                }
            }

            $($($more)*)?
        }
    )*};
}

integer! {
    i8 i16 i32 i64 i128 isize
    u8 {
        #[cfg(feature = "alloc")]
        fn accepts_list(ty: FieldType<'_>) -> bool {
            <&[u8]>::accepts(ty) || super::vec::accepts::<Self>(ty)
        }

        #[cfg(feature = "alloc")]
        fn read_list(field: &Field<'a>) -> Result<alloc::vec::Vec<Self>, ValueError> {
            if <&[u8]>::accepts(field.ty()) {
                super::text::read_bytes(field)
            } else {
                super::vec::read(field)
            }
        }
    }
    u16 u32 u64 u128 usize
}

/// Reads `oid`, and the binary form of `regclass` and similar types; in text only a number, or a
/// hyphen for 0.
impl<'a> FromField<'a> for Oid {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::OID || ty.is_reg()
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        u32::from_field(field).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;
    use std::vec;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::value::{Format, Value};

    fn read<'a, T: FromField<'a>>(oid: Oid, text: &'a str) -> Result<T, ValueError> {
        Field::new(oid, Format::Text, text.as_bytes()).get()
    }

    #[test]
    fn every_width_has_its_range() {
        assert_eq!(read::<i64>(type_oid::INT8, "-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(read::<i128>(type_oid::INT8, "9223372036854775807"), Ok(i64::MAX.into()));
        assert!(read::<i128>(type_oid::INT8, "9223372036854775808").is_err());
        assert!(read::<i64>(type_oid::INT4, "2147483648").is_err());
        assert!(read::<i64>(type_oid::INT2, "-32769").is_err());
        assert_eq!(read::<u32>(type_oid::OID, "4294967295"), Ok(u32::MAX));
        assert!(read::<i32>(type_oid::OID, "4294967295").is_err());
        assert_eq!(read::<u8>(type_oid::INT8, "255"), Ok(255));
        assert!(read::<u8>(type_oid::INT8, "256").is_err());
        assert!(read::<u64>(type_oid::INT4, "-1").is_err());
    }

    #[test]
    fn rejects_what_the_server_never_writes() {
        for text in ["", "-", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "--1", "٣"] {
            assert!(read::<i32>(type_oid::INT4, text).is_err(), "{text:?}");
        }
        let long = "9".repeat(1000);
        assert!(read::<i128>(type_oid::INT8, &long).is_err());
        assert!(Field::new(type_oid::INT4, Format::Binary, b"\0\0\0").get::<i32>().is_err());
        assert!(Field::new(type_oid::INT4, Format::Binary, b"\0\0\0\0\0").get::<i32>().is_err());
    }

    const TYPES: [Oid; 9] = [
        type_oid::INT2,
        type_oid::INT4,
        type_oid::INT8,
        type_oid::OID,
        type_oid::XID,
        type_oid::XID8,
        type_oid::CID,
        type_oid::REGCLASS,
        type_oid::REGOPER,
    ];

    /// Reads the number without `short`.
    fn long<T: TryFrom<i128>>(
        oid: Oid,
        format: Format,
        bytes: &[u8],
        target: &'static str,
    ) -> Result<T, ValueError> {
        let ty = FieldType::new(oid);
        let number = match format {
            Format::Text => {
                unquoted(&Field::of(ty, format, bytes)).and_then(|text| text_number(ty, text))
            }
            Format::Binary => binary_number(ty, bytes),
        };
        number.and_then(|number| fit(number, target)).map_err(|error| error.within(oid, format))
    }

    macro_rules! compare {
        ($oid:ident, $format:expr, $bytes:expr, $($rust:ident)*) => {$(
            let read = Field::new($oid, $format, $bytes).get::<$rust>();
            prop_assert_eq!(read, long($oid, $format, $bytes, stringify!($rust)));
        )*};
    }

    #[test]
    fn four_digits_must_all_be_digits() {
        for index in 0..4 {
            for byte in 0..=u8::MAX {
                let mut text = *b"1234";
                text[index] = byte;
                let number = std::str::from_utf8(&text).ok().filter(|_| byte.is_ascii_digit());
                assert_eq!(four_digits(text), number.and_then(|text| text.parse().ok()));
            }
        }
    }

    proptest! {
        #[test]
        fn json_text_equals_the_json_of_the_number(
            oid in select(vec![type_oid::INT2, type_oid::INT4, type_oid::INT8]),
            text in "-?(0{0,2}[0-9]{0,20}|[0-9]{1,5}|90071992547409[0-9]{2}|.{0,3})",
            strings: bool,
        ) {
            let options = JsonOptions::default().bigint_as_string(strings);
            let field = Field::new(oid, Format::Text, text.as_bytes());
            let mut direct = String::new();
            let written = field.write_json(&mut direct, options);
            let mut json = String::new();
            let read = field.get::<Value<'_>>();
            let expected = read.map(|value| value.write_json(&mut json, options).unwrap());
            prop_assert_eq!(written, expected);
            prop_assert_eq!(direct, json);
        }

        #[test]
        fn short_numbers_read_the_same_as_long_ones(
            oid in select(&TYPES[..]),
            text in prop_oneof![
                "-?[0-9]{0,21}",
                "-?[0-9]{1,7}",
                "[-+. \"0-9a]{0,5}",
                "-?(32767|32768|65535|2147483647|2147483648|4294967295|9223372036854775808)",
            ],
        ) {
            compare!(oid, Format::Text, text.as_bytes(), i8 i16 i32 i64 i128 u8 u16 u32 u64 u128);
        }

        #[test]
        fn short_binary_numbers_read_the_same_as_others(
            oid in select(&TYPES[..]),
            bytes in vec(any::<u8>(), 0..9),
        ) {
            compare!(oid, Format::Binary, &bytes, i8 i16 i32 i64 i128 u8 u16 u32 u64 u128);
        }
    }
}
