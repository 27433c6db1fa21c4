//! The content of an ErrorResponse or NoticeResponse.

use std::fmt;

use pgoutput_decode::Printable;

use super::{Error, ErrorKind};

/// The most bytes kept of a field. PostgreSQL's own messages are far shorter; those that quote a
/// value can be as long as the value.
const FIELD_LIMIT: usize = 4 * 1024;

/// The most bytes kept of a field from a server that has not accepted the client yet.
const UNVERIFIED_LIMIT: usize = 512;

/// An error, a warning or a notice of the server
/// (manual, section "Error and Notice Message Fields").
///
/// The text is the server's, with control characters escaped and long fields shortened. Only
/// severity, SQLSTATE and message are kept if the server has not accepted the client yet.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerMessage {
    fields: Vec<(u8, Box<str>)>,
}

impl ServerMessage {
    /// Creates it from the fields of a message, as received. `verified` is whether the server has
    /// accepted the client.
    pub(crate) fn new<'a>(fields: impl Iterator<Item = (u8, &'a [u8])>, verified: bool) -> Self {
        let limit = if verified { FIELD_LIMIT } else { UNVERIFIED_LIMIT };
        let fields = fields
            .filter(|(code, _)| verified || b"SVCM".contains(code))
            .take(32)
            .map(|(code, text)| (code, printable(text, limit)))
            .collect();
        Self { fields }
    }

    /// Creates it from the bare text that PostgreSQL sends when it fails before the protocol
    /// starts.
    pub(crate) fn bare(text: &[u8]) -> Self {
        Self {
            fields: vec![
                (b'V', "FATAL".into()),
                (b'M', printable(text.trim_ascii_end(), UNVERIFIED_LIMIT)),
            ],
        }
    }

    /// Returns the text of a field by its code in the manual, such as `b'M'` for the message.
    pub fn field(&self, code: u8) -> Option<&str> {
        self.fields.iter().find(|(held, _)| *held == code).map(|(_, text)| &**text)
    }

    /// Returns `ERROR`, `FATAL`, `PANIC`, or `WARNING`, `NOTICE`, `DEBUG`, `INFO`, `LOG`; never
    /// translated.
    pub fn severity(&self) -> &str {
        self.field(b'V').or_else(|| self.field(b'S')).unwrap_or("ERROR")
    }

    /// Returns the SQLSTATE, five characters; `None` if it is missing or invalid.
    pub fn sqlstate(&self) -> Option<&str> {
        self.field(b'C')
            .filter(|code| code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    }

    /// Returns the message, in the server's language.
    pub fn message(&self) -> &str {
        self.field(b'M').unwrap_or_default()
    }

    /// Returns the details.
    pub fn detail(&self) -> Option<&str> {
        self.field(b'D')
    }

    /// Returns the server's hint.
    pub fn hint(&self) -> Option<&str> {
        self.field(b'H')
    }

    /// Returns the context of the error, such as the output plugin's callback and the LSN.
    pub fn context(&self) -> Option<&str> {
        self.field(b'W')
    }

    /// Returns the function in PostgreSQL's source that reported it. It is not translated, but may
    /// change between versions.
    pub fn routine(&self) -> Option<&str> {
        self.field(b'R')
    }
}

impl fmt::Display for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity(), self.message())?;
        if let Some(code) = self.sqlstate() {
            write!(f, " (SQLSTATE {code})")?;
        }
        for (name, text) in
            [("detail", self.detail()), ("hint", self.hint()), ("context", self.context())]
        {
            if let Some(text) = text {
                write!(f, "; {name}: {text}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.fields.iter().map(|(code, text)| (char::from(*code), text)))
            .finish()
    }
}

/// One line of at most about `limit` bytes. It cannot move a terminal's cursor or start a new line
/// in a log.
pub(crate) fn printable(text: &[u8], limit: usize) -> Box<str> {
    let shortened = text.get(..limit);
    let shown = String::from_utf8_lossy(shortened.unwrap_or(text));
    let mut line = Printable(shown).to_string();
    if shortened.is_some() && text.len() > limit {
        line.push_str(" [shortened]");
    }
    line.into()
}

impl From<ServerMessage> for Error {
    fn from(message: ServerMessage) -> Self {
        ErrorKind::Server(message).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Vec<(u8, &'static [u8])> {
        vec![
            (b'S', b"ERREUR"),
            (b'V', b"ERROR"),
            (b'C', b"42704"),
            (b'M', b"no\x1B[31m such\nslot \xFF"),
            (b'D', b"some detail"),
        ]
    }

    #[test]
    fn shows_severity_message_and_code_on_one_harmless_line() {
        let message = ServerMessage::new(fields().into_iter(), true);
        assert_eq!(
            message.to_string(),
            "ERROR: no\\u{1b}[31m such slot \u{FFFD} (SQLSTATE 42704); detail: some detail"
        );
        assert_eq!(message.sqlstate(), Some("42704"));
    }

    #[test]
    fn keeps_little_of_a_server_that_is_not_verified() {
        let message = ServerMessage::new(fields().into_iter(), false);
        assert_eq!(message.detail(), None);
        assert_eq!(message.sqlstate(), Some("42704"));
        let long = [b'x'; 5000];
        let message = ServerMessage::new([(b'M', &long[..])].into_iter(), false);
        assert_eq!(message.message(), format!("{} [shortened]", "x".repeat(512)));
    }

    #[test]
    fn an_invalid_sqlstate_is_not_shown() {
        let message = ServerMessage::new([(b'C', &b"\x1Bab"[..])].into_iter(), true);
        assert_eq!(message.sqlstate(), None);
    }
}
