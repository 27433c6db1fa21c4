//! The settings of each stream of a source.

use std::sync::Arc;
use std::time::Duration;

use super::initial_copy::{CopyPlan, InitialCopy};
use super::open::{CopyJobs, Session};
use super::reconnect_policy::{OnReconnect, OnReconnected, Reconnect};
use crate::connection::CopyBoth;
use crate::error::Error;
use crate::event::StreamIdentity;
use crate::io::Waits;
use crate::listener::Listener;
use crate::proto::liveness::UpdateTiming;
use crate::snapshot::{JobRows, LocalRows, Rows, SlotAtRisk, Snapshot};
use crate::stream::{AcknowledgedLsns, Publications, ReplicationStream, SkippedPublication};

/// A callback for publications that are skipped.
pub(crate) type OnSkipped = Listener<dyn FnMut(&SkippedPublication) + Send>;

/// A callback for a slot that is about to be invalidated.
pub(crate) type OnSlotAtRisk = Listener<dyn FnMut(&SlotAtRisk) + Send>;

/// The settings of each stream.
#[derive(Debug)]
pub(crate) struct StreamSettings {
    pub(crate) heartbeat: bool,
    /// Whether the slot is temporary and disappears with its connection.
    pub(crate) temporary: bool,
    pub(crate) reconnect: Reconnect,
    pub(crate) on_reconnect: Option<OnReconnect>,
    pub(crate) on_reconnected: Option<OnReconnected>,
    pub(crate) publications: Publications,
    pub(crate) on_skipped: Option<OnSkipped>,
    pub(crate) on_slot_at_risk: Option<OnSlotAtRisk>,
    /// The acknowledged LSNs, which any thread may change.
    pub(crate) acknowledged: Arc<AcknowledgedLsns>,
    /// Whether transactions in progress that cannot be kept are requested after their commit.
    pub(crate) falls_back: bool,
    /// The initial copy, and the longest wait for the creation of a slot.
    pub(crate) copy: Option<(Snapshot, Duration)>,
}

impl StreamSettings {
    /// Returns whether the reader ends after the initial copy.
    pub(super) fn ends_after_copy(&self) -> bool {
        self.copy.as_ref().is_some_and(|(snapshot, _)| snapshot.is_alone())
    }

    pub(super) fn stream(
        &self,
        copy: CopyBoth,
        timing: UpdateTiming,
    ) -> Result<ReplicationStream, Error> {
        let mut stream = ReplicationStream::new(copy, timing, self.publications.clone())?;
        stream.set_heartbeat(self.heartbeat)?;
        stream.report_also(&self.acknowledged);
        Ok(stream)
    }

    /// Returns what a connection is for: an initial copy, the stream, or both.
    pub(super) fn session(
        &self,
        session: Session,
        timing: UpdateTiming,
        identity: &Arc<StreamIdentity>,
        waits: &Waits,
    ) -> Result<(Option<Box<InitialCopy>>, Option<ReplicationStream>), Error> {
        let stream = |mut copy: CopyBoth| {
            copy.set_wake_pipe(waits.wake.clone());
            let mut stream = self.stream(copy, timing)?;
            stream.stopped_by(waits.stop.clone());
            Ok::<_, Error>(stream)
        };
        let identity = Arc::clone(identity);
        Ok(match session {
            Session::Stream(copy) => (None, Some(stream(copy)?)),
            Session::Copy(mut connection, temporary_slot, plan) => {
                connection.set_wake_pipe(waits.wake.clone());
                let rows = Rows::Local(Box::new(LocalRows::new(connection, temporary_slot)));
                (Some(Box::new(InitialCopy::new(rows, plan, identity))), None)
            }
            Session::Jobs(copy, jobs, plan) => {
                let stream = stream(copy)?;
                (Some(Box::new(jobs_copy(*jobs, plan, identity, waits))), Some(stream))
            }
            Session::JobsAlone(_, jobs, plan) => {
                (Some(Box::new(jobs_copy(*jobs, plan, identity, waits))), None)
            }
        })
    }
}

fn jobs_copy(
    jobs: CopyJobs,
    plan: CopyPlan,
    identity: Arc<StreamIdentity>,
    waits: &Waits,
) -> InitialCopy {
    let CopyJobs { keeper, jobs, opener, settings } = jobs;
    let rows = JobRows::new(keeper, opener, settings, jobs, waits.wake.clone());
    InitialCopy::new(Rows::Jobs(Box::new(rows)), plan, identity)
}
