//! The protection of a connection.

use std::net::IpAddr;

use crate::io::TlsSettings;

/// The protection of a replication connection. The SQL connection must be protected as well.
#[derive(Debug, Default)]
#[cfg_attr(
    not(feature = "reader"),
    expect(dead_code, reason = "only the SQL connection uses the other fields")
)]
pub(super) struct Protection {
    pub(super) tls: Option<TlsSettings>,
    /// The address of the server; `None` on a Unix socket.
    pub(super) address: Option<IpAddr>,
    /// Whether the server is known to be the right one: it is local, or its certificate was
    /// verified.
    pub(super) known: bool,
    /// Whether the server has proved by channel binding that it knows the password.
    pub(super) bound: bool,
    /// Whether an attacker could get a password sent over it, and the mode was not chosen
    /// explicitly.
    pub(super) exposed: bool,
}

impl Protection {
    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Returns whether the server's certificate is verified against trusted authorities.
    pub(super) fn is_verified(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsSettings::verified)
    }
}
