//! From and to the settings of the `postgres` crate, for programs that use it.

use postgres::config::{
    ChannelBinding as ClientChannelBinding, Config as ClientConfig, Host as ClientHost,
    LoadBalanceHosts, SslMode as ClientSslMode, SslNegotiation as ClientSslNegotiation,
    TargetSessionAttrs as ClientAttrs,
};

use super::error::Problem;
use super::{
    ChannelBinding, Config, ConfigError, Host, Secret, SslMode, SslNegotiation, TargetSessionAttrs,
};

impl Config {
    /// Converts the settings of a [`postgres::Config`]. Its notice callback cannot be read and is
    /// dropped.
    ///
    /// # Errors
    /// A setting that cannot be honoured, such as text that is not UTF-8, or TLS without the
    /// feature `tls`.
    pub fn from_postgres(client: &ClientConfig) -> Result<Self, ConfigError> {
        let refuse = |parameter, why| Err(ConfigError::of(parameter, Problem::unsupported(why)));
        let not_utf8 =
            |parameter| ConfigError::of(parameter, Problem::invalid("the value is not UTF-8"));
        let mut config = Self::new();
        for host in client.get_hosts() {
            config.hosts.push(Some(match host {
                ClientHost::Tcp(name) => Host::Tcp(name.clone()),
                #[cfg(unix)]
                ClientHost::Unix(directory) => {
                    Host::new(directory.to_str().ok_or_else(|| not_utf8("host"))?)
                }
            }));
        }
        config.hostaddrs.extend(client.get_hostaddrs().iter().copied().map(Some));
        config.ports.extend(client.get_ports().iter().copied().map(Some));
        let password = client.get_password().unwrap_or_default();
        let password = str::from_utf8(password).map_err(|_| not_utf8("password"))?;
        config = config
            .user(client.get_user().unwrap_or_default())
            .dbname(client.get_dbname().unwrap_or_default())
            .options(client.get_options().unwrap_or_default())
            .application_name(client.get_application_name().unwrap_or_default())
            .password(Secret::new(password))
            .connect_timeout(client.get_connect_timeout().copied().unwrap_or_default())
            .tcp_user_timeout(client.get_tcp_user_timeout().copied().unwrap_or_default())
            .keepalives(client.get_keepalives())
            .keepalives_idle(client.get_keepalives_idle())
            .keepalives_interval(client.get_keepalives_interval().unwrap_or_default())
            .keepalives_count(client.get_keepalives_retries().unwrap_or_default());
        // A variant that is added to these enums will be stricter than the existing ones.
        config.ssl_mode = match client.get_ssl_mode() {
            ClientSslMode::Disable => Some(SslMode::Disable),
            // That crate's default cannot be distinguished from the same mode set explicitly.
            ClientSslMode::Prefer => None,
            _ => Some(SslMode::Require),
        };
        config.ssl.negotiation = match client.get_ssl_negotiation() {
            ClientSslNegotiation::Postgres => SslNegotiation::Postgres,
            _ => SslNegotiation::Direct,
        };
        config.channel_binding = match client.get_channel_binding() {
            ClientChannelBinding::Disable => ChannelBinding::Disable,
            ClientChannelBinding::Prefer => ChannelBinding::Prefer,
            _ => ChannelBinding::Require,
        };
        config.target_session_attrs = match client.get_target_session_attrs() {
            ClientAttrs::Any => TargetSessionAttrs::Any,
            ClientAttrs::ReadWrite => TargetSessionAttrs::ReadWrite,
            ClientAttrs::ReadOnly => TargetSessionAttrs::ReadOnly,
            _ => {
                return refuse(
                    "target_session_attrs",
                    "invalid value; the values are any, read-write and read-only",
                );
            }
        };
        config.load_balance_hosts = match client.get_load_balance_hosts() {
            LoadBalanceHosts::Disable => false,
            LoadBalanceHosts::Random => true,
            _ => {
                return refuse(
                    "load_balance_hosts",
                    "invalid value; the values are disable and random",
                );
            }
        };
        config.validate()?;
        Ok(config)
    }

    /// Returns the same settings for an SQL connection to any of the hosts, with the password if
    /// one was given. The password file is not read.
    ///
    /// Of the TLS settings, that crate has the mode (`verify-ca` and `verify-full` become
    /// `require`, `allow` becomes `disable`), the negotiation and channel binding. The connector
    /// that you pass to its `connect` decides which certificates are trusted and sent. With
    /// `NoTls`, a mode from `require` on is an error.
    ///
    /// # Errors
    /// Those of [`endpoints`](Config::endpoints) and [`user_or_default`](Config::user_or_default).
    pub fn to_postgres(&self) -> Result<ClientConfig, ConfigError> {
        self.client(&self.endpoints()?, self.password.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str = "host=a,/s,b port=1,2,3 user=u password=p dbname=d \
                            application_name=n options='-c x=y' \
                            connect_timeout=1 keepalives=0 keepalives_idle=2 \
                            keepalives_interval=3 keepalives_count=4 \
                            tcp_user_timeout=5 sslmode=disable";

    #[test]
    fn settings_survive_a_round_trip_through_the_client() {
        let config: Config = SETTINGS.parse().unwrap();
        let client = config.to_postgres().unwrap();
        assert_eq!(Config::from_postgres(&client), Ok(config));
    }
}
