//! Prints captured frames, one on each line, as a proxy or a test tool would.
//!
//! ```text
//! cargo run -p pgoutput-decode --example trace -- pgoutput-decode/examples/readme.frames
//! ```
//!
//! Reads the named file, or standard input. Each line contains one frame in hexadecimal, with any
//! spaces, and optionally its WAL position `X/X` before it. `#` starts a comment, and empty lines
//! are skipped. The lines must be one replication stream from its start, in order.
//!
//! A line that cannot be decoded is reported on standard error with its number, and reading
//! continues with the next line. The exit code is 1 if there was such a line, and 2 if the input
//! could not be read.

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
        // The reader of the output has closed it, such as `head`.
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

/// Prints the frame of every line and returns the number of invalid lines.
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
                // Keeps the order of output and errors if both go to the same terminal.
                out.flush()?;
                eprintln!("line {number}: {error}");
                bad += 1;
            }
        }
    }
    out.flush()?;
    Ok(bad)
}

/// Splits a line into its position, if there is one, and its frame.
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
    let position = lsn.map_or(String::new(), |lsn| format!("{lsn} "));
    // Messages inside a chunk are indented.
    let inside = decoder.stream_xid().is_some() && !matches!(message, Message::StreamStart(_));
    Ok(format!("{position}{}{message:?}", if inside { "  " } else { "" }))
}
