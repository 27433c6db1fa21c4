//! The transaction that an event belongs to.

use std::sync::{Arc, OnceLock};

use pgoutput_decode::message::BeginBody;
use pgoutput_decode::{Lsn, TimestampTz, Xid};

use super::stream_identity::StreamIdentity;

/// A committed transaction, shared by its events.
#[derive(Debug)]
pub struct TransactionInfo {
    identity: Arc<StreamIdentity>,
    xid: Xid,
    commit_lsn: Lsn,
    commit_time: TimestampTz,
    end_lsn: OnceLock<Lsn>,
    origin: OnceLock<ReplicationOrigin>,
}

/// The origin of a transaction that was itself replicated to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicationOrigin {
    /// The name of the replication origin. Bytes that are not UTF-8 are escaped, as in `caf\xe9`.
    pub name: Box<str>,
    /// The commit's LSN on the origin server.
    pub commit_lsn: Lsn,
}

impl TransactionInfo {
    pub(crate) fn new(begin: &BeginBody, identity: &Arc<StreamIdentity>) -> Self {
        Self {
            identity: Arc::clone(identity),
            xid: begin.xid,
            commit_lsn: begin.final_lsn,
            commit_time: begin.commit_time,
            end_lsn: OnceLock::new(),
            origin: OnceLock::new(),
        }
    }

    pub(super) fn identity(&self) -> &Arc<StreamIdentity> {
        &self.identity
    }

    /// Returns whether this is the transaction of this Begin.
    pub(crate) fn is_of(&self, begin: &BeginBody) -> bool {
        (self.commit_lsn, self.xid) == (begin.final_lsn, begin.xid)
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
        self.xid
    }

    /// Returns the commit LSN: the start of the commit record. JSON calls it `begin_lsn`, since the
    /// Begin message contains it.
    pub fn commit_lsn(&self) -> Lsn {
        self.commit_lsn
    }

    /// Returns the end LSN: the first byte after the commit record.
    ///
    /// The server sends it after the last change, so it is `None` until the reader has received it.
    pub fn end_lsn(&self) -> Option<Lsn> {
        self.end_lsn.get().copied()
    }

    /// Returns the time of the commit.
    pub fn commit_time(&self) -> TimestampTz {
        self.commit_time
    }

    /// Returns the origin, if the transaction was replicated to the server.
    pub fn origin(&self) -> Option<&ReplicationOrigin> {
        self.origin.get()
    }
}
