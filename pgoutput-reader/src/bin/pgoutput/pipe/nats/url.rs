//! The URL of a stream.

use crate::pipe::target::option_name;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The port of NATS.
const PORT: u16 = 4222;

const FORM: &str = "expected nats://HOST[:PORT]/STREAM or tls://HOST[:PORT]/STREAM";

const OPTIONS: &str = "creds, nkey, sslrootcert, sslcert, sslkey, tls_first, domain, inbox, \
                       atomic, connect_timeout and timeout";

/// The stream and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Host and port of servers, which are tried in order.
    pub(super) servers: Vec<(String, u16)>,
    /// Whether TLS is required. Without it, TLS is used if the server requires it.
    pub(super) tls: bool,
    pub(super) stream: String,
    pub(super) login: Login,
    pub(super) creds: Option<PathBuf>,
    pub(super) nkey: Option<PathBuf>,
    pub(super) tls_files: TlsFiles,
    /// Whether TLS starts before the server sends anything.
    pub(super) tls_first: bool,
    pub(super) domain: Option<String>,
    /// The start of the subject for answers.
    pub(super) inbox: String,
    /// Whether atomic batches are used where the stream allows them.
    pub(super) atomic: bool,
    pub(super) connect_timeout: Duration,
    /// The longest time without an answer.
    pub(super) timeout: Duration,
}

/// Files in PEM format.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TlsFiles {
    pub(super) roots: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// The user in the URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// From the environment, if there is one.
    Default,
    Token(Secret),
    User(String, Secret),
}

/// A text that is not printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// The reason as text, without anything of the user's name and password.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or(FORM)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, stream) = rest.split_once('/').ok_or(FORM)?;
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        let login = match user.map(|user| user.split_once(':').ok_or(user)) {
            None => Login::Default,
            Some(Ok((name, password))) => Login::User(decode(name)?, Secret(decode(password)?)),
            Some(Err(token)) => Login::Token(Secret(decode(token)?)),
        };
        let mut address = Self {
            servers: hosts.split(',').map(server).collect::<Result<_, _>>()?,
            tls: scheme == "tls",
            stream: stream_name(&decode(stream)?)?,
            login,
            creds: None,
            nkey: None,
            tls_files: TlsFiles::default(),
            tls_first: false,
            domain: None,
            inbox: "_INBOX".into(),
            atomic: true,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
        };
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            address.set(name, decode(value)?)?;
        }
        if address.creds.is_some() && address.nkey.is_some() {
            return Err("creds and nkey exclude each other".into());
        }
        if address.tls_files.certificate.is_some() != address.tls_files.key.is_some() {
            return Err("sslcert and sslkey belong together".into());
        }
        Ok(address)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        if value.is_empty() && name != "tls_first" {
            return Err(format!("the option {} has no value", name.escape_debug()));
        }
        match name {
            "creds" => self.creds = Some(value.into()),
            "nkey" => self.nkey = Some(value.into()),
            "sslrootcert" => self.tls_files.roots = Some(value.into()),
            "sslcert" => self.tls_files.certificate = Some(value.into()),
            "sslkey" => self.tls_files.key = Some(value.into()),
            "tls_first" => self.tls_first = value.is_empty() || switch(name, &value)?,
            "domain" => self.domain = Some(subject_part(name, value)?),
            "inbox" => self.inbox = subject_part(name, value)?,
            "atomic" => self.atomic = switch(name, &value)?,
            "connect_timeout" => self.connect_timeout = seconds(name, &value)?,
            "timeout" => self.timeout = seconds(name, &value)?,
            _ => {
                return Err(format!("unknown option{}: there are {OPTIONS}", option_name(name)));
            }
        }
        Ok(())
    }

    /// Returns the name in messages, without the user.
    pub(super) fn name(&self) -> String {
        let servers: Vec<_> = self
            .servers
            .iter()
            .map(|(host, port)| {
                if host.contains(':') {
                    format!("[{host}]:{port}")
                } else {
                    format!("{host}:{port}")
                }
            })
            .collect();
        let scheme = if self.tls { "tls" } else { "nats" };
        format!("{scheme}://{}/{}", servers.join(","), self.stream)
    }
}

/// Reads `host`, `host:port` or `[address]:port`.
fn server(text: &str) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(FORM)?;
            (host, rest.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err(FORM.into());
    }
    let port = match port {
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| format!("{} is not a port", port.escape_debug()))?,
        None => PORT,
    };
    Ok((decode(host)?, port))
}

fn stream_name(name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err(format!("the URL names no stream; {FORM}"));
    }
    let is_wrong = |c: char| c.is_whitespace() || c.is_control() || ".*>/\\".contains(c);
    if name.contains(is_wrong) || name.len() > 255 {
        return Err(format!("{} is not the name of a stream", name.escape_debug()));
    }
    Ok(name.into())
}

fn subject_part(option: &str, value: String) -> Result<String, String> {
    let is_wrong = |c: char| c.is_whitespace() || c.is_control() || "*>".contains(c);
    if value.contains(is_wrong) || value.split('.').any(str::is_empty) {
        return Err(format!("{option} must be names with dots between them"));
    }
    Ok(value)
}

fn switch(option: &str, value: &str) -> Result<bool, String> {
    match value {
        "on" | "true" | "1" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err(format!("{option} must be on or off")),
    }
}

fn seconds(option: &str, value: &str) -> Result<Duration, String> {
    value
        .parse()
        .ok()
        .filter(|seconds| (1..=3600).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| format!("{option} must be a number of seconds from 1 to 3600"))
}

/// Decodes `%2F` and the like.
fn decode(text: &str) -> Result<String, String> {
    const WRONG: &str = "the URL has a % without two hexadecimal digits that give UTF-8";
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(WRONG)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(WRONG.into());
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| WRONG)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| WRONG.into())
}

#[cfg(test)]
mod tests;
