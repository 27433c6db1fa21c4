//! Connection URIs ([PostgreSQL manual,
//! 34.1.1.2](https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-CONNSTRING-URIS)).
//!
//! ```text
//! postgresql://[userspec@][hostspec][/dbname][?paramspec]
//! userspec = user[:password]    hostspec = [host][:port][,...]    paramspec = name=value[&...]
//! ```

use percent_encoding::percent_decode_str;

use super::error::{ConfigError, ParameterOrigin};
use super::keyword;
use super::parameters::{Parameters, unknown};

/// The position after `postgresql://` or `postgres://`; `None` if `text` is not a URI.
pub(crate) fn strip_scheme(text: &str) -> Option<usize> {
    ["postgresql://", "postgres://"]
        .into_iter()
        .find(|scheme| text.starts_with(scheme))
        .map(str::len)
}

/// Parses the URI `text`, whose scheme ends at `start`.
pub(crate) fn parse(
    text: &str,
    start: usize,
    origin: ParameterOrigin,
    parameters: &mut Parameters,
) -> Result<(), ConfigError> {
    let mut reader = UriParser { text, position: start, origin, parameters };
    reader.user()?;
    reader.hosts()?;
    if reader.eat('/') {
        let name = reader.until(&['?']);
        reader.store("dbname", name)?;
    }
    if reader.eat('?') { reader.query() } else { Ok(()) }
}

/// A part of the URI, still encoded.
#[derive(Clone, Copy)]
struct Part<'a> {
    text: &'a str,
    position: usize,
}

struct UriParser<'a, 'p> {
    text: &'a str,
    position: usize,
    origin: ParameterOrigin,
    parameters: &'p mut Parameters,
}

impl<'a> UriParser<'a, '_> {
    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        if found {
            self.position += c.len_utf8();
        }
        found
    }

    /// Takes the text before the next of `ends`, or before the end.
    fn until(&mut self, ends: &[char]) -> Part<'a> {
        let rest = self.rest();
        let position = self.position;
        let text = rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or_default();
        self.position += text.len();
        Part { text, position }
    }

    fn syntax(&self, position: usize, message: &'static str) -> ConfigError {
        ConfigError::syntax(self.origin, position, message)
    }

    /// Stores a part under a keyword named in this file. An empty part is not stored.
    fn store(&mut self, name: &'static str, part: Part<'_>) -> Result<(), ConfigError> {
        let value = self.decode(part)?;
        if let Some(keyword) = keyword::find(name)
            && !value.is_empty()
        {
            self.parameters.set(keyword, value, self.origin, Some(part.position));
        }
        Ok(())
    }

    /// `user:password@`, if an at sign comes before the first slash.
    fn user(&mut self) -> Result<(), ConfigError> {
        let rest = self.rest();
        if !rest.find(['@', '/']).is_some_and(|end| rest[end..].starts_with('@')) {
            return Ok(());
        }
        let user = self.until(&[':', '@']);
        self.store("user", user)?;
        if self.eat(':') {
            let password = self.until(&['@']);
            self.store("password", password)?;
        }
        self.eat('@');
        Ok(())
    }

    /// `host:port,host:port`, which becomes the two lists `host` and `port`.
    fn hosts(&mut self) -> Result<(), ConfigError> {
        let start = self.position;
        let (mut hosts, mut ports) = (String::new(), String::new());
        loop {
            let host = self.host()?;
            // The text before a second at sign is part of a password. It must not be taken for a
            // host and shown.
            if host.contains('@') {
                return Err(self.syntax(
                    start,
                    "an at sign in the host; write one in the user or password as %40",
                ));
            }
            hosts.push_str(host);
            if self.eat(':') {
                let port = self.until(&['/', '?', ',']).text;
                // The first part of a password, which must not be taken for a port.
                if !port.bytes().all(|byte| byte.is_ascii_digit()) && self.rest().contains('@') {
                    return Err(self.syntax(
                        start,
                        "a slash or question mark in the user or password; write them as %2F and \
                         %3F",
                    ));
                }
                ports.push_str(port);
            }
            if !self.eat(',') {
                break;
            }
            hosts.push(',');
            ports.push(',');
        }
        self.store("host", Part { text: &hosts, position: start })?;
        // With several hosts the ports count as given even if all are empty: PGPORT is not used, as
        // in libpq.
        self.store("port", Part { text: &ports, position: start })?;
        Ok(())
    }

    /// Takes one host. An IPv6 address is in brackets.
    fn host(&mut self) -> Result<&'a str, ConfigError> {
        let start = self.position;
        if !self.eat('[') {
            return Ok(self.until(&[':', '/', '?', ',']).text);
        }
        let address = self.until(&[']']).text;
        if !self.eat(']') {
            return Err(
                self.syntax(start, "the bracket is not closed; write an IPv6 address as [::1]")
            );
        }
        if address.is_empty() {
            return Err(
                self.syntax(start, "the brackets are empty; write an IPv6 address as [::1]")
            );
        }
        if !self.rest().is_empty() && !self.rest().starts_with([':', '/', '?', ',']) {
            return Err(self.syntax(
                self.position,
                "after an address in brackets only a port, another host, a slash or a question \
                 mark can come",
            ));
        }
        Ok(address)
    }

    /// Takes `name=value&name=value`.
    fn query(&mut self) -> Result<(), ConfigError> {
        let mut secret_seen = false;
        while !self.rest().is_empty() {
            let name = self.until(&['=', '&']);
            if !self.eat('=') {
                return Err(
                    self.syntax(name.position, "a parameter without a value; write name=value")
                );
            }
            let value = self.until(&['=', '&']);
            if self.rest().starts_with('=') {
                return Err(
                    self.syntax(self.position, "an equals sign inside a value; write it as %3D")
                );
            }
            self.eat('&');
            // The text before the last at sign may be a password with an at sign that was not
            // encoded.
            let shown =
                !secret_seen && !self.text.get(name.position..).unwrap_or_default().contains('@');
            secret_seen |= self.parameter(name, value, shown)?;
        }
        Ok(())
    }

    /// Stores one parameter. True if its value is a secret.
    fn parameter(
        &mut self,
        name: Part<'_>,
        value: Part<'_>,
        shown: bool,
    ) -> Result<bool, ConfigError> {
        let word = self.decode(name)?;
        let mut decoded = self.decode(value)?;
        let keyword = match keyword::find(&word) {
            // The JDBC driver's spelling, which libpq accepts as well.
            None if word == "ssl" && decoded == "true" => {
                "require".clone_into(&mut decoded);
                keyword::find("sslmode")
            }
            found => found,
        };
        let Some(keyword) = keyword else {
            return Err(unknown(&word, shown, self.origin, name.position));
        };
        self.parameters.set(keyword, decoded, self.origin, Some(name.position));
        Ok(keyword.is_secret())
    }

    /// Decodes `%XX`. Spaces around a part are dropped, spaces inside are refused, as in libpq.
    fn decode(&self, part: Part<'_>) -> Result<String, ConfigError> {
        let fail = |message| Err(self.syntax(part.position, message));
        let text = part.text.trim_ascii();
        if text.contains(|c: char| c.is_ascii_whitespace()) {
            return fail("a space inside a part of the URI; write it as %20");
        }
        for (at, _) in text.match_indices('%') {
            let digits = text.as_bytes().get(at + 1..at + 3).unwrap_or_default();
            if digits.len() != 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
                return fail(
                    "a percent sign without two hexadecimal digits; write a percent sign as %25",
                );
            }
            if digits == b"00" {
                return fail("%00 is not allowed");
            }
        }
        match percent_decode_str(text).decode_utf8() {
            Ok(decoded) => Ok(decoded.into_owned()),
            Err(_) => fail("the percent-encoded bytes are not UTF-8"),
        }
    }
}
