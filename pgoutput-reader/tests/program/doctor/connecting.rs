//! Servers that cannot be reached, or refuse the connection.

mod fake;

use std::net::TcpListener;
use std::path::Path;

use pgoutput_harness::Server;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::scene::{Row, Scene};

/// Returns an authority, and its certificate.
fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), certificate)
}

/// A server with TLS for `db.example.com`, roles that it treats differently, and the certificate of
/// its authority.
fn server(major: u32) -> (Server, String) {
    let (issuer, root) = authority("an authority");
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["db.example.com".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "db.example.com");
    let server = Server::builder()
        .data_file("server.crt", params.signed_by(&key, &issuer).unwrap().pem())
        .data_file("server.key", key.serialize_pem())
        .setting("ssl", "on")
        .hba_line("host all secret 127.0.0.1/32 md5")
        .hba_line("host all banned 127.0.0.1/32 reject")
        .hba_line("hostnossl all encrypted 127.0.0.1/32 reject")
        .start(major)
        .unwrap();
    let roles = "CREATE ROLE secret LOGIN REPLICATION PASSWORD 'swordfish';
                 CREATE ROLE banned LOGIN REPLICATION; CREATE ROLE encrypted LOGIN REPLICATION;
                 CREATE ROLE nologin REPLICATION;
                 CREATE ROLE full LOGIN REPLICATION CONNECTION LIMIT 0;
                 CREATE ROLE outside LOGIN REPLICATION";
    server.client().batch_execute(roles).unwrap();
    (server, root)
}

pub(super) fn all(major: u32) -> Vec<Row> {
    let folder = tempfile::tempdir().unwrap();
    let (server, certificate) = server(major);
    let mut scene = Scene::new(&server);
    let (port, database) = (server.port(), scene.database.name().to_owned());
    let local = |port: u16, rest: &str| format!("host=127.0.0.1 port={port} {rest}");
    let dsn =
        |user: &str, more: &str| local(port, &format!("user={user} dbname={database} {more}"));

    nowhere(&mut scene);
    for (situation, dsn, expected) in [
        (
            "The password is wrong",
            dsn("secret", "password=xyzzy"),
            "password authentication failed",
        ),
        ("No password is set", dsn("secret", ""), "none is set"),
        ("The role does not exist", dsn("nobody1", ""), "does not exist"),
        ("The role may not log in", dsn("nologin", ""), "is not permitted to log in"),
        (
            "The database does not exist",
            local(port, "user=postgres dbname=no_such_db"),
            "does not exist",
        ),
        ("pg_hba.conf rejects the role", dsn("banned", ""), "pg_hba.conf"),
        ("pg_hba.conf requires TLS", dsn("encrypted", "sslmode=disable"), "pg_hba.conf"),
    ] {
        scene.problem_of(situation, &dsn, &[], "connection", expected);
    }
    scene.problem_of(
        "The role has no connection left for SQL",
        &dsn("full", ""),
        &[],
        "SQL connection",
        "too many connections for role",
    );
    server
        .client()
        .batch_execute(&format!("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC"))
        .unwrap();
    scene.problem_of(
        "The role may not connect to the database",
        &dsn("outside", ""),
        &[],
        "connection",
        "permission denied for database",
    );
    tls(&mut scene, &dsn, folder.path(), &certificate);
    fakes(&mut scene, &local);
    let undo = format!("GRANT CONNECT ON DATABASE {database} TO PUBLIC; DROP OWNED BY outside");
    server.client().batch_execute(&undo).unwrap();
    scene.rows().to_vec()
}

/// Nothing listens, or the name is unknown.
fn nowhere(scene: &mut Scene<'_>) {
    // A port without a listener: it was assigned to us and is free again.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = format!("host=127.0.0.1 port={free} user=app dbname=shop");
    scene.replace(&free.to_string(), "5432");
    for (situation, dsn, expected) in [
        ("Nothing listens on the port", &*refused, "is a server running there"),
        (
            "There is no socket in the directory",
            "host=/nonexistent user=app dbname=shop",
            "unix_socket_directories",
        ),
        (
            "The host is unknown",
            "host=db.example.invalid user=app dbname=shop",
            "db.example.invalid",
        ),
    ] {
        scene.problem_of(situation, dsn, &[], "connection", expected);
    }
}

fn tls(
    scene: &mut Scene<'_>,
    dsn: &dyn Fn(&str, &str) -> String,
    folder: &Path,
    certificate: &str,
) {
    let root = folder.join("root.crt");
    std::fs::write(&root, certificate).unwrap();
    let other = folder.join("other.crt");
    std::fs::write(&other, authority("another authority").1).unwrap();
    scene.replace(folder.to_str().unwrap(), "/etc/ssl");
    let verify = |root: &Path| format!("sslmode=verify-full sslrootcert={}", root.display());
    for (situation, more, expected) in [
        ("The server's certificate is not trusted", verify(&other), "trusted authority"),
        ("The server's certificate is for another name", verify(&root), "certificate"),
        (
            "The file of trusted certificates does not exist",
            verify(&folder.join("missing.crt")),
            "missing.crt",
        ),
    ] {
        scene.problem_of(situation, &dsn("postgres", &more), &[], "connection", expected);
    }
}

fn fakes(scene: &mut Scene<'_>, local: &dyn Fn(u16, &str) -> String) {
    let shared = pgoutput_harness::shared(scene.server.major()).unwrap();
    let plain = local(shared.port(), "user=postgres dbname=postgres sslmode=require");
    scene.replace(&shared.port().to_string(), "5432");
    scene.problem_of(
        "TLS is required, and the server has none",
        &plain,
        &[],
        "connection",
        "does not offer TLS",
    );
    let database = scene.database.name().to_owned();
    for (situation, port, object, expected) in [
        ("The server does not answer", fake::silent(), "connection", "timed out"),
        ("Another service listens on the port", fake::web(), "connection", "PostgreSQL server?"),
        (
            "A pooler refuses replication",
            fake::pooler("unsupported startup parameter: replication"),
            "connection",
            "connection pooler",
        ),
        (
            "A pooler passes the connection on",
            fake::passes_on(scene.server.port()),
            "connection",
            "another program passes",
        ),
    ] {
        scene.replace(&port.to_string(), "6432");
        let limit = if expected == "timed out" { "connect_timeout=1" } else { "" };
        let dsn = local(port, &format!("user=postgres dbname={database} {limit}"));
        scene.problem_of(situation, &dsn, &[], object, expected);
    }
}
