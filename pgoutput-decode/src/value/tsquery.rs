//! `tsquery`: text lexemes and operators between them, binary the same with each operator before its operands, the
//! right one first, JSON a string.

use core::fmt::{self, Write};

use super::input::Input;
use super::json_out::WriteJson;
use super::tsvector::{take_lexeme, write_lexeme};
use super::{Field, FieldType, Format, FromField, Text, ValueError, type_oid};

/// A `tsquery`: lexemes to look for, joined by operators (manual, section "Text Search Types").
///
/// `Display` is PostgreSQL's text, and it is what two of them are compared by. What came as text is that text.
///
/// In the binary form at most 64 operators may be nested, operators on the left side of others not counted: a row
/// of any number of lexemes with `&` between them is not nested.
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
pub struct TsQuery<'a>(Repr<'a>);

#[derive(Clone, Copy)]
enum Repr<'a> {
    Text(Text<'a>),
    /// Behind the count.
    Binary(Input<'a>),
}

#[cfg(feature = "encode")]
impl<'a> TsQuery<'a> {
    pub(crate) fn source(&self) -> super::Lexemes<'a> {
        match self.0 {
            Repr::Text(text) => super::Lexemes::Text(text),
            // It was walked through without an error before, unless it is empty.
            Repr::Binary(mut input) => super::Lexemes::Binary {
                items: input.rest(),
                count: skip(&mut input, MAX_NESTED).unwrap_or_default(),
            },
        }
    }
}

const MAX_NESTED: u8 = 64;

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

/// How strongly operators bind; what binds less than its parent stands in parentheses.
const NOT: u8 = 4;

impl Operator {
    const fn priority(self) -> u8 {
        match self {
            Self::Phrase { .. } => 3,
            Self::And => 2,
            Self::Or => 1,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And => f.write_str(" & "),
            Self::Or => f.write_str(" | "),
            Self::Phrase { distance: 1 } => f.write_str(" <-> "),
            Self::Phrase { distance } => write!(f, " <{distance}> "),
        }
    }
}

fn take_item<'a>(input: &mut Input<'a>) -> Result<Item<'a>, ValueError> {
    let start = *input;
    let [kind, detail] = input.array()?;
    Ok(match (kind, detail) {
        (1, weights @ 0..=15) => {
            let is_prefix = match input.array()? {
                [0] => false,
                [1] => true,
                [_] => return Err(start.malformed("0 or 1, whether the lexeme is a prefix")),
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

/// Steps over one operand and counts its items. Left operands come last and need no deeper call.
fn skip(input: &mut Input<'_>, nested: u8) -> Result<u32, ValueError> {
    let start = *input;
    let nested = nested.checked_sub(1).ok_or(start.malformed("at most 64 nested operators"))?;
    let mut items = 0_u32;
    loop {
        items = items.saturating_add(1);
        match take_item(input)? {
            Item::Lexeme { .. } => return Ok(items),
            Item::Not => {}
            Item::Binary(_) => items = items.saturating_add(skip(input, nested)?),
        }
    }
}

/// An operator in the row of those that are left operands of each other.
#[derive(Debug, Clone, Copy)]
struct Step<'a> {
    operator: Operator,
    in_parentheses: bool,
    right: Input<'a>,
    left: Input<'a>,
}

/// What surrounds an operand.
#[derive(Debug, Clone, Copy)]
struct Around {
    priority: u8,
    /// Order counts for `<->`: on its right side another one stands in parentheses.
    is_right_of_phrase: bool,
}

impl Around {
    const fn left_of(operator: Operator) -> Self {
        Self { priority: operator.priority(), is_right_of_phrase: false }
    }
}

/// The operator at which `input` stands, with its operands; `None` if it stands at something else.
fn step(mut input: Input<'_>, around: Around) -> Result<Option<Step<'_>>, fmt::Error> {
    let Item::Binary(operator) = take_item(&mut input).map_err(|_| fmt::Error)? else {
        return Ok(None);
    };
    let right = input;
    skip(&mut input, MAX_NESTED).map_err(|_| fmt::Error)?;
    let is_phrase = matches!(operator, Operator::Phrase { .. });
    let in_parentheses =
        operator.priority() < around.priority || is_phrase && around.is_right_of_phrase;
    Ok(Some(Step { operator, in_parentheses, right, left: input }))
}

/// Writes the operand at which `input` stands.
fn write_operand(
    f: &mut fmt::Formatter<'_>,
    mut input: Input<'_>,
    mut around: Around,
) -> fmt::Result {
    // Down the left side, where the text begins.
    let (top, top_around) = (input, around);
    let mut steps = 0;
    while let Some(step) = step(input, around)? {
        if step.in_parentheses {
            f.write_str("( ")?;
        }
        around = Around::left_of(step.operator);
        input = step.left;
        steps += 1;
    }
    write_leftmost(f, input)?;
    write_right_sides(f, top, top_around, steps)
}

/// A lexeme, or a negation of whatever.
fn write_leftmost(f: &mut fmt::Formatter<'_>, mut input: Input<'_>) -> fmt::Result {
    loop {
        let start = input;
        match take_item(&mut input).map_err(|_| fmt::Error)? {
            Item::Not => f.write_char('!')?,
            Item::Binary(_) => {
                return write_operand(
                    f,
                    start,
                    Around { priority: NOT, is_right_of_phrase: false },
                );
            }
            Item::Lexeme { lexeme, weights, is_prefix } => {
                write_lexeme(f, lexeme)?;
                if weights != 0 || is_prefix {
                    f.write_char(':')?;
                }
                if is_prefix {
                    f.write_char('*')?;
                }
                let weights = [(8, 'A'), (4, 'B'), (2, 'C'), (1, 'D')]
                    .map(|(bit, letter)| (weights & bit != 0, letter));
                return weights
                    .iter()
                    .filter(|(is_set, _)| *is_set)
                    .try_for_each(|(_, letter)| f.write_char(*letter));
            }
        }
    }
}

/// Writes operators and right operands of the `steps` operators down the left side from `input`, the lowest first.
///
/// There is no way back up, and no room to remember it: the lower half is written first, then the upper half, each in
/// the same manner, so that the work is the length times its logarithm.
fn write_right_sides(
    f: &mut fmt::Formatter<'_>,
    input: Input<'_>,
    around: Around,
    steps: usize,
) -> fmt::Result {
    if steps == 0 {
        return Ok(());
    }
    if steps == 1 {
        let step = step(input, around)?.ok_or(fmt::Error)?;
        write!(f, "{}", step.operator)?;
        let around = Around {
            priority: step.operator.priority(),
            is_right_of_phrase: matches!(step.operator, Operator::Phrase { .. }),
        };
        write_operand(f, step.right, around)?;
        return if step.in_parentheses { f.write_str(" )") } else { Ok(()) };
    }
    let upper = steps / 2;
    let (mut middle, mut middle_around) = (input, around);
    for _ in 0..upper {
        let step = step(middle, middle_around)?.ok_or(fmt::Error)?;
        middle_around = Around::left_of(step.operator);
        middle = step.left;
    }
    write_right_sides(f, middle, middle_around, steps - upper)?;
    write_right_sides(f, input, around, upper)
}

impl<'a> FromField<'a> for TsQuery<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::TSQUERY
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        if !field.is_binary() {
            return Text::read(field).map(Repr::Text).map(Self);
        }
        let mut input = Input::new(field.bytes());
        let count = u32::from_be_bytes(input.array()?);
        let items = input;
        if count > 0 && skip(&mut input, MAX_NESTED)? != count {
            return Err(ValueError::malformed("as many items as the query has", 0));
        }
        input.finish()?;
        Ok(Self(Repr::Binary(items)))
    }

    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        Self::from_field(&Field::of(ty, Format::Text, text))
    }

    fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        Self::from_field(&Field::of(ty, Format::Binary, bytes))
    }
}

impl PartialEq for TsQuery<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Text(text), _) => text.is_displayed_by(other),
            (_, Repr::Text(text)) => text.is_displayed_by(self),
            (Repr::Binary(left), Repr::Binary(right)) => left.rest() == right.rest(),
        }
    }
}

impl Eq for TsQuery<'_> {}

impl fmt::Display for TsQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Text(text) => text.fmt(f),
            Repr::Binary(input) if input.rest().is_empty() => Ok(()),
            Repr::Binary(input) => {
                write_operand(f, input, Around { priority: 0, is_right_of_phrase: false })
            }
        }
    }
}

impl fmt::Debug for TsQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for TsQuery<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn lexeme(text: &str) -> Vec<u8> {
        [&[1, 0, 0][..], text.as_bytes(), &[0]].concat()
    }

    fn read(count: u32, items: &[u8]) -> Result<String, ValueError> {
        let bytes = [&count.to_be_bytes()[..], items].concat();
        let query: TsQuery<'_> = Field::new(type_oid::TSQUERY, Format::Binary, &bytes).get()?;
        let text = query.to_string();
        let same: TsQuery<'_> =
            Field::new(type_oid::TSQUERY, Format::Text, text.as_bytes()).get()?;
        assert_eq!(query, same);
        Ok(text)
    }

    #[test]
    fn rows_of_any_length_are_written_from_the_left() {
        for count in [2_u32, 3, 4, 7, 1000] {
            let mut items = lexeme("0");
            let mut text = String::from("'0'");
            for number in 1..count {
                items = [&[2, 2][..], &lexeme(&number.to_string()), &items].concat();
                text = std::format!("{text} & '{number}'");
            }
            assert_eq!(read(2 * count - 1, &items).unwrap(), text);
        }
    }

    #[test]
    fn parentheses_stand_where_the_server_writes_them() {
        let [a, b, c] = ["a", "b", "c"].map(lexeme);
        let or = [&[2, 3][..], &b, &a].concat();
        let phrase = [&[2, 4, 0, 1][..], &b, &a].concat();
        assert_eq!(read(5, &[&[2, 2][..], &c, &or].concat()).unwrap(), "( 'a' | 'b' ) & 'c'");
        assert_eq!(read(5, &[&[2, 2][..], &or, &c].concat()).unwrap(), "'c' & ( 'a' | 'b' )");
        assert_eq!(read(4, &[&[2, 1][..], &or].concat()).unwrap(), "!( 'a' | 'b' )");
        assert_eq!(read(3, &[&[2, 1, 2, 1][..], &a].concat()).unwrap(), "!!'a'");
        assert_eq!(
            read(5, &[&[2, 4, 0, 2][..], &c, &phrase].concat()).unwrap(),
            "'a' <-> 'b' <2> 'c'"
        );
        assert_eq!(
            read(5, &[&[2, 4, 0, 2][..], &phrase, &c].concat()).unwrap(),
            "'c' <2> ( 'a' <-> 'b' )"
        );
        assert_eq!(read(1, b"\x01\x0F\x01it's\\\0").unwrap(), r"'it''s\\':*ABCD");
        assert_eq!(read(0, b"").unwrap(), "");
    }

    #[test]
    fn counts_and_operands_must_agree_and_nesting_ends() {
        let a = lexeme("a");
        for (count, items) in [
            (0, &a[..]),
            (1, b""),
            (1, &[2, 1]),
            (2, &a),
            (u32::MAX, &a),
            (2, &[&a[..], &a].concat()),
            (1, b"\x01\x10\0a\0"),
            (1, b"\x01\0\x02a\0"),
            (1, b"\x01\0\0a"),
            (1, b"\x03\0\0a\0"),
            (2, &[&[2, 5][..], &a].concat()),
        ] {
            assert!(read(count, items).is_err(), "{count} {items:?}");
        }
        // Each the right operand of the one before.
        let nested = |depth: usize| {
            let mut items = [2, 2].repeat(depth);
            items.extend(a.repeat(depth + 1));
            read(u32::try_from(2 * depth + 1).unwrap(), &items)
        };
        assert!(nested(63).is_ok());
        assert!(nested(64).is_err());
        assert!(nested(100_000).is_err());
        let negated = [&[2, 1].repeat(100_000)[..], &a].concat();
        assert!(read(100_001, &negated).is_ok());
    }
}
