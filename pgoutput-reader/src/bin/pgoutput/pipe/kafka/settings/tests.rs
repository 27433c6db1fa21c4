use std::time::Duration;

use super::{Mode, Settings};

fn error(url: &str) -> String {
    Settings::parse(url).unwrap_err()
}

#[test]
fn several_brokers_and_default_port() {
    let settings = Settings::parse("kafka://a,b:1234,[::1],[::2]:99/").unwrap();
    assert_eq!(settings.brokers, "a:9092,b:1234,[::1]:9092,[::2]:99");
    assert_eq!(settings.name(), "kafka://a:9092,b:1234,[::1]:9092,[::2]:99");
    assert_eq!((settings.mode, settings.create), (Mode::Transactional, true));
}

#[test]
fn options() {
    let url = "kafka://a?mode=idempotent&state=p&transactional_id=x%20y&create=false&timeout=7";
    let settings = Settings::parse(url).unwrap();
    assert_eq!((settings.mode, &*settings.state), (Mode::Idempotent, "p"));
    assert_eq!((settings.id.as_deref(), settings.create), (Some("x y"), false));
    assert_eq!(settings.timeout, Duration::from_secs(7));
}

#[test]
fn password_is_hidden() {
    let settings = Settings::parse("kafka://me:s%40cret@a").unwrap();
    assert_eq!(settings.user.as_deref(), Some("me"));
    assert_eq!(settings.password.as_ref().unwrap().0, "s@cret");
    let shown = format!("{settings:?} {}", settings.name());
    assert!(!shown.contains("cret"), "{shown}");
}

#[test]
fn bad_urls() {
    assert!(error("kafka://").contains("host"));
    assert!(error("kafka://a,,b").contains("host"));
    assert!(error("kafka://a:0").contains("port"));
    assert!(error("kafka://a/topic").contains("--topic"));
    assert!(error("kafka://a?acks=1").contains("unknown option acks: expected state, mode"));
    assert!(error("kafka://a?mode=x").contains("mode is"));
    assert!(error("kafka://a?state=a%20b").contains("state"));
    assert!(error("kafka://a?timeout=0").contains("timeout"));
    assert!(error("kafka://a?transactional_id=").contains("empty"));
    assert!(error("kafka://a?compression=zip").contains("compression"));
}
