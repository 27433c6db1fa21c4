//! The startup message: the user, the database, and the settings that text values depend on.

use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;

use super::pinned_settings::PINNED;
use crate::config::Config;
use crate::error::Error;

/// The content of the startup message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StartupSettings {
    pub(crate) user: String,
    pub(crate) dbname: String,
    /// Whether the connection accepts replication commands.
    pub(crate) replication: bool,
    /// Whether the settings that text values depend on are left out, since poolers refuse most of
    /// them.
    pub(crate) unpinned: bool,
    pub(crate) application_name: Option<String>,
    /// Command-line options for the server process, such as `-c geqo=off`.
    pub(crate) options: Option<String>,
    /// Set for this connection alone; PostgreSQL 12 and later. Zero turns the timeout off.
    pub(crate) wal_sender_timeout: Option<Duration>,
}

impl StartupSettings {
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            user: config.user_or_default()?.into(),
            dbname: config.dbname_or_default()?.into(),
            replication: true,
            unpinned: false,
            application_name: Some(config.application_name_or_default().into()),
            options: config.get_options().map(Into::into),
            wal_sender_timeout: config.get_wal_sender_timeout(),
        })
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), Error> {
        // A plain number is milliseconds. It is rounded up, so that a short timeout does not become
        // "off".
        let wal_sender_timeout =
            self.wal_sender_timeout.map(|timeout| timeout.as_micros().div_ceil(1000).to_string());
        let mut parameters = vec![("user", self.user.as_str()), ("database", self.dbname.as_str())];
        let optional = [
            ("replication", self.replication.then_some("database")),
            ("application_name", self.application_name.as_deref()),
            ("options", self.options.as_deref()),
            ("wal_sender_timeout", wal_sender_timeout.as_deref()),
        ];
        parameters.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        // After `options`, so that the server applies these last.
        if self.unpinned {
            parameters.push(("client_encoding", "UTF8"));
        } else {
            parameters.extend(PINNED);
        }
        frontend::startup_message(parameters, out).map_err(|_| {
            Error::usage(
                "user, database, application_name and options must not contain a zero byte",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_the_user_and_pins_the_text_settings() {
        let settings = StartupSettings {
            user: "alice".into(),
            dbname: "shop".into(),
            replication: true,
            options: Some("-c work_mem=1MB".into()),
            wal_sender_timeout: Some(Duration::from_micros(1_500_001)),
            ..StartupSettings::default()
        };
        let mut out = BytesMut::new();
        settings.encode(&mut out).unwrap();
        let (head, text) = out.split_at(8);
        let length = i32::try_from(out.len()).unwrap().to_be_bytes();
        assert_eq!(head, [length, [0, 3, 0, 0]].concat());
        let text = String::from_utf8(text.to_vec()).unwrap();
        assert_eq!(
            text.replace('\0', "|"),
            "user|alice|database|shop|replication|database|options|-c work_mem=1MB|\
             wal_sender_timeout|1501|client_encoding|UTF8|DateStyle|ISO, MDY|\
             IntervalStyle|postgres|TimeZone|UTC|extra_float_digits|3|bytea_output|hex|\
             lc_monetary|C|search_path||quote_all_identifiers|off|client_min_messages|notice|\
             statement_timeout|0|lock_timeout|0|idle_in_transaction_session_timeout|0||"
        );
    }

    #[test]
    fn a_pooler_gets_only_what_every_pooler_accepts() {
        let settings = StartupSettings {
            user: "alice".into(),
            dbname: "shop".into(),
            unpinned: true,
            ..StartupSettings::default()
        };
        let mut out = BytesMut::new();
        settings.encode(&mut out).unwrap();
        let text = String::from_utf8(out[8..].to_vec()).unwrap();
        assert_eq!(text.replace('\0', "|"), "user|alice|database|shop|client_encoding|UTF8||");
    }

    #[test]
    fn a_zero_byte_is_refused() {
        let settings = StartupSettings { user: "a\0b".into(), ..StartupSettings::default() };
        assert!(settings.encode(&mut BytesMut::new()).is_err());
    }
}
