//! `money`: text `-$1,234.56`, binary hundredths, JSON a string.

use core::fmt::{self, Write};

use super::input::{Input, exactly};
use super::json_out::WriteJson;
use super::{FieldType, FromField, ValueError, type_oid};

/// A `money`: an amount in hundredths, the whole `i64` range. The currency is not part of it.
///
/// `Display` is PostgreSQL's text with `lc_monetary` C. A server whose `lc_monetary` has no cents, or
/// thousandths, counts those instead; the binary form does not tell.
///
/// ```
/// use pgoutput_decode::value::Money;
///
/// assert_eq!(Money(-123_456_789).to_string(), "-$1,234,567.89");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(pub i64);

impl<'a> FromField<'a> for Money {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::MONEY
    }

    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(text);
        let sign = if input.eat(b'-') { -1 } else { 1 };
        input.expect(b'$', "a dollar sign (lc_monetary must be C)")?;
        let mut amount = i128::from(input.number(1, 3)?);
        while input.eat(b',') {
            // At most a thousandfold of what fits into an i64.
            amount = amount * 1000 + i128::from(input.number(3, 3)?);
            if amount > i128::from(i64::MAX) {
                return Err(ValueError::out_of_range("money"));
            }
        }
        input.expect(b'.', "a decimal point")?;
        amount = amount * 100 + i128::from(input.number(2, 2)?);
        input.end("the end after two decimals")?;
        i64::try_from(sign * amount).map(Self).map_err(|_| ValueError::out_of_range("money"))
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        exactly(bytes).map(i64::from_be_bytes).map(Self)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_char('-')?;
        }
        let amount = self.0.unsigned_abs();
        let (units, cents) = (amount / 100, amount % 100);
        // What fits into 64 bits has six groups of three digits at most, here the last one first.
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

impl WriteJson for Money {}
