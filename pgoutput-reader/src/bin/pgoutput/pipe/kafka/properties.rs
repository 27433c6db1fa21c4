//! The properties of librdkafka.

use std::fmt;
use std::fs::File;
use std::path::Path;

use rdkafka::ClientConfig;

use super::settings::{Mode, Settings};

/// A text that is not printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Declares a choice whose texts are those of librdkafka.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident, $option:literal, $($variant:ident = $text:literal),+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum $name { $($variant),+ }

        impl $name {
            pub(super) fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err([concat!($option, " is one of"), $($text),+].join(" ")),
                }
            }

            pub(super) fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

choice!(
    /// The compression of records.
    Compression, "compression", None = "none", Lz4 = "lz4", Snappy = "snappy"
);
choice!(
    /// The protocol of the connection.
    Security, "security", Plaintext = "plaintext", Ssl = "ssl", SaslPlaintext = "sasl_plaintext",
    SaslSsl = "sasl_ssl"
);
choice!(
    /// The mechanism of authentication.
    Mechanism, "sasl_mechanism", Plain = "PLAIN", Sha256 = "SCRAM-SHA-256", Sha512 = "SCRAM-SHA-512"
);

impl Security {
    fn has_password(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }
}

/// Properties that the promises depend on, and those with an option of their own.
const RESERVED: &[&str] = &[
    "bootstrap.servers",
    "metadata.broker.list",
    "transactional.id",
    "transaction.timeout.ms",
    "enable.idempotence",
    "acks",
    "request.required.acks",
    "isolation.level",
    "partitioner",
    "group.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "auto.offset.reset",
    "delivery.report.only.error",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "topic.metadata.propagation.max.ms",
    "compression.codec",
    "compression.type",
    "message.max.bytes",
    "security.protocol",
];

/// The variables of the environment for the user and the password.
const USER: &str = "PGOUTPUT_KAFKA_USER";
const PASSWORD: &str = "PGOUTPUT_KAFKA_PASSWORD";

/// Returns whether librdkafka was built with this feature.
fn is_built_with(feature: &str) -> bool {
    let config = ClientConfig::new().create_native_config();
    let features = config.and_then(|config| config.get("builtin.features"));
    features.is_ok_and(|features| features.split(',').any(|built| built.trim() == feature))
}

/// The properties of every client of the cluster.
#[derive(Debug, Clone)]
pub(super) struct Properties {
    all: Vec<(String, Secret)>,
    max_message: u32,
}

impl Properties {
    /// Returns the properties of the settings, and of the file that they name.
    ///
    /// # Errors
    /// The file cannot be read, or the settings contradict each other.
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let environment = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let mut properties = Self { all: Vec::new(), max_message: 1_000_000 };
        if let Some(path) = &settings.config {
            properties.read(path)?;
        }
        let user = settings.user.clone().or_else(|| environment(USER));
        let password = settings.password.clone().or_else(|| environment(PASSWORD).map(Secret));
        let security = match settings.security {
            Some(security) => security,
            None if user.is_some() => Security::SaslSsl,
            None if settings.sslrootcert.is_some() || settings.sslcert.is_some() => Security::Ssl,
            None => Security::Plaintext,
        };
        if security.has_tls() && !is_built_with("ssl") {
            return Err("this pgoutput was built without TLS for Kafka: build it with --features \
                        kafka,rdkafka/ssl, or use security=sasl_plaintext on a network that is safe"
                .into());
        }
        properties.set("security.protocol", security.text());
        if security.has_password() {
            let mechanism = settings.sasl_mechanism.unwrap_or(Mechanism::Plain);
            if mechanism != Mechanism::Plain && !is_built_with("sasl_scram") {
                return Err("this pgoutput was built without SCRAM for Kafka: build it with \
                            --features kafka,rdkafka/ssl"
                    .into());
            }
            properties.set("sasl.mechanism", mechanism.text());
            if let Some(user) = user {
                properties.set("sasl.username", user);
            }
            if let Some(Secret(password)) = password {
                properties.set("sasl.password", password);
            }
            for (name, variable) in [("sasl.username", USER), ("sasl.password", PASSWORD)] {
                if properties.all.iter().all(|(set, _)| set != name) {
                    return Err(format!("security={} needs {variable}", security.text()));
                }
            }
        } else if settings.user.is_some() {
            return Err(format!("security={} has no user and password", security.text()));
        }
        for (name, path) in [
            ("ssl.ca.location", &settings.sslrootcert),
            ("ssl.certificate.location", &settings.sslcert),
            ("ssl.key.location", &settings.sslkey),
        ] {
            if let Some(path) = path {
                let text = path.to_str().ok_or("the path of a certificate is not UTF-8")?;
                // librdkafka's error does not name the file.
                File::open(path).map_err(|error| format!("reading {text}: {error}"))?;
                properties.set(name, text);
            }
        }
        properties.max_message = settings.max_message.unwrap_or(properties.max_message);
        properties.set("bootstrap.servers", settings.brokers.clone());
        Ok(properties)
    }

    /// Returns the properties of a client.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", "pgoutput");
        config.set("socket.keepalive.enable", "true");
        config.set("socket.connection.setup.timeout.ms", "10000");
        config.set("reconnect.backoff.ms", "50");
        config.set("reconnect.backoff.max.ms", "1000");
        for (name, Secret(value)) in &self.all {
            config.set(name, value);
        }
        config
    }

    /// Returns the properties of the producer.
    pub(super) fn producer(&self, settings: &Settings, id: &str) -> ClientConfig {
        let mut config = self.client();
        let timeout = settings.timeout.as_millis();
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        if settings.mode == Mode::Transactional {
            config.set("transactional.id", id);
            config.set("transaction.timeout.ms", transaction_timeout(settings).to_string());
        }
        config.set("message.timeout.ms", timeout.to_string());
        // A topic that is missing is reported as such before the time of the batch is over.
        config.set("topic.metadata.propagation.max.ms", (timeout / 3).to_string());
        config.set("message.max.bytes", self.max_message.to_string());
        config.set("compression.type", settings.compression.map_or("none", Compression::text));
        // The partitioner of Kafka's own producer, so that others find the same partition.
        config.set("partitioner", "murmur2_random");
        config.set("queue.buffering.max.kbytes", "16384");
        config.set("queue.buffering.max.messages", "20000");
        config.set("linger.ms", "0");
        config
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.all.retain(|(other, _)| other != name);
        self.all.push((name.into(), Secret(value.into())));
    }

    /// Reads a file with a property in each line.
    fn read(&mut self, path: &Path) -> Result<(), String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                return Err(format!("{shown}: line {number} is not NAME=VALUE"));
            };
            let name = name.trim();
            if RESERVED.contains(&name) {
                return Err(format!(
                    "{shown}: line {number}: pgoutput sets {name} itself, or by an option of the \
                     URL"
                ));
            }
            self.set(name, value.trim());
        }
        Ok(())
    }
}

/// Returns the time in milliseconds after which brokers abort a transaction. It is longer than any
/// attempt to store a batch, so that only a process that was suspended meets it.
pub(super) fn transaction_timeout(settings: &Settings) -> u128 {
    2 * settings.timeout.as_millis() + 10_000
}
