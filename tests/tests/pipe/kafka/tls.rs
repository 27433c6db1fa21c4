//! TLS and SCRAM, which librdkafka has if it is built with OpenSSL.

use pgoutput_harness::{servers, skip};
use pgoutput_tests::Fixture;
use rdkafka::ClientConfig;

use super::broker::Settings;
use super::scram::Hash;
use super::{Broker, TOPIC, consumer, error, everything, run};
use crate::tls::{Authority, terminate};

/// Returns whether the program has TLS: it is built with the features of these tests.
fn has_tls() -> bool {
    let config = ClientConfig::new().create_native_config().unwrap();
    let features = config.get("builtin.features").unwrap();
    let has_tls = features.split(',').any(|feature| feature.trim() == "ssl");
    if !has_tls {
        skip("Kafka with TLS: cargo test -p pgoutput-tests --features rdkafka/ssl");
    }
    has_tls
}

fn fixture() -> Fixture<'static> {
    let fixture = Fixture::new(servers()[0], "CREATE TABLE t (id int PRIMARY KEY)");
    fixture.run(["INSERT INTO t VALUES (1)"]);
    fixture
}

#[test]
fn a_program_without_tls_says_how_to_build_it() {
    if has_tls() {
        return;
    }
    let fixture = fixture();
    for options in ["security=ssl", "security=sasl_ssl", "sslrootcert=/missing"] {
        let text = error(&mut everything(&fixture, &format!("kafka://127.0.0.1:1?{options}")));
        assert!(text.contains("--features kafka,rdkafka/ssl"), "{options}: {text}");
    }
}

#[test]
fn certificates_are_verified() {
    if !has_tls() {
        return;
    }
    let (authority, others) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let ca = file("ca.pem", authority.certificate());
    let other_ca = file("other.pem", others.certificate());
    let client = others.certify("client");
    let (cert, key) = (file("cert.pem", &client.certificate), file("key.pem", &client.key));

    let fixture = fixture();
    let broker = Broker::with(Settings { host: "localhost", ..Settings::default() });
    let to = |port: u16, options: &str| {
        broker.advertise(port);
        let url = format!("kafka://localhost:{port}?security=ssl&timeout=10&{options}");
        everything(&fixture, &url)
    };
    let refused = |port: u16, options: &str, expected: &str| {
        let text = error(&mut to(port, options));
        assert!(text.contains(expected), "{options}: {text}");
    };
    let plain = terminate(broker.port(), &authority.certify("localhost"), None);
    refused(plain, &format!("sslrootcert={other_ca}"), "certificate");
    refused(plain, "", "certificate");
    refused(plain, "sslrootcert=/missing.pem", "/missing.pem");
    let foreign = terminate(broker.port(), &authority.certify("other.example"), None);
    refused(foreign, &format!("sslrootcert={ca}"), "host");
    refused(broker.port(), &format!("sslrootcert={ca}"), "the security of the URL");
    run(&mut to(plain, &format!("sslrootcert={ca}")));
    broker.advertise(broker.port());
    assert_eq!(consumer::values(broker.port(), TOPIC).len(), 1);

    fixture.run(["INSERT INTO t SELECT generate_series(2, 5000)"]);
    let mutual = terminate(broker.port(), &authority.certify("localhost"), Some(&others));
    refused(mutual, &format!("sslrootcert={ca}"), "certificate");
    run(&mut to(mutual, &format!("sslrootcert={ca}&sslcert={cert}&sslkey={key}")));
    broker.advertise(broker.port());
    assert_eq!(consumer::values(broker.port(), TOPIC).len(), 5000);
}

#[test]
fn passwords_are_proven_with_scram() {
    if !has_tls() {
        return;
    }
    let fixture = fixture();
    let authority = Authority::new();
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), authority.certificate()).unwrap();
    for (hash, id) in [(Hash::Sha256, 2), (Hash::Sha512, 3)] {
        fixture.run([&*format!("INSERT INTO t VALUES ({id})")]);
        let mechanism = hash.mechanism();
        let settings = Settings {
            host: "localhost",
            password: Some("s3cret"),
            scram: Some(hash),
            ..Settings::default()
        };
        let broker = Broker::with(settings);
        let port = terminate(broker.port(), &authority.certify("localhost"), None);
        broker.advertise(port);
        let to = |password: &str, mechanism: &str| {
            let url = format!(
                "kafka://me:{password}@localhost:{port}?sasl_mechanism={mechanism}&timeout=10&\
                 sslrootcert={}",
                ca.path().display()
            );
            everything(&fixture, &url)
        };
        let text = error(&mut to("wr0ng", mechanism));
        assert!(text.contains("authentication failed") && !text.contains("wr0ng"), "{text}");
        let text = error(&mut to("s3cret", "PLAIN"));
        assert!(text.contains("sasl_mechanism") && !text.contains("s3cret"), "{text}");
        assert_eq!(broker.end(TOPIC), 0);
        // The slot was read for the other broker.
        run(to("s3cret", mechanism).arg("--trust-slot"));
        // At least a record and the marker of its transaction.
        assert!(broker.end(TOPIC) >= 2);
    }
}
