//! What a column may hold besides a value: NULL, and a stored-apart value that did not come along.

#[cfg(feature = "serde")]
mod de;
#[cfg(feature = "serde")]
pub(crate) mod placeholder_counts;

#[cfg(feature = "serde")]
pub(crate) use self::de::{MARK_DEPTH, TOAST};
use super::{Field, FieldType, FromField, ValueError, ValueErrorKind};

/// The value of a column that may be stored apart (TOASTed).
///
/// When a change leaves such a value untouched, the log does not hold it, and the server sends a mark in its place. It is
/// not NULL: the row has a value there. A column read as anything but `Toast` is an error then.
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
    /// The change did not touch the value, and neither the new row nor the old one carries it.
    ///
    /// With `ALTER TABLE … REPLICA IDENTITY FULL` the old row does.
    Unchanged,
}

impl<T> Toast<T> {
    /// The value, if it came along.
    pub fn present(self) -> Option<T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Unchanged => None,
        }
    }

    /// True when the value did not come along.
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

    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        T::from_text(ty, text).map(Self::Present)
    }

    fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        T::from_binary(ty, bytes).map(Self::Present)
    }

    fn from_null() -> Result<Self, ValueError> {
        T::from_null().map(Self::Present)
    }

    fn from_unchanged() -> Result<Self, ValueError> {
        Ok(Self::Unchanged)
    }
}

/// NULL is `None`.
impl<'a, T: FromField<'a>> FromField<'a> for Option<T> {
    fn accepts(ty: FieldType<'_>) -> bool {
        T::accepts(ty)
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        T::from_field(field).map(Some)
    }

    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        T::from_text(ty, text).map(Some)
    }

    fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        T::from_binary(ty, bytes).map(Some)
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
