//! A server is removed when the process that owns it ends without dropping it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use pgoutput_harness::{Server, TIMEOUT, Wait, eventually};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// The variable of the process that owns the server. Its value is how to end.
const ENDING: &str = "HARNESS_TEST_ENDING";

/// Runs this test program again for one test, which then takes the `owner` branch.
fn owner_that_ends(test: &str, ending: &str) -> (i32, String, std::process::ExitStatus) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(ENDING, ending)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let wait = Wait::killing("an owner and its end", TIMEOUT, &child);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.into_iter().find_map(|l| l.strip_prefix("OWNS ").map(str::to_owned));
    let line = line.expect("the owner prints what it owns");
    let (pid, folder) = line.split_once(' ').unwrap();
    let pid: i32 = pid.parse().unwrap();
    assert!(Path::new(folder).join("data").is_dir());
    test_kill_process(Pid::from_raw(pid).unwrap()).expect("the server runs");
    let owner = Pid::from_child(&child);
    match ending {
        "kill" => kill_process(owner, Signal::KILL).unwrap(),
        "terminate" => kill_process(owner, Signal::TERM).unwrap(),
        _ => {}
    }
    let status = child.wait().unwrap();
    wait.done();
    (pid, folder.to_owned(), status)
}

/// Owns a server until the requested end.
fn owner(ending: &str) {
    let server: &Server = Box::leak(Box::new(Server::any().unwrap()));
    let _database = server.database("left");
    let mut out = std::io::stdout();
    writeln!(out, "\nOWNS {} {}", server.pid().unwrap(), server.socket_folder().display()).unwrap();
    out.flush().unwrap();
    match ending {
        #[expect(clippy::disallowed_methods, reason = "the test needs an end without destructors")]
        "exit" => std::process::exit(3),
        "abort" => std::process::abort(),
        "panic" => panic!("as asked"),
        _ => loop {
            std::thread::park();
        },
    }
}

fn assert_nothing_is_left(test: &str, ending: &str) -> std::process::ExitStatus {
    let (pid, folder, status) = owner_that_ends(test, ending);
    // These processes are not our children and cannot be waited for.
    eventually(&format!("process {pid} and {folder} to go after {ending}"), || {
        let runs = test_kill_process(Pid::from_raw(pid).unwrap()).is_ok();
        (!runs && !Path::new(&folder).exists()).then_some(())
    });
    status
}

#[test]
fn nothing_is_left_after_a_signal() {
    if let Ok(ending) = std::env::var(ENDING) {
        return owner(&ending);
    }
    for (ending, signal) in [("kill", Signal::KILL), ("terminate", Signal::TERM)] {
        let status = assert_nothing_is_left("nothing_is_left_after_a_signal", ending);
        assert_eq!(status.signal(), Some(signal.as_raw()), "{ending}");
    }
}

#[test]
fn nothing_is_left_after_the_process_ends_itself() {
    if let Ok(ending) = std::env::var(ENDING) {
        return owner(&ending);
    }
    for (ending, code) in [("exit", Some(3)), ("panic", Some(101)), ("abort", None)] {
        let status =
            assert_nothing_is_left("nothing_is_left_after_the_process_ends_itself", ending);
        assert_eq!(status.code(), code, "{ending}");
    }
}
