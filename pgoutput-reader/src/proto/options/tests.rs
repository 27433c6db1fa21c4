use super::*;

fn server(major: u32) -> ServerVersion {
    ServerVersion::new(major * 10_000)
}

fn start(change: impl FnOnce(&mut StartReplication)) -> StartReplication {
    let mut start = StartReplication::new("s", ["p"]);
    change(&mut start);
    start
}

#[test]
fn asks_for_the_newest_protocol_the_server_speaks() {
    for (major, proto) in [(10, 1), (13, 1), (14, 2), (15, 3), (16, 4), (18, 4), (30, 4)] {
        let options = start(|_| ()).plugin_options(server(major)).unwrap();
        assert_eq!(
            options,
            [("proto_version", format!("'{proto}'")), ("publication_names", "'\"p\"'".to_owned()),]
        );
    }
}

#[test]
fn every_option_says_which_server_it_needs() {
    type Change = fn(&mut StartReplication);
    let table: [(&str, u32, Change); 9] = [
        ("binary", 14, |s| s.binary = true),
        ("messages", 14, |s| s.messages = true),
        ("streaming 'on'", 14, |s| s.streaming = Streaming::On),
        ("streaming 'parallel'", 16, |s| s.streaming = Streaming::Parallel),
        ("two_phase", 15, |s| s.two_phase = true),
        ("origin", 16, |s| s.origin = Some(Origin::Any)),
        ("proto_version 2", 14, |s| s.proto_version = Some(2)),
        ("proto_version 3", 15, |s| s.proto_version = Some(3)),
        ("proto_version 4", 16, |s| s.proto_version = Some(4)),
    ];
    for (name, first, change) in table {
        for major in 10..=18 {
            let made = start(change).plugin_options(server(major));
            match made.map_err(Error::into_kind) {
                Ok(_) => assert!(major >= first, "{name} on {major}"),
                Err(ErrorKind::Unsupported { option, needed, .. }) => {
                    assert!(major < first, "{name} on {major}");
                    assert_eq!((option, needed), (name, first));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    type Change = fn(&mut StartReplication);
    let table: [(&str, Change); 5] = [
        ("streaming 'on' needs proto_version 2, and 1 was requested", |s| {
            s.streaming = Streaming::On;
            s.proto_version = Some(1);
        }),
        ("streaming 'parallel' needs proto_version 4, and 3 was requested", |s| {
            s.streaming = Streaming::Parallel;
            s.proto_version = Some(3);
        }),
        ("two_phase needs proto_version 3, and 2 was requested", |s| {
            s.two_phase = true;
            s.proto_version = Some(2);
        }),
        ("proto_version 5 does not exist: choose 1 to 4", |s| s.proto_version = Some(5)),
        ("no publication: name at least one to read", |s| s.publications.clear()),
    ];
    for (text, change) in table {
        let error = start(change).plugin_options(server(18)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Usage(said) if said == text), "{error}");
    }
}
