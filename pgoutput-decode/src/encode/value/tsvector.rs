//! Writes `tsvector`.

use super::lexeme::{Scanner, scan};
use super::{EncodeError, Write, Writer};
use crate::value::{Lexemes, TsVector, type_oid};

impl Write for TsVector<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self.source() {
            Lexemes::Binary { count, items } => {
                writer.u32(count);
                writer.bytes(items);
                Ok(())
            }
            Lexemes::Text(text) => {
                let mut text = scan(text, type_oid::TSVECTOR);
                writer.counted("tsvector lexeme count", |writer| {
                    let mut count = 0_usize;
                    while text.peek().is_some() {
                        if count > 0 {
                            text.expect(' ', "a space between lexemes")?;
                        }
                        count = count.saturating_add(1);
                        text.lexeme(writer)?;
                        write_positions(&mut text, writer)?;
                    }
                    Ok(count)
                })
            }
        }
    }
}

/// Reads `:1A,2B,3C,4` or nothing, and writes the positions.
fn write_positions(
    text: &mut Scanner<impl Iterator<Item = char>>,
    writer: &mut Writer<'_>,
) -> Result<(), EncodeError> {
    let mut positions = alloc::vec::Vec::new();
    if text.eat(':') {
        loop {
            let position = text.number(0x3FFF, "a position of at most 16383")?;
            let weight = match text.peek() {
                Some('A') => 3,
                Some('B') => 2,
                Some('C') => 1,
                _ => 0,
            };
            if weight > 0 {
                text.take();
            }
            positions.push(weight << 14 | position);
            if !text.eat(',') {
                break;
            }
        }
    }
    let limit = usize::from(u16::MAX);
    let count = u16::try_from(positions.len()).map_err(|_| EncodeError::TooLong {
        field: "tsvector position count",
        length: positions.len(),
        limit,
    })?;
    writer.u16(count);
    for position in positions {
        writer.u16(position);
    }
    Ok(())
}
