//! How the program authenticates.

use std::fs;
use std::path::Path;

use nkeys::KeyPair;

use super::base64;
use super::url::{Address, Login};

/// The fields of `CONNECT` that authenticate.
#[derive(serde::Serialize, Default)]
pub(super) struct Credentials {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pass: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nkey: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sig: Option<String>,
}

impl Credentials {
    /// Reads them, from the files each time, and signs the server's nonce.
    ///
    /// # Errors
    /// The reason as text, without secrets.
    pub(super) fn new(address: &Address, nonce: Option<&str>) -> Result<Self, String> {
        let mut credentials = Self::default();
        if let Some(path) = &address.creds {
            let text = read("creds", path)?;
            let part = |name| {
                section(&text, name)
                    .ok_or_else(|| format!("creds={}: it has no {name}", path.display()))
            };
            credentials.jwt = Some(part("NATS USER JWT")?.into());
            credentials.sign("creds", path, part("USER NKEY SEED")?, nonce)?;
            return Ok(credentials);
        }
        if let Some(path) = &address.nkey {
            let text = read("nkey", path)?;
            let seed = text.lines().map(str::trim).find(|line| line.starts_with('S'));
            let key = credentials.sign("nkey", path, seed.unwrap_or_default(), nonce)?;
            credentials.nkey = Some(key);
            return Ok(credentials);
        }
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        match &address.login {
            Login::User(user, password) => {
                credentials.user = Some(user.clone());
                credentials.pass = Some(password.0.clone());
            }
            Login::Token(token) => credentials.auth_token = Some(token.0.clone()),
            Login::Default => {
                credentials.user = variable("NATS_USER");
                if credentials.user.is_some() {
                    credentials.pass = variable("NATS_PASSWORD");
                } else {
                    credentials.auth_token = variable("NATS_TOKEN");
                }
            }
        }
        Ok(credentials)
    }

    /// Signs the nonce, and returns the public key.
    fn sign(
        &mut self,
        option: &str,
        path: &Path,
        seed: &str,
        nonce: Option<&str>,
    ) -> Result<String, String> {
        let wrong = || format!("{option}={}: it has no seed of a user's key", path.display());
        let pair = KeyPair::from_seed(seed).map_err(|_| wrong())?;
        // Without a nonce the server has no such users, and refuses the connection.
        let signature = pair.sign(nonce.unwrap_or_default().as_bytes()).map_err(|_| wrong())?;
        self.sig = Some(base64::encode_url(&signature));
        Ok(pair.public_key())
    }
}

fn read(option: &str, path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{option}={}: {error}", path.display()))
}

/// Returns the text after the line `-----BEGIN name-----`.
fn section<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| {
        line.strip_prefix("-----BEGIN ").is_none_or(|line| line.trim_end_matches('-') != name)
    });
    lines.next()?;
    lines.find(|line| !line.is_empty()).filter(|line| !line.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_of_a_file() {
        let text = "-----BEGIN NATS USER JWT-----\neyJ0\n------END NATS USER JWT------\n\n****\n\
                    -----BEGIN USER NKEY SEED-----\n\nSUAX\n------END USER NKEY SEED------\n";
        assert_eq!(section(text, "NATS USER JWT"), Some("eyJ0"));
        assert_eq!(section(text, "USER NKEY SEED"), Some("SUAX"));
        assert_eq!(section(text, "OTHER"), None);
        assert_eq!(section("-----BEGIN A-----\n------END A------\n", "A"), None);
    }

    #[test]
    fn a_file_without_a_seed_is_refused_by_name() {
        let missing = Address::parse("nats://h/S?nkey=/does/not/exist").unwrap();
        let error = Credentials::new(&missing, None).err().unwrap();
        assert!(error.starts_with("nkey=/does/not/exist: "), "{error}");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "SUhush").unwrap();
        for option in ["nkey", "creds"] {
            let url = format!("nats://h/S?{option}={}", file.path().display());
            let error = Credentials::new(&Address::parse(&url).unwrap(), None).err().unwrap();
            assert!(error.contains("it has no") && !error.contains("hush"), "{error}");
        }
    }
}
