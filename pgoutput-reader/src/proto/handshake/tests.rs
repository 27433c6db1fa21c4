use proptest::prelude::*;

use super::*;
use crate::config::Secret;
use crate::error::{AuthError, ErrorKind};

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

fn auth(method: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&method.to_be_bytes(), rest].concat())
}

/// The messages of a server that has accepted the client.
fn accepted_client() -> Vec<u8> {
    [
        auth(0, b""),
        message(b'S', b"server_version\x0015.18 (Debian)\0"),
        message(b'S', b"TimeZone\0UTC\0"),
        message(b'N', b"SWARNING\0VWARNING\0C01000\0Mmind the gap\0\0"),
        message(b'K', b"\0\0\0\x07\0\0\0\x09"),
        message(b'Z', b"I"),
    ]
    .concat()
}

fn settings() -> StartupSettings {
    let (user, dbname) = ("alice".into(), "shop".into());
    StartupSettings { user, dbname, replication: true, ..StartupSettings::default() }
}

#[expect(clippy::unnecessary_wraps, reason = "a PasswordSource")]
fn secret() -> Result<Option<Secret>, Error> {
    Ok(Some(Secret::new("secret")))
}

#[expect(clippy::unnecessary_wraps, reason = "a PasswordSource")]
fn none() -> Result<Option<Secret>, Error> {
    Ok(None)
}

/// Feeds a handshake `step` bytes at a time. Returns everything that it sent after the startup
/// message.
fn run(
    bytes: &[u8],
    step: usize,
    password: &PasswordSource<'_>,
) -> (Handshake, Result<Vec<u8>, Error>) {
    let mut handshake = Handshake::new(&settings()).unwrap();
    handshake.take_outgoing();
    let (mut start, mut sent) = (0, Vec::new());
    for end in (step..bytes.len()).step_by(step).chain([bytes.len()]) {
        match handshake.feed(&bytes[start..end], password) {
            Ok(progress) => {
                start += progress.consumed;
                assert_eq!(progress.ready, start == bytes.len());
            }
            Err(error) => return (handshake, Err(error)),
        }
        sent.extend(handshake.take_outgoing());
    }
    assert_eq!(start, bytes.len(), "all of it is consumed");
    (handshake, Ok(sent))
}

fn fails(bytes: &[u8], password: &PasswordSource<'_>) -> ErrorKind {
    run(bytes, bytes.len(), password).1.unwrap_err().into_kind()
}

#[test]
fn byte_by_byte_equals_whole() {
    let md5 = b"p\0\0\0\x28md5986e2194384c07f4fd1df4b1351b3e68\0";
    let table: [(Vec<u8>, &[u8]); 3] =
        [(vec![], b""), (auth(3, b""), b"p\0\0\0\x0Bsecret\0"), (auth(5, b"salt"), md5)];
    for (request, answer) in table {
        let bytes = [request, accepted_client()].concat();
        for step in [1, 2, 7, bytes.len()] {
            let (handshake, sent) = run(&bytes, step, &secret);
            assert_eq!(sent.unwrap().escape_ascii().to_string(), answer.escape_ascii().to_string());
            let (session, version) = handshake.finish().unwrap();
            assert_eq!(version.number(), 150_018);
            assert_eq!(session.parameters["TimeZone"], "UTC");
            assert_eq!(session.notices[0].message(), "mind the gap");
        }
    }
}

#[test]
fn the_password_is_looked_up_only_on_request() {
    let refuse = || -> Result<Option<Secret>, Error> { panic!("not requested") };
    run(&accepted_client(), 1000, &refuse).1.unwrap();
    for (request, method) in [
        (auth(3, b""), "cleartext"),
        (auth(5, b"salt"), "md5"),
        (auth(10, b"SCRAM-SHA-256\0\0"), "scram-sha-256"),
    ] {
        let error = fails(&request, &none);
        let expected = AuthError::PasswordMissing { method };
        assert!(matches!(error, ErrorKind::Auth(error) if error == expected));
    }
}

#[test]
fn unsupported_methods_are_named() {
    for (method, name) in [(2, "Kerberos V5"), (7, "GSSAPI"), (9, "SSPI")] {
        let error = fails(&auth(method, b""), &secret);
        let expected = AuthError::MethodUnsupported { method: name };
        assert!(matches!(error, ErrorKind::Auth(error) if error == expected));
    }
    let error = fails(&auth(10, b"SCRAM-SHA-256-PLUS\0OAUTH\x1BBEARER\0\0"), &secret);
    let ErrorKind::Auth(AuthError::MechanismUnsupported { offered }) = error else { panic!() };
    assert_eq!(offered, "SCRAM-SHA-256-PLUS, OAUTH\\u{1b}BEARER");
}

/// A SCRAM exchange up to the point where the client has sent its proof, or refused to.
fn scram(attributes: &str, then: &[u8]) -> Result<(), Error> {
    let mut handshake = Handshake::new(&settings()).unwrap();
    handshake.take_outgoing();
    handshake.feed(&auth(10, b"SCRAM-SHA-256\0\0"), &secret)?;
    let first = handshake.take_outgoing();
    let first = std::str::from_utf8(&first[5..]).unwrap();
    assert!(first.starts_with("SCRAM-SHA-256\0"));
    let nonce = first.split_once(",r=").unwrap().1;
    let server_first = format!("r={nonce}server,{attributes}");
    handshake.feed(&auth(11, server_first.as_bytes()), &secret)?;
    assert!(!handshake.take_outgoing().is_empty());
    handshake.feed(then, &secret).map(drop)
}

#[test]
fn scram_rounds_are_bounded_before_hashing() {
    for rounds in ["100001", "1000000000", "4294967295", "18446744073709551615"] {
        let error = scram(&format!("s=c2FsdA==,i={rounds}"), b"").unwrap_err().into_kind();
        assert!(
            matches!(error, ErrorKind::Auth(AuthError::IterationCount { asked, limit: 100_000 })
                if asked.to_string() == rounds)
        );
    }
    for attributes in
        ["s=c2FsdA==", "s=c2FsdA==,i=0", "s=c2FsdA==,i=-1", "s=c2FsdA==,i=99999999999999999999"]
    {
        let error = scram(attributes, b"").unwrap_err().into_kind();
        assert!(matches!(error, ErrorKind::Auth(AuthError::Scram { .. })), "{attributes}");
    }
    scram("s=c2FsdA==,i=4096", b"").unwrap();
}

#[test]
fn a_server_that_does_not_know_the_password_is_refused() {
    let attributes = "s=c2FsdA==,i=4096";
    let wrong = auth(12, b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let error = scram(attributes, &wrong).unwrap_err().into_kind();
    assert!(matches!(error, ErrorKind::Auth(AuthError::ServerNotVerified)));
    // A server that omits its proof.
    let error = scram(attributes, &auth(0, b"")).unwrap_err().into_kind();
    assert!(matches!(error, ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'R', .. })));
}

#[test]
fn a_second_request_for_a_password_is_refused() {
    for second in [auth(3, b""), auth(5, b"salt"), auth(10, b"SCRAM-SHA-256\0\0"), auth(12, b"")] {
        let error = fails(&[auth(3, b""), second].concat(), &secret);
        assert!(matches!(error, ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'R', .. })));
    }
}

#[test]
fn messages_at_the_wrong_time_are_refused() {
    for tag in [b'Z', b'K', b'S', b'd', b'W', b'T', b'I', b'c'] {
        let body: &[u8] = match tag {
            b'S' => b"a\0b\0",
            b'K' => b"\0\0\0\x01\0\0\0\x01",
            b'T' => b"\0\0",
            b'Z' => b"I",
            _ => b"",
        };
        let error = fails(&message(tag, body), &secret);
        assert!(
            matches!(
                error,
                ErrorKind::Protocol(ProtocolError::Unexpected { tag: reported, .. })
                    if reported == tag
            ),
            "{error}"
        );
    }
}

#[test]
fn nothing_is_negotiated_after_acceptance() {
    for (tag, body) in [(b'v', &b"\0\x03\0\0\0\0\0\0"[..]), (b'R', b"\0\0\0\0")] {
        let error = fails(&[auth(0, b""), message(tag, body)].concat(), &none);
        let ErrorKind::Protocol(ProtocolError::Unexpected { tag: refused, .. }) = error else {
            panic!("{error}")
        };
        assert_eq!(refused, tag);
    }
}

#[test]
fn only_requested_features_are_negotiated() {
    run(&[message(b'v', b"\0\x03\0\0\0\0\0\0"), accepted_client()].concat(), 1000, &none)
        .1
        .unwrap();
    for body in [b"\0\x03\0\x02\0\0\0\0", b"\0\x02\0\0\0\0\0\0", b"\0\x03\0\0\0\0\0\x01"] {
        let error = fails(&message(b'v', body), &none);
        assert!(matches!(error, ErrorKind::Protocol(ProtocolError::Negotiation { .. })));
    }
}

#[test]
fn the_handshake_is_limited_in_messages_and_bytes() {
    let notice = message(b'N', b"Mhello\0\0");
    let mut handshake = Handshake::new(&settings()).unwrap();
    handshake.feed(&notice.repeat(COUNT_LIMIT), &none).unwrap();
    assert!(matches!(
        handshake.feed(&notice, &none).unwrap_err().into_kind(),
        ErrorKind::Limit(LimitError::Handshake { limit: COUNT_LIMIT, .. })
    ));
    let long = message(b'N', &[&b"M"[..], &vec![b'x'; 60_000], b"\0\0"].concat());
    assert!(matches!(
        fails(&long.repeat(18), &none),
        ErrorKind::Limit(LimitError::Handshake { limit: TOTAL_LIMIT, .. })
    ));
    // Exactly the limit is accepted.
    let len = TOTAL_LIMIT / 17;
    let last = TOTAL_LIMIT - 16 * len;
    let notice = |len: usize| {
        message(b'N', &[&b"M"[..], &vec![b'x'; len - HEADER_LEN - 3], b"\0\0"].concat())
    };
    let mut handshake = Handshake::new(&settings()).unwrap();
    handshake.feed(&[notice(len).repeat(16), notice(last)].concat(), &none).unwrap();
    assert!(handshake.feed(&notice(20), &none).is_err());
    // Refused by its header, before any of the body has arrived.
    assert!(matches!(
        fails(b"R\x7F\xFF\xFF\xFF", &none),
        ErrorKind::Limit(LimitError::Message { tag: b'R', .. })
    ));
}

#[test]
fn an_error_before_acceptance_shows_little() {
    let error = run(
        &message(b'E', b"SFATAL\0VFATAL\0C28000\0Mno\x1B[2J entry\0Dsecret detail\0\0"),
        1,
        &none,
    )
    .1
    .unwrap_err();
    assert_eq!(error.sqlstate(), Some("28000"));
    let text = error.to_string();
    assert!(text.starts_with("FATAL: no\\u{1b}[2J entry (SQLSTATE 28000)"), "{text}");
    assert!(!text.contains("secret detail"));
}

#[test]
fn an_error_in_bare_text_is_understood() {
    let text = b"Ecould not fork new process for connection: Cannot allocate memory\n\0";
    for step in [1, text.len()] {
        let error = run(text, step, &none).1.unwrap_err();
        assert_eq!(
            error.to_string(),
            "FATAL: could not fork new process for connection: Cannot allocate memory"
        );
    }
    // Closed before the zero byte.
    let mut handshake = Handshake::new(&settings()).unwrap();
    let progress = handshake.feed(b"Esorry, too many clients already", &none).unwrap();
    assert_eq!(progress, HandshakeProgress { consumed: 0, ready: false });
    let error = handshake.closed(b"Esorry, too many clients already").unwrap();
    assert_eq!(error.to_string(), "FATAL: sorry, too many clients already");
    // Not an error in bare text: the start of an ErrorResponse, or nothing.
    assert!(handshake.closed(b"E\0\0\0\x20SFATAL").is_none());
    assert!(handshake.closed(b"").is_none());
}

proptest! {
    #[test]
    fn corrupt_bytes_never_panic(
        at in prop::collection::vec((0_usize..400, any::<u8>()), 1..6),
        step in 1_usize..50,
    ) {
        let sasl = auth(10, b"SCRAM-SHA-256\0\0");
        let mut bytes = [sasl, auth(5, b"salt"), accepted_client(), accepted_client()].concat();
        for (at, byte) in at {
            let len = bytes.len();
            bytes[at % len] = byte;
        }
        let mut handshake = Handshake::new(&settings()).unwrap();
        let mut start = 0;
        for end in (0..bytes.len()).step_by(step) {
            match handshake.feed(&bytes[start..end.max(start)], &secret) {
                Ok(progress) => start += progress.consumed,
                Err(_) => break,
            }
        }
    }
}

/// The server's side of SCRAM (RFC 5802, section 3), for the password `secret`.
#[cfg(feature = "tls")]
mod scram_server {
    use sha2::{Digest, Sha256};

    const SALT: &[u8] = b"salt";
    const ROUNDS: usize = 4096;

    fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
        let pad = |with: u8| {
            let mut block = [with; 64];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            block
        };
        let inner = Sha256::digest([&pad(0x36)[..], data].concat());
        Sha256::digest([&pad(0x5C)[..], &inner[..]].concat()).into()
    }

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let group = |bytes: &[u8]| {
            let bits = bytes.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
            let bits = bits << (8 * (3 - bytes.len()));
            let digit = |n: usize| char::from(DIGITS[(bits >> (18 - 6 * n)) as usize & 63]);
            (0..4).map(|n| if n <= bytes.len() { digit(n) } else { '=' }).collect::<String>()
        };
        bytes.chunks(3).map(group).collect()
    }

    /// The server's first message.
    pub(super) fn first(client_first_bare: &str) -> String {
        let (_, nonce) = client_first_bare.split_once("r=").unwrap();
        format!("r={nonce}server,s={},i={ROUNDS}", base64(SALT))
    }

    /// The server's proof that it knows the password.
    pub(super) fn last(client_first_bare: &str, client_final: &str) -> String {
        let mut round = hmac(b"secret", &[SALT, &[0, 0, 0, 1]].concat());
        let mut salted = round;
        for _ in 1..ROUNDS {
            round = hmac(b"secret", &round);
            salted.iter_mut().zip(round).for_each(|(byte, round)| *byte ^= round);
        }
        let (without_proof, _) = client_final.rsplit_once(",p=").unwrap();
        let messages = [client_first_bare, &first(client_first_bare), without_proof].join(",");
        format!("v={}", base64(&hmac(&hmac(&salted, b"Server Key"), messages.as_bytes())))
    }
}

#[cfg(feature = "tls")]
#[test]
fn scram_byte_by_byte_equals_whole() {
    for step in [1, 2, 7, usize::MAX] {
        let mut handshake = Handshake::new(&settings()).unwrap();
        handshake.take_outgoing();
        // Unconsumed bytes stay in front of new ones.
        let mut arrived = Vec::new();
        let mut ready = false;
        let mut send = |handshake: &mut Handshake, bytes: &[u8]| {
            for piece in bytes.chunks(step) {
                arrived.extend_from_slice(piece);
                let progress = handshake.feed(&arrived, &secret).unwrap();
                arrived.drain(..progress.consumed);
                ready = progress.ready;
            }
            (String::from_utf8(handshake.take_outgoing().to_vec()).unwrap(), ready)
        };
        let (first, _) = send(&mut handshake, &auth(10, b"SCRAM-SHA-256\0\0"));
        let (_, bare) = first.split_once(",,").unwrap();
        let (last, _) = send(&mut handshake, &auth(11, scram_server::first(bare).as_bytes()));
        let proof = scram_server::last(bare, &last[5..]);
        let (nothing, is_ready) = send(&mut handshake, &auth(12, proof.as_bytes()));
        assert_eq!((nothing.as_str(), is_ready), ("", false));
        assert_eq!(send(&mut handshake, &accepted_client()), (String::new(), true));
        assert_eq!(handshake.finish().unwrap().1.number(), 150_018);
    }
}

/// Another way to start the connection is tried only before that.
#[test]
fn a_client_is_accepted_by_the_first_authentication_ok() {
    let mut handshake = Handshake::new(&settings()).unwrap();
    assert!(!handshake.accepted());
    handshake.feed(&auth(0, b""), &none).unwrap();
    assert!(handshake.accepted());
    let (handshake, sent) = run(&accepted_client(), 1, &none);
    assert!(sent.is_ok() && handshake.accepted() && !handshake.is_bound());
    let refused = message(b'E', b"SFATAL\0VFATAL\0C28000\0Mno\0\0");
    let (handshake, sent) = run(&refused, refused.len(), &none);
    assert!(sent.is_err() && !handshake.accepted());
}
