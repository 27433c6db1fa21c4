//! Arrays and bytes as `Vec`, with one `Vec` for each dimension.

use alloc::vec::Vec;

use super::{Array, Dimension, Elements, Field, FieldType, FromField, ValueError, ValueErrorKind};

/// The elements of an array while it is being read into nested `Vec`s.
#[derive(Debug)]
pub struct Inside<'a> {
    array: Field<'a>,
    elements: Elements<'a>,
    dimensions: usize,
}

impl<'a> Inside<'a> {
    /// Reads the next element. Fails if there are dimensions left.
    pub(super) fn take_one<T: FromField<'a>>(
        &mut self,
        dimensions: &[Dimension],
    ) -> Result<T, ValueError> {
        if !dimensions.is_empty() {
            return Err(ValueError::new(ValueErrorKind::Dimensions { count: self.dimensions }, 0));
        }
        match self.elements.next().flatten() {
            Some(element) => element.get().map_err(|error| element.rebase(error, &self.array)),
            None => T::from_null(),
        }
    }
}

pub(super) fn accepts<'a, T: FromField<'a>>(ty: FieldType<'_>) -> bool {
    ty.array().is_some_and(|(element, _)| T::accepts(element.without_domains()))
}

pub(super) fn read<'a, T: FromField<'a>>(field: &Field<'a>) -> Result<Vec<T>, ValueError> {
    // An invalid element is found when it is read as `T`, which may accept raw bytes.
    let array = Array::structure(field)?;
    if array.is_empty() {
        return Ok(Vec::new());
    }
    let dimensions = array.dimensions();
    let mut inside =
        Inside { array: *field, elements: array.elements(), dimensions: dimensions.len() };
    Vec::take_inside(&mut inside, dimensions)
}

/// Reads an array of one dimension, or of as many as there are nested `Vec`s; `Vec<u8>` also reads
/// a `bytea` or a text.
///
/// Lower bounds are ignored; [`Array`] returns them. NULL elements need `Vec<Option<T>>`.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, type_oid};
///
/// let field = Field::new(type_oid::INT4_ARRAY, Format::Text, b"{{1,2},{3,NULL}}");
/// assert_eq!(field.get::<Vec<Vec<Option<i32>>>>()?, [[Some(1), Some(2)], [Some(3), None]]);
/// assert!(field.get::<Vec<Vec<i32>>>().is_err());
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
impl<'a, T: FromField<'a>> FromField<'a> for Vec<T> {
    fn accepts(ty: FieldType<'_>) -> bool {
        T::accepts_list(ty)
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        T::read_list(field)
    }

    fn accepts_list(ty: FieldType<'_>) -> bool {
        accepts::<Self>(ty) || Self::accepts(ty)
    }

    fn take_inside(inside: &mut Inside<'a>, dimensions: &[Dimension]) -> Result<Self, ValueError> {
        match dimensions.split_first() {
            // A `Vec` of bytes can be an element itself.
            None => inside.take_one(dimensions),
            // The number of elements was checked against the bytes, and nothing is allocated in
            // advance.
            Some((dimension, inner)) => {
                (0..dimension.len).map(|_| T::take_inside(inside, inner)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Oid;
    use crate::value::{Format, type_oid};
    use alloc::string::String;
    use std::string::ToString;
    use std::vec;

    fn read<'a, T: FromField<'a>>(oid: Oid, text: &'a str) -> Result<T, ValueError> {
        Field::new(oid, Format::Text, text.as_bytes()).get()
    }

    #[test]
    fn one_vec_for_each_dimension() {
        let cube = "{{{1},{2}},{{3},{4}}}";
        let numbers = vec![vec![vec![1], vec![2]], vec![vec![3], vec![4]]];
        assert_eq!(read(type_oid::INT4_ARRAY, cube), Ok(numbers));
        assert!(read::<Vec<Vec<i32>>>(type_oid::INT4_ARRAY, cube).is_err(), "too few");
        assert!(read::<Vec<i32>>(type_oid::INT4_ARRAY, "{{1}}").is_err(), "too few");
        assert!(read::<Vec<Vec<i32>>>(type_oid::INT4_ARRAY, "{1}").is_err(), "too many");
        assert_eq!(read::<Vec<Vec<i32>>>(type_oid::INT4_ARRAY, "{}"), Ok(vec![]));
        assert_eq!(read::<Vec<i64>>(type_oid::INT2VECTOR, "1 2"), Ok(vec![1, 2]));
    }

    #[test]
    fn bytes_are_read_from_several_types() {
        assert_eq!(read::<Vec<u8>>(type_oid::BYTEA, r"\x00ff"), Ok(vec![0, 255]));
        assert_eq!(read::<Vec<u8>>(type_oid::TEXT, "ab"), Ok(b"ab".to_vec()));
        assert_eq!(read::<Vec<u8>>(type_oid::INT2_ARRAY, "{0,255}"), Ok(vec![0, 255]));
        let bytes = read::<Vec<Vec<u8>>>(type_oid::BYTEA_ARRAY, r#"{"\\x00","\\x01ff"}"#);
        assert_eq!(bytes, Ok(vec![vec![0], vec![1, 255]]));
        assert!(read::<Vec<i8>>(type_oid::BYTEA, r"\x00ff").is_err());
    }

    #[test]
    fn an_invalid_element_is_reported_at_its_offset() {
        let error = read::<Vec<u8>>(type_oid::INT4_ARRAY, "{1,2,300}").unwrap_err();
        assert_eq!(error.to_string(), "text value of type integer: out of range for u8 at byte 5");
        assert_eq!(error.offset(), 5);
        let error = read::<Vec<String>>(type_oid::TEXT_ARRAY, "{a,NULL}").unwrap_err();
        assert!(error.to_string().contains("NULL cannot be read as"), "{error}");
        assert!(read::<Vec<&str>>(type_oid::TEXT_ARRAY, r#"{"a\"b"}"#).is_err(), "not borrowable");
        assert_eq!(
            read::<Vec<String>>(type_oid::TEXT_ARRAY, r#"{"a\"b"}"#),
            Ok(vec!["a\"b".into()])
        );
        assert!(read::<Vec<bool>>(type_oid::TEXT_ARRAY, "{}").is_err(), "even without elements");
    }
}
