//! The command `pgoutput doctor`.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use pgoutput_reader::decode::{Printable, is_printable};
use pgoutput_reader::doctor::{Checkup, Finding, Severity};

use crate::args::Doctor;
use crate::print::output_failure;
use crate::{Failure, stdout};

/// The width of the report, in which statements are not broken.
const WIDTH: usize = 100;

/// The width of the column with the severities.
const INDENT: usize = 9;

/// Checks and prints the findings. The result is whether there is something to fix.
pub(crate) fn run(arguments: &Doctor) -> Result<bool, Failure> {
    let mut checkup = Checkup::new(arguments.server.config()?);
    if let Some(slot) = &arguments.slot {
        checkup = checkup.slot(slot);
    }
    for publication in &arguments.publications {
        checkup = checkup.publication(publication);
    }
    let mut out = stdout::open().map_err(Failure::Run)?;
    let mut findings = checkup.check();
    if arguments.quiet {
        findings.retain(|finding| finding.severity > Severity::Ok);
    }
    let text = if arguments.json { json(&findings)? } else { report(&findings, arguments.quiet) };
    match out.write_all(text.as_bytes()) {
        // Nobody reads it any more. The exit status still counts.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.map_err(|error| output_failure(None, &error))?,
    }
    Ok(findings.iter().any(|finding| finding.severity > Severity::Ok))
}

/// One block for each finding, and a summary. If nothing is to be fixed, a quiet report is empty.
fn report(findings: &[Finding], is_quiet: bool) -> String {
    // Writing to a text cannot fail.
    let mut text = String::new();
    for finding in findings {
        let mut margin = finding.severity.to_string();
        for line in wrapped(&finding.message) {
            let _ = writeln!(text, "{margin:<INDENT$}{line}");
            margin.clear();
        }
        for statement in &finding.sql {
            let _ = writeln!(text, "            {};", Printable(statement));
        }
    }
    let number = |severity| findings.iter().filter(|found| found.severity == severity).count();
    let plural = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        number => format!("{number} {word}s"),
    };
    let (errors, warnings) = (number(Severity::Error), number(Severity::Warning));
    let _ = match (errors, warnings) {
        (0, 0) if is_quiet => Ok(()),
        (0, 0) => writeln!(text, "\nnothing to fix"),
        _ => writeln!(text, "\n{}, {}", plural(errors, "error"), plural(warnings, "warning")),
    };
    text
}

/// The lines of a message. A word that is longer than a line, such as a path, is not broken.
fn wrapped(message: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in message.split(' ') {
        let line = lines.last_mut().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(last) if line == 0 => last.push_str(word),
            Some(last) if line + 1 + word.chars().count() <= WIDTH - INDENT => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The findings as one JSON object. Characters that are not printable are escaped.
fn json(findings: &[Finding]) -> Result<String, Failure> {
    let list = serde_json::to_string(findings).map_err(|error| Failure::Run(error.to_string()))?;
    let text = format!("{{\"findings\":{list}}}");
    let mut escaped = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if is_printable(character) {
            escaped.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped.push('\n');
    Ok(escaped)
}
