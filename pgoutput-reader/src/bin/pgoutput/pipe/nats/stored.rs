//! The header that tells what of the slot is stored.

use std::fmt::Write as _;

use pgoutput_reader::Position;

use crate::pipe::log::Stored;

/// The header of each message: the position of the last event all of whose records are stored with
/// this message, and ` +2` if 2 records of the next event are stored as well. The text `-` stands
/// for no event.
pub(super) const POSITION: &str = "Pgoutput-Position";

/// Appends the value of the header.
pub(super) fn write(position: Option<&Position>, records: usize, text: &mut String) {
    // Writing to a text does not fail.
    let _ = match position {
        Some(position) => write!(text, "{position}"),
        None => write!(text, "-"),
    };
    if records > 0 {
        let _ = write!(text, " +{records}");
    }
}

/// Reads the value of the header.
pub(super) fn parse(text: &str) -> Result<Stored, String> {
    let (position, records) = match text.rsplit_once(" +") {
        Some((position, records)) => {
            (position, records.parse().map_err(|_| "the number of records is malformed")?)
        }
        None => (text, 0),
    };
    let position = match position {
        "-" => None,
        position => Some(position.parse::<Position>().map_err(|error| error.to_string())?),
    };
    Ok(Stored { position, records })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let position =
            || "1:7574093210001112223:1:my_slot:79142219578eefc7:0/158FAC8:3.".parse().ok();
        for stored in [
            Stored { position: None, records: 0 },
            Stored { position: None, records: 2 },
            Stored { position: position(), records: 0 },
            Stored { position: position(), records: 12 },
        ] {
            let mut text = String::new();
            write(stored.position.as_ref(), stored.records, &mut text);
            assert_eq!(parse(&text), Ok(stored), "{text}");
        }
    }

    #[test]
    fn a_malformed_value_is_an_error() {
        for text in ["", "1:2", "- +", "- +x", "-+1", "1:7574093210001112223:1:my_slot"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
