//! Writes the text of a binary `tsquery`: operators between their operands, with the parentheses
//! that the server writes.
//!
//! The binary form has an operator first, then its right operand, then its left operand, but the
//! text starts with the left operand. The code walks through the tree of operators without
//! recursion: down to the left, and up again through the operator that each operand belongs to.

use core::fmt::{self, Write};

use super::super::input::Input;
use super::super::tsvector::write_lexeme;
use super::{Item, Operator, skip_operand, take_item};

impl Operator {
    /// Returns how strongly the operator binds; `!` binds more strongly than all of them.
    const fn priority(self) -> u8 {
        match self {
            Self::Phrase { .. } => 3,
            Self::And => 2,
            Self::Or => 1,
        }
    }

    const fn is_phrase(self) -> bool {
        matches!(self, Self::Phrase { .. })
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

/// The number of items up to which a query is written without a table of its operators.
#[cfg(feature = "alloc")]
const WITHOUT_TABLE: u32 = 32;

/// Writes the query of these checked items.
pub(super) fn write(f: &mut fmt::Formatter<'_>, count: u32, items: &[u8]) -> fmt::Result {
    #[cfg(feature = "alloc")]
    if count > WITHOUT_TABLE
        && let Some(table) = Table::of(items)
    {
        return walk(f, items, &table);
    }
    let _ = count;
    walk(f, items, &Search { items })
}

/// The side of an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The operator that an operand belongs to, by the offset of its item; `None` for the whole query.
type Outer = Option<(usize, Side)>;

/// Questions about the tree of operators.
trait Operators {
    /// Returns the offset of the left operand of the operator at this offset.
    fn left(&self, operator: usize) -> Result<usize, fmt::Error>;

    /// Returns the operator that the one at this offset is an operand of, and whether `!` comes
    /// directly before it.
    fn outer(&self, operator: usize) -> Result<(Outer, bool), fmt::Error>;
}

/// Returns the item at this offset, and the offset after it.
fn item_at(items: &[u8], offset: usize) -> Result<(Item<'_>, usize), fmt::Error> {
    let mut input = Input::new(items.get(offset..).ok_or(fmt::Error)?);
    let item = take_item(&mut input).map_err(|_| fmt::Error)?;
    Ok((item, offset + input.offset()))
}

fn operator_at(items: &[u8], offset: usize) -> Result<(Operator, usize), fmt::Error> {
    match item_at(items, offset)? {
        (Item::Binary(operator), after) => Ok((operator, after)),
        _ => Err(fmt::Error),
    }
}

fn walk(f: &mut fmt::Formatter<'_>, items: &[u8], operators: &impl Operators) -> fmt::Result {
    let mut at = 0;
    let mut outer: Outer = None;
    loop {
        // Down the left side, to the lexeme at which the text of this operand starts.
        loop {
            match item_at(items, at)? {
                (Item::Not, after) => {
                    f.write_char('!')?;
                    at = after;
                }
                (Item::Binary(_), _) => {
                    if in_parentheses(items, operators, at)? {
                        f.write_str("( ")?;
                    }
                    outer = Some((at, Side::Left));
                    at = operators.left(at)?;
                }
                (Item::Lexeme { lexeme, weights, is_prefix }, _) => {
                    write_restricted(f, lexeme, weights, is_prefix)?;
                    break;
                }
            }
        }
        // Up through the operators that end here, to the next one with a right operand to write.
        loop {
            match outer {
                None => return Ok(()),
                Some((operator, Side::Left)) => {
                    let (kind, after) = operator_at(items, operator)?;
                    write!(f, "{kind}")?;
                    outer = Some((operator, Side::Right));
                    at = after;
                    break;
                }
                Some((operator, Side::Right)) => {
                    if in_parentheses(items, operators, operator)? {
                        f.write_str(" )")?;
                    }
                    (outer, _) = operators.outer(operator)?;
                }
            }
        }
    }
}

/// Returns whether an operator is written in parentheses: it binds less strongly than the operator
/// around it, or it is a `<->` on the right side of another one, whose order matters.
fn in_parentheses(
    items: &[u8],
    operators: &impl Operators,
    operator: usize,
) -> Result<bool, fmt::Error> {
    let (outer, is_negated) = operators.outer(operator)?;
    let Some((outer, side)) = outer.filter(|_| !is_negated) else { return Ok(is_negated) };
    let ((operator, _), (outer, _)) = (operator_at(items, operator)?, operator_at(items, outer)?);
    Ok(operator.priority() < outer.priority()
        || operator.is_phrase() && outer.is_phrase() && side == Side::Right)
}

/// Writes a lexeme and its restrictions.
fn write_restricted(
    f: &mut fmt::Formatter<'_>,
    lexeme: &str,
    weights: u8,
    is_prefix: bool,
) -> fmt::Result {
    write_lexeme(f, lexeme)?;
    if weights != 0 || is_prefix {
        f.write_char(':')?;
    }
    if is_prefix {
        f.write_char('*')?;
    }
    let weights =
        [(8, 'A'), (4, 'B'), (2, 'C'), (1, 'D')].map(|(bit, letter)| (weights & bit != 0, letter));
    weights.iter().filter(|(is_set, _)| *is_set).try_for_each(|(_, letter)| f.write_char(*letter))
}

/// Searches for each answer from the start of the query: no memory, and a time that grows with the
/// square of the number of items.
struct Search<'a> {
    items: &'a [u8],
}

impl Operators for Search<'_> {
    fn left(&self, operator: usize) -> Result<usize, fmt::Error> {
        let (_, after) = operator_at(self.items, operator)?;
        let mut right = Input::new(self.items.get(after..).ok_or(fmt::Error)?);
        skip_operand(&mut right).map_err(|_| fmt::Error)?;
        Ok(after + right.offset())
    }

    fn outer(&self, operator: usize) -> Result<(Outer, bool), fmt::Error> {
        // The number of missing operands inside a right operand is one more than at its operator;
        // inside a left operand it is the same.
        let (mut at, mut missing) = (0, 1_usize);
        let mut before = None;
        let (mut start, mut missing_at_start) = (0, 1);
        while at < operator {
            let (item, after) = item_at(self.items, at)?;
            match item {
                Item::Not => {}
                Item::Binary(_) => {
                    missing += 1;
                    before = Some(at);
                }
                Item::Lexeme { .. } => {
                    missing = missing.saturating_sub(1);
                    before = None;
                }
            }
            if !matches!(item, Item::Not) {
                (start, missing_at_start) = (after, missing);
            }
            at = after;
        }
        let outer = match before {
            Some(before) => Some((before, Side::Right)),
            None => self.last_missing(missing_at_start, start)?.map(|outer| (outer, Side::Left)),
        };
        Ok((outer, start != operator))
    }
}

impl Search<'_> {
    /// Returns the last operator before `end` at which `wanted` operands were missing.
    fn last_missing(&self, wanted: usize, end: usize) -> Result<Option<usize>, fmt::Error> {
        let (mut at, mut missing) = (0, 1_usize);
        let mut last = None;
        while at < end {
            let (item, after) = item_at(self.items, at)?;
            match item {
                Item::Not => {}
                Item::Binary(_) => {
                    if missing == wanted {
                        last = Some(at);
                    }
                    missing += 1;
                }
                Item::Lexeme { .. } => missing = missing.saturating_sub(1),
            }
            at = after;
        }
        Ok(last)
    }
}

/// Table of all operators in the order of their items: a time that grows with the number of items.
#[cfg(feature = "alloc")]
struct Table(alloc::vec::Vec<Entry>);

#[cfg(feature = "alloc")]
struct Entry {
    start: u32,
    left: u32,
    /// The index of the outer operator in the table.
    outer: u32,
    side: Option<Side>,
    is_negated: bool,
}

#[cfg(feature = "alloc")]
impl Table {
    /// Creates the table; `None` if the items are not a query or are longer than a value can be.
    fn of(items: &[u8]) -> Option<Self> {
        let mut entries: alloc::vec::Vec<Entry> = alloc::vec::Vec::new();
        let mut without_left = alloc::vec::Vec::new();
        let (mut outer, mut side, mut is_negated) = (0, None, false);
        let mut input = Input::new(items);
        loop {
            let start = u32::try_from(input.offset()).ok()?;
            match take_item(&mut input).ok()? {
                Item::Not => is_negated = true,
                Item::Binary(_) => {
                    let index = u32::try_from(entries.len()).ok()?;
                    entries.push(Entry { start, left: 0, outer, side, is_negated });
                    without_left.push(index);
                    (outer, side, is_negated) = (index, Some(Side::Right), false);
                }
                Item::Lexeme { .. } => {
                    let Some(index) = without_left.pop() else { return Some(Self(entries)) };
                    let entry = entries.get_mut(usize::try_from(index).ok()?)?;
                    entry.left = u32::try_from(input.offset()).ok()?;
                    (outer, side, is_negated) = (index, Some(Side::Left), false);
                }
            }
        }
    }

    fn entry(&self, operator: usize) -> Option<&Entry> {
        let operator = u32::try_from(operator).ok()?;
        let index = self.0.binary_search_by_key(&operator, |entry| entry.start).ok()?;
        self.0.get(index)
    }
}

#[cfg(feature = "alloc")]
impl Operators for Table {
    fn left(&self, operator: usize) -> Result<usize, fmt::Error> {
        let left = self.entry(operator).ok_or(fmt::Error)?.left;
        usize::try_from(left).map_err(|_| fmt::Error)
    }

    fn outer(&self, operator: usize) -> Result<(Outer, bool), fmt::Error> {
        let entry = self.entry(operator).ok_or(fmt::Error)?;
        let Some(side) = entry.side else { return Ok((None, entry.is_negated)) };
        let outer = usize::try_from(entry.outer).ok().and_then(|outer| self.0.get(outer));
        let outer = outer.and_then(|outer| usize::try_from(outer.start).ok()).ok_or(fmt::Error)?;
        Ok((Some((outer, side)), entry.is_negated))
    }
}

#[cfg(test)]
pub(super) mod both {
    //! Both ways to walk through a query, for queries of any size.

    use core::fmt;

    #[cfg(feature = "alloc")]
    use super::Table;
    use super::{Search, walk};

    pub(in super::super) struct WithSearch<'a>(pub(in super::super) &'a [u8]);
    #[cfg(feature = "alloc")]
    pub(in super::super) struct WithTable<'a>(pub(in super::super) &'a [u8]);

    impl fmt::Display for WithSearch<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            walk(f, self.0, &Search { items: self.0 })
        }
    }

    #[cfg(feature = "alloc")]
    impl fmt::Display for WithTable<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            walk(f, self.0, &Table::of(self.0).ok_or(fmt::Error)?)
        }
    }
}
