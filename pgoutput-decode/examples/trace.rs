//! Prints captured frames one a line, as a proxy or a test tool would.
//!
//! ```text
//! cargo run -p pgoutput-decode --example trace -- pgoutput-decode/examples/readme.frames
//! ```
//!
//! Reads the file named, or standard input. The format: one frame a line in hexadecimal, spaces
//! anywhere in it; optionally the WAL position `X/X` in front of it; `#` starts a comment, empty
//! lines are skipped. One stream from its start, in order.
//!
//! A line that cannot be decoded is printed to standard error with its number, and the next line is
//! read; the exit code is 1 when there was one, 2 when the input could not be read.

use std::env;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::process::ExitCode;

use pgoutput_decode::{Decoder, Lsn, Message};

fn main() -> ExitCode {
    let path = env::args_os().nth(1);
    let input = match &path {
        Some(path) => fs::read_to_string(path),
        None => read_stdin(),
    };
    let input = match input {
        Ok(input) => input,
        Err(error) => {
            let name = path.map_or("standard input".into(), |path| path.display().to_string());
            eprintln!("{name}: {error}");
            return ExitCode::from(2);
        }
    };
    match trace(&input, BufWriter::new(io::stdout().lock())) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("standard output: {error}");
            ExitCode::from(2)
        }
    }
}

fn read_stdin() -> io::Result<String> {
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    Ok(input)
}

/// Prints every line's frame and returns how many were bad.
fn trace(input: &str, mut out: impl Write) -> io::Result<usize> {
    let (mut decoder, mut bad) = (Decoder::new(), 0);
    for (number, line) in (1..).zip(input.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        match parse(line).and_then(|(lsn, frame)| print(&mut decoder, lsn, &frame)) {
            Ok(text) => writeln!(out, "{text}")?,
            Err(error) => {
                // In order with what was printed before, where both go to the same place.
                out.flush()?;
                eprintln!("line {number}: {error}");
                bad += 1;
            }
        }
    }
    out.flush()?;
    Ok(bad)
}

/// Takes a line apart: the position, where there is one, and the frame.
fn parse(line: &str) -> Result<(Option<Lsn>, Vec<u8>), String> {
    let (lsn, hex) = match line.split_once(char::is_whitespace) {
        Some((lsn, hex)) if lsn.contains('/') => {
            (Some(lsn.parse().map_err(|error| format!("{lsn}: {error}"))?), hex)
        }
        _ => (None, line),
    };
    let digits: Vec<u8> = hex
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).and_then(|digit| digit.try_into().ok()))
        .map(|digit| digit.ok_or("not hexadecimal: expected a frame such as 45"))
        .collect::<Result<_, _>>()?;
    if !digits.len().is_multiple_of(2) {
        return Err("half a byte: the number of hexadecimal digits is odd".into());
    }
    Ok((lsn, digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()))
}

fn print(decoder: &mut Decoder, lsn: Option<Lsn>, frame: &[u8]) -> Result<String, String> {
    let message = decoder.decode(frame).map_err(|error| match lsn {
        Some(lsn) => error.at_lsn(lsn).to_string(),
        None => error.to_string(),
    })?;
    let place = lsn.map_or(String::new(), |lsn| format!("{lsn} "));
    // What is inside a chunk is set in.
    let inside = decoder.stream_xid().is_some() && !matches!(message, Message::StreamStart(_));
    Ok(format!("{place}{}{message:?}", if inside { "  " } else { "" }))
}
