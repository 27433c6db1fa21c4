//! What can go wrong with TLS, and what to do about it.

use pgoutput_decode::Printable;

use super::Error;
use super::ErrorKind;

/// Why a connection could not be, or was not to be, protected by TLS.
///
/// Texts of certificates are shown with control characters escaped, and shortened. What a server says before it has shown who it is
/// is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The server has no TLS, and the mode requires it.
    #[error(
        "the server does not offer TLS, which sslmode={mode} requires: set ssl = on there, or choose a weaker sslmode if the network can be trusted"
    )]
    NotOffered {
        /// The mode.
        mode: crate::SslMode,
    },
    /// The server answered the request for TLS with an error, whose text nobody vouches for.
    #[error(
        "the server answered the request for TLS with an error (its text is not shown: nobody vouches for it yet); its log says more"
    )]
    ErrorAnswer,
    /// The server answered the request for TLS with neither yes nor no.
    #[error(
        "the server answered the request for TLS with '{}': is this a PostgreSQL server?", .0.escape_ascii()
    )]
    Answer(u8),
    /// Bytes came in clear behind the answer to the request for TLS, as from someone who injects them (CVE-2021-23222).
    #[error(
        "{0} bytes came in clear before the TLS handshake: someone may be tampering with the connection"
    )]
    Injected(usize),
    /// The server closed the connection during the TLS handshake.
    #[error(
        "the server closed the connection during the TLS handshake{}",
        if *.direct { "; sslnegotiation=direct needs PostgreSQL 17 or later" } else { "; its log may say why" }
    )]
    Closed {
        /// TLS began without a request before it.
        direct: bool,
    },
    /// TLS began directly, and the server has not said that it speaks PostgreSQL in it.
    #[error(
        "the server did not choose the protocol \"postgresql\" (ALPN), which sslnegotiation=direct needs: PostgreSQL 17 or later does"
    )]
    NoAlpn,
    /// No trusted authority has signed the server's certificate.
    #[error(
        "the server's certificate is not signed by an authority that is trusted: name the file of the one that signed it in sslrootcert"
    )]
    UnknownAuthority,
    /// The server's certificate is valid no more.
    #[error(
        "the server's certificate has expired: renew it on the server, or look at the clock here"
    )]
    Expired,
    /// The server's certificate is not valid yet.
    #[error("the server's certificate is not valid yet: look at the clock here and on the server")]
    NotYetValid,
    /// The server's certificate is for other names.
    #[error(
        "the server's certificate is not for {expected} but for {}: connect by a name that is in it, or make one with this name as subject alternative name",
        Printable(if .presented.is_empty() { "no name at all (its common name does not count)" } else { .presented }),
        expected = Printable(.expected)
    )]
    WrongName {
        /// The name of the host.
        expected: String,
        /// The names in the certificate, separated by commas.
        presented: String,
    },
    /// The server's certificate is in a list of revoked ones.
    #[error("the server's certificate is revoked")]
    Revoked,
    /// There are lists of revoked certificates, but none that is current for the authority of the server's.
    #[error(
        "it is not known whether the server's certificate is revoked: sslcrl or sslcrldir must have a current list of every authority in its chain"
    )]
    RevocationUnknown,
    /// The server presents the certificate of an authority as its own.
    #[error(
        "the server presents the certificate of an authority (basic constraint CA) as its own: make it one of its own, signed by that authority"
    )]
    AuthorityAsServer,
    /// The server's certificate cannot be used for another reason.
    #[error(
        "the server's certificate cannot be used: {reason}",
        reason = Printable(.reason)
    )]
    BadCertificate {
        /// What is wrong with it.
        reason: String,
    },
    /// The server refused our certificate, or that we have none.
    #[error(
        "the server refused the client certificate ({alert}): look at sslcert and sslkey here, and at ssl_ca_file and the log there",
        alert = Printable(.alert)
    )]
    ClientCertificate {
        /// The name of the alert.
        alert: String,
    },
    /// `sslcertmode=require`, and the server did not ask for a certificate.
    #[error("sslcertmode=require, and the server did not ask for a client certificate")]
    CertificateNotRequested,
    /// `sslcertmode=require`, and there is none to send.
    #[error("sslcertmode=require, and there is no client certificate: name its file in sslcert")]
    NoCertificate,
    /// Both sides have no version of TLS in common.
    #[error(
        "the server and this side have no version of TLS in common: this side speaks 1.2 and 1.3, within ssl_min_protocol_version and ssl_max_protocol_version"
    )]
    ProtocolVersion,
    /// The server ended TLS with an alert.
    #[error("the server ended TLS with the alert {}; its log may say why", Printable(.0))]
    Alert(String),
    /// A file of certificates, keys or revocations cannot be used.
    #[error(
        "{parameter}: {path}: {reason}",
        reason = Printable(.reason), path = Printable(.path)
    )]
    File {
        /// The parameter that names the file, or whose default it is.
        parameter: &'static str,
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Something else, as a server that does not follow the protocol.
    #[error("TLS failed: {reason}", reason = Printable(.reason))]
    Other {
        /// What went wrong.
        reason: String,
    },
}

impl From<TlsError> for Error {
    fn from(error: TlsError) -> Self {
        ErrorKind::Tls(error).into()
    }
}

#[cfg(feature = "tls")]
mod of_rustls {
    use rustls::{AlertDescription, CertificateError, PeerIncompatible};

    use super::super::printable;
    use super::TlsError;

    const SHOWN: usize = 512;

    fn shown(text: &str) -> String {
        printable(text.as_bytes(), SHOWN).into()
    }

    impl From<&rustls::Error> for TlsError {
        fn from(error: &rustls::Error) -> Self {
            match error {
                rustls::Error::InvalidCertificate(error) => of_certificate(error),
                rustls::Error::AlertReceived(alert) => of_alert(*alert),
                rustls::Error::PeerIncompatible(
                    PeerIncompatible::ServerDoesNotSupportTls12Or13
                    | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
                ) => Self::ProtocolVersion,
                other => Self::Other { reason: shown(&other.to_string()) },
            }
        }
    }

    fn of_certificate(error: &CertificateError) -> TlsError {
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
            // rustls hands on what it has no name for.
            Problem::Other(error) if error.to_string() == "CaUsedAsEndEntity" => {
                TlsError::AuthorityAsServer
            }
            other => TlsError::BadCertificate { reason: shown(&other.to_string()) },
        }
    }

    /// The name itself, out of what rustls writes around it.
    fn bare(name: &str) -> &str {
        let inner = name.strip_prefix("DnsName(\"").and_then(|rest| rest.strip_suffix("\")"));
        inner.unwrap_or(name)
    }

    fn of_alert(alert: AlertDescription) -> TlsError {
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
