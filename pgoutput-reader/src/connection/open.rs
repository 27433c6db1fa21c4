//! From the settings to a server that is ready, with TLS or without.

use std::time::Instant;

#[cfg(feature = "reader")]
use postgres::error::SqlState;

use super::async_messages::Aside;
use super::hosts::first;
use super::{Connection, Protection};
use crate::config::{Config, Endpoint, SslCertMode, SslMode};
use crate::error::TlsError;
use crate::io::{self, Channel, Fill, Target};
use crate::proto::frame::HEADER_LEN;
use crate::proto::{Handshake, Policy, ServerStartup, StartupSettings};
use crate::{Error, ErrorKind};

const DOING: &str = "connecting to";

/// How a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Plain,
    #[cfg(feature = "tls")]
    Tls,
}

impl Start {
    /// The ways to begin with a mode, in order. TLS is for TCP.
    fn ways(target: &Target, mode: SslMode) -> &'static [Self] {
        match (target, mode) {
            (Target::Unix(_), _) | (_, SslMode::Disable) => &[Self::Plain],
            #[cfg(feature = "tls")]
            (_, SslMode::Allow) => &[Self::Plain, Self::Tls],
            #[cfg(feature = "tls")]
            (_, SslMode::Prefer) => &[Self::Tls, Self::Plain],
            #[cfg(feature = "tls")]
            (_, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => &[Self::Tls],
            // The modes that are left do without; the others are refused with the settings.
            #[cfg(not(feature = "tls"))]
            _ => &[Self::Plain],
        }
    }
}

/// One address, first the one way and then, if the mode has it and it may do better, the other.
pub(super) fn in_turn<T>(
    config: &Config,
    target: &Target,
    mut open: impl FnMut(Start) -> Result<T, ConnectFailure>,
) -> Result<T, Error> {
    let mut failed = Vec::new();
    for start in Start::ways(target, config.get_ssl_mode()) {
        match open(*start) {
            Ok(connection) => return Ok(connection),
            Err(ConnectFailure { error, other_way }) => {
                // That the server has no TLS is no failure while there is another way.
                failed.retain(|earlier: &Error| {
                    !matches!(earlier.kind(), ErrorKind::Tls(TlsError::NotOffered { .. }))
                });
                failed.push(error);
                if !other_way {
                    break;
                }
            }
        }
    }
    Err(all(failed))
}

impl Connection {
    /// Connects and authenticates. Hosts are tried in order, each with all its addresses; the next one when a host
    /// cannot be reached, does not answer in time, is starting up, has no connection free, or is not what
    /// `target_session_attrs` asks for. Any other answer of a server is final.
    ///
    /// With `sslmode=prefer` an address is tried a second time without TLS, and with `allow` with TLS, where the first way failed
    /// because of it: the handshake failed, or the server accepts nobody that way (SQLSTATE 28000).
    ///
    /// `connect_timeout` holds for each address, from the first packet until the server is ready; looking up a
    /// name is not part of it.
    ///
    /// # Errors
    /// Settings that cannot be honoured; the one failure, or [`AllHosts`](ErrorKind::AllHosts) when there were several.
    pub fn connect(config: &Config) -> Result<Self, Error> {
        first(config, |endpoint, target, wanted| {
            let timeout = config.get_connect_timeout();
            let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            let mut connection = in_turn(config, target, |start| {
                AddressAttempt { config, endpoint, target, deadline, start }.open()
            })?;
            connection.pin(timeout)?;
            connection.wanted(wanted, timeout)
        })
    }
}

/// Why one way of connecting to an address failed, and whether the other may do better.
pub(super) struct ConnectFailure {
    error: Error,
    other_way: bool,
}

impl From<Error> for ConnectFailure {
    fn from(error: Error) -> Self {
        let other_way = match error.kind() {
            // Files that cannot be used are nobody's answer.
            ErrorKind::Tls(TlsError::File { .. } | TlsError::NoCertificate) => false,
            ErrorKind::Tls(_) => true,
            // No line of pg_hba.conf lets us in this way.
            ErrorKind::Server(message) => message.sqlstate() == Some("28000"),
            #[cfg(feature = "reader")]
            ErrorKind::Catalog(error) => {
                error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
            }
            _ => false,
        };
        Self { error, other_way }
    }
}

/// One way of connecting to one address.
struct AddressAttempt<'a> {
    config: &'a Config,
    endpoint: &'a Endpoint,
    target: &'a Target,
    deadline: Option<Instant>,
    start: Start,
}

impl AddressAttempt<'_> {
    fn open(&self) -> Result<Connection, ConnectFailure> {
        let settings = StartupSettings::new(self.config)?;
        let address = self.endpoint.to_string();
        let transport = io::connect(self.target, self.config, self.deadline, &address)?;
        let limit = self.config.get_max_frame_size().saturating_sub(HEADER_LEN);
        let delay = self.config.get_max_read_delay();
        let channel = Channel::new(transport, address, limit, delay)?;
        let (channel, protection) = match self.start {
            Start::Plain => (channel, Protection::default()),
            #[cfg(feature = "tls")]
            Start::Tls => self.secure(channel)?,
        };
        if !protection.is_tls() && self.config.get_ssl_cert_mode() == SslCertMode::Require {
            return Err(Error::from(TlsError::CertificateNotRequested).into());
        }
        let known = is_local(self.target) || protection.is_verified();
        let exposed = !known && !self.config.ssl_mode_is_chosen();
        let protection = Protection { known, exposed, address: self.target.ip(), ..protection };
        let policy = Policy {
            require_auth: self.config.get_require_auth(),
            channel_binding: self.config.get_channel_binding(),
            tls: protection.is_tls(),
            #[cfg(feature = "tls")]
            end_point: channel.end_point(),
            #[cfg(not(feature = "tls"))]
            end_point: None,
            exposed,
        };
        self.authenticate(channel, Handshake::new(&settings)?.under(policy), protection)
    }

    /// With TLS on it, or as it was if the server has none and the mode does without.
    #[cfg(feature = "tls")]
    fn secure(&self, mut channel: Channel) -> Result<(Channel, Protection), Error> {
        use crate::config::SslNegotiation;
        use crate::proto::negotiation::{self, SslAnswer};

        let settings = io::TlsSettings::new(self.config, self.endpoint)?;
        let direct = self.config.get_ssl_negotiation() == SslNegotiation::Direct;
        if !direct {
            negotiation::request(&mut channel.outbox());
            channel.flush(self.deadline, DOING)?;
            let answer = loop {
                if let Some(answer) = SslAnswer::read(channel.inbox.unread())? {
                    break answer;
                }
                self.fill(&mut channel, |channel| channel.closed(DOING))?;
            };
            channel.inbox.consume(1);
            if answer == SslAnswer::Plain {
                let mode = self.config.get_ssl_mode();
                // With `allow` the server has just refused a connection without TLS.
                if mode != SslMode::Prefer {
                    return Err(TlsError::NotOffered { mode }.into());
                }
                return Ok((channel, Protection::default()));
            }
        }
        let channel = channel.secure(&settings, self.deadline, direct)?;
        Ok((channel, Protection { tls: Some(settings), ..Protection::default() }))
    }

    fn authenticate(
        &self,
        mut channel: Channel,
        mut handshake: Handshake,
        protection: Protection,
    ) -> Result<Connection, ConnectFailure> {
        if let Err(error) = self.shake_hands(&mut channel, &mut handshake) {
            let failure = ConnectFailure::from(error);
            // Who was accepted and then refused would be refused the other way as well.
            return Err(ConnectFailure {
                other_way: failure.other_way && !handshake.accepted(),
                ..failure
            });
        }
        let protection = Protection { bound: handshake.is_bound(), ..protection };
        let (ServerStartup { parameters, notices }, version) = handshake.finish()?;
        Ok(Connection {
            endpoint: self.endpoint.clone(),
            channel,
            version,
            aside: Aside { parameters, notices },
            protection,
            command_timeout: None,
            silence_limit: self.config.get_wal_receiver_timeout(),
            busy: false,
        })
    }

    /// From the startup packet until the server is ready.
    fn shake_hands(&self, channel: &mut Channel, handshake: &mut Handshake) -> Result<(), Error> {
        let password = || Ok(self.config.password_for(self.endpoint)?);
        loop {
            channel.outbox().unsplit(handshake.take_outgoing());
            channel.flush(self.deadline, DOING)?;
            let progress = handshake.feed(channel.inbox.unread(), &password)?;
            channel.inbox.consume(progress.consumed);
            if progress.ready {
                return Ok(());
            }
            if progress.consumed == 0 {
                self.fill(channel, |channel| {
                    let said = handshake.closed(channel.inbox.unread());
                    said.unwrap_or_else(|| channel.closed(DOING))
                })?;
            }
        }
    }

    /// Waits for more bytes.
    fn fill(
        &self,
        channel: &mut Channel,
        closed: impl FnOnce(&Channel) -> Error,
    ) -> Result<(), Error> {
        match channel.fill_by(self.deadline)? {
            Fill::More => Ok(()),
            Fill::TimedOut => Err(Error::timeout(DOING, channel.address())),
            Fill::Woken => Err(Error::stopped(DOING, channel.address())),
            Fill::Closed => Err(closed(channel)),
        }
    }
}

/// On this machine, where nobody sits between.
pub(super) fn is_local(target: &Target) -> bool {
    match target {
        Target::Unix(_) => true,
        Target::Tcp(address) => address.ip().to_canonical().is_loopback(),
    }
}

/// The one error, or all of them.
pub(super) fn all(mut errors: Vec<Error>) -> Error {
    match (errors.pop(), errors.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            errors.extend(last);
            ErrorKind::AllHosts(errors).into()
        }
    }
}

#[cfg(all(test, feature = "tls"))]
#[path = "open_tests.rs"]
mod tls_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for (address, local) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.1:1", false),
            ("[::ffff:10.0.0.1]:1", false),
            ("0.0.0.0:1", false),
        ] {
            assert_eq!(is_local(&Target::Tcp(address.parse().unwrap())), local, "{address}");
        }
        assert!(is_local(&Target::Unix("/tmp/.s.PGSQL.5432".into())));
    }
}
