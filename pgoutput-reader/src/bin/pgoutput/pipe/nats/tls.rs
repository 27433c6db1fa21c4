//! Settings of TLS.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::url::TlsFiles;

/// Returns a session with the host, whose certificate is verified.
///
/// # Errors
/// The reason as text.
pub(super) fn session(host: &str, files: &TlsFiles) -> Result<ClientConnection, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?
        .with_root_certificates(roots(files)?);
    let config = match (&files.certificate, &files.key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("sslcert", certificate)?;
            let key = PrivateKeyDer::from_pem_slice(&read("sslkey", key)?)
                .map_err(|_| no("sslkey", key, "private key that is not encrypted"))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("sslcert and sslkey: {error}"))?
        }
        _ => builder.with_no_client_auth(),
    };
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| format!("TLS: {host} is not the name of a host"))?;
    ClientConnection::new(Arc::new(config), name).map_err(|error| format!("TLS: {error}"))
}

/// Returns the authorities of the file, or those of the system.
fn roots(files: &TlsFiles) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    if let Some(path) = &files.roots {
        for certificate in certificates("sslrootcert", path)? {
            store
                .add(certificate)
                .map_err(|error| format!("sslrootcert={}: {error}", path.display()))?;
        }
    } else {
        // Some of the system's certificates may not be supported; the others are.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if store.is_empty() {
        return Err("TLS: this system trusts no authority: name one with sslrootcert".into());
    }
    Ok(store)
}

fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(option, path)?).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| no(option, path, "certificate"))
}

fn read(option: &str, path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{option}={}: {error}", path.display()))
}

fn no(option: &str, path: &Path, what: &str) -> String {
    format!("{option}={}: it has no {what} in PEM format", path.display())
}
