//! `tsvector`.

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
                        write_places(&mut text, writer)?;
                    }
                    Ok(count)
                })
            }
        }
    }
}

/// `:1A,2B,3C,4`, or nothing.
fn write_places(
    text: &mut Scanner<impl Iterator<Item = char>>,
    writer: &mut Writer<'_>,
) -> Result<(), EncodeError> {
    let mut places = alloc::vec::Vec::new();
    if text.eat(':') {
        loop {
            let place = text.number(0x3FFF, "a place up to 16383")?;
            let weight = match text.peek() {
                Some('A') => 3,
                Some('B') => 2,
                Some('C') => 1,
                _ => 0,
            };
            if weight > 0 {
                text.take();
            }
            places.push(weight << 14 | place);
            if !text.eat(',') {
                break;
            }
        }
    }
    let limit = usize::from(u16::MAX);
    let count = u16::try_from(places.len()).map_err(|_| EncodeError::TooLong {
        field: "tsvector place count",
        length: places.len(),
        limit,
    })?;
    writer.u16(count);
    for place in places {
        writer.u16(place);
    }
    Ok(())
}
