//! TLS on real servers, with certificates of an authority that each test creates.

mod authentication;
mod authority;
mod certificates;
mod hosts;
mod modes;

use authority::Pair;
use pgoutput_harness::{Server, ServerBuilder, servers, servers_from};
use pgoutput_reader::{Config, Connection, Error, ErrorKind, TlsError};

fn majors() -> Vec<u32> {
    servers().iter().map(|server| server.major()).collect()
}

fn majors_from(major: u32) -> Vec<u32> {
    servers_from(major).iter().map(|server| server.major()).collect()
}

/// Starts a server with TLS and this certificate.
fn with_tls(pair: &Pair) -> ServerBuilder {
    Server::builder()
        .data_file("server.crt", pair.certificate.as_str())
        .data_file("server.key", pair.key.as_str())
        .setting("ssl", "on")
}

/// Returns settings for the server under the name of a correct certificate, without a name lookup.
fn settings(server: &Server, more: &str) -> Config {
    let dsn = format!(
        "host={} hostaddr=127.0.0.1 port={} user=postgres dbname=postgres \
        connect_timeout=60 {more}",
        authority::NAME,
        server.port(),
    );
    dsn.parse().unwrap()
}

fn connect(server: &Server, more: &str) -> Result<Connection, Error> {
    Connection::connect(&settings(server, more))
}

/// Returns whether the server reports TLS for this connection. The client must report it too.
#[track_caller]
fn is_tls(connection: &mut Connection) -> bool {
    let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let answers = connection.simple_query(query).unwrap();
    let seen = answers[0].rows[0].values().next().unwrap() == Some("t");
    assert_eq!(connection.is_tls(), seen);
    seen
}

#[track_caller]
fn tls_error(result: Result<Connection, Error>) -> TlsError {
    match result.map_err(Error::into_kind) {
        Err(ErrorKind::Tls(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(connection) => panic!("{connection:?}"),
    }
}
