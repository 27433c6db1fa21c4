use super::*;
use crate::proto::StartReplication;

fn server(major: u32) -> ServerVersion {
    ServerVersion::new(major * 10_000)
}

type Change = fn(StreamOptions) -> StreamOptions;

fn start(change: Change) -> StartReplication {
    StartReplication::new("s", ["p"]).options(change(StreamOptions::new()))
}

#[test]
fn asks_for_the_newest_protocol_the_server_speaks() {
    for (major, proto) in [(10, 1), (13, 1), (14, 2), (15, 3), (16, 4), (18, 4), (30, 4)] {
        let options = start(|options| options).plugin_options(server(major)).unwrap();
        assert_eq!(
            options,
            [("proto_version", format!("'{proto}'")), ("publication_names", "'\"p\"'".to_owned()),]
        );
    }
}

#[test]
fn every_option_names_the_server_version_it_needs() {
    let table: [(&str, u32, Change); 9] = [
        ("binary", 14, |s| s.binary(true)),
        ("messages", 14, |s| s.messages(true)),
        ("streaming 'on'", 14, |s| s.streaming(Streaming::On)),
        ("streaming 'parallel'", 16, |s| s.streaming(Streaming::Parallel)),
        ("two_phase", 15, |s| s.two_phase(true)),
        ("origin", 16, |s| s.origin(Origin::Any)),
        ("proto_version 2", 14, |s| s.proto_version(2)),
        ("proto_version 3", 15, |s| s.proto_version(3)),
        ("proto_version 4", 16, |s| s.proto_version(4)),
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
    let table: [(&str, Change); 4] = [
        ("streaming 'on' needs proto_version 2, and 1 was requested", |s| {
            s.streaming(Streaming::On).proto_version(1)
        }),
        ("streaming 'parallel' needs proto_version 4, and 3 was requested", |s| {
            s.streaming(Streaming::Parallel).proto_version(3)
        }),
        ("two_phase needs proto_version 3, and 2 was requested", |s| {
            s.two_phase(true).proto_version(2)
        }),
        ("proto_version 5 does not exist: choose 1 to 4", |s| s.proto_version(5)),
    ];
    let table = table.map(|(text, change)| (text, start(change)));
    let none = StartReplication::new("s", [""; 0]);
    for (text, start) in
        table.into_iter().chain([("no publication: name at least one to read", none)])
    {
        let error = start.plugin_options(server(18)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Usage(message) if message == text), "{error}");
    }
}
