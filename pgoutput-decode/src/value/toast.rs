//! The states of a column other than a value: NULL and an unchanged TOAST value.

#[cfg(feature = "serde")]
mod de;

#[cfg(feature = "serde")]
pub(crate) use self::de::TOAST;
use super::{Field, FieldType, FromField, ValueError, ValueErrorKind};

/// The value of a column that may be TOASTed, or the fact that the message omits it.
///
/// If a change does not touch a TOASTed value, the WAL does not contain the value, and the server
/// sends a placeholder. This is not NULL: the row has a value in this column. Reading such a column
/// as any type other than `Toast` is an error.
///
/// ```
/// use pgoutput_decode::value::Toast;
///
/// assert_eq!(Toast::Present(7).present(), Some(7));
/// assert_eq!(Toast::<i32>::Unchanged.present(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Toast<T> {
    /// The value; `Toast<Option<T>>` for a column that may be NULL.
    Present(T),
    /// The change did not touch the value, and neither the new row nor the old one contains it.
    ///
    /// With `ALTER TABLE … REPLICA IDENTITY FULL` the old row contains it.
    Unchanged,
}

impl<T> Toast<T> {
    /// Returns the value if it is present.
    pub fn present(self) -> Option<T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Unchanged => None,
        }
    }

    /// Returns true if the value is unchanged and omitted.
    pub const fn is_unchanged(&self) -> bool {
        matches!(self, Self::Unchanged)
    }
}

impl<'a, T: FromField<'a>> FromField<'a> for Toast<T> {
    fn accepts(ty: FieldType<'_>) -> bool {
        T::accepts(ty)
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        T::from_field(field).map(Self::Present)
    }

    fn from_null() -> Result<Self, ValueError> {
        T::from_null().map(Self::Present)
    }

    fn from_unchanged() -> Result<Self, ValueError> {
        Ok(Self::Unchanged)
    }
}

/// Reads NULL as `None`.
impl<'a, T: FromField<'a>> FromField<'a> for Option<T> {
    fn accepts(ty: FieldType<'_>) -> bool {
        T::accepts(ty)
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        T::from_field(field).map(Some)
    }

    fn from_null() -> Result<Self, ValueError> {
        Ok(None)
    }

    fn from_unchanged() -> Result<Self, ValueError> {
        let target = core::any::type_name::<Self>();
        let error = ValueError::new(ValueErrorKind::Unchanged { target }, 0);
        T::from_unchanged().map(Some).map_err(|_| error)
    }
}
