//! What a server must do before it gets anything made from the password.

use crate::Error;
use crate::config::{AuthMethod, ChannelBinding, RequireAuth};
use crate::error::AuthError;

/// What holds for one connection; the default allows everything that a connection in clear can do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policy {
    pub(crate) require_auth: Option<RequireAuth>,
    pub(crate) channel_binding: ChannelBinding,
    /// TLS is on.
    pub(crate) tls: bool,
    /// The hash of the server's certificate, for tls-server-end-point (RFC 5929); none without TLS, and for certificates that have none.
    pub(crate) end_point: Option<Vec<u8>>,
    /// Nobody has chosen to send a password over this connection, and somebody between could get it.
    pub(crate) exposed: bool,
}

/// How a server that asks for SCRAM gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Binding {
    /// SCRAM-SHA-256-PLUS, bound to this hash.
    EndPoint(Vec<u8>),
    /// We could, and the server does not offer it; it will notice if somebody has removed its offer.
    NotOffered,
    /// We cannot.
    Unsupported,
}

impl Policy {
    /// Whether the server may ask for this method, apart from SCRAM, whose binding [`scram`](Self::scram) decides.
    pub(crate) fn admit(&self, method: AuthMethod) -> Result<(), Error> {
        if let Some(allowed) = self.require_auth
            && !allowed.allows(method)
        {
            let (method, allowed) = (method.as_str(), allowed.to_string());
            return Err(AuthError::MethodNotAllowed { method, allowed }.into());
        }
        if self.channel_binding == ChannelBinding::Require && method != AuthMethod::ScramSha256 {
            return Err(self.unbound());
        }
        match method {
            AuthMethod::Password | AuthMethod::Md5 => self.expose(method.as_str()),
            _ => Ok(()),
        }
    }

    /// How to do SCRAM with a server that offers the variant with channel binding, or does not.
    pub(crate) fn scram(&self, offers_plus: bool) -> Result<Binding, Error> {
        self.admit(AuthMethod::ScramSha256)?;
        let end_point =
            self.end_point.as_ref().filter(|_| self.channel_binding != ChannelBinding::Disable);
        match (end_point, offers_plus) {
            // The server has to show that it knows the password at the other end of this very TLS connection.
            (Some(hash), true) => return Ok(Binding::EndPoint(hash.clone())),
            _ if self.channel_binding == ChannelBinding::Require => return Err(self.unbound()),
            _ => {}
        }
        self.expose("scram-sha-256")?;
        Ok(if end_point.is_some() { Binding::NotOffered } else { Binding::Unsupported })
    }

    fn expose(&self, method: &'static str) -> Result<(), Error> {
        if self.exposed {
            return Err(AuthError::PasswordUnprotected { method, tls: self.tls }.into());
        }
        Ok(())
    }

    fn unbound(&self) -> Error {
        let reason = if !self.tls {
            "the connection has no TLS"
        } else if self.end_point.is_none() {
            "the server's certificate has a signature algorithm without a hash, as Ed25519"
        } else {
            "the server authenticates in a way that has none"
        };
        AuthError::NoChannelBinding { reason }.into()
    }
}

#[cfg(test)]
#[path = "auth_policy_tests.rs"]
mod tests;
