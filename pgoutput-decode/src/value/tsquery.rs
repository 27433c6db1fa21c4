//! `tsquery`. Text: lexemes with operators between them. Binary: each operator before its operands,
//! the right one first. JSON: a string.

mod infix;
#[cfg(test)]
mod tests;

use core::fmt;

use super::input::Input;
use super::json_out::WriteJson;
use super::tsvector::take_lexeme;
use super::{Field, FieldType, FromField, Text, ValueError, type_oid};

/// A `tsquery`: lexemes to search for, combined by operators (manual, section "Text Search Types").
///
/// `Display` prints PostgreSQL's text, and queries are compared by that text. A query in text
/// format is not parsed.
///
/// Operators may be nested to any depth. No part of this crate recurses into operators, so a query
/// needs no more stack than a lexeme.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, TsQuery, type_oid};
///
/// // AND, then its right operand, the prefix `cat`, then its left one, `fat`.
/// let binary = b"\0\0\0\x03\x02\x02\x01\0\x01cat\0\x01\0\0fat\0";
/// let query: TsQuery = Field::new(type_oid::TSQUERY, Format::Binary, binary).get()?;
/// assert_eq!(query.to_string(), "'fat' & 'cat':*");
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct TsQuery<'a>(TsQueryRepr<'a>);

#[derive(Clone, Copy)]
enum TsQueryRepr<'a> {
    Text(Text<'a>),
    /// The items after their count, checked.
    Binary {
        count: u32,
        items: &'a [u8],
    },
}

#[cfg(feature = "encode")]
impl<'a> TsQuery<'a> {
    pub(crate) fn source(&self) -> super::Lexemes<'a> {
        match self.0 {
            TsQueryRepr::Text(text) => super::Lexemes::Text(text),
            TsQueryRepr::Binary { count, items } => super::Lexemes::Binary { count, items },
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Item<'a> {
    Lexeme { lexeme: &'a str, weights: u8, is_prefix: bool },
    Not,
    Binary(Operator),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    And,
    Or,
    Phrase { distance: u16 },
}

fn take_item<'a>(input: &mut Input<'a>) -> Result<Item<'a>, ValueError> {
    let start = *input;
    let [kind, detail] = input.array()?;
    Ok(match (kind, detail) {
        (1, weights @ 0..=15) => {
            let is_prefix = match input.array()? {
                [0] => false,
                [1] => true,
                [_] => return Err(start.malformed("0 or 1 as the flag for a prefix")),
            };
            Item::Lexeme { lexeme: take_lexeme(input)?, weights, is_prefix }
        }
        (2, 1) => Item::Not,
        (2, 2) => Item::Binary(Operator::And),
        (2, 3) => Item::Binary(Operator::Or),
        (2, 4) => {
            let distance = u16::from_be_bytes(input.array()?);
            Item::Binary(Operator::Phrase { distance })
        }
        _ => return Err(start.malformed("a lexeme or an operator of a tsquery")),
    })
}

/// Skips one operand with all operands inside it, and returns the number of its items.
fn skip_operand(input: &mut Input<'_>) -> Result<u32, ValueError> {
    let mut items = 0_u32;
    let mut missing = 1_usize;
    while missing > 0 {
        items = items.saturating_add(1);
        match take_item(input)? {
            Item::Lexeme { .. } => missing -= 1,
            Item::Not => {}
            Item::Binary(_) => missing += 1,
        }
    }
    Ok(items)
}

impl<'a> FromField<'a> for TsQuery<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::TSQUERY
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        if !field.is_binary() {
            return Text::read(field).map(TsQueryRepr::Text).map(Self);
        }
        let mut input = Input::new(field.bytes());
        let count = u32::from_be_bytes(input.array()?);
        let items = input.rest();
        if count > 0 && skip_operand(&mut input)? != count {
            return Err(ValueError::malformed("the number of items in the query", 0));
        }
        input.finish()?;
        Ok(Self(TsQueryRepr::Binary { count, items }))
    }
}

impl PartialEq for TsQuery<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (TsQueryRepr::Text(text), _) => text.is_displayed_by(other),
            (_, TsQueryRepr::Text(text)) => text.is_displayed_by(self),
            (TsQueryRepr::Binary { items, .. }, TsQueryRepr::Binary { items: others, .. }) => {
                items == others
            }
        }
    }
}

impl Eq for TsQuery<'_> {}

impl fmt::Display for TsQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            TsQueryRepr::Text(text) => text.fmt(f),
            TsQueryRepr::Binary { count: 0, .. } => Ok(()),
            TsQueryRepr::Binary { count, items } => infix::write(f, count, items),
        }
    }
}

impl fmt::Debug for TsQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for TsQuery<'_> {}
