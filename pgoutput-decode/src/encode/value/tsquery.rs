//! Writes `tsquery`.

use alloc::vec::Vec;

use super::lexeme::{Scanner, scan};
use super::{EncodeError, Write, Writer};
use crate::value::{Lexemes, Text, TsQuery, type_oid};

impl Write for TsQuery<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self.source() {
            Lexemes::Binary { count, items } => {
                writer.u32(count);
                writer.bytes(items);
                Ok(())
            }
            Lexemes::Text(text) => write_text(text, writer),
        }
    }
}

/// An operator or parenthesis whose last operand has not been read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Parenthesis,
    Or,
    And,
    Phrase { distance: u16 },
    Not,
}

impl Waiting {
    /// Returns how strongly it binds.
    const fn priority(self) -> u8 {
        match self {
            Self::Parenthesis => 0,
            Self::Or => 1,
            Self::And => 2,
            Self::Phrase { .. } => 3,
            Self::Not => 4,
        }
    }
}

/// Items with each operator after its operands. Reversed, this is the binary form, in which each
/// operator comes before its operands, the right one first.
#[derive(Default)]
struct Postfix {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Postfix {
    fn push(
        &mut self,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        write(&mut Writer::new(&mut self.bytes))?;
        self.ends.push(self.bytes.len());
        Ok(())
    }

    fn operator(&mut self, operator: Waiting) -> Result<(), EncodeError> {
        self.push(|writer| {
            match operator {
                Waiting::Parenthesis => {}
                Waiting::Not => writer.bytes(&[2, 1]),
                Waiting::And => writer.bytes(&[2, 2]),
                Waiting::Or => writer.bytes(&[2, 3]),
                Waiting::Phrase { distance } => {
                    writer.bytes(&[2, 4]);
                    writer.u16(distance);
                }
            }
            Ok(())
        })
    }
}

fn write_text(text: Text<'_>, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
    let mut text = scan(text, type_oid::TSQUERY);
    let mut items = Postfix::default();
    if text.peek().is_some() {
        read(&mut text, &mut items)?;
    }
    writer.length("tsquery item count", items.ends.len())?;
    let mut end = items.bytes.len();
    let starts = items.ends.iter().rev().skip(1).copied().chain([0]);
    for start in starts.take(items.ends.len()) {
        writer.bytes(items.bytes.get(start..end).unwrap_or_default());
        end = start;
    }
    Ok(())
}

/// Reads the items of a query. Operators of the same priority are grouped from the left, as on the
/// server. Operators without their last operand are kept in a list, so parentheses may be nested to
/// any depth.
fn read(
    text: &mut Scanner<impl Iterator<Item = char>>,
    items: &mut Postfix,
) -> Result<(), EncodeError> {
    let mut waiting = Vec::new();
    loop {
        while text.eat(' ') {}
        if text.eat('!') {
            waiting.push(Waiting::Not);
            continue;
        }
        if text.eat('(') {
            waiting.push(Waiting::Parenthesis);
            continue;
        }
        operand(text, items)?;
        loop {
            while text.eat(' ') {}
            if !text.eat(')') {
                break;
            }
            while let Some(operator) = waiting.pop_if(|last| *last != Waiting::Parenthesis) {
                items.operator(operator)?;
            }
            waiting.pop().ok_or_else(|| text.malformed("no closing parenthesis here"))?;
        }
        let Some(operator) = operator(text)? else { break };
        while let Some(last) = waiting.pop_if(|last| last.priority() >= operator.priority()) {
            items.operator(last)?;
        }
        waiting.push(operator);
    }
    while let Some(operator) = waiting.pop() {
        if operator == Waiting::Parenthesis {
            return Err(text.malformed("a closing parenthesis"));
        }
        items.operator(operator)?;
    }
    Ok(())
}

/// Reads a lexeme with its restrictions: `'cat':*AB`.
fn operand(
    text: &mut Scanner<impl Iterator<Item = char>>,
    items: &mut Postfix,
) -> Result<(), EncodeError> {
    let mut lexeme = Vec::new();
    text.lexeme(&mut Writer::new(&mut lexeme))?;
    let (mut is_prefix, mut weights) = (false, 0_u8);
    if text.eat(':') {
        is_prefix = text.eat('*');
        for (weight, bit) in [('A', 8), ('B', 4), ('C', 2), ('D', 1)] {
            if text.eat(weight) {
                weights |= bit;
            }
        }
    }
    items.push(|writer| {
        writer.bytes(&[1, weights, is_prefix.into()]);
        writer.bytes(&lexeme);
        Ok(())
    })
}

/// Reads the operator between two operands; `None` at the end.
fn operator(
    text: &mut Scanner<impl Iterator<Item = char>>,
) -> Result<Option<Waiting>, EncodeError> {
    Ok(Some(match text.peek() {
        None => return Ok(None),
        Some('&') => {
            text.take();
            Waiting::And
        }
        Some('|') => {
            text.take();
            Waiting::Or
        }
        Some('<') => {
            text.take();
            let distance =
                if text.eat('-') { 1 } else { text.number(u16::MAX, "a distance, or -")? };
            text.expect('>', "> after the distance")?;
            Waiting::Phrase { distance }
        }
        Some(_) => return Err(text.malformed("an operator: &, |, <-> or <2>")),
    }))
}
