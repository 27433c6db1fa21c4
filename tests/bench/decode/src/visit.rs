//! Functions that visit every column of a message.

use pgoutput_decode::{CopyData, Decoder, Message, OldTuple, TupleColumn, TupleData};

/// Sums the address and the length of each value, which requires reading all lengths.
#[inline]
pub fn columns(message: &Message<'_>) -> usize {
    tuples(message, |tuple| tuple.columns().fold(0_usize, take_column))
}

/// Adds one column.
#[inline]
fn take_column(sum: usize, column: TupleColumn<'_>) -> usize {
    match column {
        TupleColumn::Text(value) | TupleColumn::Binary(value) => take(sum, value),
        _ => sum.wrapping_add(1),
    }
}

/// Like [`columns`], with every text value as `str`. Text that is not UTF-8 adds nothing.
#[inline]
pub fn utf8_columns(message: &Message<'_>) -> usize {
    tuples(message, |tuple| tuple.columns().fold(0_usize, take_utf8))
}

/// Adds one column, its text as `str`.
#[inline]
fn take_utf8(sum: usize, column: TupleColumn<'_>) -> usize {
    match column {
        TupleColumn::Text(_) => match column.utf8() {
            Some(Ok(text)) => take(sum, text.as_bytes()),
            _ => sum,
        },
        TupleColumn::Binary(value) => take(sum, value),
        TupleColumn::Null | TupleColumn::Unchanged => sum.wrapping_add(1),
    }
}

/// Returns the sum of [`columns`] from columns passed during decoding, or `None` for an invalid
/// frame.
#[inline]
pub fn decoded_columns(frame: &[u8], in_stream: bool) -> Option<usize> {
    decoded(frame, in_stream, take_column)
}

/// Returns the sum of [`utf8_columns`] from columns passed during decoding, or `None` for an
/// invalid frame.
#[inline]
pub fn decoded_utf8_columns(frame: &[u8], in_stream: bool) -> Option<usize> {
    decoded(frame, in_stream, take_utf8)
}

/// Returns the sum over the columns of a receive buffer: CopyData's tag and length, the envelope,
/// the message. `None` if one of them is invalid or truncated.
#[inline]
pub fn buffered_columns(mut stream: &[u8]) -> Option<usize> {
    let (mut decoder, mut sum) = (Decoder::new(), 0_usize);
    while let Some((&[_, a, b, c, d], rest)) = stream.split_first_chunk() {
        let length = (u32::from_be_bytes([a, b, c, d]) as usize).checked_sub(4)?;
        let (payload, rest) = rest.split_at_checked(length)?;
        stream = rest;
        if let CopyData::XLogData(envelope) = CopyData::decode(payload).ok()? {
            sum = sum.wrapping_add(usize::from(envelope.wal_start < envelope.wal_end));
            let each = |_, column: TupleColumn<'_>| sum = take_column(sum, column);
            decoder.decode_with(envelope.data, each).ok()?;
        }
    }
    Some(sum)
}

#[inline]
fn decoded(
    frame: &[u8],
    in_stream: bool,
    take: impl Fn(usize, TupleColumn<'_>) -> usize,
) -> Option<usize> {
    let mut sum = 0_usize;
    let message = Message::decode_with(frame, in_stream, |_, column| sum = take(sum, column));
    match message.ok()? {
        Message::Insert(_) | Message::Update(_) | Message::Delete(_) => Some(sum),
        _ => Some(1),
    }
}

#[inline]
pub(crate) fn take(sum: usize, value: &[u8]) -> usize {
    sum.wrapping_add(value.as_ptr().addr()).wrapping_add(value.len())
}

#[inline]
fn tuples(message: &Message<'_>, visit: impl Fn(TupleData<'_>) -> usize) -> usize {
    let old = |old: OldTuple<'_>| match old {
        OldTuple::Key(key) => visit(key.full_width()),
        OldTuple::Full(tuple) => visit(tuple),
    };
    match message {
        Message::Insert(body) => visit(body.new),
        Message::Update(body) => body.old.map_or(0, old).wrapping_add(visit(body.new)),
        Message::Delete(body) => old(body.old),
        _ => 1,
    }
}
