//! Captures: the messages of real servers, as text that can be reviewed.
//!
//! There is a file for each major version and set of options, `tests/captures/15/proto1.hex` and so
//! on, and next to it the decoded reading, `.txt`. All files of a major come from one run of one
//! workload, so they contain the same changes. Transaction ids, LSNs, object ids and times differ
//! from run to run.
//!
//! The format is that of the decoder's example `trace`: a frame per line, in hexadecimal, after its
//! LSN. `#` starts a comment. A line with only a comment starts a section, named for that step of
//! the workload.

mod folder;
mod kinds;

mod reading;
mod record;
mod seeds;

mod variant;
mod workload;

pub use folder::{file_names, load, store};
pub use kinds::{WithoutRepetitions, kinds};

pub use reading::reading;
pub use record::record;

pub use seeds::{Seed, seeds, write_seeds};
pub use variant::Variant;

use std::fmt;

use pgoutput_decode::{Lsn, ParseLsnError, Tag};

/// The frames that one stream received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Comments before the first section: the server, the options, the command.
    pub header: Vec<String>,
    /// The frames by step of the workload.
    pub sections: Vec<Section>,
}

/// The frames of one step of the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The name of the step.
    pub title: String,
    /// The frames that were received.
    pub frames: Vec<Frame>,
}

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// `wal_start` of its XLogData.
    pub lsn: Lsn,
    /// The data of its XLogData.
    pub bytes: Vec<u8>,
}

/// An invalid line of a capture file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    line: usize,
    kind: ParseErrorKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ParseErrorKind {
    Lsn(ParseLsnError),
    Hex,
    OutsideSection,
}

impl Capture {
    /// Returns all frames, in order.
    pub fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.sections.iter().flat_map(|section| &section.frames)
    }

    /// Returns the section with this title.
    pub fn section(&self, title: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.title == title)
    }

    /// Returns whether Stream Abort has its longer form.
    pub fn is_parallel(&self) -> bool {
        self.header.iter().any(|line| line.contains("streaming 'parallel'"))
    }
}

impl std::str::FromStr for Capture {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut capture = Self { header: Vec::new(), sections: Vec::new() };
        let mut in_header = true;
        for (number, line) in (1..).zip(text.lines()) {
            let fail = |kind| ParseError { line: number, kind };
            let (data, comment) = line.split_once('#').unwrap_or((line, ""));
            let (data, comment) = (data.trim(), comment.trim());
            if !data.is_empty() {
                let frame = parse_frame(data).map_err(fail)?;
                let section = capture.sections.last_mut();
                section.ok_or_else(|| fail(ParseErrorKind::OutsideSection))?.frames.push(frame);
            } else if comment.is_empty() {
                // The first empty line ends the header.
                in_header = false;
            } else if in_header {
                capture.header.push(comment.into());
            } else {
                capture.sections.push(Section { title: comment.into(), frames: Vec::new() });
            }
        }
        Ok(capture)
    }
}

fn parse_frame(data: &str) -> Result<Frame, ParseErrorKind> {
    let (lsn, hex) = data.split_once(' ').ok_or(ParseErrorKind::Hex)?;
    let lsn = lsn.parse().map_err(ParseErrorKind::Lsn)?;
    let digit = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or(ParseErrorKind::Hex)
    };
    let (pairs, rest) = hex.trim().as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(ParseErrorKind::Hex);
    }
    let bytes = pairs.iter().map(|[high, low]| Ok(digit(*high)? << 4 | digit(*low)?));
    Ok(Frame { lsn, bytes: bytes.collect::<Result<_, _>>()? })
}

impl fmt::Display for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.header {
            writeln!(f, "# {line}")?;
        }
        for section in &self.sections {
            writeln!(f, "\n# {}", section.title)?;
            section.frames.iter().try_for_each(|frame| writeln!(f, "{frame}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.lsn)?;
        self.bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        let name = self.bytes.first().and_then(|tag| Tag(*tag).name());
        write!(f, " # {}", name.unwrap_or("unknown"))
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.kind {
            ParseErrorKind::Lsn(error) => error.fmt(f),
            ParseErrorKind::Hex => f.write_str("expected an LSN and pairs of hexadecimal digits"),
            ParseErrorKind::OutsideSection => f.write_str("a frame before the first section"),
        }
    }
}

impl std::error::Error for ParseError {}

#[cfg(test)]
mod tests {
    use super::{Capture, Frame, Section};

    const TEXT: &str = "\
# PostgreSQL 15.18
# proto_version '1'

# start
0/158FAC8 45 # Stream Stop
0/0 531a # Stream Start

# end
";

    #[test]
    fn a_capture_is_written_as_it_was_read() {
        let capture: Capture = TEXT.parse().unwrap();
        assert_eq!(capture.header, ["PostgreSQL 15.18", "proto_version '1'"]);
        let frame = Frame { lsn: "0/0".parse().unwrap(), bytes: vec![0x53, 0x1A] };
        assert_eq!(capture.section("start").unwrap().frames[1], frame);
        assert_eq!(capture.sections[1], Section { title: "end".into(), frames: vec![] });
        assert_eq!(capture.to_string(), TEXT);
    }

    #[test]
    fn an_invalid_line_is_named() {
        for (text, message) in [
            ("\n# s\n45", "line 3: expected an LSN and pairs of hexadecimal digits"),
            ("\n# s\n0/0 4", "line 3: expected an LSN and pairs of hexadecimal digits"),
            ("\n# s\n0/0 +4", "line 3: expected an LSN and pairs of hexadecimal digits"),
            ("# header\n0/0 45", "line 2: a frame before the first section"),
        ] {
            assert_eq!(text.parse::<Capture>().unwrap_err().to_string(), message);
        }
    }
}
