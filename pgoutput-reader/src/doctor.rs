//! Checks of everything that reading needs, with the SQL that fixes what is wrong: what
//! `pgoutput doctor` prints, as data.
//!
//! ```no_run
//! use pgoutput_reader::Config;
//! use pgoutput_reader::doctor::{Checkup, Severity};
//!
//! let config: Config = "postgresql://app@localhost/app".parse()?;
//! let findings = Checkup::new(config).slot("my_slot").publication("my_publication").check();
//! for finding in findings.iter().filter(|finding| finding.severity > Severity::Ok) {
//!     eprintln!("{finding}");
//! }
//! # Ok::<(), pgoutput_reader::Error>(())
//! ```
//!
//! No setting, table or publication is changed, and nothing is confirmed. The checks open a
//! replication connection and an SQL connection, as a reader does, and query the catalogue. Only if
//! the catalogue leaves open whether a publication existed at the position of the slot, the server
//! decodes the slot's next changes, for two seconds at most, and sends none of them. The slot is in
//! use meanwhile, and its `inactive_since` starts again (PostgreSQL 17 and later). With
//! `idle_replication_slot_timeout` the question is left open.

mod access;
mod facts;
mod finding;
mod judge;
mod sql;

use std::time::Duration;

pub use finding::{Finding, Severity};

use crate::config::Config;
use facts::Facts;

/// The time to try each host, if the settings have none: a check ends in any case.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Checks the server, without a slot and publications: short for
/// `Checkup::new(config.clone()).check()`.
pub fn check(config: &Config) -> Vec<Finding> {
    Checkup::new(config.clone()).check()
}

/// What to check.
#[derive(Debug, Clone)]
pub struct Checkup {
    config: Config,
    slot: Option<String>,
    publications: Vec<String>,
}

impl Checkup {
    /// Checks the server of these settings.
    ///
    /// If they have no [`connect_timeout`](Config::connect_timeout), each host is tried for 10
    /// seconds.
    pub fn new(config: Config) -> Self {
        Self { config, slot: None, publications: Vec::new() }
    }

    /// Checks this slot too. Without one, the checks are those of a slot that is yet to be created.
    #[must_use]
    pub fn slot(mut self, name: impl Into<String>) -> Self {
        self.slot = Some(name.into());
        self
    }

    /// Checks this publication and its tables too. It may be called several times.
    #[must_use]
    pub fn publication(mut self, name: impl Into<String>) -> Self {
        self.publications.push(name.into());
        self
    }

    /// Runs the checks and returns all findings, by topic: the connection first, then the server,
    /// the role, the publications, their tables and the slot.
    ///
    /// A server that cannot be reached is a finding too, and so is everything that this role may
    /// not query. Each query waits for its answer for 10 seconds at most.
    pub fn check(&self) -> Vec<Finding> {
        let mut config = self.config.clone();
        if config.get_connect_timeout().is_none() {
            config = config.connect_timeout(CONNECT_TIMEOUT);
        }
        let mut facts = Facts::asked(self.slot.as_deref(), &self.publications);
        let mut access = access::open(&config);
        facts.connection = access.facts;
        if let Some(catalog) = &mut access.catalog {
            facts.query(catalog);
        }
        if let Some(connection) = &mut access.connection {
            facts.peek(connection);
        }
        judge::findings(&facts)
    }
}
