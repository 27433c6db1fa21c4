//! The hash that is written together with the entries.

use std::collections::HashMap;

use pgoutput_reader::Position;
use redis::Value;

use super::connection::text;
use super::entry_id::EntryId;

/// The version of the fields.
pub(super) const FORMAT: &str = "1";

/// The field of a stream is its key after this.
pub(super) const STREAM: &str = "stream:";

/// The content of the hash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The position of the last batch, as text; `None` if there is no hash.
    pub(super) position: Option<String>,
    /// The number of batches. It distinguishes batches that end at the same position, as the rows
    /// of one table in a copy do.
    pub(super) batches: u64,
    /// The place of the last change.
    pub(super) last_change: Option<EntryId>,
    /// The ID of the last entry of each stream.
    pub(super) streams: HashMap<String, EntryId>,
}

impl State {
    /// Reads the reply to HGETALL.
    ///
    /// # Errors
    /// What is wrong with the hash.
    pub(super) fn read(reply: &Value) -> Result<Self, String> {
        let Value::Array(fields) = reply else { return Err("it is not a hash".into()) };
        let mut state = Self::default();
        if fields.is_empty() {
            return Ok(state);
        }
        let (mut format, mut batches) = (None, None);
        for pair in fields.chunks(2) {
            let [name, value] = pair else { continue };
            let (Some(name), Some(value)) = (text(name), text(value)) else {
                return Err("a field is not text".into());
            };
            let number = || value.parse().map_err(|()| format!("the field {name} is malformed"));
            match name {
                "format" => format = Some(value),
                "position" => state.position = Some(value.into()),
                "batches" => batches = value.parse().ok(),
                "last_change" => state.last_change = Some(number()?),
                "failed" => return Err(format!("a batch was stored in part ({value})")),
                _ => {
                    if let Some(stream) = name.strip_prefix(STREAM) {
                        state.streams.insert(stream.into(), number()?);
                    }
                }
            }
        }
        match format {
            Some(FORMAT) => {}
            Some(_) => return Err("it was written by a newer pgoutput: use that version".into()),
            None => return Err("it is not of pgoutput pipe: give another key (state)".into()),
        }
        if state.position.is_none() {
            return Err("the field position is missing".into());
        }
        state.batches = batches.ok_or("the field batches is missing or malformed")?;
        Ok(state)
    }

    /// Returns the position.
    ///
    /// # Errors
    /// What is wrong with its text.
    pub(super) fn position(&self) -> Result<Option<Position>, String> {
        let parse = |text: &String| {
            text.parse().map_err(|error| format!("the field position is malformed: {error}"))
        };
        self.position.as_ref().map(parse).transpose()
    }

    /// Returns whether both are after the same batch.
    pub(super) fn is_at(&self, position: Option<&str>, batches: u64) -> bool {
        self.position.as_deref() == position && self.batches == batches
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::State;
    use crate::pipe::redis::entry_id::EntryId;

    fn reply(fields: &[(&str, &str)]) -> Value {
        let text = |text: &str| Value::BulkString(text.into());
        Value::Array(fields.iter().flat_map(|(name, value)| [text(name), text(value)]).collect())
    }

    const GOOD: [(&str, &str); 5] = [
        ("format", "1"),
        ("position", "1:7574093210001112223:1:my_slot:79142219578eefc7:0/158FAC8:3."),
        ("batches", "7"),
        ("last_change", "22608584-3"),
        ("stream:app.public.t", "22608584-3"),
    ];

    #[test]
    fn a_state_is_read() {
        let state = State::read(&reply(&GOOD)).unwrap();
        let id = EntryId { first: 22_608_584, second: 3 };
        assert_eq!((state.batches, state.last_change), (7, Some(id)));
        assert_eq!(state.streams.get("app.public.t"), Some(&id));
        assert_eq!(state.position().unwrap().unwrap().slot(), "my_slot");
        assert_eq!(State::read(&reply(&[])), Ok(State::default()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let without = |name: &str| {
            let fields: Vec<_> = GOOD.into_iter().filter(|(field, _)| *field != name).collect();
            State::read(&reply(&fields)).unwrap_err()
        };
        assert!(without("format").contains("not of pgoutput pipe"));
        assert!(without("position").contains("position is missing"));
        assert!(without("batches").contains("batches is missing"));
        let with = |field| State::read(&reply(&[&GOOD[..], &[field]].concat())).unwrap_err();
        assert!(with(("stream:x", "5")).contains("stream:x is malformed"));
        assert!(with(("failed", "NOPERM")).contains("stored in part (NOPERM)"));
        assert!(with(("format", "2")).contains("newer"));
    }
}
