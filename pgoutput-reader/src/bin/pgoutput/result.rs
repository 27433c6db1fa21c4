//! The result of a command on standard output: a text or table for people, or one JSON object.

use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};

use pgoutput_reader::decode::{Printable, is_printable};
use serde::Serialize;

use crate::Failure;
use crate::print::output_failure;

/// Prints the lines of a text.
pub(crate) fn print_text(text: &dyn Display) -> Result<(), Failure> {
    let text = text.to_string();
    let lines: Vec<String> = text.lines().map(|line| format!("{}\n", Printable(line))).collect();
    print(lines.concat().as_bytes())
}

/// Prints an object with one field, on one line.
pub(crate) fn print_json(field: &str, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::Run(format!("writing JSON: {error}")))?;
    print(format!("{{\"{field}\":{}}}\n", escaped(&text)).as_bytes())
}

/// Escapes the characters of a JSON text that are not printable. They are only in its strings.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_printable(c) {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

/// Prints a whole output. It is not an error if the reader has closed the pipe.
pub(crate) fn print(output: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(output).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(output_failure(None, &error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_printable_without_loss() {
        let name = "a\u{1b}[2J\u{202e}\u{e0041}\u{e9}";
        let text = escaped(&serde_json::to_string(name).unwrap());
        assert!(text.chars().all(is_printable), "{text:?}");
        assert!(text.contains('\u{e9}'));
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), name);
    }
}
