//! The transaction that an event belongs to.

use std::sync::{Arc, OnceLock};

use pgoutput_decode::message::BeginBody;
use pgoutput_decode::{Lsn, TimestampTz, Xid};

use super::stream_identity::StreamIdentity;

/// A committed transaction; shared by its events.
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

    /// Whether this is the transaction that begins there.
    pub(crate) fn is_of(&self, begin: &BeginBody) -> bool {
        (self.commit_lsn, self.xid) == (begin.final_lsn, begin.xid)
    }

    /// The server sends it once, directly after Begin; a repetition changes nothing.
    pub(crate) fn came_from(&self, origin: ReplicationOrigin) {
        let _ = self.origin.set(origin);
    }

    pub(crate) fn ended_at(&self, end_lsn: Lsn) {
        let _ = self.end_lsn.set(end_lsn);
    }

    /// The id of the transaction.
    pub fn xid(&self) -> Xid {
        self.xid
    }

    /// The commit LSN: the start of the commit record. JSON calls it `begin_lsn`, since the Begin
    /// message carries it.
    pub fn commit_lsn(&self) -> Lsn {
        self.commit_lsn
    }

    /// The end LSN: the first byte after the commit record. It is confirmed once the whole
    /// transaction was acknowledged.
    ///
    /// The server sends it after the last change: `None` until the reader has received that.
    pub fn end_lsn(&self) -> Option<Lsn> {
        self.end_lsn.get().copied()
    }

    /// When the transaction was committed.
    pub fn commit_time(&self) -> TimestampTz {
        self.commit_time
    }

    /// Where the transaction came from, if it was replicated to the server.
    pub fn origin(&self) -> Option<&ReplicationOrigin> {
        self.origin.get()
    }
}
