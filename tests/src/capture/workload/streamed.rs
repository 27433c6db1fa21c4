//! Transactions larger than `logical_decoding_work_mem`, which are streamed on request.

use std::error::Error;

use super::Steps;

/// Returns an insert of rows into the unpublished table, nearly 8 kB each. The ninth row exceeds 64
/// kB, and the server streams the changes of the largest transaction.
pub(super) fn fill(rows: u32) -> String {
    format!(
        "INSERT INTO filler SELECT pg_catalog.repeat('f', 7900)
         FROM pg_catalog.generate_series(1, {rows})"
    )
}

pub(super) fn run(steps: &mut Steps<'_, '_>) -> Result<(), Box<dyn Error>> {
    steps.step(
        "large transaction",
        &[
            "BEGIN",
            "INSERT INTO large VALUES (101, 'first chunk')",
            &fill(9),
            "INSERT INTO large VALUES (102, 'second chunk')",
            &fill(9),
            "INSERT INTO large VALUES (103, 'last chunk')",
            "COMMIT",
        ],
    )?;
    steps.step(
        "every kind of change in a large transaction",
        &[
            "BEGIN",
            "INSERT INTO typed VALUES (2, 'happy', 1, NULL, NULL, NULL)",
            "UPDATE typed SET id = 3 WHERE id OPERATOR(pg_catalog.=) 2",
            "UPDATE typed SET code = 'y' WHERE id OPERATOR(pg_catalog.=) 1",
            "DELETE FROM typed",
            "SELECT pg_catalog.pg_logical_emit_message(true, 'in a large transaction', 'text')",
            "SELECT pg_catalog.pg_logical_emit_message(
                 false, 'beside a large transaction', 'text')",
            "TRUNCATE typed, child",
            "ALTER TABLE large ADD more int",
            "INSERT INTO large VALUES (201, 'three columns', 1)",
            &fill(9),
            "INSERT INTO large VALUES (202, 'next chunk', 2)",
            "ALTER TABLE large DROP more",
            "INSERT INTO large VALUES (203, 'two columns')",
            "COMMIT",
        ],
    )?;
    aborts(steps)?;

    // The first transaction is larger, then the second.
    steps.step(
        "two large transactions at a time",
        &["BEGIN", "INSERT INTO large VALUES (601, 'first')", &fill(5)],
    )?;
    steps.run_second(&["BEGIN", "INSERT INTO large VALUES (701, 'second')", &fill(4)])?;
    steps.run(&["INSERT INTO large VALUES (602, 'first')", &fill(3)])?;
    steps.run_second(&["INSERT INTO large VALUES (702, 'second')", &fill(3), "COMMIT"])?;
    steps.run(&["COMMIT"])
}

/// Changes to be rolled back are marked first; see
/// [`Recorder::mark`](crate::capture::record::Recorder::mark).
fn aborts(steps: &mut Steps<'_, '_>) -> Result<(), Box<dyn Error>> {
    steps.step(
        "large transaction with a savepoint to be rolled back",
        &[
            "BEGIN",
            "INSERT INTO large VALUES (301, 'kept')",
            "SAVEPOINT lost",
            "INSERT INTO large VALUES (302, 'lost')",
            &fill(9),
        ],
    )?;
    steps.step(
        "rolled back to the savepoint, and committed",
        &[
            "ROLLBACK TO lost",
            "INSERT INTO large VALUES (303, 'kept')",
            "SAVEPOINT kept",
            "INSERT INTO large VALUES (304, 'kept')",
            &fill(9),
            "COMMIT",
        ],
    )?;
    steps.step(
        "large transaction to be rolled back",
        &["BEGIN", "INSERT INTO large VALUES (401, 'lost')", &fill(9)],
    )?;
    steps.step("rolled back as a whole", &["ROLLBACK"])?;
    steps.step(
        "large transaction with a savepoint, to be rolled back",
        &[
            "BEGIN",
            "INSERT INTO large VALUES (501, 'lost')",
            "SAVEPOINT lost",
            "INSERT INTO large VALUES (502, 'lost')",
            &fill(9),
        ],
    )?;
    steps.step("rolled back as a whole with its savepoint", &["ROLLBACK"])
}
