//! tls-server-end-point, PostgreSQL's channel binding (RFC 5929, section 4): a hash of the server's
//! certificate.

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

const RSA_PSS: &[u8] = b"\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0A";

/// Signature algorithms and their hash, by the DER of their object identifier. MD5 and SHA-1 are
/// replaced by SHA-256.
const ALGORITHMS: [(&[u8], Hash); 13] = [
    (b"\x2A\x86\x48\x86\xF7\x0D\x01\x01\x04", Hash::Sha256), // md5WithRSAEncryption
    (b"\x2A\x86\x48\x86\xF7\x0D\x01\x01\x05", Hash::Sha256), // sha1WithRSAEncryption
    (b"\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0E", Hash::Sha224),
    (b"\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0B", Hash::Sha256),
    (b"\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0C", Hash::Sha384),
    (b"\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0D", Hash::Sha512),
    (b"\x2A\x86\x48\xCE\x3D\x04\x01", Hash::Sha256), // ecdsa-with-SHA1
    (b"\x2A\x86\x48\xCE\x3D\x04\x03\x01", Hash::Sha224),
    (b"\x2A\x86\x48\xCE\x3D\x04\x03\x02", Hash::Sha256),
    (b"\x2A\x86\x48\xCE\x3D\x04\x03\x03", Hash::Sha384),
    (b"\x2A\x86\x48\xCE\x3D\x04\x03\x04", Hash::Sha512),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x01", Hash::Sha224), // dsa-with-sha224
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x02", Hash::Sha256), // dsa-with-sha256
];

/// The hash functions by the object identifiers in the parameters of RSA-PSS.
const HASHES: [(&[u8], Hash); 4] = [
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x04", Hash::Sha224),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x01", Hash::Sha256),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x02", Hash::Sha384),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x03", Hash::Sha512),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// The tag `[0]`, constructed.
const FIRST: u8 = 0xA0;

/// The hash of a certificate, by the hash function of its signature. `None` for signatures without
/// one, such as Ed25519, for which the RFC defines nothing.
pub(crate) fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    Some(match signature_hash(certificate)? {
        Hash::Sha224 => Sha224::digest(certificate).to_vec(),
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

/// The hash function in
/// `Certificate ::= SEQUENCE {
///     tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OID, parameters }, …
/// }`
/// (RFC 5280).
fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (_to_be_signed, rest) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (identifier, parameters) = element(algorithm, OBJECT_IDENTIFIER)?;
    if identifier != RSA_PSS {
        return of(&ALGORITHMS, identifier);
    }
    // `SEQUENCE { [0] hashAlgorithm SEQUENCE { OID, … } DEFAULT sha1, … }` (RFC 4055).
    let (parameters, _) = element(parameters, SEQUENCE)?;
    let Some((hash, _)) = element(parameters, FIRST) else { return Some(Hash::Sha256) };
    let (hash, _) = element(hash, SEQUENCE)?;
    of(&HASHES, element(hash, OBJECT_IDENTIFIER)?.0)
}

fn of(table: &[(&[u8], Hash)], identifier: &[u8]) -> Option<Hash> {
    table.iter().find(|(known, _)| *known == identifier).map(|(_, hash)| *hash)
}

/// The content of the DER element at the front, which must have this tag, and the bytes after it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, first, rest @ ..] = bytes else { return None };
    if *found != tag {
        return None;
    }
    let (len, rest) = match usize::from(*first) {
        short @ 0..0x80 => (short, rest),
        long => {
            let (digits, rest) = rest.split_at_checked(long - 0x80)?;
            // A length of more than four bytes would be a certificate of gigabytes.
            let len = (1..=4).contains(&digits.len()).then(|| {
                digits.iter().fold(0_usize, |len, digit| len << 8 | usize::from(*digit))
            })?;
            (len, rest)
        }
    };
    rest.split_at_checked(len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};

    use super::*;

    fn certificate(algorithm: &'static SignatureAlgorithm) -> CertificateDer<'static> {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(["db".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        let p256 = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        assert_eq!(end_point(&p256).unwrap(), Sha256::digest(&p256).to_vec());
        let p384 = certificate(&rcgen::PKCS_ECDSA_P384_SHA384);
        assert_eq!(end_point(&p384).unwrap(), Sha384::digest(&p384).to_vec());
        assert_eq!(end_point(&certificate(&rcgen::PKCS_ED25519)), None);
    }

    #[test]
    fn rsa_pss_names_its_hash_in_its_parameters() {
        let with = |parameters: &[u8]| {
            let wrap = |tag: u8, content: &[u8]| {
                [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
            };
            let parameters = wrap(SEQUENCE, parameters);
            let algorithm = [wrap(OBJECT_IDENTIFIER, RSA_PSS), parameters].concat();
            let content = [wrap(SEQUENCE, b"to be signed"), wrap(SEQUENCE, &algorithm)].concat();
            signature_hash(&wrap(SEQUENCE, &content))
        };
        assert_eq!(with(b""), Some(Hash::Sha256));
        let sha512 = b"\xA0\x0F\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00";
        assert_eq!(with(sha512), Some(Hash::Sha512));
        let unknown = b"\xA0\x0F\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x99\x05\x00";
        assert_eq!(with(unknown), None);
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            cut in 0_usize..400,
        ) {
            let _ = signature_hash(&bytes);
            let _ = signature_hash(&[b"\x30\x82", &bytes[..]].concat());
            let whole = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
            let _ = signature_hash(&whole[..cut.min(whole.len())]);
        }
    }
}
