//! Ends the server's processes of the program.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pgoutput_harness::Database;
use pgoutput_tests::Random;

/// Terminates a backend of the program at random moments, `interval` milliseconds apart on average,
/// until `ended`. Returns how many there were.
///
/// They are those of the jobs, of the snapshot and of the catalogue, and the sender.
pub(crate) fn backends(database: &Database<'_>, interval: usize, ended: &AtomicBool) -> usize {
    let mut random = Random::new(11);
    let mut client = database.client();
    let mut terminated = 0;
    while !ended.load(Ordering::Acquire) {
        let terminate = "SELECT pg_catalog.pg_terminate_backend(pid)
            FROM pg_catalog.pg_stat_activity
            WHERE datname = pg_catalog.current_database() AND application_name = 'pgoutput'
            ORDER BY pg_catalog.random() LIMIT 1";
        terminated += client.query(terminate, &[]).unwrap().len();
        for _ in 0..random.below(2 * interval) / 10 {
            if ended.load(Ordering::Acquire) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
    terminated
}
