//! The conditions under which a server receives anything derived from the password.

use crate::config::{AuthMethod, ChannelBinding, RequireAuth};
use crate::error::{AuthError, Error};

/// The policy of one connection. The default allows everything that an unencrypted connection can
/// do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policy {
    pub(crate) require_auth: Option<RequireAuth>,
    pub(crate) channel_binding: ChannelBinding,
    /// Whether TLS is on.
    pub(crate) tls: bool,
    /// The hash of the server's certificate for tls-server-end-point (RFC 5929). `None` without
    /// TLS, and for certificates for which it is not defined.
    pub(crate) end_point: Option<Vec<u8>>,
    /// Whether an attacker could get a password sent over this connection, and the mode was not
    /// chosen explicitly.
    pub(crate) exposed: bool,
}

/// The channel binding of a SCRAM exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Binding {
    /// SCRAM-SHA-256-PLUS, bound to this hash.
    EndPoint(Vec<u8>),
    /// Possible here, but not offered by the server. The server notices if someone has removed its
    /// offer.
    NotOffered,
    /// Not possible here.
    Unsupported,
}

impl Policy {
    /// Checks whether the server may ask for this method. The binding of SCRAM is decided by
    /// [`scram`](Self::scram).
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

    /// Decides the binding of SCRAM with a server that offers channel binding or does not.
    pub(crate) fn scram(&self, offers_plus: bool) -> Result<Binding, Error> {
        self.admit(AuthMethod::ScramSha256)?;
        let end_point =
            self.end_point.as_ref().filter(|_| self.channel_binding != ChannelBinding::Disable);
        match (end_point, offers_plus) {
            // The server has to prove that it knows the password and is the other end of this TLS
            // connection.
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
            "the server's certificate has a signature algorithm without a hash, such as Ed25519"
        } else {
            "the server's authentication method has none"
        };
        AuthError::NoChannelBinding { reason }.into()
    }
}

#[cfg(test)]
mod tests;
