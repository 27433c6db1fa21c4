//! Client certificates and revoked certificates.

use pgoutput_reader::TlsError;

use super::authority::{Authority, Folder, NAME};
use super::{connect, is_tls, majors, tls_error, with_tls};

#[test]
fn a_client_presents_its_certificate() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let folder = Folder::new("client");
    let root = folder.file("root.crt", &ours.certificate, 0o644);
    let client = ours.certify("by_cert");
    let (cert, key) = (
        folder.file("client.crt", &client.certificate, 0o644),
        folder.file("client.key", &client.key, 0o600),
    );
    let foreign = other.certify("by_cert");
    let (strange_cert, strange_key) = (
        folder.file("strange.crt", &foreign.certificate, 0o644),
        folder.file("strange.key", &foreign.key, 0o600),
    );
    let open_key = folder.file("open.key", &client.key, 0o644);
    let encrypted = client.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let no_key = folder.file("no.key", &client.certificate, 0o600);
    let encrypted_key = folder.file("encrypted.key", &encrypted, 0o600);
    for major in majors() {
        let server = with_tls(&ours.certify(NAME))
            .data_file("root.crt", ours.certificate.as_str())
            .setting("ssl_ca_file", "root.crt")
            .hba_line("hostssl all by_cert 127.0.0.1/32 cert")
            .start(major)
            .unwrap();
        server.client().batch_execute("CREATE ROLE by_cert LOGIN REPLICATION").unwrap();
        let by_cert = |more: &str| {
            connect(&server, &format!("user=by_cert sslmode=verify-full sslrootcert={root} {more}"))
        };
        for mode in ["allow", "require"] {
            let mut connection =
                by_cert(&format!("sslcert={cert} sslkey={key} sslcertmode={mode}")).unwrap();
            assert!(is_tls(&mut connection));
        }
        // Without a certificate, the server decides.
        for more in [format!("sslcert={cert} sslkey={key} sslcertmode=disable"), String::new()] {
            assert_eq!(by_cert(&more).unwrap_err().sqlstate(), Some("28000"));
        }
        let unknown = by_cert(&format!("sslcert={strange_cert} sslkey={strange_key}"));
        assert!(matches!(tls_error(unknown), TlsError::ClientCertificate { .. }));
        assert_eq!(tls_error(by_cert("sslcertmode=require")), TlsError::NoCertificate);
        for (more, parameter, expected) in [
            (format!("sslcert={cert} sslkey={open_key}"), "sslkey", "chmod 600"),
            (
                format!("sslcert={cert} sslkey={strange_key}"),
                "sslkey",
                "does not belong to the certificate",
            ),
            (format!("sslcert={cert} sslkey={encrypted_key}"), "sslkey", "is encrypted"),
            (format!("sslcert={cert} sslkey={no_key}"), "sslkey", "no private key"),
            (format!("sslcert={key} sslkey={key}"), "sslcert", "no certificate"),
            (format!("sslcert={cert}"), "sslcert", "no key for it"),
            ("sslcert=/nonexistent".to_owned(), "sslcert", "No such file"),
        ] {
            let TlsError::File { parameter: named, reason, .. } = tls_error(by_cert(&more)) else {
                panic!("{more}")
            };
            assert_eq!(named, parameter, "{more}");
            assert!(reason.contains(expected), "{more}: {reason}");
        }
    }
}

#[test]
fn a_required_certificate_must_be_requested() {
    let ours = Authority::new("ours");
    let folder = Folder::new("unasked");
    let client = ours.certify("postgres");
    let cert = folder.file("client.crt", &client.certificate, 0o644);
    let key = folder.file("client.key", &client.key, 0o600);
    for major in majors() {
        // Without authorities a server does not request a certificate.
        let server = with_tls(&ours.certify(NAME)).start(major).unwrap();
        for mode in ["require", "disable"] {
            let more = format!("sslmode={mode} sslcertmode=require sslcert={cert} sslkey={key}");
            assert_eq!(tls_error(connect(&server, &more)), TlsError::CertificateNotRequested);
        }
    }
}

#[test]
fn a_revoked_certificate_is_rejected() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let folder = Folder::new("revoked");
    let root = folder.file("root.crt", &ours.certificate, 0o644);
    let list = folder.file("ours.crl", &ours.revocations(), 0o644);
    let foreign = folder.file("other.crl", &other.revocations(), 0o644);
    let lists = Folder::new("revoked-folder");
    lists.file("ours.crl", &ours.revocations(), 0o644);
    let folder_of_lists = lists.path().display().to_string();
    let major = majors()[0];
    let good = with_tls(&ours.certify(NAME)).start(major).unwrap();
    let revoked = with_tls(&ours.revoked(NAME)).start(major).unwrap();
    for mode in ["require", "verify-ca", "verify-full"] {
        let more = |parameter: &str| format!("sslmode={mode} sslrootcert={root} {parameter}");
        let connected = connect(&revoked, &more(""));
        assert!(is_tls(&mut connected.unwrap()), "no list revokes it");
        for parameter in [format!("sslcrl={list}"), format!("sslcrldir={folder_of_lists}")] {
            assert!(is_tls(&mut connect(&good, &more(&parameter)).unwrap()));
            assert_eq!(tls_error(connect(&revoked, &more(&parameter))), TlsError::Revoked);
        }
        let unknown = connect(&good, &more(&format!("sslcrl={foreign}")));
        assert_eq!(tls_error(unknown), TlsError::RevocationUnknown);
        let missing = connect(&good, &more("sslcrl=/nonexistent"));
        assert!(matches!(tls_error(missing), TlsError::File { parameter: "sslcrl", .. }));
    }
}
