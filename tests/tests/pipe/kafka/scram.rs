//! The server's side of SCRAM (RFC 5802 and RFC 7677).

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::{digest, hmac, pbkdf2};

const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
const SALT: &[u8] = b"salt of the test";

/// The hash of a mechanism.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    pub(super) const fn mechanism(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), text).as_ref().into()
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes).as_ref().into()
    }

    fn salted(self, password: &str) -> Vec<u8> {
        let (algorithm, len) = match self {
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
            Self::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
        };
        let mut salted = vec![0; len];
        pbkdf2::derive(algorithm, ITERATIONS, SALT, password.as_bytes(), &mut salted);
        salted
    }
}

/// An authentication after the first message of each side.
#[derive(Debug)]
pub(super) struct Exchange {
    hash: Hash,
    password: String,
    /// Both first messages, as they are signed.
    first: String,
    nonce: String,
}

impl Exchange {
    /// Answers the first message of a client, which is `n,,n=USER,r=NONCE`.
    pub(super) fn begin(hash: Hash, password: &str, message: &[u8]) -> (Self, Vec<u8>) {
        let message = str::from_utf8(message).unwrap();
        let bare = message.strip_prefix("n,,").unwrap();
        let nonce = format!("{}server", bare.split_once(",r=").unwrap().1);
        let answer = format!("r={nonce},s={},i={ITERATIONS}", BASE64.encode(SALT));
        let first = format!("{bare},{answer}");
        (Self { hash, password: password.into(), first, nonce }, answer.into())
    }

    /// Answers the last message of a client, which is `c=biws,r=NONCE,p=PROOF`; `None` if the proof
    /// is wrong.
    pub(super) fn finish(self, message: &[u8]) -> Option<Vec<u8>> {
        let message = str::from_utf8(message).unwrap();
        let (unproven, proof) = message.rsplit_once(",p=").unwrap();
        assert_eq!(unproven, format!("c=biws,r={}", self.nonce));
        let signed = format!("{},{unproven}", self.first);
        let salted = self.hash.salted(&self.password);
        let client_key = self.hash.hmac(&salted, b"Client Key");
        let signature = self.hash.hmac(&self.hash.digest(&client_key), signed.as_bytes());
        let right: Vec<u8> =
            client_key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();
        if BASE64.decode(proof).ok()? != right {
            return None;
        }
        let server_key = self.hash.hmac(&salted, b"Server Key");
        let signature = self.hash.hmac(&server_key, signed.as_bytes());
        Some(format!("v={}", BASE64.encode(signature)).into())
    }
}
