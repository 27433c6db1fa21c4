//! Files of several runs, with what a crash leaves in between.

use std::sync::Arc;

use pgoutput_reader::{ChangeEvent, Reader};

use super::*;

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders.pgocap");

/// A folder, and the events that are stored there.
struct Scene {
    folder: tempfile::TempDir,
    events: Vec<ChangeEvent>,
}

impl Scene {
    fn new() -> Self {
        let reader = Reader::replay(CAPTURE).open().unwrap();
        let events = reader.map(|event| event.unwrap()).filter(ChangeEvent::is_last).collect();
        Self { folder: tempfile::tempdir().unwrap(), events }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self, options: &str) -> FileLog {
        let url = format!("file:{}{options}", self.path("out").display());
        let settings = Settings::parse(&url).unwrap();
        FileLog { settings, lines: Lines::Value, copies: false, open: None }
    }

    /// Stores the event of this number as a run of its own.
    fn store(&self, options: &str, number: usize) -> Result<(), LogError> {
        let mut log = self.log(options);
        let position = log.open()?.position;
        let before = number.checked_sub(1).map(|before| self.events[before].position());
        assert_eq!(position, before);
        let mut batch = Batch::default();
        batch.begin(&self.events[number]);
        let pushed = batch.push(&Arc::from("topic"), |record| {
            record.value(|value| value.push_str(&number.to_string()));
            Ok::<_, ()>(())
        });
        pushed.unwrap();
        batch.end(&self.events[number]);
        batch.set_position(&self.events[number].position());
        log.store(&batch)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

#[test]
fn a_file_is_finished_once_it_is_old_enough() {
    let scene = Scene::new();
    let options = "?rotate_time=1000";
    scene.store(options, 0).unwrap();
    scene.store(options, 1).unwrap();
    assert_eq!(scene.read("out.000001"), "0\n1\n");
    // Its first line was written long ago.
    let text = scene.read("out.position");
    let (before, after) = text.split_once("\"since\":").unwrap();
    let text =
        format!("{before}\"since\":7{}", after.trim_start_matches(|c: char| c.is_ascii_digit()));
    fs::write(scene.path("out.position"), text).unwrap();
    scene.store(options, 2).unwrap();
    assert_eq!(scene.read("out.000001"), "0\n1\n2\n");
    assert_eq!(scene.read("out.000002"), "");
    scene.store(options, 3).unwrap();
    assert_eq!(scene.read("out.000002"), "3\n");
}

#[test]
fn rotation_starts_and_ends_with_the_option() {
    let scene = Scene::new();
    scene.store("", 0).unwrap();
    scene.store("?rotate_size=4", 1).unwrap();
    assert_eq!((scene.read("out"), scene.read("out.000001")), ("0\n1\n".into(), String::new()));
    scene.store("", 2).unwrap();
    scene.store("", 3).unwrap();
    assert_eq!(scene.read("out.000001"), "2\n3\n");
    assert!(!scene.path("out.000002").exists());
}

#[test]
fn what_a_crash_leaves_is_cut_off_or_used_again() {
    let scene = Scene::new();
    let options = "?rotate_size=4";
    scene.store(options, 0).unwrap();
    // Before the position was stored.
    fs::write(scene.path("out.000001"), "0\n1\nhal").unwrap();
    // After the next file was created.
    fs::write(scene.path("out.000002"), "").unwrap();
    scene.store(options, 1).unwrap();
    scene.store(options, 2).unwrap();
    assert_eq!(scene.read("out.000001"), "0\n1\n");
    assert_eq!(scene.read("out.000002"), "2\n");
}

#[test]
fn after_an_error_nothing_more_is_written() {
    let scene = Scene::new();
    let mut log = scene.log("");
    let batch = Batch::default();
    assert!(log.store(&batch).unwrap_err().to_string().contains("is not open"));
    log.open().unwrap();
    assert!(log.store(&batch).unwrap_err().to_string().contains("without a position"));
    assert!(log.store(&batch).unwrap_err().to_string().contains("is not open"));
    assert!(!log.store(&batch).unwrap_err().is_transient());
}
