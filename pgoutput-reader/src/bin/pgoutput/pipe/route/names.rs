//! Names that an engine accepts.

use std::borrow::Cow;

use super::Target;

/// The names of topics that an engine allows. Other characters are replaced by `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopicRules {
    /// Any text, as in Redis and in files.
    Any,
    /// Letters, digits, `.`, `_` and `-`: at most 249 characters, not `.` and not `..`.
    #[cfg_attr(not(any(feature = "kafka", test)), expect(dead_code))]
    Kafka,
    /// Tokens between dots, without white space, `*` and `>`.
    #[cfg_attr(not(any(feature = "nats", test)), expect(dead_code))]
    Nats,
}

/// The longest topic of Kafka.
const KAFKA_LENGTH: usize = 249;

impl TopicRules {
    /// Returns the rules of a destination.
    pub(crate) fn of(target: &Target) -> Self {
        match target {
            #[cfg(feature = "kafka")]
            Target::Kafka(_) => Self::Kafka,
            #[cfg(feature = "nats")]
            Target::Nats(_) => Self::Nats,
            _ => Self::Any,
        }
    }

    /// Returns the value of a variable. In a subject of NATS it is exactly one token, so that
    /// wildcards match what the template says.
    pub(super) fn value(self, value: &str) -> Cow<'_, str> {
        match self {
            Self::Nats if value.is_empty() => "_".into(),
            Self::Nats => replace(value, |c| {
                matches!(c, '.' | '*' | '>') || c.is_whitespace() || c.is_control()
            }),
            Self::Any | Self::Kafka => value.into(),
        }
    }

    /// Returns a whole topic.
    pub(super) fn topic(self, topic: String) -> String {
        match self {
            Self::Any => topic,
            Self::Kafka => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
                let mut topic = replace(&topic, |c| !allowed(c)).into_owned();
                topic.truncate(KAFKA_LENGTH);
                if matches!(&*topic, "." | "..") { topic.replace('.', "_") } else { topic }
            }
            // Subjects that start with $ belong to the server.
            Self::Nats => match topic.strip_prefix('$') {
                Some(rest) => format!("_{rest}"),
                None => topic,
            },
        }
    }
}

fn replace(text: &str, is_replaced: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().any(&is_replaced) {
        text.chars().map(|c| if is_replaced(c) { '_' } else { c }).collect()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafka_allows_249_ascii_characters() {
        let topic = |text: &str| TopicRules::Kafka.topic(text.to_owned());
        assert_eq!(topic("app.public.Orders-1_x"), "app.public.Orders-1_x");
        assert_eq!(topic("app.öff.a b/c"), "app._ff.a_b_c");
        assert_eq!((topic("."), topic("..")), ("_".into(), "__".into()));
        assert_eq!(topic(&"x".repeat(300)).len(), 249);
    }

    #[test]
    fn a_value_is_one_token_of_a_subject() {
        let value = |text| TopicRules::Nats.value(text).into_owned();
        assert_eq!(value("orders"), "orders");
        assert_eq!(value("a.b*c>d e\tf\u{7f}"), "a_b_c_d_e_f_");
        assert_eq!(value("größe"), "größe");
        assert_eq!(value(""), "_");
        assert_eq!(TopicRules::Nats.topic("$JS.API".to_owned()), "_JS.API");
    }

    #[test]
    fn other_engines_accept_any_name() {
        assert_eq!(TopicRules::Any.value("a b.c*"), "a b.c*");
        assert_eq!(TopicRules::Any.topic("$ö".to_owned()), "$ö");
    }
}
