//! Files that are used by default: those in the home directory, and the system's trusted
//! authorities.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pgoutput_harness::{Server, servers};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::run::{error_line, finished, program};

/// The error of a program that was authenticated: the slot does not exist.
const AUTHENTICATED: &str = "replication slot \"absent\" does not exist";

/// A home directory, removed on drop.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("pgoutput-home-{}", std::process::id()));
        fs::create_dir_all(path.join(".postgresql")).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the error of a run with this home directory and these system authorities.
fn error_with(home: &Home, dsn: &str, system: &Path) -> String {
    let mut command = program();
    command.env("HOME", &home.0).env("SSL_CERT_FILE", system).env_remove("SSL_CERT_DIR");
    command.args(["tail", "--dsn", dsn, "--slot", "absent", "--publication", "p"]);
    error_line(&finished(&mut command), 1)
}

#[test]
fn files_in_the_home_directory_are_used_without_being_named() {
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        (params, key, certificate)
    };
    let (params, key, root) = authority("an authority");
    let (_, _, other) = authority("another authority");
    let issuer = Issuer::new(params, key);
    let certify = |name: &str| {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    };
    let (certificate, key) = certify("localhost");
    let server = Server::builder()
        .data_file("server.crt", certificate)
        .data_file("server.key", key)
        .data_file("root.crt", root.as_str())
        .setting("ssl", "on")
        .setting("ssl_ca_file", "root.crt")
        .hba_line("hostssl all by_cert 127.0.0.1/32 cert")
        .start(servers()[0].major())
        .unwrap();
    server.client().batch_execute("CREATE ROLE by_cert LOGIN REPLICATION").unwrap();

    let home = Home::new();
    home.write("trusted.crt", &root);
    home.write("foreign.crt", &other);
    let (trusted, foreign) = (home.0.join("trusted.crt"), home.0.join("foreign.crt"));
    let dsn = |user: &str, more: &str| {
        let port = server.port();
        format!("host=localhost hostaddr=127.0.0.1 port={port} user={user} dbname=postgres {more}")
    };
    let assert_error = |dsn: &str, system: &Path, expected: &str| {
        let error = error_with(&home, dsn, system);
        assert!(error.contains(expected), "{error}");
    };
    // The home directory has no files yet.
    assert_error(&dsn("postgres", "sslmode=verify-full"), &trusted, "sslrootcert");
    // The system's authorities, which may not include the server's.
    assert_error(&dsn("postgres", "sslrootcert=system"), &trusted, AUTHENTICATED);
    assert_error(
        &dsn("postgres", "sslrootcert=system"),
        &foreign,
        "not signed by a trusted authority",
    );

    home.write(".postgresql/root.crt", &root);
    assert_error(&dsn("postgres", "sslmode=verify-full"), &foreign, AUTHENTICATED);
    assert_error(&dsn("by_cert", "sslmode=verify-full"), &foreign, "28000");
    let (certificate, key) = certify("by_cert");
    home.write(".postgresql/postgresql.crt", &certificate);
    home.write(".postgresql/postgresql.key", &key);
    assert_error(&dsn("by_cert", "sslmode=verify-full"), &foreign, AUTHENTICATED);
    // With a file of authorities, weaker modes verify too.
    home.write(".postgresql/root.crt", &other);
    assert_error(
        &dsn("postgres", "sslmode=require"),
        &foreign,
        "not signed by a trusted authority",
    );

    home.write(
        ".pg_service.conf",
        &format!("[shop]\nsslmode=disable\n{}", dsn("postgres", "").replace(' ', "\n")),
    );
    assert_error("service=shop", &foreign, AUTHENTICATED);
}
