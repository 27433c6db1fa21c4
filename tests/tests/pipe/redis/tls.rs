//! TLS, in front of a server that has none.

use super::RedisServer;
use super::scene::{STREAM, fixture, ids, newest, refused, stored, until_now};
use crate::tls::{Authority, terminate};

#[test]
fn certificates_are_verified() {
    let Some(redis) = RedisServer::all().next() else { return };
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

    let fixture = fixture(newest());
    fixture.run(["INSERT INTO t VALUES (1)"]);
    let port = redis.engine().port();
    let to = |port: u16, options: &str| format!("rediss://localhost:{port}?timeout=20&{options}");
    let refusal = |to: &str| refused(&mut until_now(&fixture, to));

    let plain = terminate(port, &authority.certify("localhost"), None);
    let error = refusal(&to(plain, &format!("sslrootcert={other_ca}")));
    assert!(error.contains("not of a known authority"), "{error}");
    let error = refusal(&to(plain, ""));
    assert!(error.contains("not of a known authority"), "{error}");
    let error = refusal(&to(plain, "sslrootcert=/missing.pem"));
    assert!(error.contains("reading /missing.pem"), "{error}");
    let error = refusal(&format!("rediss://127.0.0.1:{plain}?sslrootcert={ca}"));
    assert!(error.contains("not for this host name"), "{error}");
    let error = refusal(&to(port, &format!("sslrootcert={ca}&connect_timeout=2")));
    assert!(error.contains("with TLS for rediss://"), "{error}");
    let error = refusal(&format!("redis://localhost:{plain}"));
    assert!(error.contains("rediss://"), "{error}");
    stored(&mut until_now(&fixture, &to(plain, &format!("sslrootcert={ca}"))));
    assert_eq!(ids(&redis, STREAM), [1]);

    fixture.run(["INSERT INTO t SELECT generate_series(2, 5000)"]);
    let mutual = terminate(port, &authority.certify("localhost"), Some(&others));
    let error = refusal(&to(mutual, &format!("sslrootcert={ca}")));
    assert!(error.contains("asks for a client certificate"), "{error}");
    let options = format!("sslrootcert={ca}&sslcert={cert}&sslkey={key}");
    stored(&mut until_now(&fixture, &to(mutual, &options)));
    assert!(ids(&redis, STREAM).into_iter().eq(1..=5000));
}
