//! The log of the library, which `RUST_LOG` requests.

use std::io::{self, Write};

use env_logger::{Builder, Target};
use log::LevelFilter;
use pgoutput_reader::decode::Printable;

use crate::bars;

/// The target of records about what the program reports itself.
const REPORTED: &str = "pgoutput_reader::reported";

/// Prints the records that `RUST_LOG` names on standard error; none by default.
pub(crate) fn install() {
    let Some(filter) = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty()) else {
        return;
    };
    Builder::new()
        .parse_filters(&filter)
        .filter_module(REPORTED, LevelFilter::Off)
        .target(Target::Pipe(Box::new(AboveBars)))
        .format(|line, record| {
            let level = record.level().as_str().to_ascii_lowercase();
            writeln!(line, "[{level} {}] {}", record.target(), Printable(record.args()))
        })
        .init();
}

/// Standard error, above the bars if there are any.
struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // It is not an error if nobody reads it.
        let _ = bars::above(|| io::stderr().write_all(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
