//! The objects of `pgoutput tail`: one record for each event.

use std::sync::Arc;

use pgoutput_reader::ChangeEvent;
use pgoutput_reader::decode::value::{Field, JsonOptions};

use crate::pipe::batch::Batch;
use crate::pipe::route::{self, TableRoute};

/// Adds the record of an event of a table.
pub(super) fn encode(
    event: &ChangeEvent,
    route: &TableRoute,
    options: JsonOptions,
    batch: &mut Batch,
) -> Result<(), String> {
    batch.push(&route.topic, |record| {
        if !route.key.is_empty()
            && let Some(row) = route::key_row(event)
        {
            let value = |_: i32, field: &Field<'_>, text: &mut String| {
                route::key_value(field, options, text)
            };
            record
                .key(|text| route.key.write(&row, text, value))
                .map_err(|error| super::in_change(event, &error))?;
        }
        record.value(|text| event.write_json(text)).map_err(|error| error.to_string())
    })
}

/// Adds the record of a message or of an end.
pub(super) fn encode_without_table(
    event: &ChangeEvent,
    topic: &Arc<str>,
    batch: &mut Batch,
) -> Result<(), String> {
    batch.push(topic, |record| {
        record.value(|text| event.write_json(text)).map_err(|error| error.to_string())
    })
}
