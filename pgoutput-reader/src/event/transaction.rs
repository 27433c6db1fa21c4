//! The transaction that an event belongs to.

use std::sync::{Arc, OnceLock};

use pgoutput_decode::message::{
    BeginBody, BeginPrepareBody, CommitPreparedBody, RollbackPreparedBody,
};
use pgoutput_decode::{Lsn, TimestampTz, Xid};

use super::signature::COMMIT_LEN;
use super::stream_identity::StreamIdentity;

/// A committed or prepared transaction, shared by its events.
#[derive(Debug)]
pub struct TransactionInfo {
    identity: Arc<StreamIdentity>,
    start: TransactionStart,
    end_lsn: OnceLock<Lsn>,
    origin: OnceLock<ReplicationOrigin>,
}

/// What the first message of a transaction contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransactionStart {
    pub(crate) xid: Xid,
    /// The start of the record that ended it, by which it is ordered.
    pub(crate) commit_lsn: Lsn,
    pub(crate) commit_time: TimestampTz,
    /// The identifier of a prepared transaction.
    pub(crate) gid: Option<Box<str>>,
}

impl From<&BeginBody> for TransactionStart {
    fn from(begin: &BeginBody) -> Self {
        let BeginBody { final_lsn: commit_lsn, commit_time, xid } = *begin;
        Self { xid, commit_lsn, commit_time, gid: None }
    }
}

impl From<&BeginPrepareBody<'_>> for TransactionStart {
    fn from(begin: &BeginPrepareBody<'_>) -> Self {
        let BeginPrepareBody { prepare_lsn, prepare_time, xid, gid, .. } = *begin;
        Self { xid, commit_lsn: prepare_lsn, commit_time: prepare_time, gid: Some(gid.into()) }
    }
}

impl From<&CommitPreparedBody<'_>> for TransactionStart {
    fn from(commit: &CommitPreparedBody<'_>) -> Self {
        let CommitPreparedBody { commit_lsn, commit_time, xid, gid, .. } = *commit;
        Self { xid, commit_lsn, commit_time, gid: Some(gid.into()) }
    }
}

impl From<&RollbackPreparedBody<'_>> for TransactionStart {
    fn from(rollback: &RollbackPreparedBody<'_>) -> Self {
        let RollbackPreparedBody { rollback_end_lsn, rollback_time, xid, gid, .. } = *rollback;
        // The start of the record is not sent. This LSN is inside of it, and leaves space for the
        // signature of the event.
        let commit_lsn = Lsn::new(rollback_end_lsn.as_u64().saturating_sub(COMMIT_LEN));
        Self { xid, commit_lsn, commit_time: rollback_time, gid: Some(gid.into()) }
    }
}

/// The origin of a transaction that was itself replicated to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicationOrigin {
    /// The name of the replication origin. Bytes that are not UTF-8 are escaped, as in `caf\xe9`.
    pub name: Box<str>,
    /// The commit's LSN on the origin server. `None` if the server does not send it: for a
    /// transaction that was sent while it was in progress
    /// ([`Streaming`](crate::Streaming)), and for one that was committed without it.
    pub commit_lsn: Option<Lsn>,
}

impl TransactionInfo {
    pub(crate) fn new(start: TransactionStart, identity: &Arc<StreamIdentity>) -> Self {
        Self {
            identity: Arc::clone(identity),
            start,
            end_lsn: OnceLock::new(),
            origin: OnceLock::new(),
        }
    }

    pub(super) fn identity(&self) -> &Arc<StreamIdentity> {
        &self.identity
    }

    /// Returns whether this is the transaction that starts so.
    pub(crate) fn is_of(&self, start: &TransactionStart) -> bool {
        self.start == *start
    }

    /// Sets the origin. The server sends it once, directly after Begin; a repetition changes
    /// nothing.
    pub(crate) fn set_origin(&self, origin: ReplicationOrigin) {
        let _ = self.origin.set(origin);
    }

    pub(crate) fn ended_at(&self, end_lsn: Lsn) {
        let _ = self.end_lsn.set(end_lsn);
    }

    /// Returns the id of the transaction.
    pub fn xid(&self) -> Xid {
        self.start.xid
    }

    /// Returns the commit LSN: the start of the commit record. JSON calls it `begin_lsn`, since the
    /// Begin message contains it.
    ///
    /// For a transaction that is [prepared](crate::Op::Prepare) it is the start of the prepare
    /// record, and for one that was prepared and is [rolled back](crate::Op::RollbackPrepared) an
    /// LSN inside the record of the rollback.
    pub fn commit_lsn(&self) -> Lsn {
        self.start.commit_lsn
    }

    /// Returns the end LSN: the first byte after the record at [`commit_lsn`](Self::commit_lsn).
    ///
    /// The server sends it after the last change, so it is `None` until the reader has received it.
    pub fn end_lsn(&self) -> Option<Lsn> {
        self.end_lsn.get().copied()
    }

    /// Returns the time of the commit, or of what the record at [`commit_lsn`](Self::commit_lsn)
    /// did instead.
    pub fn commit_time(&self) -> TimestampTz {
        self.start.commit_time
    }

    /// Returns the identifier given in `PREPARE TRANSACTION`, if the transaction was delivered when
    /// it was prepared: see [`StreamOptions::two_phase`](crate::StreamOptions::two_phase).
    pub fn gid(&self) -> Option<&str> {
        self.start.gid.as_deref()
    }

    /// Returns the origin, if the transaction was replicated to the server.
    pub fn origin(&self) -> Option<&ReplicationOrigin> {
        self.origin.get()
    }
}
