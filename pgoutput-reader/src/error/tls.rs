//! TLS errors.

use pgoutput_decode::Printable;

use super::{Error, ErrorKind};

/// A TLS error: the connection could not be protected, or the server was refused.
///
/// Texts of certificates are shown with control characters escaped, and shortened. Texts from a
/// server that is not verified yet are not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The server does not offer TLS, and the mode requires it.
    #[error(
        "the server does not offer TLS, which sslmode={mode} requires: set ssl = on there, or \
         choose a weaker sslmode if the network can be trusted"
    )]
    NotOffered {
        /// The mode.
        mode: crate::config::SslMode,
    },
    /// The server answered the request for TLS with an error. Its text is not authenticated and not
    /// shown.
    #[error(
        "the server answered the request for TLS with an error (not shown, as it is not \
         authenticated); see the server's log"
    )]
    ErrorAnswer,
    /// The server answered the request for TLS with neither yes nor no.
    #[error(
        "the server answered the request for TLS with '{}': is this a PostgreSQL server?",
        .0.escape_ascii()
    )]
    Answer(u8),
    /// Unencrypted bytes came after the answer to the request for TLS, as from an attacker who
    /// injects them (CVE-2021-23222).
    #[error(
        "{0} unencrypted bytes came before the TLS handshake: someone may be tampering with the \
         connection"
    )]
    Injected(usize),
    /// The server closed the connection during the TLS handshake.
    #[error(
        "the server closed the connection during the TLS handshake{}",
        if *.direct {
            "; sslnegotiation=direct needs PostgreSQL 17 or later"
        } else {
            "; see the server's log"
        }
    )]
    Closed {
        /// Whether TLS was started without a request.
        direct: bool,
    },
    /// TLS was started directly, and the server did not choose PostgreSQL's protocol in it.
    #[error(
        "the server did not choose the protocol \"postgresql\" (ALPN), which \
         sslnegotiation=direct requires: use PostgreSQL 17 or later"
    )]
    NoAlpn,
    /// The server's certificate is not signed by a trusted authority.
    #[error(
        "the server's certificate is not signed by a trusted authority: set sslrootcert to the \
         file of the authority that signed it"
    )]
    UnknownAuthority,
    /// The server's certificate has expired.
    #[error(
        "the server's certificate has expired: renew it on the server, or check the client's clock"
    )]
    Expired,
    /// The server's certificate is not valid yet.
    #[error(
        "the server's certificate is not valid yet: check the clocks of the client and the server"
    )]
    NotYetValid,
    /// The server's certificate is for other names.
    #[error(
        "the server's certificate is not for {expected} but for {}: connect to a name in it, or \
         create one with this subject alternative name",
        Printable(if .presented.is_empty() {
            "no name at all (its common name does not count)"
        } else {
            .presented
        }),
        expected = Printable(.expected)
    )]
    WrongName {
        /// The name of the host.
        expected: String,
        /// The names in the certificate, separated by commas.
        presented: String,
    },
    /// The server's certificate is on a revocation list.
    #[error("the server's certificate is revoked")]
    Revoked,
    /// There are revocation lists, but no current one of the authority of the server's certificate.
    #[error(
        "the revocation of the server's certificate is unknown: sslcrl or sslcrldir must have a \
         current list of every authority in its chain"
    )]
    RevocationUnknown,
    /// The server presents the certificate of an authority as its own.
    #[error(
        "the server presents the certificate of an authority (basic constraint CA) as its own: \
         give it a certificate signed by that authority"
    )]
    AuthorityAsServer,
    /// The server's certificate cannot be used for another reason.
    #[error(
        "the server's certificate cannot be used: {reason}",
        reason = Printable(.reason)
    )]
    BadCertificate {
        /// The reason.
        reason: String,
    },
    /// The server refused the client's certificate, or the lack of one.
    #[error(
        "the server refused the client certificate ({alert}): check sslcert and sslkey of the \
         client, and ssl_ca_file and the log of the server",
        alert = Printable(.alert)
    )]
    ClientCertificate {
        /// The name of the alert.
        alert: String,
    },
    /// `sslcertmode=require`, and the server did not ask for a certificate.
    #[error("sslcertmode=require, and the server did not ask for a client certificate")]
    CertificateNotRequested,
    /// `sslcertmode=require`, and there is no certificate to send.
    #[error("sslcertmode=require, and there is no client certificate: set sslcert to its file")]
    NoCertificate,
    /// The client and the server have no version of TLS in common.
    #[error(
        "the client and the server have no version of TLS in common: the client supports 1.2 and \
         1.3, within ssl_min_protocol_version and ssl_max_protocol_version"
    )]
    ProtocolVersion,
    /// The server ended TLS with an alert.
    #[error("the server ended TLS with the alert {}; see the server's log", Printable(.0))]
    Alert(String),
    /// A file of certificates, keys or revocation lists cannot be used.
    #[error(
        "{parameter}: {path}: {reason}",
        reason = Printable(.reason), path = Printable(.path)
    )]
    File {
        /// The parameter that names the file or has it as its default.
        parameter: &'static str,
        /// The file.
        path: String,
        /// The reason.
        reason: String,
    },
    /// Another error, such as a server that does not follow the protocol.
    #[error("TLS failed: {reason}", reason = Printable(.reason))]
    Other {
        /// The reason.
        reason: String,
    },
}

impl From<TlsError> for Error {
    fn from(error: TlsError) -> Self {
        ErrorKind::Tls(error).into()
    }
}

#[cfg(feature = "tls")]
mod from_rustls {
    use rustls::{AlertDescription, CertificateError, PeerIncompatible};

    use super::super::printable;
    use super::TlsError;

    const SHOWN_LIMIT: usize = 512;

    fn shown(text: &str) -> String {
        printable(text.as_bytes(), SHOWN_LIMIT).into()
    }

    impl TlsError {
        pub(crate) fn of_rustls(error: &rustls::Error) -> Self {
            match error {
                rustls::Error::InvalidCertificate(error) => from_certificate(error),
                rustls::Error::AlertReceived(alert) => from_alert(*alert),
                rustls::Error::PeerIncompatible(
                    PeerIncompatible::ServerDoesNotSupportTls12Or13
                    | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
                ) => Self::ProtocolVersion,
                other => Self::Other { reason: shown(&other.to_string()) },
            }
        }
    }

    fn from_certificate(error: &CertificateError) -> TlsError {
        use CertificateError as Problem;
        match error {
            Problem::UnknownIssuer => TlsError::UnknownAuthority,
            Problem::Expired | Problem::ExpiredContext { .. } => TlsError::Expired,
            Problem::NotValidYet | Problem::NotValidYetContext { .. } => TlsError::NotYetValid,
            Problem::NotValidForNameContext { expected, presented } => TlsError::WrongName {
                expected: shown(&expected.to_str()),
                presented: shown(
                    &presented.iter().map(|name| bare(name)).collect::<Vec<_>>().join(", "),
                ),
            },
            Problem::Revoked => TlsError::Revoked,
            Problem::UnknownRevocationStatus
            | Problem::ExpiredRevocationList
            | Problem::ExpiredRevocationListContext { .. } => TlsError::RevocationUnknown,
            // rustls passes on errors that it has no variant for.
            Problem::Other(error) if error.to_string() == "CaUsedAsEndEntity" => {
                TlsError::AuthorityAsServer
            }
            other => TlsError::BadCertificate { reason: shown(&other.to_string()) },
        }
    }

    /// The name without the text that rustls writes around it.
    fn bare(name: &str) -> &str {
        let inner = name.strip_prefix("DnsName(\"").and_then(|rest| rest.strip_suffix("\")"));
        inner.unwrap_or(name)
    }

    fn from_alert(alert: AlertDescription) -> TlsError {
        use AlertDescription as Alert;
        match alert {
            Alert::ProtocolVersion => TlsError::ProtocolVersion,
            Alert::NoApplicationProtocol => TlsError::NoAlpn,
            Alert::CertificateRequired
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied => TlsError::ClientCertificate { alert: format!("{alert:?}") },
            other => TlsError::Alert(format!("{other:?}")),
        }
    }
}
