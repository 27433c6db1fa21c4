//! The settings of the `postgres` crate, which opens the SQL connection.

use std::path::Path;

use postgres::config::{
    ChannelBinding as ClientChannelBinding, Config as ClientConfig, SslMode as ClientSslMode,
    SslNegotiation as ClientSslNegotiation,
};

use super::{ChannelBinding, Config, ConfigError, Endpoint, Host, Secret, SslMode, SslNegotiation};

impl Config {
    /// Returns the same settings for an SQL connection to the server that the replication
    /// connection has reached, with the password that it used, if any.
    ///
    /// # Errors
    /// Those of [`validate`](Config::validate) and [`user_or_default`](Config::user_or_default).
    pub(crate) fn to_postgres_at(
        &self,
        endpoint: &Endpoint,
        password: Option<&Secret>,
    ) -> Result<ClientConfig, ConfigError> {
        self.validate()?;
        self.client(std::slice::from_ref(endpoint), password)
    }

    pub(super) fn client(
        &self,
        endpoints: &[Endpoint],
        password: Option<&Secret>,
    ) -> Result<ClientConfig, ConfigError> {
        let mut client = ClientConfig::new();
        // That crate wants an address for each host or for none. Without TLS a host's name serves
        // only to find its address, so the address can replace it.
        for endpoint in endpoints {
            match (endpoint.host(), endpoint.hostaddr()) {
                (_, Some(address)) => client.host(&address.to_string()),
                (Host::Tcp(name), None) => client.host(name),
                (Host::Unix(directory), None) => unix(&mut client, directory),
            };
            client.port(endpoint.port());
        }
        client.user(&self.user_or_default()?).dbname(&self.dbname_or_default()?);
        if let Some(password) = password {
            client.password(password.expose());
        }
        if let Some(options) = self.get_options() {
            client.options(options);
        }
        client.application_name(self.application_name_or_default());
        if let Some(timeout) = self.connect_timeout {
            client.connect_timeout(timeout);
        }
        if let Some(timeout) = self.tcp_user_timeout {
            client.tcp_user_timeout(timeout);
        }
        client.keepalives(self.keepalives);
        if let Some(idle) = self.keepalives_idle {
            client.keepalives_idle(idle);
        }
        if let Some(interval) = self.keepalives_interval {
            client.keepalives_interval(interval);
        }
        if let Some(count) = self.keepalives_count {
            client.keepalives_retries(count);
        }
        client.ssl_mode(match self.get_ssl_mode() {
            SslMode::Disable | SslMode::Allow => ClientSslMode::Disable,
            SslMode::Prefer => ClientSslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => ClientSslMode::Require,
        });
        client.ssl_negotiation(match self.get_ssl_negotiation() {
            SslNegotiation::Postgres => ClientSslNegotiation::Postgres,
            SslNegotiation::Direct => ClientSslNegotiation::Direct,
        });
        client.channel_binding(match self.get_channel_binding() {
            ChannelBinding::Disable => ClientChannelBinding::Disable,
            ChannelBinding::Prefer => ClientChannelBinding::Prefer,
            ChannelBinding::Require => ClientChannelBinding::Require,
        });
        Ok(client)
    }
}

#[cfg(unix)]
fn unix<'a>(client: &'a mut ClientConfig, directory: &Path) -> &'a mut ClientConfig {
    client.host_path(directory)
}

/// That crate then reports that the name was not found.
#[cfg(not(unix))]
fn unix<'a>(client: &'a mut ClientConfig, directory: &Path) -> &'a mut ClientConfig {
    client.host(&directory.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use postgres::config::Host as ClientHost;

    use super::*;

    #[test]
    fn the_second_connection_opens_to_the_address_of_the_first() {
        let config: Config = "host=a,b hostaddr=,::1 port=7 user=u password=p".parse().unwrap();
        let client = config
            .to_postgres_at(&config.endpoints().unwrap()[1], Some(&Secret::new("q")))
            .unwrap();
        assert_eq!(client.get_hosts(), [ClientHost::Tcp("::1".to_owned())]);
        assert_eq!(
            (client.get_ports(), client.get_password()),
            ([7].as_slice(), Some(b"q".as_slice()))
        );
        assert_eq!(client.get_dbname(), Some("u"));
    }
}
