//! Conversions between numbers without loss.

use alloc::format;
use alloc::string::ToString;

use serde::de::Visitor;

use super::failure::Failure;
use super::value::ColumnValue;
use crate::value::{Numeric, Value, ValueErrorKind, short_number};

/// The number of digits from which no `f64` is exact and finite.
const MAX_INTEGER_DIGITS: usize = 309;
const MAX_FRACTION_DIGITS: usize = 1074;

/// Returns the sign and magnitude, if the number is an integer whose magnitude fits.
pub(super) fn integer(numeric: &Numeric<'_>) -> Option<(bool, u128)> {
    if !numeric.is_finite() || numeric.fraction_digits().any(|digit| digit != 0) {
        return None;
    }
    let magnitude = numeric.integer_digits().try_fold(0_u128, |magnitude, digit| {
        magnitude.checked_mul(10)?.checked_add(digit.into())
    })?;
    Some((numeric.is_negative(), magnitude))
}

pub(super) fn i128(numeric: &Numeric<'_>) -> Option<i128> {
    let (negative, magnitude) = integer(numeric)?;
    if negative { 0_i128.checked_sub_unsigned(magnitude) } else { magnitude.try_into().ok() }
}

pub(super) fn u128(numeric: &Numeric<'_>) -> Option<u128> {
    integer(numeric).filter(|(negative, _)| !negative).map(|(_, magnitude)| magnitude)
}

/// Returns the float that has exactly this value.
pub(super) fn f64(numeric: &Numeric<'_>) -> Option<f64> {
    if !numeric.is_finite() {
        return numeric.to_string().parse().ok();
    }
    let mut scale = 0;
    for (at, digit) in numeric.fraction_digits().enumerate() {
        if digit != 0 {
            scale = at + 1;
        }
    }
    if numeric.integer_digits().len() > MAX_INTEGER_DIGITS || scale > MAX_FRACTION_DIGITS {
        return None;
    }
    let text = numeric.to_string();
    // Trailing zeros of the fraction, and then its point, do not change the value.
    let zeros = numeric.scale().unwrap_or_default() - scale;
    let text = text.get(..text.len() - zeros).unwrap_or_default().trim_end_matches('.');
    let float: f64 = text.parse().ok()?;
    // A fraction of n binary digits has n decimal digits: with no more of them, the float prints
    // exactly.
    let is_exact = float.is_finite() && fraction_bits(float) <= scale;
    (is_exact && format!("{float:.scale$}") == text).then_some(float)
}

pub(super) fn f32(float: f64) -> Option<f32> {
    #[allow(clippy::cast_possible_truncation, reason = "the truncated part is examined")]
    let narrow = float as f32;
    (f64::from(narrow).to_bits() == float.to_bits() || float.is_nan()).then_some(narrow)
}

/// Converts an integer of at most 64 bits to a float, if that is exact.
pub(super) fn float_of(integer: i128) -> Option<f64> {
    #[allow(clippy::cast_precision_loss, reason = "the lost part is examined")]
    let float = integer as f64;
    #[allow(clippy::cast_possible_truncation, reason = "a float made of 64 bits fits into 128")]
    let back = float as i128;
    (back == integer).then_some(float)
}

/// Returns the number of binary digits of a finite float after its point.
fn fraction_bits(float: f64) -> usize {
    const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = float.to_bits();
    let fraction = bits & ((1 << MANTISSA_BITS) - 1);
    let biased = bits >> MANTISSA_BITS & 0x7FF;
    // The value is the mantissa times 2 to the power of the biased exponent minus 1075.
    let (mantissa, exponent) =
        if biased == 0 { (fraction, 1) } else { (fraction | 1 << MANTISSA_BITS, biased) };
    if mantissa == 0 {
        return 0;
    }
    let places = 1075_u64.saturating_sub(exponent + u64::from(mantissa.trailing_zeros()));
    usize::try_from(places).unwrap_or(usize::MAX)
}

impl<'a> ColumnValue<'a> {
    #[inline]
    pub(super) fn integer<V: Visitor<'a>>(
        self,
        target: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        // Most are integers, which do not need a `Value`.
        if let Self::Field(field) = &self
            && let oid = field.ty().without_domains().oid()
            && let Some(integer) = short_number(oid, field.format(), field.bytes())
        {
            return visitor.visit_i64(integer);
        }
        self.other_integer(target, visitor)
    }

    /// Reads an integer that is not short, or another type where an integer is requested.
    fn other_integer<V: Visitor<'a>>(
        self,
        target: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let value = self.value(target)?;
        if let (Value::Text(_), Self::Field(field)) = (&value, &self)
            && field.ty().without_domains().is_reg()
        {
            return visitor.visit_u32(field.get()?);
        }
        let Value::Numeric(numeric) = value else { return self.visit(&value, visitor) };
        let integer = self.exactly(i128(&numeric), target)?;
        match (i64::try_from(integer), u64::try_from(integer)) {
            (Ok(integer), _) => visitor.visit_i64(integer),
            (_, Ok(integer)) => visitor.visit_u64(integer),
            _ => Err(self.error(ValueErrorKind::OutOfRange { target })),
        }
    }

    /// Reads the number as a float, if it is one or has an exact one.
    pub(super) fn float(
        self,
        value: &Value<'a>,
        target: &'static str,
    ) -> Result<Option<f64>, Failure> {
        let float = match value {
            Value::Float4(value) => Some(value.0.into()),
            Value::Float8(value) => Some(value.0),
            Value::Int2(value) => Some((*value).into()),
            Value::Int4(value) => Some((*value).into()),
            Value::Int8(value) => float_of((*value).into()),
            Value::Oid(value) => Some(value.as_u32().into()),
            Value::Xid(value) => Some(value.as_u32().into()),
            Value::Cid(value) => Some(value.0.into()),
            Value::Xid8(value) => float_of(value.0.into()),
            Value::Numeric(value) => f64(value),
            _ => return Ok(None),
        };
        self.exactly(float, target).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(text: &str) -> Numeric<'_> {
        Numeric::parse(text).unwrap()
    }

    #[test]
    fn floats_are_exact_or_nothing() {
        for (text, float) in [
            ("0", 0.0),
            ("0.00", 0.0),
            ("-12.50", -12.5),
            ("100", 100.0),
            ("100.000", 100.0),
            ("0.1000000000000000055511151231257827021181583404541015625", 0.1),
            ("9007199254740993.0000000000000000000000000000001", f64::NAN),
            ("9007199254740992", 9_007_199_254_740_992.0),
            ("9007199254740993", f64::NAN),
            ("0.1", f64::NAN),
        ] {
            let expected = (!float.is_nan()).then_some(float);
            assert_eq!(f64(&numeric(text)), expected, "{text}");
        }
        assert!(f64(&numeric("NaN")).unwrap().is_nan());
        assert_eq!(f64(&numeric("-Infinity")), Some(f64::NEG_INFINITY));
        assert_eq!(f64(&numeric(&"9".repeat(131_072))), None);
        for float in [f64::MAX, f64::MIN_POSITIVE, 5e-324, -1.0 / 3.0] {
            let text = format!("{float:.1074}");
            assert_eq!(f64(&numeric(&text)), Some(float));
            assert_eq!(f64(&numeric(&format!("{text}1"))), None);
        }
        assert_eq!((f32(0.1), f32(0.5)), (None, Some(0.5)));
        assert_eq!(
            (float_of(i64::MAX.into()), float_of(i64::MIN.into())),
            (None, Some(-(2_f64.powi(63))))
        );
    }

    #[test]
    fn integers_are_exact_or_nothing() {
        assert_eq!(i128(&numeric("-12.00")), Some(-12));
        assert_eq!(i128(&numeric("12.01")), None);
        assert_eq!(i128(&numeric("-170141183460469231731687303715884105728")), Some(i128::MIN));
        assert_eq!(i128(&numeric("170141183460469231731687303715884105728")), None);
        assert_eq!(u128(&numeric("340282366920938463463374607431768211455")), Some(u128::MAX));
        assert_eq!(u128(&numeric("340282366920938463463374607431768211456")), None);
        assert_eq!((u128(&numeric("-1")), i128(&numeric("NaN"))), (None, None));
    }
}
