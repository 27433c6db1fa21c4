//! The stream, and what is stored in it.

use super::api::{self, StoredMessage, StreamConfig, StreamInfo};
use super::connection::{Connection, Reply};
use super::{base64, errors, headers, stored};
use crate::pipe::log::{LogError, Stored};

/// A stream as it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) info: StreamInfo,
    /// The header block of the last message, if there is a message.
    pub(super) last: Option<Vec<u8>>,
}

/// Requests to the API of `JetStream`.
#[derive(Debug)]
pub(super) struct Api<'s> {
    pub(super) stream: &'s str,
    pub(super) domain: Option<&'s str>,
}

impl Api<'_> {
    /// Reads the stream's description and its last message.
    pub(super) fn find(&self, connection: &mut Connection) -> Result<Found, LogError> {
        let reply = self.request(connection, "STREAM.INFO", "")?;
        let info: StreamInfo =
            api::answer(&reply.payload).map_err(|error| errors::of_api(&error, self.stream))?;
        check(&info.config, self.stream).map_err(LogError::lasting)?;
        let last = match info.state.messages {
            0 => None,
            _ => self.last_message(connection, info.state.last_seq)?.map(|(_, block)| block),
        };
        Ok(Found { info, last })
    }

    /// Returns the sequence and the header block of the last message. The messages of the greatest
    /// sequences may be deleted.
    fn last_message(
        &self,
        connection: &mut Connection,
        greatest: u64,
    ) -> Result<Option<(u64, Vec<u8>)>, LogError> {
        let (mut found, mut after) = (self.message_from(connection, greatest)?, greatest);
        let mut step = 1;
        while found.is_none() && after > 1 {
            let start = greatest.saturating_sub(step).max(1);
            found = self.message_from(connection, start)?;
            if found.is_none() {
                after = start;
            }
            step = step.saturating_mul(2);
        }
        let Some(mut last) = found else { return Ok(None) };
        while last.0 + 1 < after {
            let middle = last.0 + (after - last.0) / 2;
            match self.message_from(connection, middle)? {
                Some(found) => last = found,
                None => after = middle,
            }
        }
        Ok(Some(last))
    }

    /// Returns the sequence and the header block of the first message that has this sequence or a
    /// greater one.
    fn message_from(
        &self,
        connection: &mut Connection,
        sequence: u64,
    ) -> Result<Option<(u64, Vec<u8>)>, LogError> {
        let payload = format!("{{\"seq\":{sequence},\"next_by_subj\":\">\"}}");
        let reply = self.request(connection, "STREAM.MSG.GET", &payload)?;
        match api::answer::<StoredMessage>(&reply.payload) {
            Ok(StoredMessage { message }) => match base64::decode(&message.hdrs) {
                Some(block) => Ok(Some((message.seq, block))),
                None => Err(LogError::lasting("the headers of a message are not Base64")),
            },
            Err(error) if error.err_code == errors::NO_MESSAGE => Ok(None),
            Err(error) => Err(errors::of_api(&error, self.stream)),
        }
    }

    fn request(
        &self,
        connection: &mut Connection,
        what: &str,
        payload: &str,
    ) -> Result<Reply, LogError> {
        let prefix = match self.domain {
            Some(domain) => format!("$JS.{domain}.API"),
            None => "$JS.API".into(),
        };
        let reply = connection.request(&format!("{prefix}.{what}.{}", self.stream), payload)?;
        match reply.status {
            None => Ok(reply),
            Some(503) => Err(LogError::transient(
                "nobody answers for JetStream: it is not enabled, has no leader now, or domain is \
                 wrong",
            )),
            Some(status) => Err(LogError::transient(format!("the server answers {status}"))),
        }
    }
}

/// Checks that the stream keeps the last message until the next one, and takes no other writers.
fn check(config: &StreamConfig, stream: &str) -> Result<(), String> {
    let wrong = if config.sealed {
        "is sealed: it takes no messages"
    } else if config.mirror.is_some() {
        "is a mirror: it takes no messages"
    } else if config.sources.as_ref().is_some_and(|sources| !sources.is_empty()) {
        "has sources, which write to it: create one for pgoutput alone"
    } else if config.retention != "limits" {
        "deletes messages that were consumed, and the position with them: set retention to limits"
    } else if config.no_ack {
        "does not acknowledge: set no_ack to false"
    } else if config.allow_msg_counter {
        "counts: its messages must be counters"
    } else if config.persist_mode.as_deref() == Some("async") {
        "acknowledges before data is written: set persist_mode to default"
    } else {
        return Ok(());
    };
    Err(format!("the stream {stream} {wrong}"))
}

/// Returns what is stored, according to the last message of the stream.
///
/// # Errors
/// The stream was not written by this program for this slot, or has lost messages.
pub(super) fn stored(found: &Found, slot: &str, trust_slot: bool) -> Result<Stored, LogError> {
    let last = found.info.state.last_seq;
    let Some(block) = &found.last else {
        if last == 0 || trust_slot {
            return Ok(Stored::default());
        }
        return Err(LogError::lasting(format!(
            "the stream has had {last} messages and has none now, so the position is lost: it was \
             purged, or they expired; if nothing is missing elsewhere, use --trust-slot, else a \
             new slot"
        )));
    };
    let Some(value) = headers::value(block, stored::POSITION) else {
        return Err(LogError::lasting(format!(
            "the last message, of sequence {last} or before, has no position: another program \
             writes to the stream; give pgoutput a stream of its own, or delete that message"
        )));
    };
    let stored = stored::parse(value).map_err(|reason| {
        LogError::lasting(format!("the position in the last message is malformed: {reason}"))
    })?;
    match &stored.position {
        Some(position) if position.slot() != slot => Err(LogError::lasting(format!(
            "the stream has the changes of the slot {}, not of {slot}: use a stream for each slot",
            position.slot()
        ))),
        _ => Ok(stored),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITION: &str = "1:7574093210001112223:1:my_slot:79142219578eefc7:0/158FAC8:3.";

    fn found(config: &str, last_seq: u64, block: Option<&str>) -> Found {
        let json = format!(
            "{{\"config\":{{{config}}},\"state\":{{\"messages\":1,\"last_seq\":{last_seq}}}}}"
        );
        Found {
            info: serde_json::from_str(&json).unwrap(),
            last: block.map(|block| block.as_bytes().to_vec()),
        }
    }

    #[test]
    fn a_stream_that_does_not_keep_the_position_is_refused() {
        for (config, expected) in [
            ("\"retention\":\"limits\"", None),
            ("\"retention\":\"interest\"", Some("set retention to limits")),
            ("\"retention\":\"workqueue\"", Some("set retention to limits")),
            ("\"retention\":\"limits\",\"sealed\":true", Some("sealed")),
            ("\"retention\":\"limits\",\"mirror\":{\"name\":\"A\"}", Some("mirror")),
            ("\"retention\":\"limits\",\"sources\":[{\"name\":\"A\"}]", Some("sources")),
            ("\"retention\":\"limits\",\"sources\":[]", None),
            ("\"retention\":\"limits\",\"no_ack\":true", Some("no_ack")),
            ("\"retention\":\"limits\",\"persist_mode\":\"async\"", Some("persist_mode")),
        ] {
            let result = check(&found(config, 0, None).info.config, "S");
            match expected {
                None => assert_eq!(result, Ok(()), "{config}"),
                Some(text) => {
                    assert!(result.clone().is_err_and(|e| e.contains(text)), "{result:?}");
                }
            }
        }
    }

    #[test]
    fn the_last_message_tells_what_is_stored() {
        let block = format!("NATS/1.0\r\nPgoutput-Position: {POSITION} +1\r\n\r\n");
        let expected = Stored { position: POSITION.parse().ok(), records: 1 };
        assert_eq!(stored(&found("", 5, Some(&block)), "my_slot", false).unwrap(), expected);
        for (last, block, slot, trust, expected) in [
            (5, Some(block.as_str()), "other", true, Some("a stream for each slot")),
            (5, Some("NATS/1.0\r\n\r\n"), "my_slot", true, Some("another program")),
            (5, Some("NATS/1.0\r\nPgoutput-Position: 1\r\n"), "my_slot", false, Some("malformed")),
            (5, None, "my_slot", false, Some("purged")),
            (5, None, "my_slot", true, None),
            (0, None, "my_slot", false, None),
        ] {
            let result = stored(&found("", last, block), slot, trust);
            match (result, expected) {
                (Ok(stored), None) => assert_eq!(stored, Stored::default()),
                (Err(error), Some(text)) => assert!(error.to_string().contains(text), "{error}"),
                (result, _) => panic!("{result:?}"),
            }
        }
    }
}
