//! Tables for people.

use std::fmt;

use pgoutput_reader::decode::Printable;
use unicode_width::UnicodeWidthStr as _;

/// The side on which the text of a column begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows with aligned columns. A column without any value is left out, and characters that are not
/// printable are escaped.
pub(crate) struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(columns: [(&'static str, Align); N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: [String; N]) {
        self.rows.push(row.map(|cell| Printable(cell).to_string()));
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: [usize; N] = std::array::from_fn(|column| {
            self.rows.iter().map(|row| row[column].width()).max().unwrap_or_default()
        });
        let header = self.columns.map(|(name, _)| name.to_owned());
        for row in std::iter::once(&header).chain(&self.rows) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let (name, align) = self.columns[column];
                if widths[column] == 0 {
                    continue;
                }
                let padding = " ".repeat(widths[column].max(name.width()) - cell.width());
                if !line.is_empty() {
                    line.push_str("  ");
                }
                match align {
                    Align::Left => line.extend([cell, &*padding]),
                    Align::Right => line.extend([&*padding, cell]),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Returns a size with a unit, as `pg_size_pretty` chooses it.
pub(crate) fn size(bytes: u64) -> String {
    let (mut amount, mut unit) = (bytes, "bytes");
    for larger in ["kB", "MB", "GB", "TB"] {
        if amount < 10 * 1024 {
            break;
        }
        (amount, unit) = (amount.div_ceil(1024), larger);
    }
    format!("{amount} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let mut table =
            Table::new([("NAME", Align::Left), ("NONE", Align::Left), ("LAG", Align::Right)]);
        table.push(["a\u{1b}b".into(), String::new(), "7".into()]);
        table.push(["\u{4e2d}".into(), String::new(), "12345".into()]);
        let expected = "NAME        LAG\na\\u{1b}b      7\n\u{4e2d}        12345\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn sizes_have_units() {
        for (bytes, text) in
            [(0, "0 bytes"), (10_239, "10239 bytes"), (10_240, "10 kB"), (16 << 20, "16 MB")]
        {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(u64::MAX), "16777216 TB");
    }
}
