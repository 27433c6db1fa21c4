//! Logins, permissions and TLS.

mod jwt;

use std::fs;
use std::process::Command;

use nkeys::{KeyPair, KeyPairType};
use pgoutput_harness::engine::NatsServer;
use pgoutput_harness::{Server, servers};
use pgoutput_tests::Fixture;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::running::{STREAM, refused, run};
use crate::program::pipe;

/// A database with one row to deliver.
fn fixture(postgres: &Server) -> Fixture<'_> {
    let fixture = Fixture::new(postgres, "CREATE TABLE t (id int PRIMARY KEY)");
    fixture.run(["INSERT INTO t VALUES (1)"]);
    fixture
}

/// Returns the program with a URL whose host and path are those of the server and the stream.
fn command(fixture: &Fixture<'_>, nats: &NatsServer, start: &str, options: &str) -> Command {
    let url = format!("{start}localhost:{}/{STREAM}?{options}", nats.port());
    let mut command = pipe(fixture, &url);
    let end = fixture.end().to_string();
    command.args(["--topic", "t.{schema}.{table}", "--quiet", "--until-lsn", &end]);
    command
}

fn create(nats: &NatsServer, login: &Value) {
    nats.client_as(login).create_stream(STREAM, &["t.>"], &json!({}));
}

fn count(nats: &NatsServer, login: &Value) -> usize {
    nats.client_as(login).messages(STREAM).len()
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert!(text.contains(expected), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn users_and_tokens() {
    let Some(postgres) = servers().pop() else { return };
    let users = "authorization { users: [ { user: \"a pp\", password: \"hunter2:/\" } ] }";
    let Some(nats) = NatsServer::with_settings(users) else { return };
    let login = json!({"user": "a pp", "pass": "hunter2:/"});
    create(&nats, &login);
    let fixture = self::fixture(postgres);
    for start in ["nats://", "nats://a%20pp:hunter2@", "nats://hunter2@"] {
        check(&refused(&mut command(&fixture, &nats, start, "")), "check the user");
    }
    run(&mut command(&fixture, &nats, "nats://a%20pp:hunter2%3A%2F@", ""));
    assert_eq!(count(&nats, &login), 1);
    fixture.run(["INSERT INTO t VALUES (2)"]);
    let mut by_environment = command(&fixture, &nats, "nats://", "");
    run(by_environment.env("NATS_USER", "a pp").env("NATS_PASSWORD", "hunter2:/"));
    assert_eq!(count(&nats, &login), 2);

    let Some(nats) = NatsServer::with_settings("authorization { token: \"hunter2\" }") else {
        return;
    };
    let login = json!({"auth_token": "hunter2"});
    create(&nats, &login);
    let fixture = self::fixture(postgres);
    check(&refused(&mut command(&fixture, &nats, "nats://wrong@", "")), "check the user");
    run(&mut command(&fixture, &nats, "nats://hunter2@", ""));
    fixture.run(["INSERT INTO t VALUES (2)"]);
    run(command(&fixture, &nats, "nats://", "").env("NATS_TOKEN", "hunter2"));
    assert_eq!(count(&nats, &login), 2);
}

#[test]
fn keys_and_credentials() {
    let Some(postgres) = servers().pop() else { return };
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let key = |byte| KeyPair::new_from_raw(KeyPairType::User, [byte; 32]).unwrap();
    let admin = "{ user: admin, password: admin }";
    let users =
        format!("authorization {{ users: [ {admin}, {{ nkey: {} }} ] }}", key(1).public_key());
    let Some(nats) = NatsServer::with_settings(&users) else { return };
    let login = json!({"user": "admin", "pass": "admin"});
    create(&nats, &login);
    let fixture = self::fixture(postgres);
    let right = format!("nkey={}", file("right.nk", &format!("{}\n", key(1).seed().unwrap())));
    let wrong = format!("nkey={}", file("wrong.nk", &key(2).seed().unwrap()));
    let broken = format!("nkey={}", file("broken.nk", "SUhunter2"));
    check(&refused(&mut command(&fixture, &nats, "nats://", &wrong)), "check the user");
    check(&refused(&mut command(&fixture, &nats, "nats://", &broken)), "it has no seed");
    run(&mut command(&fixture, &nats, "nats://", &right));
    assert_eq!(count(&nats, &login), 1);

    let operator = jwt::Operator::new();
    let Some(nats) = NatsServer::with_settings(&operator.settings()) else { return };
    let creds = file("app.creds", &operator.credentials(1));
    let fixture = self::fixture(postgres);
    // There is no other login here, so the stream is created with the program's credentials.
    nats.client_with_nonce(|nonce| operator.login(1, nonce)).create_stream(
        STREAM,
        &["t.>"],
        &json!({}),
    );
    run(&mut command(&fixture, &nats, "nats://", &format!("creds={creds}")));
    let stored = nats.client_with_nonce(|nonce| operator.login(1, nonce)).messages(STREAM);
    assert_eq!(stored.len(), 1);
    check(&refused(&mut command(&fixture, &nats, "nats://", "")), "check the user");
    let foreign = file("foreign.creds", &jwt::Operator::new().credentials(9));
    let foreign = format!("creds={foreign}");
    check(&refused(&mut command(&fixture, &nats, "nats://", &foreign)), "check the user");
}

#[test]
fn permissions() {
    let Some(postgres) = servers().pop() else { return };
    let user = |name: &str, publish: &str, subscribe: &str| {
        format!(
            "{{ user: {name}, password: hunter2, permissions: {{ publish: {publish}, subscribe: \
             {subscribe} }} }}"
        )
    };
    let api = "\"$JS.API.STREAM.INFO.CHANGES\", \"$JS.API.STREAM.MSG.GET.CHANGES\"";
    let users = [
        user("admin", "\">\"", "\">\""),
        user("app", &format!("[{api}, \"t.>\"]"), "\"_INBOX_app.>\""),
        user("no_api", "\"t.>\"", "\"_INBOX.>\""),
        user("no_subject", &format!("[{api}]"), "\"_INBOX.>\""),
        user("no_inbox", "\">\"", "\"other\""),
    ];
    let users = format!("authorization {{ users: [ {} ] }}", users.join(", "));
    let Some(nats) = NatsServer::with_settings(&users) else { return };
    let login = json!({"user": "admin", "pass": "hunter2"});
    create(&nats, &login);
    let fixture = self::fixture(postgres);
    for (user, expected) in [
        ("no_api", "Publish to \"$JS.API.STREAM.INFO.CHANGES\": let the user publish"),
        ("no_subject", "Publish to \"t.public.t\": let the user publish"),
        ("no_inbox", "option inbox"),
        ("app", "option inbox"),
    ] {
        let start = format!("nats://{user}:hunter2@");
        check(&refused(&mut command(&fixture, &nats, &start, "")), expected);
    }
    run(&mut command(&fixture, &nats, "nats://app:hunter2@", "inbox=_INBOX_app"));
    assert_eq!(count(&nats, &login), 1);
}

#[test]
fn tls() {
    let Some(postgres) = servers().pop() else { return };
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        (file(&format!("{name}.crt"), &certificate), Issuer::new(params, key))
    };
    let ((roots, issuer), (others, _)) = (authority("ours"), authority("theirs"));
    let certify = |host: &str| {
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap().pem();
        let name = format!("{host}.crt");
        (file(&name, &certificate), file(&format!("{host}.key"), &key.serialize_pem()))
    };
    let (certificate, key) = certify("localhost");
    let (client_certificate, client_key) = certify("client");
    let settings =
        |more: &str| format!("tls {{ cert_file: {certificate:?}, key_file: {key:?}, {more} }}");
    let client = format!("sslcert={client_certificate}&sslkey={client_key}");
    let ours = format!("sslrootcert={roots}");
    let mutual = format!("verify: true, ca_file: {roots:?}");
    for (more, options, start) in [
        ("", ours.clone(), "tls://"),
        // The server requires it.
        ("", ours.clone(), "nats://"),
        ("handshake_first: true", format!("{ours}&tls_first"), "tls://"),
        (&mutual, format!("{ours}&{client}"), "tls://"),
    ] {
        let Some(nats) = NatsServer::with_settings(&settings(more)) else { return };
        let fixture = self::fixture(postgres);
        // The harness has no TLS: a stream is missing, as the program learns through TLS.
        check(&refused(&mut command(&fixture, &nats, start, &options)), "nats stream add CHANGES");
    }
    let Some(nats) = NatsServer::with_settings(&settings(&mutual)) else { return };
    let fixture = self::fixture(postgres);
    let theirs = format!("sslrootcert={others}");
    let missing = format!("sslrootcert={key}");
    for (options, expected) in [
        (theirs.as_str(), "check sslrootcert"),
        ("", "check sslrootcert"),
        (&missing, "it has no certificate in PEM format"),
        (&ours, "check sslcert"),
    ] {
        let text = refused(&mut command(&fixture, &nats, "tls://", options));
        check(&text, expected);
    }
    let Some(nats) = NatsServer::start() else { return };
    check(&refused(&mut command(&fixture, &nats, "tls://", "")), "the server offers no TLS");
}
