//! The stream of change events of pg_walstream, over libpq.

use std::error::Error;
use std::hint::black_box;

use pg_walstream::{
    CancellationToken, EventType, LogicalReplicationStream, ReplicationStreamConfig, parse_lsn,
};

use crate::Task;

/// Returns how many rows there are before the first commit that ends after the LSN.
pub async fn read(task: &Task) -> Result<u64, Box<dyn Error>> {
    let config = ReplicationStreamConfig::builder(&task.slot, "p")
        .with_protocol_version(1)
        .with_binary(task.binary)
        .with_existing_slot_required(true);
    let dsn = format!("{} replication=database", task.dsn);
    let mut stream = LogicalReplicationStream::new(&dsn, config).await?;
    stream.start(None).await?;
    let never = CancellationToken::new();
    let until = parse_lsn(&task.until)?;
    let mut rows = 0;
    loop {
        match black_box(stream.next_event(&never).await?).event_type {
            EventType::Insert { .. } | EventType::Update { .. } | EventType::Delete { .. } => {
                rows += 1;
            }
            EventType::Commit { end_lsn, .. } if end_lsn.value() >= until => return Ok(rows),
            _ => {}
        }
    }
}
