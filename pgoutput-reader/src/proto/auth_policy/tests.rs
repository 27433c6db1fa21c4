//! Authentication requests and their answers, checked with the state machine that answers them.

use super::*;
use crate::config::Secret;
use crate::error::{AuthError, ErrorKind};
use crate::proto::{Handshake, StartupSettings};

const CLEARTEXT: (u32, &[u8]) = (3, b"");
const MD5: (u32, &[u8]) = (5, b"salt");
const SCRAM: (u32, &[u8]) = (10, b"SCRAM-SHA-256\0\0");
const PLUS: (u32, &[u8]) = (10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
const TRUST: (u32, &[u8]) = (0, b"");

/// The bytes sent in response.
fn answer(policy: &Policy, (method, rest): (u32, &[u8])) -> Result<Vec<u8>, ErrorKind> {
    let settings = StartupSettings { user: "alice".into(), ..StartupSettings::default() };
    let mut handshake = Handshake::new(&settings).unwrap().with_policy(policy.clone());
    handshake.take_outgoing();
    let length = u32::try_from(rest.len() + 8).unwrap().to_be_bytes();
    let request = [b"R", &length[..], &method.to_be_bytes(), rest].concat();
    let fed = handshake.feed(&request, &|| Ok(Some(Secret::new("secret"))));
    fed.map_err(crate::error::Error::into_kind)?;
    Ok(handshake.take_outgoing().to_vec())
}

fn mechanism(policy: &Policy, request: (u32, &[u8])) -> (String, String) {
    let sent = answer(policy, request).unwrap();
    let text = String::from_utf8_lossy(&sent[5..]).into_owned();
    let (mechanism, rest) = text.split_once('\0').unwrap();
    let gs2 = rest.trim_start_matches(|c: char| !"npy".contains(c)).split(",,").next().unwrap();
    (mechanism.to_owned(), gs2.to_owned())
}

fn secured() -> Policy {
    Policy { tls: true, end_point: Some(b"hash".to_vec()), ..Policy::default() }
}

#[test]
fn an_exposed_password_is_not_sent_in_any_form() {
    for tls in [false, true] {
        let policy = Policy { exposed: true, tls, ..Policy::default() };
        for (request, method) in [(CLEARTEXT, "password"), (MD5, "md5"), (SCRAM, "scram-sha-256")] {
            let error = answer(&policy, request).unwrap_err();
            let expected = AuthError::PasswordUnprotected { method, tls };
            assert!(matches!(error, ErrorKind::Auth(error) if error == expected));
        }
        // Nothing is requested.
        assert!(answer(&policy, TRUST).unwrap().is_empty());
    }
    // The server proves that it is the other end of this connection.
    let policy = Policy { exposed: true, ..secured() };
    assert_eq!(mechanism(&policy, PLUS).0, "SCRAM-SHA-256-PLUS");
    assert!(answer(&policy, SCRAM).is_err());
}

#[test]
fn scram_is_bound_if_both_sides_can_and_reports_if_the_server_cannot() {
    let with = |channel_binding| Policy { channel_binding, ..secured() };
    for (policy, request, mechanism_expected, gs2) in [
        (with(ChannelBinding::Prefer), PLUS, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point"),
        (with(ChannelBinding::Require), PLUS, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point"),
        (with(ChannelBinding::Disable), PLUS, "SCRAM-SHA-256", "n"),
        // If someone has removed the offer, the server notices.
        (with(ChannelBinding::Prefer), SCRAM, "SCRAM-SHA-256", "y"),
        (Policy::default(), SCRAM, "SCRAM-SHA-256", "n"),
        // TLS with a certificate for which no hash is defined.
        (Policy { tls: true, ..Policy::default() }, PLUS, "SCRAM-SHA-256", "n"),
    ] {
        let (chosen, gs2_header) = mechanism(&policy, request);
        assert_eq!((chosen.as_str(), gs2_header.as_str()), (mechanism_expected, gs2));
    }
}

#[test]
fn required_channel_binding_refuses_everything_else() {
    let plain = Policy { channel_binding: ChannelBinding::Require, ..Policy::default() };
    let tls = Policy { channel_binding: ChannelBinding::Require, ..secured() };
    let no_hash = Policy { end_point: None, ..tls.clone() };
    for (policy, expected) in [
        (plain, "the connection has no TLS"),
        (tls, "the server's authentication method has none"),
        (no_hash, "the server's certificate has a signature algorithm without a hash"),
    ] {
        for request in [CLEARTEXT, MD5, SCRAM, TRUST] {
            let Err(ErrorKind::Auth(AuthError::NoChannelBinding { reason })) =
                answer(&policy, request)
            else {
                panic!("not refused")
            };
            assert!(reason.starts_with(expected), "{reason}");
        }
    }
}

#[test]
fn methods_that_are_not_allowed_are_not_answered() {
    let methods =
        [(CLEARTEXT, "password"), (MD5, "md5"), (SCRAM, "scram-sha-256"), (TRUST, "none")];
    for (request, name) in methods {
        for (_, allowed) in methods {
            let require_auth = Some(allowed.parse().unwrap());
            let policy = Policy { require_auth, ..Policy::default() };
            match answer(&policy, request) {
                Ok(_) => assert_eq!(name, allowed),
                Err(ErrorKind::Auth(AuthError::MethodNotAllowed { method, .. })) => {
                    assert_eq!(method, name);
                    assert_ne!(name, allowed);
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}
