//! What errors of the server and of the connection mean.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerError};

use crate::pipe::log::LogError;

/// The type of a source in the errors of the crate.
type Shared = Arc<dyn Error + Send + Sync>;

/// The longest text of a server in a message, in characters.
const LONGEST: usize = 160;

/// Returns the error of a connection that was used for `doing`.
pub(super) fn of_connection(server: &str, doing: &str, error: &RedisError) -> LogError {
    if let Some(error) = server_error(error) {
        return of_server(server, doing, &error.0, &error.1);
    }
    let source = error.source().and_then(|source| source.downcast_ref::<Shared>());
    let source = source.and_then(|source| source.downcast_ref::<io::Error>());
    let text = shortened(&error.to_string());
    if error.kind() == ErrorKind::Parse {
        return LogError::lasting(format!(
            "{server}: the answer is not that of a Redis server ({text}): check the host and port; \
             with TLS use rediss://"
        ));
    }
    match source.map(io::Error::kind) {
        _ if error.is_timeout() && doing == CONNECTING => LogError::transient(format!(
            "{server}: no answer within connect_timeout: is it Redis, with TLS for rediss:// and \
             without for redis://?"
        )),
        _ if error.is_timeout() => LogError::transient(format!(
            "{server}: {doing}: no answer within the timeout (option timeout of the URL)"
        )),
        Some(io::ErrorKind::ConnectionRefused) => LogError::transient(format!(
            "{server}: nothing listens there (connection refused): check the host and port, and \
             whether Redis runs"
        )),
        Some(io::ErrorKind::UnexpectedEof) if doing == CONNECTING => LogError::transient(format!(
            "{server}: the server closed the connection at once: is it Redis, and does it expect \
             TLS (rediss://)?"
        )),
        Some(io::ErrorKind::InvalidData) => tls(server, &text),
        Some(io::ErrorKind::InvalidInput) => {
            LogError::lasting(format!("{server}: {doing}: {text}"))
        }
        Some(_) => LogError::transient(format!("{server}: {doing}: {text}")),
        None if error.kind() == ErrorKind::Io => {
            LogError::transient(format!("{server}: {doing}: {text}"))
        }
        None => LogError::lasting(format!("{server}: {doing}: {text}")),
    }
}

/// The work before the first answer.
pub(super) const CONNECTING: &str = "connecting";

fn server_error(error: &RedisError) -> Option<(String, String)> {
    let code = match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => error.code()?.to_owned(),
        _ => return None,
    };
    Some((code, error.detail().unwrap_or_default().to_owned()))
}

fn tls(server: &str, text: &str) -> LogError {
    let cure = if text.contains("not valid for name") || text.contains("NotValidForName") {
        "the certificate is not for this host name: use a name that it contains"
    } else if ["UnknownIssuer", "BadSignature", "CaUsedAsEndEntity"]
        .iter()
        .any(|&e| text.contains(e))
    {
        "the certificate is not of a known authority: give its certificate with sslrootcert"
    } else if text.contains("Expired") {
        "the certificate has expired"
    } else if text.contains("CertificateRequired") || text.contains("certificate required") {
        "the server asks for a client certificate: give it with sslcert and sslkey"
    } else if text.contains("InvalidContentType") {
        "the server does not speak TLS there: use redis:// or the port for TLS"
    } else {
        "TLS failed"
    };
    LogError::lasting(format!("{server}: {cure} ({text})"))
}

/// Returns the error of a reply to `doing`, a command or a description.
pub(super) fn of_reply(server: &str, doing: &str, error: &ServerError) -> LogError {
    of_server(server, doing, error.code(), error.details().unwrap_or_default())
}

fn of_server(server: &str, doing: &str, code: &str, detail: &str) -> LogError {
    // EXEC itself can be refused: "Transaction discarded because of: OOM command not allowed …".
    if let ("EXECABORT", Some((_, inner))) = (code, detail.split_once("because of: ")) {
        let (code, detail) = inner.split_once(' ').unwrap_or((inner, ""));
        return of_server(server, doing, code, detail);
    }
    let text = shortened(detail);
    let transient = |what: &str| LogError::transient(format!("{server}: {what} ({text})"));
    let lasting = |what: &str| LogError::lasting(format!("{server}: {what} ({text})"));
    match code {
        // Its code is ERR.
        _ if detail.contains("max number of clients") => transient("Redis has too many clients"),
        // A blocked command ended because the server became a replica.
        "UNBLOCKED" => transient("the primary changed"),
        "LOADING" => transient("Redis is loading its data"),
        "BUSY" => transient("a script blocks Redis"),
        "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" => transient("Redis is not available"),
        "READONLY" => transient("this is a replica: connect to the primary"),
        "NOREPLICAS" => transient("fewer replicas are connected than min-replicas-to-write"),
        "MISCONF" => transient("Redis cannot write to its disk and refuses changes"),
        "OOM" => transient("maxmemory is reached: trim the streams (maxlen) or raise the limit"),
        "NOAUTH" => lasting(
            "a password is needed: give it in the URL (redis://USER:PASSWORD@HOST) or in \
             REDISCLI_AUTH",
        ),
        "WRONGPASS" => lasting("the user or the password is wrong"),
        "NOPERM" => lasting(&format!(
            "the user may not do this: {doing}; docs/pipe-redis.md lists what it needs"
        )),
        "MOVED" | "ASK" | "CROSSSLOT" => {
            lasting("this is a Redis Cluster, which is not supported: use a single server")
        }
        "WRONGTYPE" => {
            lasting(&format!("{doing}: the key is of another type: delete or rename it"))
        }
        _ => LogError::lasting(format!("{server}: {doing}: {} {text}", shortened(code))),
    }
}

/// Returns the beginning of a text.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::of_server;

    #[test]
    fn errors_that_can_pass_are_transient() {
        let error = |code, detail| of_server("redis://h:1/0", "XADD", code, detail);
        for code in ["LOADING", "BUSY", "MASTERDOWN", "READONLY", "NOREPLICAS", "MISCONF", "OOM"] {
            assert!(error(code, "x").is_transient(), "{code}");
        }
        for code in ["NOAUTH", "WRONGPASS", "NOPERM", "MOVED", "WRONGTYPE", "ERR", "EXECABORT"] {
            assert!(!error(code, "x").is_transient(), "{code}");
        }
        assert!(error("UNBLOCKED", "force unblock from blocking operation").is_transient());
        assert!(error("ERR", "max number of clients reached").is_transient());
        let refused = "Transaction discarded because of: OOM command not allowed";
        assert!(error("EXECABORT", refused).is_transient());
    }

    #[test]
    fn texts_of_servers_are_shortened() {
        let long = of_server("redis://h:1/0", "XADD", "ERR", &"ü".repeat(1000)).to_string();
        assert!(long.chars().count() < 220, "{long}");
    }
}
