//! Connection settings converted to settings of rustls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, SupportedProtocolVersion};

use super::files;
use super::verify::{Identity, Verifier};
use crate::config::{Config, Endpoint, Host, SslCertMode, SslMode, TlsVersion};
use crate::error::TlsError;

/// PostgreSQL's protocol in TLS (ALPN). Servers before 17 ignore it.
pub(super) const ALPN: &[u8] = b"postgresql";

/// The settings of TLS connections to one endpoint.
#[derive(Debug, Clone)]
pub(crate) struct TlsSettings {
    client: Arc<ClientConfig>,
    name: ServerName<'static>,
    identity: Arc<Identity>,
    cert_mode: SslCertMode,
    verified: bool,
}

impl TlsSettings {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// [`TlsError::File`]; [`TlsError::WrongName`] for a host name that no certificate can have.
    pub(crate) fn new(config: &Config, endpoint: &Endpoint) -> Result<Self, TlsError> {
        let mode = config.get_ssl_mode();
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let chain = chain(config, &provider)?;
        let verified = chain.is_some();
        if !verified && mode >= SslMode::VerifyCa {
            return Err(TlsError::File {
                parameter: "sslrootcert",
                path: "~/.postgresql/root.crt".into(),
                reason: format!(
                    "the file does not exist: sslmode={mode} needs one with the authority that \
                     signed the server's certificate, or sslrootcert=system"
                ),
            });
        }
        let verifier = Verifier { chain, name: mode == SslMode::VerifyFull, algorithms };
        let cert_mode = config.get_ssl_cert_mode();
        let certified = match cert_mode {
            SslCertMode::Disable => None,
            _ => files::identity(config, &provider)?,
        };
        if cert_mode == SslCertMode::Require && certified.is_none() {
            return Err(TlsError::NoCertificate);
        }
        let identity = Arc::new(Identity { certified, is_requested: AtomicBool::new(false) });
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions(config))
            .map_err(|error| TlsError::of_rustls(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(identity.clone());
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.enable_sni = config.get_ssl_sni();
        // Every connection presents its certificates.
        client.resumption = Resumption::disabled();
        let name = server_name(endpoint, mode)?;
        Ok(Self { client: Arc::new(client), name, identity, cert_mode, verified })
    }

    /// Creates a connection whose handshake has not started.
    pub(crate) fn connection(&self) -> Result<ClientConnection, TlsError> {
        ClientConnection::new(self.client.clone(), self.name.clone())
            .map_err(|error| TlsError::of_rustls(&error))
    }

    /// Checks what is left to check after the handshake.
    pub(crate) fn check(&self) -> Result<(), TlsError> {
        let missing = self.cert_mode == SslCertMode::Require
            && !self.identity.is_requested.load(Ordering::Relaxed);
        if missing { Err(TlsError::CertificateNotRequested) } else { Ok(()) }
    }

    /// Returns whether the server's certificate is verified against trusted authorities.
    pub(crate) fn verified(&self) -> bool {
        self.verified
    }
}

/// The verifier of the server's certificate chain. There is one whenever authorities are known, as
/// in libpq.
fn chain(
    config: &Config,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<WebPkiServerVerifier>>, TlsError> {
    let Some(roots) = files::roots(config)? else { return Ok(None) };
    let revocations = files::revocations(config)?;
    let mut builder =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    if !revocations.is_empty() {
        builder = builder.with_crls(revocations).enforce_revocation_expiration();
    }
    let chain = builder.build().map_err(|error| TlsError::File {
        parameter: "sslcrl",
        path: config.get_ssl_crl().or(config.get_ssl_crl_dir()).unwrap_or("root.crl").into(),
        reason: error.to_string(),
    })?;
    Ok(Some(chain))
}

fn versions(config: &Config) -> Vec<&'static SupportedProtocolVersion> {
    let min = config.get_ssl_min_protocol_version().unwrap_or(TlsVersion::Tls12);
    let max = config.get_ssl_max_protocol_version().unwrap_or(TlsVersion::Tls13);
    [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)]
        .into_iter()
        .filter(|(version, _)| (min..=max).contains(version))
        .map(|(_, version)| version)
        .collect()
}

/// The name that the certificate must have and that is sent to the server.
fn server_name(endpoint: &Endpoint, mode: SslMode) -> Result<ServerName<'static>, TlsError> {
    let name = match endpoint.host() {
        Host::Tcp(name) => name.as_str(),
        // `hostaddr` makes it TCP; a directory is not a name.
        Host::Unix(_) => "",
    };
    match ServerName::try_from(name.to_owned()) {
        Ok(name) => Ok(name),
        Err(_) if mode == SslMode::VerifyFull => {
            Err(TlsError::WrongName { expected: name.into(), presented: String::new() })
        }
        // It is not verified, and an address is not sent to the server.
        Err(_) => Ok(ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into())),
    }
}
