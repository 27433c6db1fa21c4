//! Metrics over HTTP.
//!
//! A fixed number of threads answer one request for each connection, each within a few seconds. So
//! clients cannot take more than these threads.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::Shared;
use crate::Failure;

/// The number of requests that are answered at a time.
const THREADS: usize = 16;

/// The longest time until a request is complete. Silent connections delay others only this long.
const REQUEST_LIMIT: Duration = Duration::from_secs(1);

/// The longest time for a part of the reply.
const REPLY_LIMIT: Duration = Duration::from_secs(5);

/// The longest request.
const LONGEST: usize = 8 * 1024;

/// The most headers of a request.
const HEADERS: usize = 64;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Listens at an address.
pub(super) fn bind(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "another program uses this port: choose another one",
            io::ErrorKind::PermissionDenied => "choose a port above 1023",
            io::ErrorKind::AddrNotAvailable => {
                "this machine does not have that address: choose 127.0.0.1 or 0.0.0.0"
            }
            _ => "write a host and a port, as in 127.0.0.1:9187",
        };
        Failure::Usage(format!("--metrics {address}: {error}; {advice}"))
    })
}

/// Answers requests, on threads.
pub(super) fn serve(shared: &Arc<Shared>, listener: &TcpListener) -> io::Result<()> {
    for _ in 0..THREADS {
        let (shared, listener) = (Arc::clone(shared), listener.try_clone()?);
        let serve = move || {
            loop {
                match listener.accept() {
                    // A client that goes away is no concern of this program.
                    Ok((connection, _)) => drop(answer(connection, &shared)),
                    // As with too many open files, which may pass.
                    Err(_) => thread::sleep(Duration::from_millis(100)),
                }
            }
        };
        thread::Builder::new().name("pgoutput-metrics".into()).spawn(serve)?;
    }
    Ok(())
}

/// Reads one request and answers it.
fn answer(mut connection: TcpStream, shared: &Shared) -> io::Result<()> {
    let end = Instant::now() + REQUEST_LIMIT;
    let mut request = Vec::new();
    let reply = loop {
        if let Some(reply) = reply(&request, shared) {
            break reply;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        connection.set_read_timeout(Some(left))?;
        let mut bytes = [0; 1024];
        match connection.read(&mut bytes)? {
            0 => return Ok(()),
            len => request.extend_from_slice(bytes.get(..len).unwrap_or_default()),
        }
    };
    connection.set_write_timeout(Some(REPLY_LIMIT))?;
    connection.write_all(reply.as_bytes())
}

/// Returns the reply to a request; `None` if more of it is to come.
fn reply(request: &[u8], shared: &Shared) -> Option<String> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let status = parsed.parse(request);
    let (method, path) = match status {
        Ok(httparse::Status::Complete(_)) => (parsed.method?, parsed.path?),
        Ok(httparse::Status::Partial) if request.len() <= LONGEST => return None,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Some(response("431 Request Header Fields Too Large", "", "too long\n", true));
        }
        Err(_) => return Some(response("400 Bad Request", "", "not an HTTP request\n", true)),
    };
    let has_body = method != "HEAD";
    let path = path.split('?').next().unwrap_or_default();
    Some(match (method, path) {
        ("GET" | "HEAD", "/metrics") => response("200 OK", "", &shared.text(), has_body),
        ("GET" | "HEAD", _) => response("404 Not Found", "", "metrics are at /metrics\n", has_body),
        _ => response("405 Method Not Allowed", "Allow: GET, HEAD\r\n", "use GET\n", true),
    })
}

fn response(status: &str, headers: &str, body: &str, has_body: bool) -> String {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {TEXT}\r\nContent-Length: {}\r\n{headers}\
         Connection: close\r\n\r\n",
        body.len()
    );
    if has_body { head + body } else { head }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, OnceLock};

    use super::super::exposition::Labels;
    use super::*;

    fn shared() -> Shared {
        Shared {
            labels: Labels::empty(),
            figures: Mutex::new(None),
            slot: Mutex::new(None),
            pipe: OnceLock::new(),
        }
    }

    #[test]
    fn silent_connections_delay_a_request_by_a_few_seconds_only() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        serve(&Arc::new(shared()), &listener).unwrap();
        let connect = || TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let silent: Vec<_> = (0..30).map(|_| connect()).collect();
        let mut connection = connect();
        connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        connection.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        let mut reply = String::new();
        connection.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
        drop(silent);
    }

    fn status(request: &str) -> Option<String> {
        let reply = reply(request.as_bytes(), &shared())?;
        Some(reply.lines().next().unwrap().replace("HTTP/1.1 ", ""))
    }

    #[test]
    fn each_request_has_its_status() {
        for (request, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK"),
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200 OK"),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", "200 OK"),
            ("GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
            ("\u{1}\u{2}\r\n\r\n", "400 Bad Request"),
        ] {
            assert_eq!(status(request).as_deref(), Some(expected), "{request}");
        }
        assert_eq!(status("GET /metrics HTTP/1.1\r\nHost"), None);
        let long = format!("GET /metrics HTTP/1.1\r\nA: {}", "x".repeat(LONGEST));
        assert_eq!(status(&long).as_deref(), Some("431 Request Header Fields Too Large"));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(HEADERS + 1));
        assert_eq!(status(&many).as_deref(), Some("431 Request Header Fields Too Large"));
    }

    #[test]
    fn a_head_has_the_length_and_no_body() {
        let reply = response("200 OK", "", "text", false);
        assert!(reply.contains("Content-Length: 4\r\n") && reply.ends_with("\r\n\r\n"), "{reply}");
    }
}
