//! The rows `before` and `after`.

use pgoutput_reader::Row;
use pgoutput_reader::decode::TupleColumn;

use super::value::{self, Settings};

/// Writes a row, or `null`. Columns that an old row does not have are `null`.
pub(super) fn write(
    row: Option<&Row<'_>>,
    names: &[String],
    settings: &Settings,
    out: &mut String,
) -> Result<(), String> {
    let Some(row) = row else {
        out.push_str("null");
        return Ok(());
    };
    let mut columns = row.columns().peekable();
    let mut separator = '{';
    for (index, name) in names.iter().enumerate() {
        out.push(separator);
        separator = ',';
        out.push_str(name);
        let Some(column) = columns.next_if(|column| column.index == index) else {
            out.push_str("null");
            continue;
        };
        let Some(field) = column.field() else {
            if column.value == TupleColumn::Unchanged {
                value::unavailable(column.ty, settings, out);
            } else {
                out.push_str("null");
            }
            continue;
        };
        value::write(&field, column.column.type_modifier, settings, out)
            .map_err(|error| format!("column {:?} {error}", column.name()))?;
    }
    out.push_str(if separator == '{' { "{}" } else { "}" });
    Ok(())
}
