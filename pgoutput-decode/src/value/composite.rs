//! Composite types. Text: attributes in parentheses. Binary: the type and length of each attribute.
//! JSON: an object.

use core::fmt::{self, Write};

use super::array_elements::take_binary;
use super::input::Input;
use super::json_out::{JsonContext, WriteJson, string};
use super::quote::Within;
use super::unescape::{QuoteEscape, Symbols};
use super::{Attribute, Field, FieldType, FromField, TypeKind, Value, ValueError};

/// A value of a composite type: one value, or NULL, for each attribute of its
/// [description](TypeKind::Composite) (manual, section "Composite Types").
///
/// `Display` prints PostgreSQL's text. Two composites are equal if the names and values of their
/// attributes are equal.
///
/// ```
/// use pgoutput_decode::Oid;
/// use pgoutput_decode::value::{
///     Attribute, AttributeList, Composite, Field, FieldType, Format, TypeInfo, TypeKind, type_oid,
/// };
///
/// // create type item as (name text, count integer)
/// let attributes = [
///     Attribute::new("name", FieldType::new(type_oid::TEXT)),
///     Attribute::new("count", FieldType::new(type_oid::INT4)),
/// ];
/// let kind = TypeKind::Composite(AttributeList::new(&attributes));
/// let item = TypeInfo::new(Oid::new(16_400), "item", kind);
///
/// let field = Field::with_type(&item, Format::Text, br#"("a ""b""",)"#);
/// let composite: Composite = field.get()?;
/// assert_eq!(composite.attribute("name").unwrap().unwrap().get::<String>()?, r#"a "b""#);
/// assert!(composite.attribute("count").unwrap().is_none(), "NULL");
///
/// let mut json = String::new();
/// field.write_json(&mut json, Default::default())?;
/// assert_eq!(json, r#"{"name":"a \"b\"","count":null}"#);
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Composite<'a>(AttributeCursor<'a>);

/// Iterator over the attributes of a [`Composite`], each with its value, or `None` for NULL.
///
/// Each value was already checked: reading it as its own type does not fail.
#[derive(Debug, Clone)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Attributes<'a>(AttributeCursor<'a>);

/// Cursor over the attributes.
#[derive(Debug, Clone, Copy)]
struct AttributeCursor<'a> {
    /// The composite, which determines the depth and format of its attributes.
    composite: Field<'a>,
    /// The number of attributes.
    count: usize,
    /// The index of the next attribute.
    next: usize,
    source: AttributeInput<'a>,
}

#[derive(Debug, Clone, Copy)]
enum AttributeInput<'a> {
    Text(Symbols<'a>),
    Binary(Input<'a>),
}

impl<'a> Composite<'a> {
    /// Returns the attributes, in order.
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes(self.0)
    }

    /// Returns the value of the attribute with this name: `None` if there is no such attribute,
    /// `Some(None)` if it is NULL.
    #[allow(clippy::option_option, reason = "a missing attribute is not NULL")]
    pub fn attribute(&self, name: &str) -> Option<Option<Field<'a>>> {
        self.attributes().find(|(attribute, _)| attribute.name == name).map(|(_, value)| value)
    }
}

impl<'a> AttributeCursor<'a> {
    fn check(mut self) -> Result<(), ValueError> {
        while self.left() > 0 {
            if let (_, Some(value)) = self.advance()? {
                value.check_inside(&self.composite)?;
            }
        }
        match self.source {
            AttributeInput::Binary(input) => input.finish(),
            AttributeInput::Text(mut text) => {
                text.expect(b')', "a closing parenthesis after the last attribute")?;
                text.end("the end after the closing parenthesis")
            }
        }
    }

    const fn left(&self) -> usize {
        self.count.saturating_sub(self.next)
    }

    fn attribute(&self) -> Option<Attribute<'a>> {
        let TypeKind::Composite(attributes) = self.composite.ty().kind() else { return None };
        attributes.get(self.next)
    }

    fn advance(&mut self) -> Result<(Attribute<'a>, Option<Field<'a>>), ValueError> {
        let attribute = self.attribute().ok_or(ValueError::malformed("no more attributes", 0))?;
        let value = match &mut self.source {
            AttributeInput::Binary(input) => {
                let start = *input;
                if u32::from_be_bytes(input.array()?) != attribute.ty.oid().as_u32() {
                    return Err(start.malformed("the oid of the attribute's type"));
                }
                take_binary(input)?
            }
            AttributeInput::Text(text) => {
                if self.next > 0 {
                    text.expect(b',', "a comma between attributes")?;
                }
                if text.eat(b'"') {
                    Some(text.quoted(QuoteEscape::Doubled)?)
                } else {
                    // An unquoted empty value is NULL; an empty text is quoted.
                    let value = text.unquoted(|byte| matches!(byte, b',' | b'(' | b')'))?;
                    Some(value).filter(|value| !value.is_empty())
                }
            }
        };
        self.next += 1;
        let child = |bytes| self.composite.child(attribute.ty, bytes);
        let value = value.map(child).transpose()?;
        Ok((attribute, value))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (Attribute<'a>, Option<Field<'a>>);

    fn next(&mut self) -> Option<Self::Item> {
        // All attributes were read without an error when the composite was read.
        let (attribute, value) = self.0.advance().ok()?;
        Some((attribute, value.map(Field::checked)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.left(), Some(self.0.left()))
    }
}

impl ExactSizeIterator for Attributes<'_> {}
impl core::iter::FusedIterator for Attributes<'_> {}

impl<'a> FromField<'a> for Composite<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        matches!(ty.kind(), TypeKind::Composite(_))
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        let TypeKind::Composite(attributes) = field.ty().kind() else {
            return Err(ValueError::wrong_type("Composite"));
        };
        let source = if field.is_binary() {
            let mut input = Input::new(field.bytes());
            let count = u32::from_be_bytes(input.array()?);
            if usize::try_from(count) != Ok(attributes.len()) {
                return Err(ValueError::malformed("as many attributes as the type has", 0));
            }
            AttributeInput::Binary(input)
        } else {
            let mut text = field.symbols();
            text.expect(b'(', "an opening parenthesis")?;
            AttributeInput::Text(text)
        };
        let walk = AttributeCursor { composite: *field, count: attributes.len(), next: 0, source };
        if !field.is_checked() {
            walk.check()?;
        }
        Ok(Self(walk))
    }
}

impl PartialEq for Composite<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (left, right) = (self.attributes(), other.attributes());
        left.len() == right.len()
            && left.zip(right).all(|((attribute, left), (other, right))| {
                attribute.name == other.name && Field::same(left, right)
            })
    }
}

impl Eq for Composite<'_> {}

impl fmt::Display for Composite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('(')?;
        for (at, (_, value)) in self.attributes().enumerate() {
            if at > 0 {
                f.write_char(',')?;
            }
            if let Some(value) = value {
                Within::Composite.write(f, &Value::inside(value)?)?;
            }
        }
        f.write_char(')')
    }
}

impl fmt::Debug for Composite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for Composite<'_> {
    fn write_json(&self, mut out: &mut dyn Write, context: JsonContext<'_>) -> fmt::Result {
        let context = context.inside(1);
        out.write_char('{')?;
        for (at, (attribute, value)) in self.attributes().enumerate() {
            if at > 0 {
                out.write_char(',')?;
            }
            string(out, attribute.name)?;
            out.write_char(':')?;
            match value {
                None => out.write_str("null")?,
                Some(value) => Value::inside(value)?.write_json_at(&mut out, context)?,
            }
        }
        out.write_char('}')
    }
}

#[cfg(test)]
mod tests;
