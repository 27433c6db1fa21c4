//! Hanging tests are ended and report what they waited for.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use pgoutput_harness::{Server, TIMEOUT, Wait, eventually, output_within, skip, waiting, within};
use rustix::process::Signal;

/// The variable of the process whose one test hangs. Its value is the kind of wait.
const HANG_VARIABLE: &str = "HARNESS_TEST_HANG";

/// Returns a command that runs this test program again, for one test.
fn test_command(test: &str, kind: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--test-threads=2"]);
    command.env(HANG_VARIABLE, kind).env("PGOUTPUT_TEST_LIMIT", "3");
    command
}

/// Runs a hanging test until it is ended.
fn run_hanging(test: &str, kind: &str) -> Output {
    output_within(&mut test_command(test, kind), TIMEOUT).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn wait_indefinitely() -> ! {
    loop {
        thread::park();
    }
}

#[test]
fn a_hanging_test_is_ended_and_its_server_removed() {
    if std::env::var_os(HANG_VARIABLE).is_some() {
        let server = Server::any().unwrap();
        eprintln_raw(&format!("FOLDER {}\n", server.socket_folder().display()));
        thread::scope(|scope| {
            let (begun, begins) = channel();
            // A second thread, as most tests wait for one.
            scope.spawn(move || {
                waiting("what never comes", || begun.send(()).is_ok() && wait_indefinitely())
            });
            begins.recv_timeout(TIMEOUT).unwrap();
            let _database = server.database("hangs");
            wait_indefinitely()
        });
    }
    let test = "a_hanging_test_is_ended_and_its_server_removed";
    let output = run_hanging(test, "stage");
    let stderr = stderr(&output);
    assert_eq!(output.status.signal(), Some(Signal::ABORT.as_raw()), "{stderr}");
    let line = stderr.lines().find(|line| line.starts_with("pgoutput-harness: ")).expect(&stderr);
    assert!(line.contains(&format!("{test} has been in database hangs_")), "{stderr}");
    assert!(stderr.contains("waits for what never comes, since "), "{stderr}");
    let folder = stderr.lines().find_map(|line| line.strip_prefix("FOLDER ")).unwrap();
    eventually("the server's folder to be removed", || (!Path::new(folder).exists()).then_some(()));
}

#[test]
fn a_hanging_wait_is_ended_and_named() {
    if std::env::var_os(HANG_VARIABLE).is_some() {
        let _wait = Wait::new("an answer", Duration::from_millis(200));
        wait_indefinitely();
    }
    let test = "a_hanging_wait_is_ended_and_named";
    let output = run_hanging(test, "wait");
    assert_eq!(output.status.signal(), Some(Signal::ABORT.as_raw()));
    let stderr = stderr(&output);
    assert!(stderr.contains(&format!("{test} has waited for an answer for 0 s")), "{stderr}");
}

#[test]
fn an_overdue_wait_is_ended_by_its_remedy_and_fails_the_test() {
    let mut child = Command::new("sleep").arg("600").spawn().unwrap();
    let wait = Wait::killing("sleep to end", Duration::from_millis(200), &child);
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
    assert!(wait.is_over());
    let failure = std::panic::catch_unwind(|| wait.done()).unwrap_err();
    let stderr = failure.downcast::<String>().unwrap();
    assert!(stderr.contains("for sleep to end in vain"), "{stderr}");

    Wait::new("nothing", TIMEOUT).done();
}

#[test]
fn a_condition_that_never_holds_fails_the_test() {
    let look = || within(Duration::from_millis(20), "a miracle", || None::<()>);
    let stderr = std::panic::catch_unwind(look).unwrap_err().downcast::<String>().unwrap();
    assert_eq!(*stderr, "waited for a miracle in vain");
}

/// Prints past the capture of the test runner.
fn eprintln_raw(text: &str) {
    std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).unwrap();
}

#[test]
fn a_skipped_test_is_reported_despite_output_capture() {
    if std::env::var_os(HANG_VARIABLE).is_some() {
        return skip("a reason");
    }
    let test = "a_skipped_test_is_reported_despite_output_capture";
    let list = std::env::temp_dir().join(format!("pgoutput-skipped-{}", std::process::id()));
    let mut command = test_command(test, "not at all");
    let output = output_within(command.env("PGOUTPUT_TEST_SKIPPED", &list), TIMEOUT).unwrap();
    assert!(output.status.success());
    let line = format!("skipped: {test}: a reason\n");
    assert!(stderr(&output).contains(&line), "{}", stderr(&output));
    assert!(fs::read_to_string(&list).unwrap().ends_with(&line));
    fs::remove_file(list).unwrap();
}
