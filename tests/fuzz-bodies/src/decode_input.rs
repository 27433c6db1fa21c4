//! The input of `pgoutput decode`, which is part of the program and of no library.

#[path = "../../../pgoutput-reader/src/bin/pgoutput/decode/input.rs"]
mod input;
#[path = "../../../pgoutput-reader/src/bin/pgoutput/decode/psql.rs"]
mod psql;
#[path = "../../../pgoutput-reader/src/bin/pgoutput/decode/recvlogical.rs"]
mod recvlogical;
#[path = "../../../pgoutput-reader/src/bin/pgoutput/decode/row_text.rs"]
mod row_text;

use pgoutput_decode::{Decoder, Lsn};

use input::{Form, Input};

/// What one pass over the input gives: the messages with their places, and the error.
type Read = (Vec<(Option<Lsn>, input::Place, Vec<u8>)>, Option<String>);

/// The number of bytes that are also given one by one, which takes quadratic time.
const SINGLE: usize = 2048;

/// Splits the input of `pgoutput decode` into messages, whole and byte by byte.
pub fn decode_input(bytes: &[u8]) {
    for form in [None, Some(Form::Recvlogical), Some(Form::Psql)] {
        let whole = read(form, bytes, bytes.len().max(1));
        for (_, place, message) in &whole.0 {
            let start = usize::try_from(place.offset).unwrap();
            assert!(start < bytes.len(), "a message starts in the input");
            if place.line.is_none() {
                assert_eq!(&bytes[start..start + message.len()], message, "bytes are kept");
            }
        }
        if bytes.len() <= SINGLE {
            assert_eq!(read(form, bytes, 1), whole, "the pieces must not matter: {form:?}");
        }
    }
}

/// Reads the input in pieces of this size, up to its end or an error.
fn read(form: Option<Form>, bytes: &[u8], size: usize) -> Read {
    let (mut input, mut decoder, mut messages) = (Input::new(form), Decoder::new(), Vec::new());
    let mut pieces = bytes.chunks(size);
    loop {
        let piece = pieces.next();
        match piece {
            Some(piece) => input.push(piece),
            None => input.finish(),
        }
        loop {
            match input.next(decoder.stream_xid().is_some()) {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    messages.push((frame.lsn, frame.place, frame.bytes.to_vec()));
                    if let Err(error) = decoder.decode(frame.bytes) {
                        let error = frame.place.describe(&error);
                        return (messages, Some(error));
                    }
                }
                Err(error) => {
                    let offset = usize::try_from(error.place.offset).unwrap();
                    assert!(offset <= bytes.len(), "an error is in the input");
                    return (messages, Some(error.to_string()));
                }
            }
        }
        if piece.is_none() {
            return (messages, None);
        }
    }
}
