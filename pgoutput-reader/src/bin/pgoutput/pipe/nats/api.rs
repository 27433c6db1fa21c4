//! The JSON objects of a server and of the API of `JetStream`.

use serde::Deserialize;

/// The description of a server (`INFO`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the server's own fields")]
pub(super) struct ServerInfo {
    pub(super) version: String,
    pub(super) nonce: Option<String>,
    pub(super) headers: bool,
    pub(super) tls_required: bool,
    pub(super) tls_available: bool,
    pub(super) max_payload: u64,
    /// Whether the server is about to end (lame duck mode).
    pub(super) ldm: bool,
}

/// The answer to a request for the description of a stream.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct StreamInfo {
    pub(super) config: StreamConfig,
    pub(super) state: StreamState,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the server's own fields")]
pub(super) struct StreamConfig {
    pub(super) retention: String,
    pub(super) subjects: Vec<String>,
    pub(super) max_msg_size: i64,
    pub(super) no_ack: bool,
    pub(super) sealed: bool,
    pub(super) mirror: Option<serde::de::IgnoredAny>,
    pub(super) sources: Option<Vec<serde::de::IgnoredAny>>,
    pub(super) allow_atomic: bool,
    pub(super) allow_msg_counter: bool,
    pub(super) persist_mode: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct StreamState {
    pub(super) messages: u64,
    pub(super) last_seq: u64,
}

/// The answer to a request for a message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct StoredMessage {
    pub(super) message: RawMessage,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct RawMessage {
    pub(super) seq: u64,
    /// The header block in Base64.
    #[serde(default)]
    pub(super) hdrs: String,
}

/// The acknowledgement of a message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct PubAck {
    pub(super) stream: String,
    pub(super) seq: u64,
}

/// An error of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct ApiError {
    pub(super) err_code: u32,
    pub(super) description: String,
}

/// An answer: an error, or the rest.
#[derive(Deserialize)]
struct Answer {
    error: Option<ApiError>,
}

/// Reads an answer.
///
/// # Errors
/// That of the API, or the answer is not what was asked for.
pub(super) fn answer<'j, T: Deserialize<'j>>(json: &'j [u8]) -> Result<T, ApiError> {
    let malformed = |error: serde_json::Error| ApiError {
        description: format!("an answer that is not understood ({error})"),
        ..ApiError::default()
    };
    serde_json::from_slice(json).or_else(|error| {
        let answer: Answer = serde_json::from_slice(json).map_err(malformed)?;
        Err(answer.error.unwrap_or_else(|| malformed(error)))
    })
}

/// Reads the acknowledgement of a message. Objects of errors name a stream as well.
pub(super) fn pub_ack(json: &[u8]) -> Result<PubAck, ApiError> {
    #[derive(Deserialize)]
    struct Reply {
        error: Option<ApiError>,
        #[serde(default)]
        stream: String,
        #[serde(default)]
        seq: u64,
    }
    match answer(json)? {
        Reply { error: Some(error), .. } => Err(error),
        Reply { stream, seq, .. } => Ok(PubAck { stream, seq }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_and_errors() {
        let ack = pub_ack(br#"{"stream":"S", "seq":7,"duplicate": true}"#).unwrap();
        assert_eq!(ack, PubAck { stream: "S".into(), seq: 7 });
        let error = br#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 3"},"stream":"S","seq":0}"#;
        assert_eq!(pub_ack(error).unwrap_err().err_code, 10071);
        assert!(pub_ack(b"{").unwrap_err().description.contains("not understood"));
        assert_eq!(pub_ack(b"{}").unwrap().seq, 0);
    }

    #[test]
    fn a_stream() {
        let json = br#"{"type":"x","config":{"name":"S","subjects":["a.>"],
            "retention":"limits","max_msgs":-1,"mirror":{"name":"M"},"allow_atomic":true},
            "state":{"messages":2,"last_seq":9,"first_ts":"x"}}"#;
        let info: StreamInfo = answer(json).unwrap();
        assert_eq!(info.state, StreamState { messages: 2, last_seq: 9 });
        assert!(info.config.allow_atomic && info.config.mirror.is_some());
        let missing = br#"{"type":"x","error":{"code":404,"err_code":10059,"description":"stream not found"}}"#;
        assert_eq!(answer::<StreamInfo>(missing).unwrap_err().err_code, 10059);
    }
}
