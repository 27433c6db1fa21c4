//! The history of a server's timeline: TIMELINE_HISTORY.

use pgoutput_decode::Lsn;

use super::Connection;
use crate::error::{Error, ProtocolError};
use crate::proto::command;

const COMMAND: &str = "TIMELINE_HISTORY";

/// One switch in a server's history: a promotion or a point-in-time recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimelineSwitch {
    /// The timeline that was left.
    pub timeline: u32,
    /// The WAL position of the switch. The WAL before it is shared with the old timeline, the WAL
    /// after it is not.
    pub lsn: Lsn,
}

impl Connection {
    /// Returns the timelines that led to this one, oldest first: TIMELINE_HISTORY. Timeline 1 has
    /// none.
    ///
    /// # Errors
    /// SQLSTATE 58P01 if the server does not have the history of that timeline.
    pub fn timeline_history(&mut self, timeline: u32) -> Result<Vec<TimelineSwitch>, Error> {
        if timeline <= 1 {
            return Ok(Vec::new());
        }
        let row = self.only_row(&command::timeline_history(timeline), COMMAND)?;
        history(row.text("content")?)
            .ok_or_else(|| ProtocolError::Answer { command: COMMAND, field: "content" }.into())
    }
}

/// Parses lines of a timeline, an LSN and a reason, separated by blanks (PostgreSQL's
/// `timeline.c`).
fn history(content: &str) -> Option<Vec<TimelineSwitch>> {
    let lines = content.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split_ascii_whitespace();
            let timeline = words.next()?.parse().ok()?;
            Some(TimelineSwitch { timeline, lsn: words.next()?.parse().ok()? })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_names_each_switch() {
        let content = "1\t0/3000148\tno recovery target specified\n\n# by hand\n\
                       2\t1/0\tbefore 2026-01-01 00:00:00+00\n";
        let at = |timeline, lsn| TimelineSwitch { timeline, lsn: Lsn::new(lsn) };
        assert_eq!(history(content), Some(vec![at(1, 0x300_0148), at(2, 1 << 32)]));
        assert_eq!(history(""), Some(Vec::new()));
        for bad in ["1", "1\tx", "x\t0/1"] {
            assert_eq!(history(bad), None, "{bad:?}");
        }
    }
}
