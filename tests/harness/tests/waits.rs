//! Tests that hang end, and say what they waited for.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use pgoutput_harness::{PATIENCE, Server, Wait, eventually, output_within, skip, waiting, within};
use rustix::process::Signal;

/// Set in the process whose one test hangs; names how.
const HANG: &str = "HARNESS_TEST_HANG";

/// This test program again, for one test only.
fn again(test: &str, way: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--test-threads=2"]);
    command.env(HANG, way).env("PGOUTPUT_TEST_LIMIT", "3");
    command
}

/// Runs it to its end, which is not its own.
fn hang(test: &str, way: &str) -> Output {
    output_within(&mut again(test, way), PATIENCE).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn for_ever() -> ! {
    loop {
        thread::park();
    }
}

#[test]
fn a_test_that_hangs_is_ended_with_its_name_and_its_server_removed() {
    if std::env::var_os(HANG).is_some() {
        let server = Server::any().unwrap();
        eprintln_raw(&format!("FOLDER {}\n", server.socket_folder().display()));
        thread::scope(|scope| {
            let (begun, begins) = channel();
            // A thread of the test's, as most tests wait on.
            scope.spawn(move || {
                waiting("what never comes", || begun.send(()).is_ok() && for_ever())
            });
            begins.recv_timeout(PATIENCE).unwrap();
            let _database = server.database("hangs");
            for_ever()
        });
    }
    let test = "a_test_that_hangs_is_ended_with_its_name_and_its_server_removed";
    let output = hang(test, "stage");
    let said = said(&output);
    assert_eq!(output.status.signal(), Some(Signal::ABORT.as_raw()), "{said}");
    let line = said.lines().find(|line| line.starts_with("pgoutput-harness: ")).expect(&said);
    assert!(line.contains(&format!("{test} has been in database hangs_")), "{said}");
    assert!(said.contains("waits for what never comes, since "), "{said}");
    let folder = said.lines().find_map(|line| line.strip_prefix("FOLDER ")).unwrap();
    eventually("the server's folder to be removed", || (!Path::new(folder).exists()).then_some(()));
}

#[test]
fn a_wait_that_hangs_is_ended_with_its_name() {
    if std::env::var_os(HANG).is_some() {
        let _wait = Wait::new("an answer", Duration::from_millis(200));
        for_ever();
    }
    let test = "a_wait_that_hangs_is_ended_with_its_name";
    let output = hang(test, "wait");
    assert_eq!(output.status.signal(), Some(Signal::ABORT.as_raw()));
    let said = said(&output);
    assert!(said.contains(&format!("{test} has waited for an answer for 0 s")), "{said}");
}

#[test]
fn an_overdue_wait_is_ended_by_its_remedy_and_fails_the_test() {
    let mut child = Command::new("sleep").arg("600").spawn().unwrap();
    let wait = Wait::or_kill("sleep to end", Duration::from_millis(200), &child);
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
    assert!(wait.is_over());
    let failure = std::panic::catch_unwind(|| wait.done()).unwrap_err();
    let said = failure.downcast::<String>().unwrap();
    assert!(said.contains("for sleep to end in vain"), "{said}");

    Wait::new("nothing", PATIENCE).done();
}

#[test]
fn what_never_is_so_fails_the_test() {
    let look = || within(Duration::from_millis(20), "a miracle", || None::<()>);
    let said = std::panic::catch_unwind(look).unwrap_err().downcast::<String>().unwrap();
    assert_eq!(*said, "waited for a miracle in vain");
}

/// Past the capture of the test runner.
fn eprintln_raw(text: &str) {
    std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).unwrap();
}

#[test]
fn a_skipped_test_says_so_past_the_capture_of_the_test_runner() {
    if std::env::var_os(HANG).is_some() {
        return skip("a reason");
    }
    let test = "a_skipped_test_says_so_past_the_capture_of_the_test_runner";
    let list = std::env::temp_dir().join(format!("pgoutput-skipped-{}", std::process::id()));
    let mut command = again(test, "not at all");
    let output = output_within(command.env("PGOUTPUT_TEST_SKIPPED", &list), PATIENCE).unwrap();
    assert!(output.status.success());
    let line = format!("skipped: {test}: a reason\n");
    assert!(said(&output).contains(&line), "{}", said(&output));
    assert!(fs::read_to_string(&list).unwrap().ends_with(&line));
    fs::remove_file(list).unwrap();
}
