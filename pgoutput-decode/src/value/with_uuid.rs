//! The crate `uuid` (feature `uuid`): conversions, and columns read as its type.

use super::{Field, FieldType, FromField, FromFormats, Uuid, ValueError, from_formats};

impl From<Uuid> for ::uuid::Uuid {
    fn from(uuid: Uuid) -> Self {
        Self::from_bytes(uuid.0)
    }
}

impl From<::uuid::Uuid> for Uuid {
    fn from(uuid: ::uuid::Uuid) -> Self {
        Self(uuid.into_bytes())
    }
}

impl<'a> FromField<'a> for ::uuid::Uuid {
    fn accepts(ty: FieldType<'_>) -> bool {
        Uuid::accepts(ty)
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for ::uuid::Uuid {
    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        Uuid::from_text(ty, text).map(Self::from)
    }

    fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        Uuid::from_binary(ty, bytes).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use crate::value::{Field, Format, type_oid};

    #[test]
    fn bytes_keep_their_order() {
        let text = "00112233-4455-6677-8899-aabbccddeeff";
        let uuid: ::uuid::Uuid = text.parse().unwrap();
        let field = Field::new(type_oid::UUID, Format::Text, text.as_bytes());
        assert_eq!(field.get(), Ok(uuid));
        assert_eq!(Field::new(type_oid::UUID, Format::Binary, uuid.as_bytes()).get(), Ok(uuid));
    }
}
