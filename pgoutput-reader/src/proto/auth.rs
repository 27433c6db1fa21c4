//! Authentication: trust, cleartext, MD5, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677;
//! manual, section "SASL Authentication").

use bytes::BytesMut;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_protocol::message::frontend;

use super::auth_policy::{Binding, Policy};
use super::backend::Authentication;
use crate::config::{AuthMethod, Secret};
use crate::error::{AuthError, Error, ProtocolError, printable};

/// The most SCRAM iterations done for a server. PostgreSQL's default is 4096.
pub(crate) const SCRAM_ITERATION_LIMIT: u32 = 100_000;

/// A source of the password, called only when the server asks for one, as it may read a file.
pub(crate) type PasswordSource<'a> = dyn Fn() -> Result<Option<Secret>, Error> + 'a;

pub(crate) struct Authenticator {
    user: Vec<u8>,
    pub(super) policy: Policy,
    /// Whether SCRAM is bound to the TLS connection.
    pub(super) bound: bool,
    state: AuthState,
}

enum AuthState {
    Start,
    PasswordSent,
    ScramFirst(ScramSha256),
    ScramFinal(ScramSha256),
    ServerVerified,
    Done,
}

impl Authenticator {
    pub(crate) fn new(user: &str) -> Self {
        let policy = Policy::default();
        Self { user: user.as_bytes().to_vec(), policy, bound: false, state: AuthState::Start }
    }

    /// Writes the response to a request into `out`. True once the server has accepted the client.
    pub(crate) fn answer(
        &mut self,
        request: Authentication<'_>,
        password: &PasswordSource<'_>,
        out: &mut BytesMut,
    ) -> Result<bool, Error> {
        self.state = match (std::mem::replace(&mut self.state, AuthState::Done), request) {
            // In the middle of SCRAM this would admit a server that has not proved that it knows
            // the password.
            (AuthState::PasswordSent | AuthState::ServerVerified, Authentication::Ok) => {
                return Ok(true);
            }
            (AuthState::Start, Authentication::Ok) => {
                self.policy.admit(AuthMethod::None)?;
                return Ok(true);
            }
            (AuthState::Start, Authentication::CleartextPassword) => {
                self.policy.admit(AuthMethod::Password)?;
                send_password(require(password, "cleartext")?.expose().as_bytes(), out)?;
                AuthState::PasswordSent
            }
            (AuthState::Start, Authentication::Md5Password { salt }) => {
                self.policy.admit(AuthMethod::Md5)?;
                let hash =
                    md5_hash(&self.user, require(password, "md5")?.expose().as_bytes(), salt);
                send_password(hash.as_bytes(), out)?;
                AuthState::PasswordSent
            }
            (AuthState::Start, Authentication::Sasl { mechanisms }) => {
                let (scram, bound) = start_scram(mechanisms, &self.policy, password, out)?;
                self.bound = bound;
                AuthState::ScramFirst(scram)
            }
            (AuthState::ScramFirst(mut scram), Authentication::SaslContinue(message)) => {
                check_iterations(message)?;
                // Its own message quotes one of a server that is not authenticated yet.
                scram.update(message).map_err(|_| AuthError::Scram {
                    reason: "the server's first message has an invalid nonce, salt or format",
                })?;
                encoded(frontend::sasl_response(scram.message(), out))?;
                AuthState::ScramFinal(scram)
            }
            (AuthState::ScramFinal(mut scram), Authentication::SaslFinal(message)) => {
                scram.finish(message).map_err(|_| AuthError::ServerNotVerified)?;
                AuthState::ServerVerified
            }
            (_, Authentication::Unsupported(method)) => {
                return Err(AuthError::MethodUnsupported { method }.into());
            }
            _ => {
                return Err(
                    ProtocolError::Unexpected { tag: b'R', during: "authenticating" }.into()
                );
            }
        };
        Ok(false)
    }
}

fn require(password: &PasswordSource<'_>, method: &'static str) -> Result<Secret, Error> {
    password()?.ok_or_else(|| AuthError::PasswordMissing { method }.into())
}

/// Starts SCRAM, with or without channel binding.
fn start_scram(
    mechanisms: &[u8],
    policy: &Policy,
    password: &PasswordSource<'_>,
    out: &mut BytesMut,
) -> Result<(ScramSha256, bool), Error> {
    let offered = mechanisms.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let offers = |wanted: &str| offered.clone().any(|name| name == wanted.as_bytes());
    let binding = policy.scram(offers(SCRAM_SHA_256_PLUS))?;
    let (mechanism, binding) = match binding {
        Binding::EndPoint(hash) => (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash)),
        Binding::NotOffered => (SCRAM_SHA_256, ChannelBinding::unrequested()),
        Binding::Unsupported => (SCRAM_SHA_256, ChannelBinding::unsupported()),
    };
    if !offers(mechanism) {
        return Err(AuthError::MechanismUnsupported { offered: list(offered) }.into());
    }
    let bound = mechanism == SCRAM_SHA_256_PLUS;
    let password = require(password, "scram-sha-256")?;
    let scram = ScramSha256::new(password.expose().as_bytes(), binding);
    encoded(frontend::sasl_initial_response(mechanism, scram.message(), out))?;
    Ok((scram, bound))
}

/// The names of mechanisms, for an error.
fn list<'a>(mut names: impl Iterator<Item = &'a [u8]>) -> String {
    match names.next() {
        None => "(none)".into(),
        Some(first) => names.fold(printable(first, 64).into_string(), |list, name| {
            if list.len() < 256 { list + ", " + &printable(name, 64) } else { list }
        }),
    }
}

/// Refuses a count that would keep the client busy, before anything is hashed.
fn check_iterations(server_first: &[u8]) -> Result<(), AuthError> {
    let digits = server_first
        .split(|byte| *byte == b',')
        .find_map(|attribute| attribute.strip_prefix(b"i="))
        .ok_or(AuthError::Scram { reason: "no iteration count" })?;
    // A count beyond u64 is refused as well.
    let count = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
    match count {
        Some(0) | None => Err(AuthError::Scram { reason: "the iteration count is not a number" }),
        Some(asked) if asked > u64::from(SCRAM_ITERATION_LIMIT) => {
            Err(AuthError::IterationCount { asked, limit: SCRAM_ITERATION_LIMIT })
        }
        Some(_) => Ok(()),
    }
}

fn send_password(password: &[u8], out: &mut BytesMut) -> Result<(), Error> {
    encoded(frontend::password_message(password, out))
}

fn encoded(written: std::io::Result<()>) -> Result<(), Error> {
    written.map_err(|_| {
        Error::usage("the user or password contains a zero byte, which PostgreSQL does not accept")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_an_acceptable_number_of_iterations() {
        assert_eq!(check_iterations(b"r=nonce,s=salt,i=100000"), Ok(()));
        let refused = AuthError::IterationCount { asked: 100_001, limit: SCRAM_ITERATION_LIMIT };
        assert_eq!(check_iterations(b"r=nonce,s=salt,i=100001"), Err(refused));
    }

    #[test]
    fn the_names_of_mechanisms_are_listed_up_to_a_length() {
        let long = "m".repeat(62);
        let names = [long.as_bytes(); 4];
        // The first has two bytes more in place of the comma and the space.
        let first = format!("{long}mm");
        let listed = list([first.as_bytes()].into_iter().chain(names));
        assert_eq!(listed.len(), 256);
        assert_eq!(listed, [first.as_str(), &long, &long, &long].join(", "));
        assert_eq!(list([].into_iter()), "(none)");
    }

    #[test]
    fn a_password_with_a_zero_byte_is_refused() {
        let source = || Ok(Some(Secret::new("sec\0ret")));
        let mut out = BytesMut::new();
        let answered = Authenticator::new("alice").answer(
            Authentication::CleartextPassword,
            &source,
            &mut out,
        );
        let error = answered.unwrap_err();
        assert!(error.to_string().contains("zero byte"), "{error}");
    }

    #[test]
    fn scram_with_channel_binding_is_reported() {
        let source = || Ok(Some(Secret::new("secret")));
        for (mechanisms, bound) in
            [(&b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0"[..], true), (b"SCRAM-SHA-256\0", false)]
        {
            let mut authenticator = Authenticator::new("alice");
            authenticator.policy.tls = true;
            authenticator.policy.end_point = Some(b"hash".to_vec());
            let request = Authentication::Sasl { mechanisms };
            authenticator.answer(request, &source, &mut BytesMut::new()).unwrap();
            assert_eq!(authenticator.bound, bound);
        }
    }
}
