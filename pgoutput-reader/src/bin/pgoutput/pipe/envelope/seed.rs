//! The objects of `pgoutput tail`: one record for each event.

use std::sync::Arc;

use pgoutput_reader::ChangeEvent;

use crate::pipe::batch::Batch;
use crate::pipe::route::KeyColumns;

pub(super) fn encode(
    event: &ChangeEvent,
    topic: &Arc<str>,
    key: &KeyColumns,
    batch: &mut Batch,
) -> Result<(), String> {
    batch.push(topic, |record| {
        key.write(event, record)?;
        record.value(|text| event.write_json(text)).map_err(|error| error.to_string())
    })
}
