//! Before the server has accepted us: it may be anybody.

mod authentication;
mod floods;
mod order;
mod tls;

use std::time::Duration;

use pgoutput_reader::{Config, Connection, Error, ErrorKind};

use crate::memory::peak;
use crate::server::{Client, PASSWORD, Rogue};

/// For the cases that only time ends.
const SHORT: Duration = Duration::from_millis(300);

/// What a connection may hold at its worst before it is ready: the megabyte that a server may say, and buffers.
const MEMORY: usize = 4 * 1024 * 1024;

struct Case {
    name: &'static str,
    script: fn(&mut Client),
    expected: fn(&ErrorKind) -> bool,
}

/// Starts a case; `$pattern` is the kind of error that it must end with.
macro_rules! case {
    ($name:literal, $script:expr, $pattern:pat $(if $guard:expr)?) => {
        Case { name: $name, script: $script, expected: |kind| matches!(kind, $pattern $(if $guard)?) }
    };
}

/// Says this to the startup packet and closes.
macro_rules! says {
    ($bytes:expr) => {
        |client| {
            client.startup();
            client.say($bytes);
            client.left();
        }
    };
}

use {case, says};

/// What a connection to the script ends with, checked for what holds in every case.
fn ends(name: &str, script: fn(&mut Client), set: impl FnOnce(&mut Config)) -> Error {
    let rogue = Rogue::new(script);
    let mut config = rogue.config();
    set(&mut config);
    let (result, held) = peak(|| Connection::connect(&config));
    let error = result.map(drop).expect_err(name);
    rogue.end_after(error.kind());
    assert!(held < MEMORY, "{name}: {held} bytes");
    for text in [error.to_string(), format!("{error:?}")] {
        assert_eq!(text.lines().count(), 1, "{name}: {text}");
        assert!(text.len() < 2000, "{name}: {text}");
        assert!(!text.contains(PASSWORD) && !text.contains(char::is_control), "{name}: {text:?}");
    }
    error
}

/// Every case ends as it has to, with these settings besides.
fn check_with(cases: &[Case], set: impl Fn(&mut Config)) {
    for Case { name, script, expected } in cases {
        let error = ends(name, *script, &set);
        assert!(expected(error.kind()), "{name}: {error:?}");
    }
}

fn check(cases: &[Case]) {
    check_with(cases, |_| ());
}
