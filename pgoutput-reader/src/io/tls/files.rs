//! Certificates, keys and revocation lists from files.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::config::{Config, home};
use crate::error::TlsError;

/// The directory of the default files.
const FOLDER: &str = ".postgresql";

fn refuse(parameter: &'static str, path: &Path, reason: impl Display) -> TlsError {
    TlsError::File { parameter, path: path.display().to_string(), reason: format!("{reason}") }
}

/// The file in the parameter, or its default if that exists. A file that was given must exist;
/// libpq continues without it, and without its effect.
fn choose(
    parameter: &'static str,
    named: Option<&str>,
    default: &str,
) -> Result<Option<(PathBuf, Vec<u8>)>, TlsError> {
    let path = match named {
        Some(path) => PathBuf::from(path),
        None => match home() {
            Some(home) => home.join(FOLDER).join(default),
            None => return Ok(None),
        },
    };
    match fs::read(&path) {
        Ok(content) => Ok(Some((path, content))),
        Err(error)
            if named.is_none()
                && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(refuse(parameter, &path, error)),
    }
}

/// The authorities to trust; `None` if no file specifies them.
pub(super) fn roots(config: &Config) -> Result<Option<RootCertStore>, TlsError> {
    const PARAMETER: &str = "sslrootcert";
    let mut store = RootCertStore::empty();
    let named = config.get_ssl_root_cert();
    if named == Some("system") {
        let found = rustls_native_certs::load_native_certs();
        // Some of the system's certificates may not be supported; the others are.
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            let reason = found
                .errors
                .first()
                .map_or_else(|| "the system trusts no authority".to_owned(), ToString::to_string);
            return Err(refuse(PARAMETER, Path::new("system"), reason));
        }
        return Ok(Some(store));
    }
    let Some((path, content)) = choose(PARAMETER, named, "root.crt")? else { return Ok(None) };
    for certificate in certificates(PARAMETER, &path, &content)? {
        store.add(certificate).map_err(|error| refuse(PARAMETER, &path, error))?;
    }
    Ok(Some(store))
}

fn certificates(
    parameter: &'static str,
    path: &Path,
    content: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(content).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => {
            Err(refuse(parameter, path, "there is no certificate in it; it must be in PEM format"))
        }
        Err(error) => Err(refuse(parameter, path, error)),
    }
}

/// The revocation lists; `None` if there is no file.
pub(super) fn revocations(
    config: &Config,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let mut lists = Vec::new();
    let mut take = |parameter, path: &Path, content: &[u8]| {
        let before = lists.len();
        for list in CertificateRevocationListDer::pem_slice_iter(content) {
            lists.push(list.map_err(|error| refuse(parameter, path, error))?);
        }
        if lists.len() == before {
            return Err(refuse(parameter, path, "there is no revocation list in it"));
        }
        Ok(())
    };
    let (file, folder) = (config.get_ssl_crl(), config.get_ssl_crl_dir());
    if (file.is_some() || folder.is_none())
        && let Some((path, content)) = choose("sslcrl", file, "root.crl")?
    {
        take("sslcrl", &path, &content)?;
    }
    if let Some(folder) = folder.map(Path::new) {
        const PARAMETER: &str = "sslcrldir";
        for entry in fs::read_dir(folder).map_err(|error| refuse(PARAMETER, folder, error))? {
            let path = entry.map_err(|error| refuse(PARAMETER, folder, error))?.path();
            let content = fs::read(&path).map_err(|error| refuse(PARAMETER, &path, error))?;
            take(PARAMETER, &path, &content)?;
        }
    }
    Ok(lists)
}

/// The client's certificate with its key; `None` if there is no file.
pub(super) fn identity(
    config: &Config,
    provider: &CryptoProvider,
) -> Result<Option<Arc<CertifiedKey>>, TlsError> {
    const CERT: &str = "sslcert";
    const KEY: &str = "sslkey";
    let Some((cert_path, content)) = choose(CERT, config.get_ssl_cert(), "postgresql.crt")? else {
        return Ok(None);
    };
    let chain = certificates(CERT, &cert_path, &content)?;
    let Some((path, content)) = choose(KEY, config.get_ssl_key(), "postgresql.key")? else {
        return Err(refuse(CERT, &cert_path, "there is no key for it; set sslkey to its file"));
    };
    check_permissions(&path)?;
    if String::from_utf8_lossy(&content).contains("ENCRYPTED") {
        return Err(refuse(
            KEY,
            &path,
            "the key is encrypted, which is not supported: decrypt it (openssl pkey) and make the \
             file unreadable to others (chmod 600)",
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(&content).map_err(|_| {
        refuse(
            KEY,
            &path,
            "there is no private key in it; it must be in PEM format (PKCS #8, PKCS #1 or SEC 1)",
        )
    })?;
    let key = provider.key_provider.load_private_key(key).map_err(|_| {
        refuse(KEY, &path, "the key is not supported: use RSA, ECDSA P-256 or P-384, or Ed25519")
    })?;
    let identity = CertifiedKey::new(chain, key);
    match identity.keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) | Ok(()) => {
            Ok(Some(Arc::new(identity)))
        }
        Err(_) => Err(refuse(KEY, &path, "the key does not belong to the certificate in sslcert")),
    }
}

/// Checks permissions as libpq does: others have no access, except that the group may read root's
/// keys.
fn check_permissions(path: &Path) -> Result<(), TlsError> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(path).map_err(|error| refuse("sslkey", path, error))?;
    if !metadata.is_file() {
        return Err(refuse("sslkey", path, "is not a regular file"));
    }
    if metadata.mode() & forbidden(metadata.uid()) != 0 {
        return Err(refuse(
            "sslkey",
            path,
            "other accounts can read or write this private key; run chmod 600 on it (640 for a \
             key that root owns)",
        ));
    }
    Ok(())
}

fn forbidden(owner: u32) -> u32 {
    if owner == 0 { 0o037 } else { 0o077 }
}

#[cfg(test)]
mod tests {
    use super::forbidden;

    #[test]
    fn a_key_is_closed_to_others() {
        for (owner, mode, good) in [
            (0, 0o100_600, true),
            (0, 0o100_640, true),
            (0, 0o100_660, false),
            (0, 0o100_644, false),
            (1000, 0o100_600, true),
            (1000, 0o100_400, true),
            (1000, 0o100_640, false),
        ] {
            assert_eq!(mode & forbidden(owner) == 0, good, "{owner} {mode:o}");
        }
    }
}
