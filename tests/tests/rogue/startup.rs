//! Before authentication, when the server may be anyone.

mod authentication;
mod floods;
mod order;
mod tls;

use std::time::Duration;

use pgoutput_reader::{Config, Connection, Error, ErrorKind};

use crate::memory::peak;
use crate::server::{Client, PASSWORD, Rogue};

/// The limit of the cases that end by a timeout.
const SHORT: Duration = Duration::from_millis(300);

/// The most memory of a connection before it is ready: the megabyte that a server may send, and
/// buffers.
const MEMORY: usize = 4 * 1024 * 1024;

struct Case {
    name: &'static str,
    script: fn(&mut Client),
    expected: fn(&ErrorKind) -> bool,
}

/// Starts a case. `$pattern` is the kind of error that it must end with.
macro_rules! case {
    ($name:literal, $script:expr, $pattern:pat $(if $guard:expr)?) => {
        Case {
            name: $name,
            script: $script,
            expected: |kind| matches!(kind, $pattern $(if $guard)?),
        }
    };
}

/// Replies to the startup packet with these bytes and closes.
macro_rules! sends {
    ($bytes:expr) => {
        |client| {
            client.startup();
            client.send($bytes);
            client.wait_for_close();
        }
    };
}

use {case, sends};

/// Returns the error of a connection to the script, after the checks that are common to all cases.
fn ends(name: &str, script: fn(&mut Client), set: impl FnOnce(Config) -> Config) -> Error {
    let rogue = Rogue::new(script);
    let config = set(rogue.config());
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

/// Checks that every case ends as expected, with these further settings.
fn check_with(cases: &[Case], set: impl Fn(Config) -> Config) {
    for Case { name, script, expected } in cases {
        let error = ends(name, *script, &set);
        assert!(expected(error.kind()), "{name}: {error:?}");
    }
}

fn check(cases: &[Case]) {
    check_with(cases, |config| config);
}
