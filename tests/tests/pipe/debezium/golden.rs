//! Comparison with a committed file.

/// Compares lines with a file of this folder, ignoring empty lines and comments in it.
///
/// With `PGOUTPUT_WRITE_GOLDEN` the lines are written to that folder instead.
pub(crate) fn assert_golden(name: &str, file: &str, lines: &[String]) {
    if let Some(folder) = std::env::var_os("PGOUTPUT_WRITE_GOLDEN") {
        let path = std::path::Path::new(&folder).join(format!("{name}.jsonl"));
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
        return;
    }
    let expected: Vec<_> =
        file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    for (expected, line) in expected.iter().zip(lines) {
        assert_eq!(line, expected, "{name}");
    }
    assert_eq!(lines.len(), expected.len(), "{name}: {lines:#?}");
}
