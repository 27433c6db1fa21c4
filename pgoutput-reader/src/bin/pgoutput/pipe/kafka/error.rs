//! Messages for the errors of Kafka.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::super::log::LogError;
use super::properties::transaction_timeout;
use super::settings::Settings;

/// The longest text of a broker in a message.
const LONGEST: usize = 160;

/// The operation that failed, and what is known about the failure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed<'f> {
    pub(super) settings: &'f Settings,
    /// The operation, as in "writing to topic t".
    pub(super) operation: &'f str,
    pub(super) topic: &'f str,
    pub(super) id: &'f str,
}

impl Failed<'_> {
    /// Returns the error of the operation. `detail` is the text of a broker or of the connection.
    pub(super) fn with(&self, code: Code, detail: &str) -> LogError {
        let Self { settings, operation, topic, id } = self;
        let detail = shortened(detail);
        let because = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        let cure = match code {
            Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => {
                return settings.lasting(format_args!(
                    "another pgoutput pipe with the transactional id {id} took over: let only one \
                     run for a slot"
                ));
            }
            Code::Authentication | Code::SaslAuthenticationFailed => {
                return settings.lasting(format_args!(
                    "authentication failed{because}: check the user, the password and \
                     sasl_mechanism"
                ));
            }
            Code::SSL => {
                return settings.lasting(format_args!(
                    "TLS failed{because}: check sslrootcert, sslcert and the name of the host"
                ));
            }
            // A broker that expects TLS, or does not, closes the connection.
            Code::BrokerTransportFailure if detail.is_empty() => {
                let text = text(code);
                return settings.transient(format_args!(
                    "{operation}: {text}: check that the brokers have the security of the URL"
                ));
            }
            Code::TopicAuthorizationFailed => {
                format!("grant the rights to read, write and describe the topic {topic}")
            }
            Code::TransactionalIdAuthorizationFailed => {
                format!("grant the rights to write and describe the transactional id {id}")
            }
            Code::ClusterAuthorizationFailed => {
                "grant the right to create topics, or IdempotentWrite on the cluster".into()
            }
            Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
                return settings.lasting(format_args!(
                    "the topic {topic} does not exist, and the brokers do not create it: create \
                     it, or set auto.create.topics.enable=true"
                ));
            }
            Code::UnsupportedFeature | Code::UnsupportedVersion | Code::NotImplemented => {
                "the brokers do not support this: use Kafka 0.11 or newer, or mode=idempotent"
                    .into()
            }
            Code::InvalidTransactionTimeout => format!(
                "use a shorter timeout, or raise transaction.max.timeout.ms of the brokers to {}",
                transaction_timeout(settings)
            ),
            Code::UnsupportedSASLMechanism | Code::IllegalSASLState => {
                "use another sasl_mechanism".into()
            }
            Code::InvalidTopic => "choose another --topic".into(),
            Code::InvalidReplicationFactor | Code::PolicyViolation | Code::InvalidConfig => {
                format!("create the topic {topic} yourself")
            }
            Code::UnsupportedCompressionType => "use another compression".into(),
            Code::UnsupportedForMessageFormat => {
                "set log.message.format.version of the brokers to 0.11 or newer".into()
            }
            _ => {
                let text = text(code);
                return settings.transient(format_args!("{operation}: {text}{because}"));
            }
        };
        let text = text(code);
        settings.lasting(format_args!("{operation}: {text}: {cure}"))
    }

    /// Returns the error of a client function.
    pub(super) fn because(&self, error: &KafkaError) -> LogError {
        match error {
            KafkaError::ClientConfig(_, text, name, _) => {
                self.settings.lasting(format_args!("the property {name} is refused: {text}"))
            }
            KafkaError::ClientCreation(text) => self.settings.lasting(shortened(text)),
            KafkaError::Transaction(error) => self.with(error.code(), &error.string()),
            error => self.with(code(error), ""),
        }
    }

    /// Returns the error of a record that is larger than the limit.
    pub(super) fn too_large(&self, bytes: usize) -> LogError {
        let Self { settings, topic, .. } = self;
        settings.lasting(format_args!(
            "a record of {bytes} bytes is too large for the topic {topic}: raise \
             max.message.bytes of the topic, and max_message of the URL"
        ))
    }
}

/// Returns whether a record was too large.
pub(super) fn is_too_large(code: Code) -> bool {
    matches!(
        code,
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize
    )
}

/// Returns whether another producer took over, or brokers aborted the transaction.
pub(super) fn is_fenced(code: Code) -> bool {
    matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
}

/// Returns whether a broker does not know yet that a partition is there, or is its leader.
pub(super) fn is_moving(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
    )
}

/// Returns the code of an error, [`Code::Unknown`] if it has none.
pub(super) fn code(error: &KafkaError) -> Code {
    match error {
        KafkaError::Transaction(error) => error.code(),
        KafkaError::NoMessageReceived => Code::OperationTimedOut,
        error => error.rdkafka_error_code().unwrap_or(Code::Unknown),
    }
}

/// Returns the text of a code, without its name.
fn text(code: Code) -> String {
    let text = code.to_string();
    let inner = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(&text).trim_start_matches("Local: ").trim_start_matches("Broker: ").into()
}

/// Returns the beginning of a text.
fn shortened(text: &str) -> &str {
    let text = text.trim().trim_end_matches('.');
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}
