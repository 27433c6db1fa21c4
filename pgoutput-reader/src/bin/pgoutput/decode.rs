//! The command `pgoutput decode`.

mod capture;
mod input;
mod json;
mod line;
mod names;
mod psql;
mod recvlogical;
mod row_text;
mod transaction;
mod value;

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use pgoutput_decode::{DecodeError, Decoder, Lsn, Message};

use crate::args::Decode;
use crate::{Failure, stdout};

pub(crate) use input::Form;
use input::Input;
use names::Names;

/// The number of bytes that one read asks for.
const READ: usize = 64 * 1024;

pub(crate) fn run(arguments: &Decode) -> Result<(), Failure> {
    let (name, file) = open(&arguments.file)?;
    let failed = |error: io::Error| Failure::Run(format!("{name}: {error}"));
    let (is_capture, mut file) = match arguments.input.form() {
        None => capture::is_capture(file).map_err(failed)?,
        Some(_) => (false, file),
    };
    let mut printer = Printer {
        out: BufWriter::with_capacity(READ, stdout::open().map_err(Failure::Run)?),
        style: if arguments.json { Style::Json } else { Style::Lines { full: arguments.full } },
        decoder: Decoder::new(),
        names: Names::default(),
        line: String::new(),
    };
    let decoded = if is_capture {
        capture::decode(file, &name, &mut printer)
    } else {
        decode(&mut file, Input::new(arguments.input.form()), &mut printer)
    };
    // What was read before an error is printed before it.
    let flushed = printer.out.flush();
    match decoded {
        Ok(()) => match flushed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(output(&error)),
            _ => Ok(()),
        },
        // Nobody reads the output any more, which is an orderly end.
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(Stop::Output(error)) => Err(output(&error)),
        Err(Stop::Input(error)) => Err(Failure::Run(format!("{name}: {error}"))),
        Err(Stop::Message(error)) => Err(Failure::Run(format!("{name}: {error}"))),
        Err(Stop::Capture(error)) => Err(Failure::Run(error)),
    }
}

/// An end before the end of the input.
enum Stop {
    Input(String),
    /// A message that cannot be decoded.
    Message(DecodeError),
    /// An error that names the file.
    Capture(String),
    Output(io::Error),
}

fn output(error: &io::Error) -> Failure {
    Failure::Run(format!("standard output: {error}"))
}

fn open(path: &Path) -> Result<(String, Box<dyn Read + Send>), Failure> {
    if path.as_os_str() == "-" {
        return Ok(("standard input".into(), Box::new(io::stdin())));
    }
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => Ok((name, Box::new(file))),
        Err(error) => Err(Failure::Run(format!("{name}: {error}"))),
    }
}

/// Prints the messages of the input, each one before waiting for the next.
fn decode(file: &mut dyn Read, mut input: Input, printer: &mut Printer) -> Result<(), Stop> {
    let mut chunk = vec![0; READ];
    loop {
        let read = match file.read(&mut chunk) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Stop::Input(error.to_string())),
        };
        match chunk.get(..read) {
            None | Some([]) => input.finish(),
            Some(bytes) => input.push(bytes),
        }
        while let Some(frame) = input
            .next(printer.decoder.stream_xid().is_some())
            .map_err(|error| Stop::Input(error.to_string()))?
        {
            printer.print(frame.lsn, frame.bytes).map_err(|stop| match stop {
                Stop::Message(error) => Stop::Input(frame.place.describe(&error)),
                stop => stop,
            })?;
        }
        if read == 0 {
            return Ok(());
        }
        printer.out.flush().map_err(Stop::Output)?;
    }
}

/// The form of what is printed.
#[derive(Debug, Clone, Copy)]
enum Style {
    Lines { full: bool },
    Json,
}

struct Printer {
    out: BufWriter<File>,
    style: Style,
    decoder: Decoder,
    names: Names,
    /// The current line, complete before any of it is printed.
    line: String,
}

impl Printer {
    fn print(&mut self, lsn: Option<Lsn>, frame: &[u8]) -> Result<(), Stop> {
        let message = self
            .decoder
            .decode(frame)
            .map_err(|error| Stop::Message(lsn.map_or(error, |lsn| error.at_lsn(lsn))))?;
        self.names.learn(&message);
        self.line.clear();
        let is_in_chunk = self.decoder.stream_xid().is_some();
        match self.style {
            Style::Json => json::write(&mut self.line, lsn, &message, &self.names),
            Style::Lines { full } => {
                let depth = self.names.depth(&message, is_in_chunk);
                line::write(&mut self.line, lsn, depth, &message, &self.names, full);
            }
        }
        self.end_line()
    }

    /// Prints that a new stream starts, which may repeat messages.
    fn restart(&mut self, start_lsn: Lsn) -> Result<(), Stop> {
        self.decoder = Decoder::new();
        self.names.restart();
        self.line.clear();
        match self.style {
            Style::Json => json::write_restart(&mut self.line, start_lsn),
            Style::Lines { .. } => line::write_restart(&mut self.line, start_lsn),
        }
        self.end_line()
    }

    fn end_line(&mut self) -> Result<(), Stop> {
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes()).map_err(Stop::Output)
    }
}

/// Returns the name of a message in the manual.
fn name(message: &Message<'_>) -> &'static str {
    message.tag().name().unwrap_or("unknown message")
}
