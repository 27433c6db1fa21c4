//! The replication connection and the event stream of pgsync-postgres.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use pgsync_core::Lsn;
use pgsync_core::config::SafetyConfig;
use pgsync_core::event::{Op, SourceEvent};
use pgsync_core::traits::{EventStream, Feedback};
use pgsync_postgres::replication::conn::ReplicationConnection;
use pgsync_postgres::replication::slot::start_replication_command;
use pgsync_postgres::replication::stream::PgEventStream;
use pgsync_postgres::url::ConnectionInfo;

use crate::Task;

const TIMEOUT: Duration = Duration::from_secs(30);

/// The interval of status updates, which this client leaves to its user.
const FEEDBACK: Duration = Duration::from_secs(10);

/// Returns how many rows there are before the first commit that ends after the LSN.
pub async fn read(task: &Task) -> Result<u64, Box<dyn Error>> {
    let safety = SafetyConfig { insecure_skip_tls_verify: true, ..SafetyConfig::default() };
    // Without this it would try TLS first.
    let plain = if task.dsn.contains("sslmode") { "" } else { " sslmode=disable" };
    let info = ConnectionInfo::parse(&format!("{}{plain}", task.dsn), &safety)?;
    let mut connection = ReplicationConnection::connect(&info, &safety, TIMEOUT).await?;
    let mut command = start_replication_command(&task.slot, Lsn(0), "p");
    if task.binary {
        // The one option that its own command lacks.
        command = command.replace("publication_names", "binary 'true', publication_names");
    }
    connection.start_replication(&command).await?;
    let mut stream = PgEventStream::new(connection, TIMEOUT);
    let until: Lsn = task.until.parse()?;
    let (mut rows, mut reported) = (0, Instant::now());
    loop {
        match black_box(stream.next_event().await?) {
            SourceEvent::Op(Op::Insert { .. } | Op::Update { .. } | Op::Delete { .. }) => rows += 1,
            SourceEvent::Commit { end_lsn, .. } if end_lsn >= until => return Ok(rows),
            SourceEvent::Keepalive { wal_end } if reported.elapsed() > FEEDBACK => {
                let nothing = Lsn(0);
                let (written, flushed, applied) = (wal_end, nothing, nothing);
                stream
                    .send_feedback(Feedback { written, flushed, applied, reply_requested: false })
                    .await?;
                reported = Instant::now();
            }
            _ => {}
        }
    }
}
