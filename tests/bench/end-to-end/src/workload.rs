//! The changes that are written to the server before anything is measured.

use std::fmt::Write as _;

use postgres::Client;

use crate::Problem;

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// pgbench's transactions: three updates and an insert each.
    Narrow,
    /// One transaction of rows with 6 columns.
    Bulk,
    /// The same, sent with `binary 'true'`.
    Binary,
    /// Updates of the same rows with `REPLICA IDENTITY FULL`, in one transaction.
    Full,
    /// One transaction of rows with 100 columns, a tenth of the requested rows.
    Wide,
    /// The same as `Bulk`, larger than the memory that the server has for decoding.
    Large,
}

impl Workload {
    /// All workloads.
    pub const ALL: [Self; 6] =
        [Self::Narrow, Self::Bulk, Self::Binary, Self::Full, Self::Wide, Self::Large];

    /// Returns its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Narrow => "narrow",
            Self::Bulk => "bulk",
            Self::Binary => "binary",
            Self::Full => "full",
            Self::Wide => "wide",
            Self::Large => "large",
        }
    }

    /// Describes its rows in a report.
    pub const fn rows_are(self) -> &'static str {
        match self {
            Self::Narrow => "four to a transaction",
            Self::Bulk => "inserts of 6 columns in one transaction",
            Self::Binary => "inserts of 6 columns in one transaction, values in binary",
            Self::Full => "updates of 6 columns in one transaction, with the old row",
            Self::Wide => {
                "inserts of 100 columns in one transaction, a tenth of the requested rows"
            }
            Self::Large => "inserts of 6 columns in one transaction, decoded in 4 MB of memory",
        }
    }

    /// Returns the smallest number that yields at least one row.
    pub const fn least_rows(self) -> u32 {
        match self {
            Self::Narrow => 4,
            Self::Wide => 10,
            Self::Bulk | Self::Binary | Self::Full | Self::Large => 1,
        }
    }

    /// Returns the first major version of PostgreSQL that has what it needs.
    pub const fn first_major(self) -> u32 {
        match self {
            Self::Binary => 14,
            Self::Large => 13,
            Self::Narrow | Self::Bulk | Self::Full | Self::Wide => 10,
        }
    }

    /// Returns whether values are requested in binary.
    pub fn is_binary(self) -> bool {
        self == Self::Binary
    }

    /// Creates the tables, the publication `p` and the slot `base`, and then makes about `rows`
    /// changes. Returns their exact number.
    ///
    /// # Errors
    /// Those of the server.
    pub fn write(self, client: &mut Client, rows: u32) -> Result<u32, Problem> {
        const COLUMNS: &str =
            "id int primary key, a text, b int8, c timestamptz, d numeric, e bool";
        const ROW: &str = "g, 'some text of a row', g * 7, now(), g * 1.25, g % 2 = 0";
        let rows = if self == Self::Wide { rows / 10 } else { rows };
        let insert =
            format!("insert into t select {ROW} from pg_catalog.generate_series(1, {rows}) g");
        match self {
            Self::Narrow => client.batch_execute(PGBENCH)?,
            Self::Wide => {
                let columns: Vec<String> = (1..100).map(|n| format!("c{n} int")).collect();
                let table = format!("create table t (id int primary key, {})", columns.join(", "));
                client.batch_execute(&table)?;
            }
            _ => client.batch_execute(&format!("create table t ({COLUMNS})"))?,
        }
        if self == Self::Full {
            client.batch_execute(&format!("alter table t replica identity full; {insert}"))?;
        }
        client.batch_execute("create publication p for all tables")?;
        client.execute(
            "select pg_catalog.pg_create_logical_replication_slot('base', 'pgoutput')",
            &[],
        )?;
        match self {
            Self::Narrow => return narrow(client, rows / 4),
            Self::Bulk | Self::Binary => client.batch_execute(&insert)?,
            Self::Large => {
                client.batch_execute(SMALL_DECODING_MEMORY)?;
                client.batch_execute(&insert)?;
            }
            Self::Full => client.batch_execute("update t set b = b + 1")?,
            Self::Wide => {
                let values: Vec<String> = (1..100).map(|n| format!("g * {n}")).collect();
                let values = values.join(", ");
                client.batch_execute(&format!(
                    "insert into t select g, {values} from pg_catalog.generate_series(1, {rows}) g"
                ))?;
            }
        }
        Ok(rows)
    }
}

/// Also for the sessions of slots, as a setting of the database.
const SMALL_DECODING_MEMORY: &str = "
do $$ begin
    execute pg_catalog.format('alter database %I set logical_decoding_work_mem = ''4MB''',
                              pg_catalog.current_database());
end $$";

const PGBENCH: &str = "
create table accounts (aid int primary key, bid int, abalance int, filler char(84));
create table tellers (tid int primary key, bid int, tbalance int, filler char(84));
create table branches (bid int primary key, bbalance int, filler char(88));
create table history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
alter table history replica identity full;
insert into accounts select g, 1, 0, '' from pg_catalog.generate_series(1, 10000) g;
insert into tellers select g, 1, 0, null from pg_catalog.generate_series(1, 10) g;
insert into branches values (1, 0, null);";

/// The largest number of rows. The workloads' numbers are `int`.
pub const MOST_ROWS: u32 = 100_000_000;

/// Ends the WAL of a workload and returns the LSN to read to.
///
/// Everything written before, by any client, commits before this LSN. A further transaction of one
/// row starts after it, so that every consumer reaches a commit there. All of it is flushed,
/// because a server sends only flushed WAL.
///
/// # Errors
/// Those of the server.
pub fn mark_end(client: &mut Client) -> Result<String, Problem> {
    client.batch_execute("set synchronous_commit to on")?;
    client.batch_execute("create table the_end (id int primary key)")?;
    // Servers before 15 send the empty transaction that creates the table. Its commit must not be
    // at the LSN.
    client.execute("select pg_catalog.pg_logical_emit_message(false, '', '')", &[])?;
    // The insert LSN, not the write LSN: asynchronous transactions may not be written yet.
    let until = client
        .query_one("select pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text", &[])?
        .get(0);
    client.batch_execute("insert into the_end values (1)")?;
    Ok(until)
}

/// Makes many small transactions, a thousand per round trip. Vacuum removes the old versions of the
/// rows that every transaction updates.
fn narrow(client: &mut Client, transactions: u32) -> Result<u32, Problem> {
    // Asynchronous commits; `mark_end` waits for all of them.
    client.batch_execute("set synchronous_commit to off")?;
    let mut batch = String::new();
    for number in 0..transactions {
        let (account, teller) = (u64::from(number) * 7919 % 10_000 + 1, number % 10 + 1);
        write!(
            batch,
            "begin;
             update accounts set abalance = abalance + 5 where aid = {account};
             update tellers set tbalance = tbalance + 5 where tid = {teller};
             update branches set bbalance = bbalance + 5 where bid = 1;
             insert into history values ({teller}, 1, {account}, 5, pg_catalog.now(), null);
             commit;"
        )?;
        if number % 1000 == 999 || number + 1 == transactions {
            client.batch_execute(&batch)?;
            // A single query would be one transaction.
            client.batch_execute("vacuum tellers")?;
            client.batch_execute("vacuum branches")?;
            batch.clear();
        }
    }
    client.batch_execute("reset synchronous_commit")?;
    Ok(transactions * 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgoutput_harness::Server;

    #[test]
    fn every_row_is_flushed_and_before_the_end() {
        let server = Server::any().unwrap();
        for workload in Workload::ALL {
            let database = server.database("end");
            let mut client = database.client();
            let rows = i64::from(workload.write(&mut client, 4000).unwrap());
            let until = mark_end(&mut client).unwrap();
            let mut sent = |until: Option<&str>| -> i64 {
                let inserts_and_updates =
                    "select pg_catalog.count(*) from pg_catalog.pg_logical_slot_peek_binary_changes(
                    'base', $1::pg_catalog.text::pg_catalog.pg_lsn, null,
                    'proto_version', '1', 'publication_names', 'p')
                    where pg_catalog.get_byte(data, 0) operator(pg_catalog.=)
                        any (array[pg_catalog.ascii('I'), pg_catalog.ascii('U')])";
                client.query_one(inserts_and_updates, &[&until]).unwrap().get(0)
            };
            assert_eq!(sent(Some(&until)), rows, "{}", workload.name());
            assert_eq!(sent(None), rows + 1, "{}", workload.name());
            client.execute("select pg_catalog.pg_drop_replication_slot('base')", &[]).unwrap();
        }
    }
}
