use super::*;

fn address(url: &str) -> Address {
    Address::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn the_parts_of_a_url() {
    let found = address("nats://localhost/CHANGES");
    assert_eq!(found.servers, [("localhost".into(), 4222)]);
    assert_eq!((found.stream.as_str(), found.tls, found.atomic), ("CHANGES", false, true));
    assert_eq!(found.login, Login::Default);
    let found = address(
        "tls://us%40er:p%3Ass%2F@a:4223,[::1]:4224,b/C?creds=%2Ftmp%2Fx&tls_first&timeout=7&\
         sslcert=c&sslkey=k&sslrootcert=r&domain=hub&inbox=_INBOX_a.b&atomic=off&connect_timeout=2",
    );
    let servers = [("a".into(), 4223), ("::1".into(), 4224), ("b".into(), 4222)];
    assert_eq!(found.servers, servers);
    assert_eq!(found.login, Login::User("us@er".into(), Secret("p:ss/".into())));
    assert!(found.tls && found.tls_first && !found.atomic);
    assert_eq!(found.creds, Some("/tmp/x".into()));
    assert_eq!(found.timeout, Duration::from_secs(7));
    assert_eq!(found.name(), "tls://a:4223,[::1]:4224,b:4222/C");
    let found = address("nats://t%6Fken@h/S");
    assert_eq!(found.login, Login::Token(Secret("token".into())));
}

#[test]
fn a_wrong_url_is_refused_by_name() {
    for (url, expected) in [
        ("nats:x", "expected nats://HOST"),
        ("nats://h", "expected nats://HOST"),
        ("nats:///S", "expected nats://HOST"),
        ("nats://h/", "names no stream"),
        ("nats://h/A.B", "\"A.B\"".trim_matches('"')),
        ("nats://h/A/B", "is not the name of a stream"),
        ("nats://h:0/S", "0 is not a port"),
        ("nats://h:x/S", "x is not a port"),
        ("nats://h/S?acks=1", "unknown option acks: there are creds, nkey"),
        ("nats://h/S?creds=", "creds has no value"),
        ("nats://h/S?creds=a&nkey=b", "exclude each other"),
        ("nats://h/S?sslcert=a", "belong together"),
        ("nats://h/S?timeout=0", "from 1 to 3600"),
        ("nats://h/S?atomic=maybe", "on or off"),
        ("nats://h/S?domain=a..b", "names with dots"),
        ("nats://h/S?creds=%G1", "hexadecimal"),
        ("nats://a%FF@h/S", "hexadecimal"),
        ("nats://a%+1@h/S", "hexadecimal"),
    ] {
        let error = Address::parse(url).expect_err(url);
        assert!(error.contains(expected), "{url}: {error}");
    }
}

#[test]
fn no_secret_is_printed() {
    for url in ["nats://user:hush@h/S", "nats://hush@h/S"] {
        let found = address(url);
        assert!(!format!("{found:?} {}", found.name()).contains("hush"), "{url}");
    }
    for url in
        ["nats://user:hush@h", "nats://hush@/S", "nats://hush%zz@h/S", "nats://u:hush@h/S?x=y"]
    {
        let error = Address::parse(url).expect_err(url);
        assert!(!error.contains("hush"), "{error}");
    }
}
