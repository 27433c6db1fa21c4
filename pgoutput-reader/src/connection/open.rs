//! Opening a connection: from the settings to a server that is ready, with or without TLS.

use std::time::Instant;

use super::async_messages::AsyncMessages;
use super::hosts::{all_failed, first};
use super::{Connection, Protection};
use crate::config::{Config, Endpoint, SslCertMode, SslMode};
use crate::error::{Error, ErrorKind, TlsError};
use crate::io::{self, Channel, Fill, Target};
use crate::proto::frame::HEADER_LEN;
use crate::proto::{Handshake, Policy, ServerStartup, StartupSettings};

const DOING: &str = "connecting to";

/// The kind of session that a connection opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionKind {
    /// Replication commands are accepted.
    Replication,
    /// SQL only.
    #[cfg_attr(not(feature = "reader"), expect(dead_code, reason = "only Reader opens one"))]
    Sql,
    /// SQL only, possibly through a pooler, which may give each transaction to another session of
    /// the server. So no setting of the session lasts.
    Pooled,
}

/// The start of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Plain,
    #[cfg(feature = "tls")]
    Tls,
}

impl Start {
    /// The starts to try for a mode, in order. TLS is for TCP.
    fn starts(target: &Target, mode: SslMode) -> &'static [Self] {
        match (target, mode) {
            (Target::Unix(_), _) | (_, SslMode::Disable) => &[Self::Plain],
            #[cfg(feature = "tls")]
            (_, SslMode::Allow) => &[Self::Plain, Self::Tls],
            #[cfg(feature = "tls")]
            (_, SslMode::Prefer) => &[Self::Tls, Self::Plain],
            #[cfg(feature = "tls")]
            (_, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => &[Self::Tls],
            // The remaining modes allow it; the others are refused with the settings.
            #[cfg(not(feature = "tls"))]
            _ => &[Self::Plain],
        }
    }
}

/// Opens one address with the first start and then, if the mode has a second one and it may
/// succeed, with that.
pub(super) fn open_with_fallback<T>(
    config: &Config,
    target: &Target,
    mut open: impl FnMut(Start) -> Result<T, ConnectFailure>,
) -> Result<T, Error> {
    let mut failed = Vec::new();
    for start in Start::starts(target, config.get_ssl_mode()) {
        match open(*start) {
            Ok(connection) => return Ok(connection),
            Err(ConnectFailure { error, retry_other_start }) => {
                // A server without TLS is not an error while there is another start.
                failed.retain(|earlier: &Error| {
                    !matches!(earlier.kind(), ErrorKind::Tls(TlsError::NotOffered { .. }))
                });
                failed.push(error);
                if !retry_other_start {
                    break;
                }
            }
        }
    }
    Err(all_failed(failed))
}

impl Connection {
    /// Connects and authenticates. Hosts are tried in order, each with all its addresses. The next
    /// one is tried if a host cannot be reached, does not answer in time, is starting up, has too
    /// many connections, or does not have the state that `target_session_attrs` requires. Any other
    /// error of a server is final.
    ///
    /// With `sslmode=prefer` an address is tried a second time without TLS, and with `allow` a
    /// second time with TLS. This happens only if the first attempt failed because of TLS or its
    /// absence: the handshake failed, or the server does not accept such a connection (SQLSTATE
    /// 28000).
    ///
    /// `connect_timeout` applies to each address, from the first packet until the server is ready.
    /// Name resolution is not included.
    ///
    /// # Errors
    /// Settings that cannot be honoured; the error, or [`AllHosts`](ErrorKind::AllHosts) if there
    /// were several.
    pub fn connect(config: &Config) -> Result<Self, Error> {
        let connection = first(config, |endpoint, target, wanted| {
            let timeout = config.get_connect_timeout();
            let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            let mut connection = open_with_fallback(config, target, |start| {
                let kind = SessionKind::Replication;
                AddressAttempt { config, endpoint, target, deadline, start, kind }.open()
            })?;
            connection.pin(timeout)?;
            connection.wanted(wanted, timeout)
        })?;
        #[cfg(feature = "reader")]
        log::debug!(
            "connected to {} for replication, PostgreSQL {}",
            pgoutput_decode::Printable(connection.address()),
            connection.server_version()
        );
        Ok(connection)
    }

    /// Does the same without `replication`, possibly to a pooler. The settings that text values
    /// depend on are not pinned: each transaction must set them.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect).
    #[cfg(feature = "reader")]
    pub(crate) fn connect_pooled(config: &Config) -> Result<Self, Error> {
        first(config, |endpoint, target, wanted| {
            let timeout = config.get_connect_timeout();
            let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            open_with_fallback(config, target, |start| {
                let kind = SessionKind::Pooled;
                AddressAttempt { config, endpoint, target, deadline, start, kind }.open()
            })?
            .wanted(wanted, timeout)
        })
    }
}

/// Opens a session without `replication` on one address.
#[cfg(feature = "reader")]
pub(super) fn open_session(
    config: &Config,
    endpoint: &Endpoint,
    target: &Target,
    deadline: Option<Instant>,
) -> Result<Connection, Error> {
    open_with_fallback(config, target, |start| {
        let kind = SessionKind::Sql;
        AddressAttempt { config, endpoint, target, deadline, start, kind }.open()
    })
}

/// A failed attempt to connect to an address, and whether the other start may succeed.
pub(super) struct ConnectFailure {
    error: Error,
    retry_other_start: bool,
}

impl From<Error> for ConnectFailure {
    fn from(error: Error) -> Self {
        let retry_other_start = match error.kind() {
            // A file that cannot be used is not the server's fault.
            ErrorKind::Tls(TlsError::File { .. } | TlsError::NoCertificate) => false,
            ErrorKind::Tls(_) => true,
            // pg_hba.conf has no line for this kind of connection.
            ErrorKind::Server(message) => message.sqlstate() == Some("28000"),
            #[cfg(feature = "reader")]
            ErrorKind::Catalog(error) => error.sqlstate() == Some("28000"),
            _ => false,
        };
        Self { error, retry_other_start }
    }
}

/// An attempt to connect to one address with one start.
struct AddressAttempt<'a> {
    config: &'a Config,
    endpoint: &'a Endpoint,
    target: &'a Target,
    deadline: Option<Instant>,
    start: Start,
    kind: SessionKind,
}

impl AddressAttempt<'_> {
    fn open(&self) -> Result<Connection, ConnectFailure> {
        let mut settings = StartupSettings::new(self.config)?;
        settings.replication = self.kind == SessionKind::Replication;
        if self.kind == SessionKind::Pooled {
            (settings.unpinned, settings.wal_sender_timeout) = (true, None);
        }
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
        self.authenticate(channel, Handshake::new(&settings)?.with_policy(policy), protection)
    }

    /// Starts TLS, or returns the channel unchanged if the server has no TLS and the mode allows
    /// that.
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
            // A client that was accepted and then refused would be refused without TLS or with it.
            return Err(ConnectFailure {
                retry_other_start: failure.retry_other_start && !handshake.accepted(),
                ..failure
            });
        }
        let protection = Protection { bound: handshake.is_bound(), ..protection };
        let (ServerStartup { parameters, notices, key_pid }, version) = handshake.finish()?;
        Ok(Connection {
            endpoint: self.endpoint.clone(),
            channel,
            version,
            async_messages: AsyncMessages { parameters, notices },
            protection,
            key_pid,
            command_timeout: None,
            silence_limit: self.config.get_wal_receiver_timeout(),
            kind: self.kind,
            busy: false,
        })
    }

    /// Runs the handshake from the startup packet until the server is ready.
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
                    let error = handshake.closed(channel.inbox.unread());
                    error.unwrap_or_else(|| channel.closed(DOING))
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

/// Returns whether the address is local, so that no attacker can be on the network in between.
pub(super) fn is_local(target: &Target) -> bool {
    match target {
        Target::Unix(_) => true,
        Target::Tcp(address) => address.ip().to_canonical().is_loopback(),
    }
}

#[cfg(all(test, feature = "tls"))]
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
