//! Names of topics that Kafka allows.

use std::collections::HashMap;
use std::sync::Arc;

use super::settings::{is_in_topics, is_topic};

/// Topics of the records, with the names that they have in Kafka.
#[derive(Debug, Default)]
pub(super) struct TopicNames {
    by_topic: HashMap<Arc<str>, Arc<str>>,
    by_name: HashMap<Arc<str>, Arc<str>>,
}

impl TopicNames {
    /// Returns the name in Kafka: `_` replaces characters that it does not allow.
    ///
    /// # Errors
    /// Another topic has this name, or it is too long.
    pub(super) fn get(&mut self, topic: &Arc<str>) -> Result<&str, String> {
        if !self.by_topic.contains_key(topic) {
            let name: String = topic
                .chars()
                .map(|character| match u8::try_from(character) {
                    Ok(byte) if is_in_topics(byte) => character,
                    _ => '_',
                })
                .collect();
            if !is_topic(&name) {
                return Err(format!(
                    "{} is not the name of a topic: choose another --topic",
                    shortened(&name)
                ));
            }
            let name: Arc<str> = name.into();
            if let Some(other) = self.by_name.insert(Arc::clone(&name), Arc::clone(topic)) {
                return Err(format!(
                    "{} and {} would both be the topic {name}: choose another --topic",
                    shortened(&other),
                    shortened(topic)
                ));
            }
            self.by_topic.insert(Arc::clone(topic), name);
        }
        Ok(self.by_topic.get(topic).map_or("", |name| name))
    }
}

/// Returns the beginning of a long name.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 60;
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_refuses() {
        let mut names = TopicNames::default();
        assert_eq!(names.get(&"app.public.t-1_a".into()).unwrap(), "app.public.t-1_a");
        assert_eq!(names.get(&"app.public.a b".into()).unwrap(), "app.public.a_b");
        assert_eq!(names.get(&"app.public.a b".into()).unwrap(), "app.public.a_b");
        assert_eq!(names.get(&"ä$".into()).unwrap(), "__");
        let error = names.get(&"app.public.a:b".into()).unwrap_err();
        assert!(error.contains("both be the topic app.public.a_b"), "{error}");
        assert!(names.get(&"..".into()).is_err());
        assert!(names.get(&"x".repeat(250).into()).is_err());
        assert!(names.get(&"x".repeat(249).into()).is_ok());
    }
}
