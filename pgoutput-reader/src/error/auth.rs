//! Why authentication failed.

use pgoutput_decode::Printable;

use super::{Error, ErrorKind};

/// Why authentication failed on this side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The server asks for a password and none was given.
    #[error(
        "the server asks for a password ({method}) and none is set: give one in the connection string, in PGPASSWORD or in a password file"
    )]
    PasswordMissing {
        /// How the password would have been sent.
        method: &'static str,
    },
    /// The server asks for a password over a connection that does not protect it, and nobody has chosen that: see
    /// [`Config::ssl_mode_is_chosen`](crate::Config::ssl_mode_is_chosen).
    #[error(
        "the server asks for a password ({method}) over {}, and is not on this machine: set sslmode=verify-full and sslrootcert to protect it, or sslmode=prefer to send it all the same",
        if *.tls { "a TLS connection whose certificate was not verified" } else { "a connection without TLS" }
    )]
    PasswordUnprotected {
        /// How the password would have been sent.
        method: &'static str,
        /// There was TLS, but nobody vouches for the server's certificate.
        tls: bool,
    },
    /// The server asks for a method that `require_auth` rules out.
    #[error(
        "the server asks for the method {method}, and require_auth={allowed} rules it out: change require_auth, or pg_hba.conf",
        allowed = Printable(.allowed)
    )]
    MethodNotAllowed {
        /// The method's name in `require_auth`; `none` if the server asks for nothing.
        method: &'static str,
        /// What is allowed.
        allowed: String,
    },
    /// `channel_binding=require`, and there is none.
    #[error(
        "channel_binding=require, and {reason}: it needs TLS and the method scram-sha-256 in pg_hba.conf"
    )]
    NoChannelBinding {
        /// Why there is none.
        reason: &'static str,
    },
    /// The server asks for a method this crate does not have.
    #[error(
        "the server asks for {method} authentication, which is not supported: let pg_hba.conf offer scram-sha-256, md5, password or trust for this connection"
    )]
    MethodUnsupported {
        /// The method's name.
        method: &'static str,
    },
    /// None of the SASL mechanisms the server offers is known.
    #[error(
        "the server offers only the SASL mechanisms {offered}, and SCRAM-SHA-256 is the one supported here",
        offered = Printable(.offered)
    )]
    MechanismUnsupported {
        /// What it offers, separated by commas; control characters escaped, shortened.
        offered: String,
    },
    /// The server wants the password hashed more often than the limit: not done, since it could keep this side busy for hours.
    #[error(
        "the server asks for {asked} SCRAM iterations and the limit is {limit}: lower scram_iterations on the server and set the password anew"
    )]
    IterationCount {
        /// What the server asked for.
        asked: u64,
        /// The most that is done.
        limit: u32,
    },
    /// A message of the SCRAM exchange makes no sense, or its nonce is not the one sent.
    #[error("the server's SCRAM message is invalid: {reason}")]
    Scram {
        /// What was wrong.
        reason: &'static str,
    },
    /// The server could not show that it knows the password: it is not the server it claims to be.
    #[error(
        "the server did not prove that it knows the password: it may be another one than you think"
    )]
    ServerNotVerified,
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        ErrorKind::Auth(error).into()
    }
}
