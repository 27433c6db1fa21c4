//! What protects a connection.

use std::net::IpAddr;

use crate::io::TlsSettings;

/// How a connection came to be: the ordinary one beside it must be as well protected.
#[derive(Debug, Default)]
#[cfg_attr(
    not(feature = "reader"),
    expect(dead_code, reason = "only the ordinary connection asks for the rest")
)]
pub(super) struct Protection {
    pub(super) tls: Option<TlsSettings>,
    /// The address reached; none on a Unix socket.
    pub(super) address: Option<IpAddr>,
    /// The server is the one that is meant: on this machine, or with a certificate that was verified.
    pub(super) known: bool,
    /// The server has proved by channel binding that it knows the password.
    pub(super) bound: bool,
    /// Nobody has chosen to send a password over it, and somebody between could get it.
    pub(super) exposed: bool,
}

impl Protection {
    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether a trusted authority vouches for the server's certificate.
    pub(super) fn is_verified(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsSettings::verified)
    }
}
