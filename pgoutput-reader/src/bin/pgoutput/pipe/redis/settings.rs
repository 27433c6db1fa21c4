//! The options of a `redis://` URL.

use std::fmt;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

use super::redis_log::RedisLog;
use crate::Failure;
use crate::args::Pipe;
use crate::pipe::log::Log;
use crate::pipe::target::option_name;

const OPTIONS: &str =
    "state, maxlen, waitaof, connect_timeout, timeout, sslrootcert, sslcert and sslkey";

/// The longest time, in seconds: a day.
const LONGEST: u64 = 24 * 60 * 60;

/// Where the password is read from if the URL has none, as by redis-cli.
const PASSWORD_VARIABLE: &str = "REDISCLI_AUTH";

/// The destination of a URL.
///
/// An error is kept until the log is created: clap would print the URL, with its password, beside
/// an error of the argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings(Result<Server, String>);

/// A server, and how it is used.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) db: u32,
    /// The key of the state, in which `{slot}` is replaced.
    pub(super) state: String,
    /// The approximate number of entries to keep in each stream.
    pub(super) maxlen: Option<NonZeroU64>,
    pub(super) waitaof: WaitAof,
    pub(super) connect_timeout: Duration,
    /// For each answer of the server.
    pub(super) timeout: Duration,
    pub(super) root_cert: Option<PathBuf>,
    pub(super) client_cert: Option<PathBuf>,
    pub(super) client_key: Option<PathBuf>,
}

/// Whether to wait for the disk of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitAof {
    /// If the server can.
    Auto,
    Require,
    Off,
}

impl Settings {
    /// Reads the text of --to.
    #[expect(clippy::unnecessary_wraps, reason = "like the other destinations")]
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        Ok(Self(Server::parse(url)))
    }

    /// Returns the log, which is not connected yet.
    pub(crate) fn log(&self, pipe: &Pipe) -> Result<Box<dyn Log>, Failure> {
        let create = || RedisLog::new(self.0.clone()?, pipe);
        create()
            .map(|log| Box::new(log) as Box<dyn Log>)
            .map_err(|error| Failure::Usage(format!("--to: {error}")))
    }
}

impl Server {
    fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("the URL is malformed: {error}"))?;
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err("the host is missing: redis://HOST:PORT/DB".into());
        }
        if url.fragment().is_some() {
            return Err("a # in the URL must be written as %23".into());
        }
        let db = match url.path().trim_matches('/') {
            "" => 0,
            db => db.parse().map_err(|_| "the database after the / is not a number")?,
        };
        let mut server = Self {
            tls: url.scheme() == "rediss",
            host: decoded(host, "host")?,
            port: url.port().unwrap_or(6379),
            user: Some(decoded(url.username(), "user")?).filter(|user| !user.is_empty()),
            password: url.password().map(|text| decoded(text, "password")).transpose()?,
            db,
            state: "pgoutput:{slot}".into(),
            maxlen: None,
            waitaof: WaitAof::Auto,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            root_cert: None,
            client_cert: None,
            client_key: None,
        };
        for (name, value) in url.query_pairs() {
            server.set(&name, &value)?;
        }
        if !server.tls && (server.root_cert.is_some() || server.client_cert.is_some()) {
            return Err("certificates need rediss://".into());
        }
        if server.client_cert.is_some() != server.client_key.is_some() {
            return Err("sslcert and sslkey must be given together".into());
        }
        Ok(server)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let wrong = |expected: &str| format!("{name} must be {expected}");
        let seconds = || {
            let seconds = value.parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds));
            let expected = format!("a number of seconds from 1 to {LONGEST}");
            seconds.map(Duration::from_secs).ok_or_else(|| wrong(&expected))
        };
        match name {
            "state" if value.is_empty() => return Err(wrong("the key of a hash")),
            "state" => self.state = value.into(),
            "maxlen" => {
                self.maxlen = Some(value.parse().map_err(|_| wrong("a number above 0"))?);
            }
            "waitaof" => {
                self.waitaof = match value {
                    "auto" => WaitAof::Auto,
                    "require" => WaitAof::Require,
                    "off" => WaitAof::Off,
                    _ => return Err(wrong("auto, require or off")),
                };
            }
            "connect_timeout" => self.connect_timeout = seconds()?,
            "timeout" => self.timeout = seconds()?,
            "sslrootcert" => self.root_cert = Some(value.into()),
            "sslcert" => self.client_cert = Some(value.into()),
            "sslkey" => self.client_key = Some(value.into()),
            _ => return Err(format!("unknown option{}: there are {OPTIONS}", option_name(name))),
        }
        Ok(())
    }

    /// Returns the password of the URL, or of the environment.
    pub(super) fn password(&self) -> Option<String> {
        let from_environment = || std::env::var(PASSWORD_VARIABLE).ok();
        self.password.clone().or_else(from_environment).filter(|password| !password.is_empty())
    }

    /// Returns the key of the state for a slot.
    pub(super) fn state_key(&self, slot: &str) -> Result<String, String> {
        let key = self.state.replace("{slot}", slot);
        if key.contains(slot) {
            Ok(key)
        } else {
            Err("state must contain {slot}, so that each slot has a state of its own".into())
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}/{}", self.host, self.port, self.db)
        } else {
            write!(f, "{scheme}://{}:{}/{}", self.host, self.port, self.db)
        }
    }
}

/// Without the password.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}

fn decoded(text: &str, part: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| format!("the {part} is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::{Server, Settings, WaitAof};

    fn error(url: &str) -> String {
        Server::parse(url).unwrap_err()
    }

    #[test]
    fn all_parts_are_read() {
        let url = "rediss://me:p%40ss@h.example:7000/3?state=x:{slot}&maxlen=5&waitaof=off\
                   &connect_timeout=2&timeout=4&sslrootcert=/ca&sslcert=/c&sslkey=/k";
        let server = Server::parse(url).unwrap();
        assert_eq!(server.to_string(), "rediss://h.example:7000/3");
        assert_eq!(server.user.as_deref(), Some("me"));
        assert_eq!(server.password.as_deref(), Some("p@ss"));
        assert_eq!(server.state_key("s").unwrap(), "x:s");
        assert_eq!(server.maxlen.unwrap().get(), 5);
        assert_eq!(server.waitaof, WaitAof::Off);
        assert_eq!((server.connect_timeout.as_secs(), server.timeout.as_secs()), (2, 4));
    }

    #[test]
    fn defaults_are_set() {
        let server = Server::parse("redis://[::1]").unwrap();
        assert_eq!(server.to_string(), "redis://[::1]:6379/0");
        assert_eq!(server.state_key("my_slot").unwrap(), "pgoutput:my_slot");
        assert_eq!(server.user, None);
    }

    #[test]
    fn wrong_parts_are_named() {
        assert!(error("redis://h?maxlen=0").contains("maxlen must be a number above 0"));
        assert!(error("redis://h?max=1").contains("unknown option max: there are state"));
        assert!(error("redis://h/x").contains("database"));
        assert!(error("redis:///0").contains("host is missing"));
        assert!(error("redis://h?timeout=0").contains("timeout must be"));
        assert!(error("redis://h?timeout=18446744073709551615").contains("from 1 to 86400"));
        assert!(error("redis://h?connect_timeout=86401").contains("from 1 to 86400"));
        assert!(error("redis://h?sslrootcert=x").contains("rediss://"));
        assert!(error("rediss://h?sslcert=x").contains("together"));
        assert!(error("redis://h#x").contains("%23"));
        let server = Server::parse("redis://h?state=x").unwrap();
        assert!(server.state_key("s").unwrap_err().contains("{slot}"));
    }

    #[test]
    fn no_text_has_the_password() {
        for url in ["redis://me:secret@h", "redis://me:secret@h?x=1", "redis://me:secret@h:x"] {
            let settings = Settings::parse(url).unwrap();
            assert!(!format!("{settings:?}").contains("secret"), "{settings:?}");
        }
    }
}
