//! Two-phase commit.

use std::error::Error;

use super::{Steps, streamed::fill};

pub(super) fn run(steps: &mut Steps<'_, '_>) -> Result<(), Box<dyn Error>> {
    // Small first, then large enough to be streamed.
    for (size, id, rows) in [("", 801, 0), ("large ", 811, 9)] {
        steps.step(
            &format!("{size}transaction prepared"),
            &[
                "BEGIN",
                &format!("INSERT INTO large VALUES ({id}, 'prepared')"),
                &fill(rows),
                "PREPARE TRANSACTION 'it''s \"1\", ü'",
            ],
        )?;
        steps.step(
            &format!("{size}prepared transaction committed"),
            &["COMMIT PREPARED 'it''s \"1\", ü'"],
        )?;
        steps.step(
            &format!("{size}transaction prepared, to be rolled back"),
            &[
                "BEGIN",
                &format!("INSERT INTO large VALUES ({}, 'lost')", id + 1),
                &fill(rows),
                "PREPARE TRANSACTION '2'",
            ],
        )?;
        steps
            .step(&format!("{size}prepared transaction rolled back"), &["ROLLBACK PREPARED '2'"])?;
    }
    Ok(())
}
