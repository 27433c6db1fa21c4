//! The arguments of `pgoutput replay`.

use std::path::PathBuf;

use pgoutput_reader::decode::value::{Field, Format as ValueFormat, type_oid};
use pgoutput_reader::{Lsn, TimestampTz};

use super::{Objects, Selection, Verbosity, lsn};
use crate::filter::TablePattern;

#[derive(Debug, clap::Args)]
#[command(mut_arg("binary", |argument| argument.hide(true)))]
#[command(mut_arg("tables", |table| table.value_parser(TablePattern::without_condition)))]
pub(crate) struct Replay {
    /// The files of a capture, in their order; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// Start with the first transaction that was committed at this LSN or time, or later. A time is
    /// written as in 2026-11-30T23:00:00Z.
    #[arg(long, value_name = "LSN|TIME", value_parser = point)]
    pub(crate) from: Option<Point>,

    /// End before the first transaction that was committed at this LSN or time, or later.
    #[arg(long, value_name = "LSN|TIME", value_parser = point)]
    pub(crate) until: Option<Point>,

    /// End after this many objects, not counting those with op S.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,

    #[command(flatten)]
    pub(crate) selection: Selection,

    /// End each transaction with an object of its own, with op C.
    #[arg(long)]
    pub(crate) commits: bool,

    /// Print an object with op S when a table was altered, before its next change.
    #[arg(long)]
    pub(crate) schema_changes: bool,

    /// Add the position of each change.
    #[arg(long)]
    pub(crate) position: bool,

    #[command(flatten)]
    pub(crate) objects: Objects,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

/// A point of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Lsn(Lsn),
    Time(TimestampTz),
}

/// Reads an LSN, or a time in the form of RFC 3339.
fn point(text: &str) -> Result<Point, String> {
    if let Ok(lsn) = lsn(text) {
        return Ok(Point::Lsn(lsn));
    }
    time(text).map(Point::Time).ok_or_else(|| {
        "expected an LSN, as in 0/158FAC8, or a time with its zone, as in 2026-11-30T23:00:00Z"
            .into()
    })
}

fn time(text: &str) -> Option<TimestampTz> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let time =
        time.strip_suffix(['Z', 'z']).map_or_else(|| time.into(), |time| format!("{time}+00"));
    // As PostgreSQL writes it. Without a zone it would be read as UTC.
    if !time.contains(['+', '-']) {
        return None;
    }
    let text = format!("{date} {time}");
    let field = Field::new(type_oid::TIMESTAMPTZ, ValueFormat::Text, text.as_bytes());
    field.get().ok().filter(|time: &TimestampTz| time.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_an_lsn_or_a_time() {
        assert_eq!(point("0/158FAC8"), Ok(Point::Lsn(Lsn::new(0x0158_FAC8))));
        assert_eq!(point("22608584"), Ok(Point::Lsn(Lsn::new(22_608_584))));
        for (text, micros) in [
            ("2000-01-01T00:00:00Z", 0),
            ("2000-01-01t00:00:01.000001z", 1_000_001),
            ("2000-01-01T02:30:00+02:30", 0),
            ("1999-12-31 23:00:00-01:00", 0),
        ] {
            assert_eq!(point(text), Ok(Point::Time(TimestampTz::from_micros(micros))), "{text}");
        }
        for text in ["", "2000-01-01", "2000-01-01T00:00:00", "yesterday", "infinity", "1/2/3"] {
            assert!(point(text).is_err(), "{text}");
        }
    }
}
