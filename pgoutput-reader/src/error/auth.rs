//! Authentication errors.

use pgoutput_decode::Printable;

use super::{Error, ErrorKind};

/// An authentication failure found by the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The server asks for a password and none is set.
    #[error(
        "the server asks for a password ({method}) and none is set: set one in the connection \
         string, PGPASSWORD or a password file"
    )]
    PasswordMissing {
        /// The method for which the password is needed.
        method: &'static str,
    },
    /// The server asks for a password over a connection that does not protect it, and the mode was
    /// not chosen explicitly: see
    /// [`Config::ssl_mode_is_chosen`](crate::Config::ssl_mode_is_chosen).
    #[error(
        "the server asks for a password ({method}) over {}, and is remote: set \
         sslmode=verify-full and sslrootcert to protect it, or sslmode=prefer to send it anyway",
        if *.tls { "TLS with an unverified certificate" } else { "a connection without TLS" }
    )]
    PasswordUnprotected {
        /// The method for which the password is needed.
        method: &'static str,
        /// Whether there was TLS, with an unverified server certificate.
        tls: bool,
    },
    /// The server asks for a method that `require_auth` rules out.
    #[error(
        "the server asks for the method {method}, which require_auth={allowed} does not allow: \
         change require_auth or pg_hba.conf",
        allowed = Printable(.allowed)
    )]
    MethodNotAllowed {
        /// The method's name in `require_auth`; `none` if the server asks for nothing.
        method: &'static str,
        /// The allowed methods.
        allowed: String,
    },
    /// `channel_binding=require`, and channel binding is not possible.
    #[error(
        "channel_binding=require, and {reason}: it needs TLS and the method scram-sha-256 in \
         pg_hba.conf"
    )]
    NoChannelBinding {
        /// The reason why it is not possible.
        reason: &'static str,
    },
    /// The server asks for a method that this crate does not support.
    #[error(
        "the server asks for {method} authentication, which is not supported: let pg_hba.conf \
         offer scram-sha-256, md5, password or trust for this connection"
    )]
    MethodUnsupported {
        /// The method's name.
        method: &'static str,
    },
    /// The server offers no SASL mechanism that this crate supports.
    #[error(
        "the server offers only the SASL mechanisms {offered}; only SCRAM-SHA-256 is supported",
        offered = Printable(.offered)
    )]
    MechanismUnsupported {
        /// The mechanisms offered, separated by commas, with control characters escaped and
        /// shortened.
        offered: String,
    },
    /// The server asks for more password hash iterations than the limit. They are not done, as they
    /// could keep the client busy for hours.
    #[error(
        "the server asks for {asked} SCRAM iterations and the limit is {limit}: lower \
         scram_iterations on the server and set the password again"
    )]
    IterationCount {
        /// The number that the server asked for.
        asked: u64,
        /// The limit.
        limit: u32,
    },
    /// A message of the SCRAM exchange is invalid, or its nonce is not the one sent.
    #[error("the server's SCRAM message is invalid: {reason}")]
    Scram {
        /// The reason why the message is invalid.
        reason: &'static str,
    },
    /// The server did not prove that it knows the password, so it is not the server it claims to
    /// be.
    #[error(
        "the server did not prove that it knows the password: it may be an impostor, or have \
         another password"
    )]
    ServerNotVerified,
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        ErrorKind::Auth(error).into()
    }
}
