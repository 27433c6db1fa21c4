//! Errors of a server, with what to do about them.

use crate::pipe::log::LogError;

use super::api::ApiError;

/// Returns the start of a server's text.
fn short(text: &str) -> &str {
    let end = text.char_indices().nth(160).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default()
}

/// Returns the error of a line `-ERR`.
pub(super) fn of_server(text: &str) -> LogError {
    let lower = text.to_ascii_lowercase();
    let text = short(text);
    let has = |part: &str| lower.contains(part);
    if has("permissions violation for subscription") {
        return LogError::lasting(format!(
            "{text}: let the user subscribe to this subject, or name another start of it with \
             the option inbox"
        ));
    }
    if has("permissions violation") {
        return LogError::lasting(format!("{text}: let the user publish to this subject"));
    }
    if has("authorization violation") || has("authentication timeout") {
        return LogError::lasting(format!(
            "the server refuses the login ({text}): check the user, the token or the key"
        ));
    }
    if has("authentication expired") || has("authentication revoked") {
        return LogError::lasting(format!("{text}: renew the user's credentials"));
    }
    if has("maximum payload") || has("control line") || has("parser error") || has("protocol op") {
        return LogError::lasting(format!("the server refuses what was sent: {text}"));
    }
    if has("tls required") {
        return LogError::lasting(format!("{text}: use tls:// in place of nats://"));
    }
    LogError::transient(format!("the server closes the connection: {text}"))
}

/// The stream's last message is not the one that a message expected.
const WRONG_LAST_SEQUENCE: u32 = 10071;
const WRONG_LAST_ID: u32 = 10070;

/// Messages of an atomic batch are more than the server allows.
pub(super) const BATCH_TOO_LARGE: u32 = 10199;

/// There is no message.
pub(super) const NO_MESSAGE: u32 = 10037;

/// Returns the error of an answer.
pub(super) fn of_api(error: &ApiError, stream: &str) -> LogError {
    let text = short(&error.description);
    match error.err_code {
        10059 => LogError::lasting(format!(
            "there is no stream {stream}: run nats stream add {stream} --subjects … --storage file \
             --retention limits"
        )),
        10039 | 10076 | 10035 => {
            LogError::lasting(format!("{text}: enable JetStream for the server and the account"))
        }
        WRONG_LAST_SEQUENCE | WRONG_LAST_ID => LogError::transient(format!(
            "{text}: another program, or an earlier connection, stored messages in the stream"
        )),
        10060 => LogError::lasting(format!(
            "{text}: the subject belongs to another stream than {stream}: choose another --topic"
        )),
        10054 | 10097 => LogError::lasting(format!(
            "{text}: raise max_msg_size of the stream, or use --key none"
        )),
        10109 => LogError::lasting(format!("{text}: a sealed stream takes no messages")),
        // Somebody may make room, another server may take over, or the configuration changed.
        10002 | 10023 | 10028 | 10047 | 10077 | 10122 => LogError::transient(format!(
            "the server has no room for more ({text}): raise the limits of the stream, the account \
             or the server, or delete messages"
        )),
        10008 | 10009 | 10167 | 10174 | 10176 | BATCH_TOO_LARGE | 10201 | 10210 | 10211 => {
            LogError::transient(format!("the server did not take a message: {text}"))
        }
        code => LogError::lasting(format!("the server answers with error {code}: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_a_connection() {
        for (text, transient, expected) in [
            ("Stale Connection", true, "Stale Connection"),
            ("Slow Consumer", true, "closes the connection"),
            ("Authorization Violation", false, "check the user"),
            ("User Authentication Expired", false, "renew"),
            ("Permissions Violation for Publish to \"a.b\"", false, "publish to this subject"),
            ("Permissions Violation for Subscription to \"_INBOX.x\"", false, "option inbox"),
            ("Maximum Payload Violation", false, "refuses what was sent"),
            ("Secure Connection - TLS Required", false, "tls://"),
            ("maximum connections exceeded", true, "maximum connections"),
        ] {
            let error = of_server(text);
            assert_eq!(error.is_transient(), transient, "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert!(of_server(&"ü".repeat(5000)).to_string().len() < 400);
    }

    #[test]
    fn errors_of_the_api() {
        for (err_code, transient) in [
            (10059, false),
            (10039, false),
            (10071, true),
            (10047, true),
            (10077, true),
            (1, false),
        ] {
            let error = of_api(&ApiError { err_code, description: "text".into() }, "S");
            assert_eq!(error.is_transient(), transient, "{error}");
        }
    }
}
