//! Setters and getters of the settings that protect a connection: TLS, channel binding,
//! authentication methods.

use super::require_auth::RequireAuth;
use super::{ChannelBinding, Config, SslCertMode, SslMode, SslNegotiation, TlsVersion};

fn text(value: impl Into<String>) -> Option<String> {
    Some(value.into()).filter(|value| !value.is_empty())
}

/// # Security: setters
///
/// Paths are texts, and an empty one means the default. Files are read when a connection is opened.
impl Config {
    /// Sets the TLS mode. Any value counts as an explicit choice: see [`ssl_mode_is_chosen`].
    ///
    /// [`ssl_mode_is_chosen`]: Config::ssl_mode_is_chosen
    #[must_use]
    pub fn ssl_mode(mut self, mode: SslMode) -> Self {
        self.ssl_mode = Some(mode);
        self
    }

    /// Sets how TLS begins.
    #[must_use]
    pub fn ssl_negotiation(mut self, negotiation: SslNegotiation) -> Self {
        self.ssl.negotiation = negotiation;
        self
    }

    /// Sets the file of the authorities to trust, in PEM, or `system` for those that the system
    /// trusts. The default is `~/.postgresql/root.crt`.
    #[must_use]
    pub fn ssl_root_cert(mut self, path: impl Into<String>) -> Self {
        self.ssl.root_cert = text(path);
        self
    }

    /// Sets the file of the client's certificate and its chain, in PEM. The default is
    /// `~/.postgresql/postgresql.crt`.
    #[must_use]
    pub fn ssl_cert(mut self, path: impl Into<String>) -> Self {
        self.ssl.cert = text(path);
        self
    }

    /// Sets the file of the client's private key, in PEM. It must not be encrypted, and not be
    /// readable to others. The default is `~/.postgresql/postgresql.key`.
    #[must_use]
    pub fn ssl_key(mut self, path: impl Into<String>) -> Self {
        self.ssl.key = text(path);
        self
    }

    /// Sets whether a client certificate is sent.
    #[must_use]
    pub fn ssl_cert_mode(mut self, mode: SslCertMode) -> Self {
        self.ssl.cert_mode = mode;
        self
    }

    /// Sets the file of revocation lists, in PEM. The default is `~/.postgresql/root.crl`, unless a
    /// directory is set. It must then contain a list of every authority in the server's chain, as
    /// with libpq.
    #[must_use]
    pub fn ssl_crl(mut self, path: impl Into<String>) -> Self {
        self.ssl.crl = text(path);
        self
    }

    /// Sets a directory of revocation lists.
    #[must_use]
    pub fn ssl_crl_dir(mut self, path: impl Into<String>) -> Self {
        self.ssl.crl_dir = text(path);
        self
    }

    /// Sets whether the host name is sent to the server, in clear text (SNI). The default is to
    /// send it.
    #[must_use]
    pub fn ssl_sni(mut self, on: bool) -> Self {
        self.ssl.sni = on;
        self
    }

    /// Sets the oldest version of TLS to accept. The default is TLS 1.2, the oldest one supported.
    #[must_use]
    pub fn ssl_min_protocol_version(mut self, version: TlsVersion) -> Self {
        self.ssl.min_version = Some(version);
        self
    }

    /// Sets the newest version of TLS to accept. The default is TLS 1.3.
    #[must_use]
    pub fn ssl_max_protocol_version(mut self, version: TlsVersion) -> Self {
        self.ssl.max_version = Some(version);
        self
    }

    /// Sets whether SCRAM authentication is bound to the TLS connection.
    #[must_use]
    pub fn channel_binding(mut self, binding: ChannelBinding) -> Self {
        self.channel_binding = binding;
        self
    }

    /// Sets the methods by which the server may authenticate the client; `None` allows all.
    #[must_use]
    pub fn require_auth(mut self, methods: Option<RequireAuth>) -> Self {
        self.require_auth = methods;
        self
    }
}

/// # Security: getters
impl Config {
    /// The TLS mode: the one that was set, or `prefer`, or `verify-full` with `sslrootcert=system`,
    /// as in libpq.
    pub fn get_ssl_mode(&self) -> SslMode {
        match self.ssl_mode {
            Some(mode) => mode,
            None if self.ssl.root_cert.as_deref() == Some(super::ssl::SYSTEM) => {
                SslMode::VerifyFull
            }
            None => SslMode::default(),
        }
    }

    /// Returns whether the mode was set (connection string, service, `PGSSLMODE`, setter) rather
    /// than the default. Only with a mode that was set is a password sent to a remote host without
    /// TLS, or to a server whose certificate was not verified.
    pub fn ssl_mode_is_chosen(&self) -> bool {
        self.ssl_mode.is_some()
    }

    /// The start of TLS.
    pub fn get_ssl_negotiation(&self) -> SslNegotiation {
        self.ssl.negotiation
    }

    /// The file of the authorities to trust, or `system`, if one was given.
    pub fn get_ssl_root_cert(&self) -> Option<&str> {
        self.ssl.root_cert.as_deref()
    }

    /// The file of the client's certificate, if one was given.
    pub fn get_ssl_cert(&self) -> Option<&str> {
        self.ssl.cert.as_deref()
    }

    /// The file of the client's private key, if one was given.
    pub fn get_ssl_key(&self) -> Option<&str> {
        self.ssl.key.as_deref()
    }

    /// The use of a client certificate.
    pub fn get_ssl_cert_mode(&self) -> SslCertMode {
        self.ssl.cert_mode
    }

    /// The file of revocation lists, if one was given.
    pub fn get_ssl_crl(&self) -> Option<&str> {
        self.ssl.crl.as_deref()
    }

    /// The directory of revocation lists.
    pub fn get_ssl_crl_dir(&self) -> Option<&str> {
        self.ssl.crl_dir.as_deref()
    }

    /// Returns whether the host name is sent to the server.
    pub fn get_ssl_sni(&self) -> bool {
        self.ssl.sni
    }

    /// The oldest version of TLS to accept, if one was given.
    pub fn get_ssl_min_protocol_version(&self) -> Option<TlsVersion> {
        self.ssl.min_version
    }

    /// The newest version of TLS to accept, if one was given.
    pub fn get_ssl_max_protocol_version(&self) -> Option<TlsVersion> {
        self.ssl.max_version
    }

    /// Returns whether SCRAM authentication is bound to the TLS connection.
    pub fn get_channel_binding(&self) -> ChannelBinding {
        self.channel_binding
    }

    /// The methods by which the server may authenticate the client; `None` allows all.
    pub fn get_require_auth(&self) -> Option<RequireAuth> {
        self.require_auth
    }
}
