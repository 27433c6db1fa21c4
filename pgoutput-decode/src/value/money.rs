//! `money`. Text: `-$1,234.56`. Binary: the amount in the smallest unit. JSON: a string such as
//! `"-1234.56"`.

use core::fmt::{self, Write};
use core::num::NonZeroU64;

use super::input::{Input, exactly};
use super::json_out::{JsonContext, WriteJson, quoted};
use super::{Field, FieldType, Format, FromField, ValueError, type_oid};

/// The decimal places with `lc_monetary = C`, under which this crate reads the text of `money`.
pub(crate) const C_MONEY_DIGITS: u8 = 2;

/// The greatest number of decimal places that PostgreSQL accepts from a locale.
pub(super) const MAX_DIGITS: u8 = 10;

/// A `money`: an amount in the smallest unit of a currency, of any `i64` value. The currency is not
/// part of it.
///
/// The smallest unit depends on the server's setting `lc_monetary` and is not part of the value
/// either: hundredths in most locales, whole yen in that of Japan. The default is hundredths; set
/// the decimal places with [`Field::with_money_digits`].
///
/// [`to_decimal`](Self::to_decimal) returns the amount without a currency sign, `-1234.56`, which
/// is also the JSON form. `Display` prints PostgreSQL's text with `lc_monetary = C`, which treats
/// every amount as hundredths of a dollar.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, Money, type_oid};
///
/// let field = Field::new(type_oid::MONEY, Format::Text, b"-$12.34");
/// let cents: Money = field.get()?;
/// assert_eq!((cents.minor_units(), cents.to_decimal().to_string()), (-1234, "-12.34".into()));
/// // The same value from a server whose smallest unit is the yen.
/// let yen: Money = field.with_money_digits(0).get()?;
/// assert_eq!((yen.minor_units(), yen.to_decimal().to_string()), (-1234, "-1234".into()));
/// assert_eq!(yen.to_string(), "-$12.34");
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money {
    minor_units: i64,
    fraction_digits: u8,
}

impl Money {
    /// Creates an amount in the smallest unit, of which 10 to the power of `fraction_digits` are
    /// one unit of the currency. PostgreSQL has at most 10 digits; more are treated as 10.
    pub const fn new(minor_units: i64, fraction_digits: u8) -> Self {
        let is_more = fraction_digits > MAX_DIGITS;
        Self { minor_units, fraction_digits: if is_more { MAX_DIGITS } else { fraction_digits } }
    }

    /// Returns the amount in the smallest unit.
    pub const fn minor_units(self) -> i64 {
        self.minor_units
    }

    /// Returns the number of decimal places of an amount.
    pub const fn fraction_digits(self) -> u8 {
        self.fraction_digits
    }

    /// Returns the amount as a decimal number with all decimal places and without separators:
    /// `1234.50`.
    pub const fn to_decimal(self) -> impl fmt::Display {
        Decimal(self)
    }
}

/// Displays the result of [`Money::to_decimal`].
struct Decimal(Money);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Money { minor_units, fraction_digits } = self.0;
        if minor_units < 0 {
            f.write_char('-')?;
        }
        let amount = minor_units.unsigned_abs();
        // At most ten digits, so it is never zero; the type lets the divisions know.
        let unit = NonZeroU64::new(10_u64.pow(fraction_digits.into())).unwrap_or(NonZeroU64::MIN);
        write!(f, "{}", amount / unit)?;
        if fraction_digits == 0 {
            return Ok(());
        }
        write!(f, ".{:0width$}", amount % unit, width = usize::from(fraction_digits))
    }
}

impl<'a> FromField<'a> for Money {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::MONEY
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        let minor_units = match (field.format(), field.plain()) {
            (Format::Binary, _) => from_binary(field.bytes())?,
            (Format::Text, Some(text)) => from_text(text)?,
            (Format::Text, None) => return Err(ValueError::malformed("a digit", 0)),
        };
        Ok(Self::new(minor_units, field.money_digits()))
    }
}

/// Reads the text under `lc_monetary = C`: its last two digits come after a point, whatever the
/// unit is.
fn from_text(text: &[u8]) -> Result<i64, ValueError> {
    let mut input = Input::new(text);
    let sign = if input.eat(b'-') { -1 } else { 1 };
    input.expect(b'$', "a dollar sign (lc_monetary must be C)")?;
    let mut amount = i128::from(input.number(1, 3)?);
    while input.eat(b',') {
        // At most a thousand times the range of an i64.
        amount = amount * 1000 + i128::from(input.number(3, 3)?);
        if amount > i128::from(i64::MAX) {
            return Err(ValueError::out_of_range("money"));
        }
    }
    input.expect(b'.', "a decimal point")?;
    amount = amount * 100 + i128::from(input.number(2, 2)?);
    input.end("the end after two decimals")?;
    i64::try_from(sign * amount).map_err(|_| ValueError::out_of_range("money"))
}

fn from_binary(bytes: &[u8]) -> Result<i64, ValueError> {
    exactly(bytes).map(i64::from_be_bytes)
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.minor_units < 0 {
            f.write_char('-')?;
        }
        let amount = self.minor_units.unsigned_abs();
        let (units, cents) = (amount / 100, amount % 100);
        // A 64-bit amount has at most six groups of three digits, here the last one first.
        let mut rest = units;
        let groups = [(); 6].map(|()| {
            let group = rest % 1000;
            rest /= 1000;
            group
        });
        let mut groups = groups.into_iter().rev().skip_while(|group| *group == 0);
        write!(f, "${}", groups.next().unwrap_or_default())?;
        groups.try_for_each(|group| write!(f, ",{group:03}"))?;
        write!(f, ".{cents:02}")
    }
}

impl WriteJson for Money {
    fn write_json(&self, out: &mut dyn Write, _: JsonContext<'_>) -> fmt::Result {
        quoted(out, &self.to_decimal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Oid;
    use crate::value::{Attribute, AttributeList, JsonOptions, TypeInfo, TypeKind};
    use std::string::{String, ToString};

    #[test]
    fn the_decimal_has_the_decimal_places_of_the_unit() {
        for (units, digits, expected) in [
            (1234, 0, "1234"),
            (-1234, 0, "-1234"),
            (1234, 2, "12.34"),
            (-5, 2, "-0.05"),
            (0, 2, "0.00"),
            (1234, 3, "1.234"),
            (1, 10, "0.0000000001"),
            (i64::MIN, 0, "-9223372036854775808"),
            (i64::MIN, 2, "-92233720368547758.08"),
            (i64::MAX, 200, "922337203.6854775807"),
        ] {
            assert_eq!(Money::new(units, digits).to_decimal().to_string(), expected);
        }
        assert_eq!(Money::new(-123_456_789, 0).to_string(), "-$1,234,567.89");
    }

    /// Writes a value as JSON with this many decimal places, from text and from binary.
    fn json(info: &TypeInfo<'_>, text: &str, binary: &[u8], digits: u8) -> String {
        let [text, binary] =
            [(Format::Text, text.as_bytes()), (Format::Binary, binary)].map(|(format, bytes)| {
                let mut json = String::new();
                let field = Field::with_type(info, format, bytes).with_money_digits(digits);
                field.write_json(&mut json, JsonOptions::default()).unwrap();
                json
            });
        assert_eq!(text, binary);
        text
    }

    #[test]
    fn decimal_places_apply_inside_other_values() {
        const MONEY: TypeInfo<'_> = TypeInfo::new(type_oid::MONEY, "money", TypeKind::Base);
        let user = |oid, kind| TypeInfo::new(Oid::new(oid), "", kind);
        let domain = user(20_000, TypeKind::Domain(FieldType::described(&MONEY)));
        let array = user(
            20_001,
            TypeKind::Array { element: FieldType::described(&domain), delimiter: b',' },
        );
        let attributes = [
            Attribute::new("a", FieldType::described(&array)),
            Attribute::new("b", FieldType::described(&MONEY)),
        ];
        let composite = user(20_002, TypeKind::Composite(AttributeList::new(&attributes)));
        let range = user(20_003, TypeKind::Range(FieldType::described(&domain)));
        let ranges = user(20_004, TypeKind::Multirange(FieldType::described(&range)));
        let text = r#"("{$12.34,-$0.05}",$1.00)"#;
        let array_bytes = b"\0\0\0\x01\0\0\0\0\0\0\x4E\x20\0\0\0\x02\0\0\0\x01\
            \0\0\0\x08\0\0\0\0\0\0\x04\xD2\0\0\0\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFB";
        let binary = [
            &b"\0\0\0\x02\0\0\x4E\x21\0\0\0\x2C"[..],
            array_bytes,
            b"\0\0\x03\x16\0\0\0\x08\0\0\0\0\0\0\0\x64",
        ]
        .concat();
        assert_eq!(json(&composite, text, &binary, 2), r#"{"a":["12.34","-0.05"],"b":"1.00"}"#);
        assert_eq!(json(&composite, text, &binary, 0), r#"{"a":["1234","-5"],"b":"100"}"#);
        let text = r#"["$1,234.00",)"#;
        let binary = b"\x12\0\0\0\x08\0\0\0\0\0\x01\xE2\x08";
        assert_eq!(json(&range, text, binary, 2), r#""[1234.00,)""#);
        assert_eq!(json(&range, text, binary, 3), r#""[123.400,)""#);
        let text = r#"{["$1,234.00",)}"#;
        let binary = [&b"\0\0\0\x01\0\0\0\x0D"[..], binary].concat();
        assert_eq!(json(&ranges, text, &binary, 0), r#""{[123400,)}""#);
    }
}
