//! Simple queries, with every value as text.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

use super::Connection;
use crate::error::{Error, LimitError, ProtocolError};
use crate::io::Fill;
use crate::proto::backend::{Columns, DataRowValues, Message};
use crate::proto::lossy;
use crate::sql::names::escaped;

/// The most bytes of a result that are kept.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

const DOING: &str = "running a command on";

/// The result of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rows {
    /// The rows; empty for a statement that returns none.
    pub rows: Vec<QueryRow>,
    /// The command tag, such as `SELECT 1` or `CREATE_REPLICATION_SLOT`.
    pub command_tag: String,
}

/// A row, with every value as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryRow {
    columns: Arc<[String]>,
    values: Vec<Option<String>>,
}

impl QueryRow {
    /// Returns the value of the first column with this name; `None` if it is NULL, or if there is
    /// no such column.
    pub fn get(&self, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|name| name == column)?;
        self.values.get(at)?.as_deref()
    }

    /// Returns the names of the columns. Bytes that are not UTF-8 are escaped, as in `caf\xe9`.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Returns all values in the order of the columns; `None` is NULL.
    pub fn values(&self) -> impl Iterator<Item = Option<&str>> {
        self.values.iter().map(Option::as_deref)
    }
}

impl Connection {
    /// Runs SQL or a replication command with the simple query protocol, and returns one result for
    /// each statement (manual, section "Simple Query").
    ///
    /// The text is sent unchanged: quote values from elsewhere yourself. The connection's
    /// `search_path` is empty, whatever the role, the database or the connection string specify:
    /// name the schema of everything that is not in `pg_catalog`.
    ///
    /// # Errors
    /// Errors of the server, after which the connection is usable; after any other it is not. A
    /// result over 64 MiB, a value that is not UTF-8
    /// ([`ValueNotUtf8`](ProtocolError::ValueNotUtf8)), `COPY`, and `START_REPLICATION`, which has
    /// a [method of its own](Self::start_replication).
    pub fn simple_query(&mut self, sql: &str) -> Result<Vec<Rows>, Error> {
        let deadline = self.deadline();
        self.send_query(sql, deadline, DOING)?;
        self.answer(deadline, |_| None)
    }

    /// Receives the results of the commands sent. When `deadline` has passed, `late` may return a
    /// new one.
    pub(super) fn answer(
        &mut self,
        mut deadline: Option<Instant>,
        mut late: impl FnMut(Instant) -> Option<Instant>,
    ) -> Result<Vec<Rows>, Error> {
        let mut answer = Answer::default();
        let mut failed = None;
        loop {
            let Some((tag, body)) = self.channel.inbox.next()? else {
                match self.channel.fill_by(deadline)? {
                    Fill::More => continue,
                    Fill::TimedOut => match late(Instant::now()) {
                        Some(later) => {
                            deadline = Some(later);
                            continue;
                        }
                        None => return Err(Error::timeout(DOING, self.channel.address())),
                    },
                    Fill::Woken => return Err(Error::stopped(DOING, self.channel.address())),
                    // No ReadyForQuery follows a fatal error.
                    Fill::Closed => {
                        return Err(failed.unwrap_or_else(|| self.channel.closed(DOING)));
                    }
                }
            };
            match Message::parse(tag, self.channel.inbox.body(body))? {
                Message::RowDescription(columns) => answer.describe(columns)?,
                Message::DataRow(values) => answer.row(values)?,
                Message::CommandComplete(tag) => answer.complete(tag)?,
                Message::EmptyQueryResponse => answer.complete(b"")?,
                Message::ErrorResponse(fields) => failed = Some(fields.to_message(true).into()),
                Message::ReadyForQuery => {
                    self.busy = false;
                    return failed.map_or(Ok(answer.done), Err);
                }
                message => self.async_messages.take(message, tag, DOING)?,
            }
        }
    }

    /// Runs a replication command that returns exactly one row.
    pub(super) fn only_row(
        &mut self,
        query: &str,
        command: &'static str,
    ) -> Result<OnlyRow, Error> {
        let answers = self.simple_query(query)?;
        OnlyRow::of(answers, command)
    }
}

impl OnlyRow {
    pub(crate) fn of(answers: Vec<Rows>, command: &'static str) -> Result<Self, Error> {
        match answers.into_iter().next().and_then(|rows| rows.rows.into_iter().next()) {
            Some(row) => Ok(Self { row, command }),
            None => Err(ProtocolError::Answer { command, field: "row" }.into()),
        }
    }
}

/// The row of a replication command, whose columns are known.
pub(crate) struct OnlyRow {
    row: QueryRow,
    command: &'static str,
}

impl OnlyRow {
    pub(crate) fn optional(&self, field: &str) -> Option<&str> {
        self.row.get(field)
    }

    pub(crate) fn text(&self, field: &'static str) -> Result<&str, ProtocolError> {
        self.row.get(field).ok_or(ProtocolError::Answer { command: self.command, field })
    }

    pub(crate) fn parse<T: FromStr>(&self, field: &'static str) -> Result<T, ProtocolError> {
        let wrong = ProtocolError::Answer { command: self.command, field };
        self.text(field)?.parse().map_err(|_| wrong)
    }
}

/// The results received so far.
#[derive(Default)]
struct Answer {
    done: Vec<Rows>,
    columns: Arc<[String]>,
    rows: Vec<QueryRow>,
    kept: usize,
}

impl Answer {
    /// Counts the bytes about to be kept.
    fn keep(&mut self, bytes: usize) -> Result<(), LimitError> {
        self.kept += bytes;
        if self.kept > ANSWER_LIMIT {
            return Err(LimitError::Kept { limit: ANSWER_LIMIT, unit: "bytes of rows" });
        }
        Ok(())
    }

    fn describe(&mut self, columns: Columns<'_>) -> Result<(), Error> {
        for name in columns.names() {
            self.keep(name.len() + size_of::<String>())?;
        }
        self.columns = columns.names().map(escaped).collect();
        Ok(())
    }

    fn row(&mut self, values: DataRowValues<'_>) -> Result<(), Error> {
        self.keep(size_of::<QueryRow>())?;
        let mut row = QueryRow { columns: self.columns.clone(), values: Vec::new() };
        for (index, value) in values.iter().enumerate() {
            self.keep(value.map_or(0, <[u8]>::len) + size_of::<Option<String>>())?;
            let value = value.map(|value| String::from_utf8(value.to_vec())).transpose();
            row.values.push(value.map_err(|_| ProtocolError::ValueNotUtf8 {
                column: self.columns.get(index).cloned().unwrap_or_default(),
            })?);
        }
        self.rows.push(row);
        Ok(())
    }

    fn complete(&mut self, command_tag: &[u8]) -> Result<(), Error> {
        self.keep(command_tag.len() + size_of::<Rows>())?;
        let rows = std::mem::take(&mut self.rows);
        self.columns = Arc::default();
        self.done.push(Rows { rows, command_tag: lossy(command_tag) });
        Ok(())
    }
}
