//! An operator with two accounts, as `nsc` creates it.

use nkeys::{KeyPair, KeyPairType};
use serde_json::{Value, json};

pub(super) struct Operator {
    key: KeyPair,
    system: KeyPair,
    account: KeyPair,
}

fn key(kind: KeyPairType, byte: u8) -> KeyPair {
    KeyPair::new_from_raw(kind, [byte; 32]).unwrap()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            (0..3).fold(0, |group, at| group << 8 | u32::from(*chunk.get(at).unwrap_or(&0)));
        for place in 0..=chunk.len() {
            text.push(char::from(LETTERS[(group >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

/// Signs a claim about a key.
fn token(issuer: &KeyPair, subject: &KeyPair, name: &str, claim: &Value) -> String {
    let header = base64(json!({"typ": "JWT", "alg": "ed25519-nkey"}).to_string().as_bytes());
    let claims = json!({
        "jti": name, "iat": 1_700_000_000, "iss": issuer.public_key(), "name": name,
        "sub": subject.public_key(), "nats": claim,
    });
    let signed = format!("{header}.{}", base64(claims.to_string().as_bytes()));
    format!("{signed}.{}", base64(&issuer.sign(signed.as_bytes()).unwrap()))
}

impl Operator {
    pub(super) fn new() -> Self {
        Self {
            key: key(KeyPairType::Operator, 40),
            system: key(KeyPairType::Account, 41),
            account: key(KeyPairType::Account, 42),
        }
    }

    /// Returns the configuration of a server.
    pub(super) fn settings(&self) -> String {
        let unlimited = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "conn": -1, "leaf": -1,
        });
        let mut storage = unlimited.clone();
        for name in ["mem_storage", "disk_storage", "streams", "consumer"] {
            storage[name] = json!(-1);
        }
        let account = |key: &KeyPair, name: &str, limits: &Value| {
            let claim = json!({"type": "account", "version": 2, "limits": limits});
            format!("{}: {}", key.public_key(), token(&self.key, key, name, &claim))
        };
        let system = self.system.public_key();
        let claim = json!({"type": "operator", "version": 2, "system_account": system});
        let operator = token(&self.key, &self.key, "O", &claim);
        format!(
            "operator: {operator}\nsystem_account: {system}\nresolver: MEMORY\n\
             resolver_preload {{\n{}\n{}\n}}",
            account(&self.system, "SYS", &unlimited),
            account(&self.account, "APP", &storage),
        )
    }

    fn user(&self, number: u8) -> (KeyPair, String) {
        // Users of number 9 belong to an account that the server does not know.
        let foreign = key(KeyPairType::Account, 43);
        let account = if number == 9 { &foreign } else { &self.account };
        let user = key(KeyPairType::User, number);
        let claim = json!({
            "type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1,
            "payload": -1,
        });
        let token = token(account, &user, "app", &claim);
        (user, token)
    }

    /// Returns the content of a file with the user's credentials.
    pub(super) fn credentials(&self, number: u8) -> String {
        let (user, token) = self.user(number);
        let seed = user.seed().unwrap();
        format!(
            "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }

    /// Returns the fields of `CONNECT` for the user.
    pub(super) fn login(&self, number: u8, nonce: &str) -> Value {
        let (user, token) = self.user(number);
        json!({"jwt": token, "sig": base64(&user.sign(nonce.as_bytes()).unwrap())})
    }
}
