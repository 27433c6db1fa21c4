//! The commands that store a batch.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use super::commands::Commands;
use super::entry_id::{EntryId, place};
use super::state::{FORMAT, STREAM, State};
use crate::pipe::batch::{Batch, Record};
use crate::pipe::log::LogError;

/// The streams that this process has written to, with what their commands begin with.
#[derive(Debug, Default)]
pub(super) struct Streams {
    list: Vec<Stream>,
    indexes: HashMap<Arc<str>, usize>,
    /// The stream of the last record, which is often that of the next.
    recent: Option<(Arc<str>, usize)>,
}

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) key: Arc<str>,
    /// The ID of the last entry that is stored.
    pub(super) stored: Option<EntryId>,
    /// The same with the entries of the batch; `None` if it has none.
    pub(super) next: Option<EntryId>,
    /// Whether it is watched and verified.
    pub(super) is_watched: bool,
    /// The arguments of XADD before the ID.
    prefix: Vec<u8>,
}

impl Streams {
    /// Returns the streams that the batch has entries for.
    pub(super) fn of_batch(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.list.iter_mut().filter(|stream| stream.next.is_some())
    }

    /// Forgets what is watched.
    pub(super) fn unwatch(&mut self) {
        self.list.iter_mut().for_each(|stream| stream.is_watched = false);
    }

    /// Returns the stream of a record.
    fn of(&mut self, topic: &Arc<str>, state: &State, settings: &Format) -> Option<&mut Stream> {
        let index = match &self.recent {
            Some((recent, index)) if Arc::ptr_eq(recent, topic) => *index,
            _ => {
                let index = self.indexes.get(topic).copied();
                let index = index.unwrap_or_else(|| self.add(topic, state, settings));
                self.recent = Some((Arc::clone(topic), index));
                index
            }
        };
        self.list.get_mut(index)
    }

    fn add(&mut self, topic: &Arc<str>, state: &State, settings: &Format) -> usize {
        let maxlen = settings.maxlen.map(|maxlen| maxlen.to_string());
        let prefix = match &maxlen {
            Some(maxlen) => Commands::encode(&["XADD", topic, "MAXLEN", "~", maxlen]),
            None => Commands::encode(&["XADD", topic]),
        };
        let index = self.list.len();
        self.list.push(Stream {
            key: Arc::clone(topic),
            stored: state.streams.get(&**topic).copied(),
            next: None,
            is_watched: false,
            prefix,
        });
        self.indexes.insert(Arc::clone(topic), index);
        index
    }
}

/// The form of the entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) maxlen: Option<NonZeroU64>,
    /// The largest number of records of an event.
    pub(super) parts: u64,
}

/// A transaction that stores a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transaction {
    /// The number of its commands, without MULTI and EXEC.
    pub(super) commands: usize,
    pub(super) position: String,
    pub(super) batches: u64,
    pub(super) last_change: Option<EntryId>,
}

/// Writes the commands of a batch and EXEC, which follow MULTI.
///
/// # Errors
/// A record cannot be stored.
pub(super) fn write(
    commands: &mut Commands,
    batch: &Batch,
    (key, state): (&str, &State),
    streams: &mut Streams,
    format: &Format,
    longest: u64,
) -> Result<Transaction, LogError> {
    let position = batch.position().map(ToString::to_string).unwrap_or_default();
    let batches = state.batches + 1;
    streams.of_batch().for_each(|stream| stream.next = None);
    commands.clear();
    let mut last_change = state.last_change;
    for record in batch.records() {
        last_change = follows(last_change, &record)?;
        let Some(stream) = streams.of(record.topic, state, format) else { continue };
        let last = stream.next.or(stream.stored);
        let id = EntryId::of(record.id, record.part, format.parts).after(last);
        stream.next = Some(id);
        entry(commands, stream, id, &record, format, longest)?;
    }
    let count = streams.of_batch().count();
    let change = last_change.map(|id| id.to_string());
    commands.begin(2 + 2 * (3 + usize::from(change.is_some()) + count));
    for argument in ["HSET", key, "format", FORMAT, "position", &position, "batches"] {
        commands.argument(argument.as_bytes());
    }
    commands.display(batches);
    if let Some(change) = &change {
        commands.argument(b"last_change");
        commands.argument(change.as_bytes());
    }
    for stream in streams.of_batch() {
        commands.display(format_args!("{STREAM}{}", stream.key));
        commands.id(stream.next.unwrap_or_default());
    }
    commands.add(&["EXEC"]);
    Ok(Transaction { commands: commands.count() - 1, position, batches, last_change })
}

/// Returns the place of the record, which must be after the last change.
fn follows(last: Option<EntryId>, record: &Record<'_>) -> Result<Option<EntryId>, LogError> {
    let Some(place) = place(record.id) else { return Ok(last) };
    let repeated =
        last.is_some_and(|last| if record.part == 0 { place <= last } else { place < last });
    if repeated {
        return Err(LogError::lasting(format!(
            "the change {place} arrived a second time, and would be stored twice: report this"
        )));
    }
    Ok(Some(place))
}

fn entry(
    commands: &mut Commands,
    stream: &Stream,
    id: EntryId,
    record: &Record<'_>,
    format: &Format,
    longest: u64,
) -> Result<(), LogError> {
    let prefix = if format.maxlen.is_some() { 5 } else { 2 };
    let fields = usize::from(record.key.is_some()) + usize::from(record.value.is_some());
    // An entry must have a field.
    commands.begin(prefix + 1 + 2 * fields.max(1));
    commands.encoded(&stream.prefix);
    commands.id(id);
    for (name, text) in [("key", record.key), ("value", record.value)] {
        let Some(text) = text else { continue };
        if text.len() as u64 > longest {
            return Err(LogError::lasting(format!(
                "the {name} of an entry of {} has {} bytes, more than proto-max-bulk-len of Redis \
                 ({longest}): raise that limit, or leave out the column",
                stream.key,
                text.len()
            )));
        }
        commands.argument(name.as_bytes());
        commands.argument(text.as_bytes());
    }
    if fields == 0 {
        commands.argument(b"key");
        commands.argument(b"");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pgoutput_reader::Lsn;

    use super::{Format, Streams, entry, follows};
    use crate::pipe::batch::{EventId, Record};
    use crate::pipe::redis::commands::Commands;
    use crate::pipe::redis::entry_id::EntryId;
    use crate::pipe::redis::state::State;

    const POSITION: &str = "1:7574093210001112223:1:my_slot:79142219578eefc7:0/158FAC8:3.";

    /// Calls `check` with a record of the change of this index.
    fn with<T>(
        (index, part): (u64, u32),
        (key, value): (Option<&str>, Option<&str>),
        check: impl FnOnce(&Record<'_>) -> T,
    ) -> T {
        let (topic, position) = (Arc::from("t"), POSITION.parse().unwrap());
        check(&Record {
            topic: &topic,
            key,
            value,
            id: EventId::InTransaction(Lsn::new(100), index),
            part,
            is_last: true,
            position: &position,
            before: None,
        })
    }

    fn entry_of(maxlen: Option<u64>, key: Option<&str>, value: Option<&str>) -> String {
        let format = Format { maxlen: maxlen.and_then(std::num::NonZeroU64::new), parts: 1 };
        let (mut streams, mut commands) = (Streams::default(), Commands::default());
        with((0, 0), (key, value), |record| {
            let stream = streams.of(record.topic, &State::default(), &format).unwrap();
            let id = EntryId { first: 7, second: 0 };
            entry(&mut commands, stream, id, record, &format, 5).map_err(|e| e.to_string())
        })
        .unwrap_or_else(|error| panic!("{error}"));
        let text = String::from_utf8(commands.bytes().to_vec()).unwrap();
        text.split("\r\n").filter(|line| !line.starts_with('$')).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_entry_has_the_fields_that_the_record_has() {
        assert_eq!(entry_of(None, Some("k"), Some("v")), "*7 XADD t 7-0 key k value v ");
        assert_eq!(entry_of(None, None, Some("v")), "*5 XADD t 7-0 value v ");
        let tombstone = entry_of(Some(9), Some("k"), None);
        assert_eq!(tombstone, "*8 XADD t MAXLEN ~ 9 7-0 key k ");
        assert_eq!(entry_of(None, None, None), "*5 XADD t 7-0 key  ");
    }

    #[test]
    #[should_panic(expected = "more than proto-max-bulk-len of Redis (5)")]
    fn an_entry_that_is_too_large_is_named() {
        entry_of(None, None, Some("123456"));
    }

    #[test]
    fn a_change_that_arrives_again_is_refused() {
        let last = Some(EntryId { first: 100, second: 3 });
        let is_refused = |place| with(place, (None, None), |record| follows(last, record).is_err());
        assert!(!is_refused((4, 0)));
        assert!(!is_refused((3, 1)));
        assert!(is_refused((3, 0)));
        assert!(is_refused((2, 1)));
    }
}
