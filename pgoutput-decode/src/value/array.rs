//! Arrays, `int2vector` and `oidvector`. Text: elements in braces, or separated by spaces. Binary:
//! dimensions, then elements with their lengths. JSON: nested arrays.

use core::fmt::{self, Write};

use super::array_elements::{Check, ElementCursor, Elements};
use super::json_out::{JsonContext, WriteJson};
use super::quote::Within;
use super::{Field, FieldType, Format, FromField, PgType, TypeKind, Value, ValueError, type_oid};

/// An array: elements of one type, possibly NULL, in up to six dimensions (manual, section
/// "Arrays"). Also an `int2vector` or `oidvector`, which have one dimension and a lower bound of 0.
///
/// The elements are borrowed as received. `Display` prints PostgreSQL's text. Two arrays are equal
/// if their dimensions, including lower bounds, and their elements are equal. JSON has no lower
/// bounds: [`JsonNotes::array_bounds`](super::JsonNotes::array_bounds) reports that they were
/// omitted, and [`Array::bounds`] returns them.
///
/// ```
/// use pgoutput_decode::value::{Array, Field, Format, type_oid};
///
/// let field = Field::new(type_oid::INT4_ARRAY, Format::Text, b"[0:1][1:2]={{1,NULL},{3,4}}");
/// let array: Array = field.get()?;
/// assert_eq!(array.dimensions().len(), 2);
/// assert_eq!((array.dimensions()[0].lower, array.dimensions()[0].len), (0, 2));
///
/// let mut numbers =
///     array.elements().map(|element| element.map(|field| field.get::<i32>()).transpose());
/// assert_eq!(numbers.next(), Some(Ok(Some(1))));
/// assert_eq!(numbers.next(), Some(Ok(None)));
///
/// let mut json = String::new();
/// field.write_json(&mut json, Default::default())?;
/// assert_eq!(json, "[[1,null],[3,4]]");
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Array<'a> {
    pub(super) notation: Notation,
    pub(super) dimensions: Dimensions,
    pub(super) elements: ElementCursor<'a>,
}

/// One dimension of an [`Array`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Dimension {
    /// The number of elements, at least one unless the array is empty.
    pub len: u32,
    /// The subscript of the first element: 1, unless it was set to another number.
    pub lower: i32,
}

/// The bounds of dimensions in PostgreSQL's notation.
struct Bounds<'d>(&'d [Dimension]);

impl fmt::Display for Bounds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|Dimension { len, lower }| {
            write!(f, "[{lower}:{}]", i64::from(*lower) + i64::from(*len) - 1)
        })
    }
}

/// PostgreSQL's `MAXDIM`.
pub(super) const MAX_DIMENSIONS: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Dimensions {
    all: [Dimension; MAX_DIMENSIONS],
    count: usize,
}

impl Dimensions {
    pub(super) fn as_slice(&self) -> &[Dimension] {
        self.all.get(..self.count).unwrap_or_default()
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Dimension] {
        self.all.get_mut(..self.count).unwrap_or_default()
    }

    /// Adds a dimension. Returns false if there are six already.
    pub(super) fn push(&mut self, dimension: Dimension) -> bool {
        let free = self.all.get_mut(self.count);
        let has_space = free.is_some();
        if let Some(free) = free {
            *free = dimension;
            self.count += 1;
        }
        has_space
    }

    /// Returns the product of the lengths; 0 without dimensions, `None` if it overflows.
    pub(super) fn elements(&self) -> Option<usize> {
        if self.count == 0 {
            return Some(0);
        }
        self.as_slice().iter().try_fold(1_usize, |product, dimension| {
            product.checked_mul(usize::try_from(dimension.len).ok()?)
        })
    }
}

/// The notation of an array in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    Braces {
        delimiter: u8,
    },
    /// `int2vector` and `oidvector`: numbers with spaces between them.
    Spaces,
}

impl<'a> FieldType<'a> {
    /// Returns the element type and notation of an array type; `None` for other types.
    pub(super) fn array(self) -> Option<(FieldType<'a>, Notation)> {
        match self.kind() {
            TypeKind::Array { element, delimiter } => {
                Some((element, Notation::Braces { delimiter }))
            }
            TypeKind::Base => match self.oid() {
                type_oid::INT2VECTOR => Some((FieldType::new(type_oid::INT2), Notation::Spaces)),
                type_oid::OIDVECTOR => Some((FieldType::new(type_oid::OID), Notation::Spaces)),
                oid => {
                    let element = PgType::from_oid(oid)?.element()?;
                    let delimiter = if element == type_oid::BOX { b';' } else { b',' };
                    Some((FieldType::new(element), Notation::Braces { delimiter }))
                }
            },
            _ => None,
        }
    }
}

impl<'a> Array<'a> {
    pub(super) fn read(field: &Field<'a>, check: Check) -> Result<Self, ValueError> {
        let wrong = ValueError::wrong_type("Array");
        let (element, notation) = field.ty().array().ok_or(wrong)?;
        match (field.format(), notation) {
            (Format::Binary, _) => Self::read_binary(field, element, notation, check),
            (Format::Text, Notation::Spaces) => Self::read_spaces(field, element, check),
            (Format::Text, Notation::Braces { delimiter }) => {
                Self::read_braces(field, element, delimiter, check)
            }
        }
    }

    /// Returns whether values of this type are arrays.
    #[cfg(feature = "serde")]
    pub(crate) fn is_type(ty: FieldType<'_>) -> bool {
        ty.without_domains().array().is_some()
    }

    /// Reads the array without reading its elements.
    #[cfg(feature = "alloc")]
    pub(crate) fn structure(field: &Field<'a>) -> Result<Self, ValueError> {
        let ty = field.ty().without_domains();
        Self::read(&Field { ty, ..*field }, Check::Structure)
            .map_err(|error| error.within(ty.oid(), field.format()))
    }

    /// Returns the dimensions, the outermost first: at most six, and none if the array is empty.
    pub fn dimensions(&self) -> &[Dimension] {
        self.dimensions.as_slice()
    }

    /// Returns the bounds of all dimensions, displayed as PostgreSQL writes them before an array:
    /// `[0:2][1:3]`. Returns `None` if every lower bound is 1, and for `int2vector` and
    /// `oidvector`, whose lower bound is always 0.
    pub fn bounds(&self) -> Option<impl fmt::Display + use<'_>> {
        let has_bounds = !matches!(self.notation, Notation::Spaces)
            && self.dimensions().iter().any(|dimension| dimension.lower != 1);
        has_bounds.then_some(Bounds(self.dimensions()))
    }

    /// Returns the number of elements in all dimensions together.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Returns true for an array without elements, which has no dimensions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the type of the elements.
    pub fn element_type(&self) -> FieldType<'a> {
        self.elements.ty()
    }

    /// Returns the elements of all dimensions in order: the last subscript varies fastest. `None`
    /// is NULL.
    pub fn elements(&self) -> Elements<'a> {
        self.elements.iter()
    }

    /// Returns whether it is an `int2vector` or `oidvector`.
    #[cfg(feature = "encode")]
    pub(crate) fn is_vector(&self) -> bool {
        self.notation == Notation::Spaces
    }

    /// Reads the elements of an array with at most one dimension as `T`. The lower bound is
    /// ignored.
    ///
    /// # Errors
    ///
    /// Fails if there are more dimensions, and if an element cannot be read as `T`; NULL can only
    /// be read as an `Option`.
    #[cfg(feature = "alloc")]
    pub fn to_vec<T: FromField<'a>>(&self) -> Result<alloc::vec::Vec<T>, ValueError> {
        let count = self.dimensions().len();
        if count > 1 {
            return Err(ValueError::new(super::ValueErrorKind::Dimensions { count }, 0));
        }
        self.elements().map(|element| element.map_or_else(T::from_null, |e| e.get())).collect()
    }

    /// Writes the elements with the characters before, between and after them.
    fn write_nested(
        &self,
        out: &mut dyn Write,
        [open, between, close]: [char; 3],
        mut write: impl FnMut(&mut dyn Write, Option<Field<'a>>) -> fmt::Result,
    ) -> fmt::Result {
        let count = self.dimensions.as_slice().len();
        for _ in 0..count {
            out.write_char(open)?;
        }
        for (at, element) in self.elements().enumerate() {
            let row_starts = self.row_starts(at);
            if at > 0 {
                for _ in 0..row_starts {
                    out.write_char(close)?;
                }
                out.write_char(between)?;
                for _ in 0..row_starts {
                    out.write_char(open)?;
                }
            }
            write(out, element)?;
        }
        for _ in 0..count {
            out.write_char(close)?;
        }
        Ok(())
    }

    /// Returns how many dimensions, except the outermost, start a new row at this element.
    fn row_starts(&self, at: usize) -> usize {
        let inner = self.dimensions.as_slice().get(1..).unwrap_or_default();
        let mut size = 1_usize;
        let mut row_starts = 0;
        for dimension in inner.iter().rev() {
            size = size.saturating_mul(usize::try_from(dimension.len).unwrap_or(usize::MAX));
            if !at.is_multiple_of(size) {
                break;
            }
            row_starts += 1;
        }
        row_starts
    }
}

impl<'a> FromField<'a> for Array<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.array().is_some()
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        Self::read(field, Check::Elements)
    }
}

impl PartialEq for Array<'_> {
    fn eq(&self, other: &Self) -> bool {
        let mut pairs = self.elements().zip(other.elements());
        self.dimensions == other.dimensions && pairs.all(|(left, right)| Field::same(left, right))
    }
}

impl Eq for Array<'_> {}

impl fmt::Display for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Notation::Braces { delimiter } = self.notation else {
            for (at, element) in self.elements().enumerate() {
                if at > 0 {
                    f.write_char(' ')?;
                }
                element.map_or(Ok(()), |field| Value::inside(field)?.fmt(f))?;
            }
            return Ok(());
        };
        if self.is_empty() {
            return f.write_str("{}");
        }
        if let Some(bounds) = self.bounds() {
            write!(f, "{bounds}=")?;
        }
        self.write_nested(f, ['{', delimiter.into(), '}'], |out, element| match element {
            None => out.write_str("NULL"),
            Some(field) => Within::Array { delimiter }.write(out, &Value::inside(field)?),
        })
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for Array<'_> {
    fn write_json(&self, mut out: &mut dyn Write, context: JsonContext<'_>) -> fmt::Result {
        if self.is_empty() {
            return out.write_str("[]");
        }
        if self.bounds().is_some() {
            context.note(|notes| notes.array_bounds = true);
        }
        let context = context.inside(self.dimensions().len());
        self.write_nested(&mut out, ['[', ',', ']'], |mut out, element| match element {
            None => out.write_str("null"),
            Some(field) => Value::inside(field)?.write_json_at(&mut out, context),
        })
    }
}

#[cfg(test)]
mod tests;
