//! The handshake, from the first byte to ReadyForQuery, fed with bytes as they arrive.

use std::collections::BTreeMap;

use bytes::BytesMut;

use super::auth::{Authenticator, PasswordSource};
use super::auth_policy::Policy;
use super::backend::Message;
use super::frame::{FrameError, HEADER_LEN, Header};
use super::startup::StartupSettings;
use crate::error::{Error, LimitError, ProtocolError, ServerMessage};
use crate::server_version::ServerVersion;

/// The longest message before the connection is ready, in bytes.
const MESSAGE_LIMIT: usize = 64 * 1024;
/// The limit of all messages together, in bytes and in number.
const TOTAL_LIMIT: usize = 1024 * 1024;
const COUNT_LIMIT: usize = 1024;
/// The longest error of a server before the protocol starts, the same as libpq's.
const BARE_ERROR_LIMIT: usize = 30_000;

/// The handshake of one connection.
///
/// ```text
/// First ──R──> Authenticating ──R(Ok)──> Accepted ──Z──> Ready
///   └── E + bare text: the server failed before it could speak the protocol
/// ```
pub(crate) struct Handshake {
    phase: HandshakePhase,
    auth: Authenticator,
    out: BytesMut,
    session: ServerStartup,
    received: usize,
    messages: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum HandshakePhase {
    First,
    Authenticating,
    Accepted,
    Ready,
}

/// The server's messages about itself before it was ready.
#[derive(Debug, Default)]
pub(crate) struct ServerStartup {
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) notices: Vec<ServerMessage>,
    /// The process of the key with which commands are cancelled.
    pub(crate) key_pid: Option<u32>,
}

/// The progress made with the bytes given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HandshakeProgress {
    /// The number of bytes consumed. The rest must be given again, followed by more.
    pub(crate) consumed: usize,
    pub(crate) ready: bool,
}

impl Handshake {
    pub(crate) fn new(settings: &StartupSettings) -> Result<Self, Error> {
        let mut out = BytesMut::new();
        settings.encode(&mut out)?;
        Ok(Self {
            phase: HandshakePhase::First,
            auth: Authenticator::new(&settings.user),
            out,
            session: ServerStartup::default(),
            received: 0,
            messages: 0,
        })
    }

    /// Restricts what the server may ask for.
    pub(crate) fn with_policy(mut self, policy: Policy) -> Self {
        self.auth.policy = policy;
        self
    }

    /// Returns whether the server has accepted the client. Its messages are authentic from then on.
    pub(crate) fn accepted(&self) -> bool {
        matches!(self.phase, HandshakePhase::Accepted | HandshakePhase::Ready)
    }

    /// Returns whether the server has proved by channel binding that it knows the password and is
    /// the other end of this TLS connection.
    pub(crate) fn is_bound(&self) -> bool {
        self.auth.bound
    }

    /// Takes the bytes to be sent now.
    pub(crate) fn take_outgoing(&mut self) -> BytesMut {
        self.out.split()
    }

    /// Consumes the complete messages at the front of `bytes`, up to ReadyForQuery.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        password: &PasswordSource<'_>,
    ) -> Result<HandshakeProgress, Error> {
        let mut consumed = 0;
        while self.phase != HandshakePhase::Ready {
            let rest = &bytes[consumed..];
            if self.phase == HandshakePhase::First && is_bare_error(rest) == Some(true) {
                match bare_error(&rest[1..]) {
                    Some(error) => return Err(error),
                    None => break,
                }
            }
            let Some(header) = Header::parse(rest, MESSAGE_LIMIT)? else { break };
            let Some(message) = rest.get(..header.total()) else { break };
            self.count(message.len())?;
            let parsed = Message::parse(header.tag, &message[HEADER_LEN..])?;
            self.take(parsed, header.tag, password)?;
            consumed += header.total();
        }
        Ok(HandshakeProgress { consumed, ready: self.phase == HandshakePhase::Ready })
    }

    /// The error that the server sent in bare text before it closed the connection, if `bytes`,
    /// which are left over, are one.
    pub(crate) fn closed(&self, bytes: &[u8]) -> Option<Error> {
        let bare = self.phase == HandshakePhase::First && is_bare_error(bytes)?;
        bare.then(|| ServerMessage::bare(&bytes[1..]).into())
    }

    pub(crate) fn finish(self) -> Result<(ServerStartup, ServerVersion), Error> {
        let version = self.session.parameters.get("server_version");
        let version = version.map(String::as_str).unwrap_or_default().parse()?;
        Ok((self.session, version))
    }

    fn count(&mut self, len: usize) -> Result<(), Error> {
        self.received += len;
        self.messages += 1;
        let over = if self.received > TOTAL_LIMIT {
            Some((TOTAL_LIMIT, "bytes"))
        } else if self.messages > COUNT_LIMIT {
            Some((COUNT_LIMIT, "messages"))
        } else {
            None
        };
        match over {
            Some((limit, unit)) => Err(LimitError::Handshake { limit, unit }.into()),
            None => Ok(()),
        }
    }

    fn take(
        &mut self,
        message: Message<'_>,
        tag: u8,
        password: &PasswordSource<'_>,
    ) -> Result<(), Error> {
        let accepted = self.phase == HandshakePhase::Accepted;
        match message {
            Message::ErrorResponse(fields) => return Err(fields.to_message(accepted).into()),
            Message::NoticeResponse(fields) => {
                self.session.notices.push(fields.to_message(accepted));
            }
            Message::NegotiateProtocolVersion { version, options } if !accepted => {
                // Version 3.0 without protocol options was requested, so there is nothing to
                // negotiate.
                if version != 0x3_0000 || options != 0 {
                    let (major, minor) = (version >> 16, version & 0xFFFF);
                    return Err(ProtocolError::Negotiation { major, minor }.into());
                }
            }
            Message::Authentication(request) if !accepted => {
                let done = self.auth.answer(request, password, &mut self.out)?;
                self.phase =
                    if done { HandshakePhase::Accepted } else { HandshakePhase::Authenticating };
            }
            Message::ParameterStatus { name, value } if accepted => {
                self.session.parameters.insert(lossy(name), lossy(value));
            }
            Message::BackendKeyData { pid } if accepted => self.session.key_pid = Some(pid),
            Message::ReadyForQuery if accepted => self.phase = HandshakePhase::Ready,
            _ => return Err(ProtocolError::Unexpected { tag, during: "connecting" }.into()),
        }
        Ok(())
    }
}

/// The error, once a bare text is complete or longer than any server sends.
fn bare_error(text: &[u8]) -> Option<Error> {
    let end = text.iter().position(|byte| *byte == 0);
    let end = end.or((text.len() > BARE_ERROR_LIMIT).then_some(text.len()))?;
    Some(ServerMessage::bare(&text[..end]).into())
}

/// Names and values of parameters are for display, or ASCII. A SQL_ASCII database may have others.
pub(crate) fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// Returns whether an `E` begins a bare text and not an ErrorResponse; `None` if too little has
/// arrived.
///
/// A server that cannot start a process for the connection sends `E`, text, zero byte (the format
/// of protocol 2). As a length, the text's first bytes exceed that of any real error, which is how
/// libpq distinguishes the two.
fn is_bare_error(bytes: &[u8]) -> Option<bool> {
    match Header::parse(bytes, BARE_ERROR_LIMIT) {
        Ok(None) => None,
        Ok(Some(header)) => Some(header.tag == b'E' && header.body_len < 4),
        Err(FrameError::Length { tag, .. } | FrameError::TooLong { tag, .. }) => Some(tag == b'E'),
    }
}

#[cfg(test)]
mod tests;
