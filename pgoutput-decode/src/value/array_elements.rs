//! Reads the dimensions and elements of arrays.

use super::array::{Array, Dimension, Dimensions, Notation};
use super::input::Input;
use super::unescape::{QuoteEscape, Symbols};
use super::{Field, FieldType, ValueError};

/// Iterator over the elements of an [`Array`], in order; `None` is NULL.
///
/// Each element is a [`Field`] that was already checked: reading it as its own type does not fail.
#[derive(Debug, Clone)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Elements<'a>(ElementCursor<'a>);

/// Cursor over the elements of an array.
#[derive(Debug, Clone, Copy)]
pub(super) struct ElementCursor<'a> {
    /// The array, which determines the depth and format of its elements.
    array: Field<'a>,
    ty: FieldType<'a>,
    source: ElementInput<'a>,
    left: usize,
    /// Whether every element has been read as its own type.
    is_checked: bool,
}

#[derive(Debug, Clone, Copy)]
enum ElementInput<'a> {
    /// The text after the bounds, from the opening brace.
    Braces {
        text: Symbols<'a>,
        delimiter: u8,
    },
    Spaces(Symbols<'a>),
    Binary(Input<'a>),
}

type Element<'a> = Option<&'a [u8]>;

impl<'a> Array<'a> {
    pub(super) fn read_binary(
        field: &Field<'a>,
        ty: FieldType<'a>,
        notation: Notation,
        elements: Check,
    ) -> Result<Self, ValueError> {
        let mut input = Input::new(field.bytes());
        let count = u32::from_be_bytes(input.array()?);
        let flags = input;
        if u32::from_be_bytes(input.array()?) > 1 {
            return Err(flags.malformed("0 or 1 as the flag for NULLs"));
        }
        let element_oid = input;
        if u32::from_be_bytes(input.array()?) != ty.oid().as_u32() {
            return Err(element_oid.malformed("the oid of the array's element type"));
        }
        let mut dimensions = Dimensions::default();
        let mut is_empty = count == 0;
        for _ in 0..count {
            let start = input;
            let len = i32::from_be_bytes(input.array()?);
            let lower = i32::from_be_bytes(input.array()?);
            let len = u32::try_from(len).map_err(|_| start.malformed("a length of at least 0"))?;
            is_empty |= len == 0;
            if lower.checked_add_unsigned(len).is_none() {
                return Err(start.malformed("an upper bound less than 2147483647"));
            }
            if !dimensions.push(Dimension { len, lower }) {
                return Err(start.malformed("at most 6 dimensions"));
            }
        }
        let is_vector = matches!(notation, Notation::Spaces);
        if is_vector && !matches!(dimensions.as_slice(), [Dimension { lower: 0, .. }]) {
            return Err(element_oid.malformed("one dimension with lower bound 0"));
        }
        if is_empty {
            // An empty vector has one dimension of length 0.
            dimensions = Dimensions::default();
        }
        // Each element has at least four bytes: a greater count is rejected before anything is
        // read.
        let fits = |count: &usize| *count <= input.rest().len() / 4;
        let left = dimensions.elements().filter(fits);
        let left =
            left.ok_or(element_oid.malformed("as many elements as the dimensions declare"))?;
        let elements =
            ElementCursor::new(*field, ty, ElementInput::Binary(input), left).checked(elements)?;
        if is_vector && elements.iter().any(|element| element.is_none()) {
            return Err(flags.malformed("no NULLs"));
        }
        Ok(Self { notation, dimensions, elements })
    }

    pub(super) fn read_spaces(
        field: &Field<'a>,
        ty: FieldType<'a>,
        elements: Check,
    ) -> Result<Self, ValueError> {
        let text = field.symbols();
        let left = match text.rest() {
            [] => 0,
            rest => rest.split(|byte| *byte == b' ').count(),
        };
        let mut dimensions = Dimensions::default();
        if left > 0 {
            let len = u32::try_from(left).map_err(|_| ValueError::out_of_range("array"))?;
            dimensions.push(Dimension { len, lower: 0 });
        }
        let elements =
            ElementCursor::new(*field, ty, ElementInput::Spaces(text), left).checked(elements)?;
        Ok(Self { notation: Notation::Spaces, dimensions, elements })
    }

    pub(super) fn read_braces(
        field: &Field<'a>,
        ty: FieldType<'a>,
        delimiter: u8,
        elements: Check,
    ) -> Result<Self, ValueError> {
        let mut text = field.symbols();
        let bounds = read_bounds(&mut text)?;
        let mut ahead = text;
        let mut dimensions = read_lengths(&mut ahead, delimiter)?;
        ahead.end("the end after the closing brace")?;
        if !bounds.as_slice().is_empty() {
            let lens = |dimensions: &Dimensions| dimensions.map(|dimension| dimension.len);
            if lens(&bounds) != lens(&dimensions) {
                return Err(text.malformed("as many elements as the bounds declare"));
            }
            dimensions = bounds;
        }
        let left = dimensions.elements().ok_or(ValueError::out_of_range("array"))?;
        let source = ElementInput::Braces { text, delimiter };
        let elements = ElementCursor::new(*field, ty, source, left).checked(elements)?;
        Ok(Self { notation: Notation::Braces { delimiter }, dimensions, elements })
    }
}

impl Dimensions {
    fn map<T: Default>(
        &self,
        mut map: impl FnMut(Dimension) -> T,
    ) -> [T; super::array::MAX_DIMENSIONS] {
        let mut all = self.as_slice().iter();
        core::array::from_fn(|_| all.next().map(|dimension| map(*dimension)).unwrap_or_default())
    }
}

/// Reads `[1:2][-3:4]=` if it is there.
fn read_bounds(text: &mut Symbols<'_>) -> Result<Dimensions, ValueError> {
    let mut dimensions = Dimensions::default();
    while text.eat(b'[') {
        let start = *text;
        let lower = read_bound(text)?;
        text.expect(b':', "a colon between bounds")?;
        let upper = read_bound(text)?;
        text.expect(b']', "a bracket after the bounds")?;
        let malformed = start.malformed("a lower and an upper bound");
        if upper < lower || upper == i32::MAX {
            return Err(malformed);
        }
        let dimension = Dimension { len: upper.abs_diff(lower) + 1, lower };
        if !dimensions.push(dimension) {
            return Err(start.malformed("at most 6 dimensions"));
        }
    }
    if !dimensions.as_slice().is_empty() {
        text.expect(b'=', "= after the bounds")?;
    }
    Ok(dimensions)
}

fn read_bound(text: &mut Symbols<'_>) -> Result<i32, ValueError> {
    let start = *text;
    let number = text.unquoted(|byte| !byte.is_ascii_digit() && byte != b'-')?;
    let number = crate::utf8::text(number).ok().and_then(|number| number.parse().ok());
    number.ok_or(start.malformed("a bound"))
}

/// Skips the braces and the elements in them. The lengths are those of the first row, and every row
/// must have them.
fn read_lengths(text: &mut Symbols<'_>, delimiter: u8) -> Result<Dimensions, ValueError> {
    let mut dimensions = Dimensions::default();
    text.expect(b'{', "an opening brace")?;
    if text.eat(b'}') {
        return Ok(dimensions);
    }
    // The length of a level is known when the level is closed for the first time.
    dimensions.push(Dimension { len: 0, lower: 1 });
    while text.eat(b'{') {
        if !dimensions.push(Dimension { len: 0, lower: 1 }) {
            return Err(text.malformed("at most 6 dimensions"));
        }
    }
    let mut counts = dimensions.map(|_| 0_u32);
    let deepest = dimensions.as_slice().len();
    loop {
        skip_element(text, delimiter)?;
        let mut level = deepest;
        loop {
            // One more at this level, and possibly the last one.
            let Some(at) = level.checked_sub(1) else { return Ok(dimensions) };
            let count = counts.get_mut(at).map(|count| {
                *count += 1;
                *count
            });
            if text.eat(delimiter) {
                break;
            }
            text.expect(b'}', "a delimiter or a closing brace")?;
            let count = count.unwrap_or_default();
            if let Some(dimension) = dimensions.as_mut_slice().get_mut(at) {
                if dimension.len != 0 && dimension.len != count {
                    return Err(text.malformed("rows of the same length"));
                }
                dimension.len = count;
            }
            if let Some(count) = counts.get_mut(at) {
                *count = 0;
            }
            level = at;
        }
        for _ in level..deepest {
            text.expect(b'{', "an opening brace")?;
        }
    }
}

/// Reads one element; `None` for NULL.
fn element<'a>(text: &mut Symbols<'a>, delimiter: u8) -> Result<Element<'a>, ValueError> {
    if text.eat(b'"') {
        return text.quoted(QuoteEscape::Backslash).map(Some);
    }
    let element = text
        .unquoted(|byte| byte == delimiter || matches!(byte, b'{' | b'}' | b' ' | b'\t'..=b'\r'))?;
    if element.is_empty() {
        return Err(text.malformed("an element"));
    }
    Ok(Some(element).filter(|element| !element.eq_ignore_ascii_case(b"NULL")))
}

fn skip_element(text: &mut Symbols<'_>, delimiter: u8) -> Result<(), ValueError> {
    element(text, delimiter).map(|_| ())
}

/// The part of an array that is checked when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The elements too: reading them as their own type does not fail afterwards.
    Elements,
    /// Only their number and where each one ends: reading an element may fail.
    #[cfg(feature = "alloc")]
    Structure,
}

impl<'a> ElementCursor<'a> {
    const fn new(
        array: Field<'a>,
        ty: FieldType<'a>,
        source: ElementInput<'a>,
        left: usize,
    ) -> Self {
        Self { array, ty, source, left, is_checked: array.is_checked() }
    }

    pub(super) const fn iter(self) -> Elements<'a> {
        Elements(self)
    }

    pub(super) const fn len(&self) -> usize {
        self.left
    }

    pub(super) const fn ty(&self) -> FieldType<'a> {
        self.ty
    }

    /// Reads every element once, unless they were checked before.
    fn checked(mut self, check: Check) -> Result<Self, ValueError> {
        if self.is_checked {
            return Ok(self);
        }
        let mut walk = self;
        while walk.left > 0 {
            let element = walk.advance()?;
            if let Some(element) = element.filter(|_| check == Check::Elements) {
                element.check_inside(&walk.array)?;
            }
        }
        if let ElementInput::Binary(input) = walk.source {
            // Text has already been read to its end.
            input.finish()?;
        }
        self.is_checked = check == Check::Elements;
        Ok(self)
    }

    fn advance(&mut self) -> Result<Option<Field<'a>>, ValueError> {
        self.left = self.left.saturating_sub(1);
        let element = match &mut self.source {
            ElementInput::Binary(input) => take_binary(input)?,
            ElementInput::Spaces(text) => {
                let number = text.unquoted(|byte| byte == b' ')?;
                text.take();
                Some(number)
            }
            ElementInput::Braces { text, delimiter } => {
                while text
                    .peek()
                    .is_some_and(|byte| matches!(byte, b'{' | b'}') || byte == *delimiter)
                {
                    text.take();
                }
                element(text, *delimiter)?
            }
        };
        element.map(|bytes| self.array.child(self.ty, bytes)).transpose()
    }
}

/// Reads a length and as many bytes; -1 means NULL.
pub(super) fn take_binary<'a>(input: &mut Input<'a>) -> Result<Element<'a>, ValueError> {
    let start = *input;
    match i32::from_be_bytes(input.array()?) {
        -1 => Ok(None),
        len => match usize::try_from(len) {
            Ok(len) => input.take(len).map(Some),
            Err(_) => Err(start.malformed("a length of at least 0, or -1")),
        },
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Option<Field<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.left == 0 {
            return None;
        }
        // All elements were read without an error when the array was read.
        let element = self.0.advance().ok()?;
        Some(if self.0.is_checked { element.map(Field::checked) } else { element })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.left, Some(self.0.left))
    }
}

impl ExactSizeIterator for Elements<'_> {}
impl core::iter::FusedIterator for Elements<'_> {}
