//! The choice among several hosts, and the order in which they are tried.

use std::time::Duration;

use super::Connection;
use super::session_attrs::{ServerQuestion, fits};
use crate::config::{Config, Endpoint, TargetSessionAttrs};
use crate::error::{Error, ErrorKind};
use crate::io::{self, Target};
use crate::proto::pinned_settings;

/// Opens the first address of the hosts that can be connected to and has the wanted state.
pub(super) fn first<T>(
    config: &Config,
    mut open: impl FnMut(&Endpoint, &Target, TargetSessionAttrs) -> Result<T, Error>,
) -> Result<T, Error> {
    match config.get_target_session_attrs() {
        TargetSessionAttrs::PreferStandby => {
            match first_as(config, TargetSessionAttrs::Standby, &mut open) {
                Err(error) if may_use_any(&error) => {
                    first_as(config, TargetSessionAttrs::Any, &mut open)
                }
                result => result,
            }
        }
        wanted => first_as(config, wanted, &mut open),
    }
}

fn first_as<T>(
    config: &Config,
    wanted: TargetSessionAttrs,
    open: &mut impl FnMut(&Endpoint, &Target, TargetSessionAttrs) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut endpoints = config.endpoints()?;
    if config.get_load_balance_hosts() {
        shuffle(&mut endpoints);
    }
    let mut failed = Vec::new();
    for endpoint in endpoints {
        let mut targets = match io::targets(&endpoint) {
            Ok(targets) => targets,
            Err(error) => {
                failed.push(error);
                continue;
            }
        };
        if config.get_load_balance_hosts() {
            shuffle(&mut targets);
        }
        for target in targets {
            match open(&endpoint, &target, wanted) {
                Ok(connection) => return Ok(connection),
                // Its other addresses are the same server.
                Err(error) if matches!(error.kind(), ErrorKind::SessionAttrs { .. }) => {
                    failed.push(error);
                    break;
                }
                Err(error) if io::may_try_next(&error) => failed.push(error),
                Err(error) => return Err(error),
            }
        }
    }
    Err(all_failed(failed))
}

/// Returns the error, or all of them.
pub(super) fn all_failed(mut errors: Vec<Error>) -> Error {
    match (errors.pop(), errors.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            errors.extend(last);
            ErrorKind::AllHosts(errors).into()
        }
    }
}

impl Connection {
    /// Applies the settings that the startup packet could not contain, before a timeout of the role
    /// ends a command.
    pub(super) fn pin(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        let Some(statements) = pinned_settings::later(self.server_version()) else { return Ok(()) };
        self.set_command_timeout(timeout);
        self.with_short_timeout(|this| this.simple_query(&statements))?;
        self.set_command_timeout(None);
        Ok(())
    }

    /// Returns this connection if the server has the wanted state.
    pub(super) fn wanted(
        mut self,
        wanted: TargetSessionAttrs,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        self.set_command_timeout(timeout);
        let fits =
            self.with_short_timeout(|this| fits(wanted, |question| this.answers(question)))?;
        self.set_command_timeout(None);
        if fits {
            return Ok(self);
        }
        let address = self.address().to_owned();
        // A best effort: the server is not needed any more.
        let _ = self.close();
        Err(ErrorKind::SessionAttrs { wanted, address }.into())
    }

    /// Answers a question about the server. PostgreSQL 14 and later report the answer as
    /// parameters.
    fn answers(&mut self, question: ServerQuestion) -> Result<bool, Error> {
        let reported = |name| self.parameter(name).map(|value| value == "on");
        let standby = reported("in_hot_standby");
        let read_only = reported("default_transaction_read_only");
        match (question, standby, read_only) {
            (ServerQuestion::IsStandby, Some(standby), _) => Ok(standby),
            (ServerQuestion::IsReadOnly, Some(standby), Some(read_only)) => {
                Ok(standby || read_only)
            }
            _ => Ok(question.is_yes(&self.query_value(question.sql())?)),
        }
    }

    fn query_value(&mut self, query: &'static str) -> Result<String, Error> {
        let answers = self.simple_query(query)?;
        let value = answers.first().and_then(|rows| rows.rows.first()?.values().next()?);
        Ok(value.unwrap_or_default().to_owned())
    }
}

/// Returns whether another server is acceptable after no standby was found among the hosts.
fn may_use_any(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::SessionAttrs { .. } => true,
        ErrorKind::AllHosts(errors) => errors.iter().any(may_use_any),
        _ => io::may_try_next(error),
    }
}

/// Shuffles `items` (Fisher and Yates). The keys of std's hash tables are random, and good enough
/// to spread load.
fn shuffle<T>(items: &mut [T]) {
    use std::hash::{BuildHasher, RandomState};
    let keys = RandomState::new();
    for last in (1..items.len()).rev() {
        let random = usize::try_from(keys.hash_one(last) >> 32).unwrap_or(0);
        items.swap(last, random % (last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffling_keeps_everything_and_reaches_every_order() {
        let mut seen = std::collections::BTreeSet::new();
        // There are six orders, and the probability of missing one in so many tries is negligible.
        for _ in 0..2000 {
            let mut items = [1, 2, 3];
            shuffle(&mut items);
            seen.insert(items);
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.iter().all(|order| order.iter().sum::<i32>() == 6));
    }
}
