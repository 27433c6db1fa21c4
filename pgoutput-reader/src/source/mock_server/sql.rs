//! SQL connections: the extended query protocol, as far as the crate `postgres` uses it.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use super::{Shared, execute};
use crate::connection::tests::{Server, greeting, message, ready};

const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const OID: u32 = 26;
const INT4_ARRAY: u32 = 1007;
const TEXT_ARRAY: u32 = 1009;
const OID_ARRAY: u32 = 1028;

/// Answers a client until it closes the connection.
pub(super) fn serve(mut server: Server, shared: &Shared) {
    let mut prepared = HashMap::new();
    let mut executed = String::new();
    server.send(&greeting());
    while let Some((tag, body)) = server.receive() {
        let mut texts = body.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let mut text = || texts.next().unwrap_or_default().into_owned();
        let answer = match tag {
            b'Q' => {
                let command = text();
                shared.session_commands.lock().unwrap().push(command.clone());
                if !execute(&mut server, shared, &command) {
                    return;
                }
                continue;
            }
            // Parse: the name of the statement, and its text.
            b'P' => {
                prepared.insert(text(), text());
                message(b'1', b"")
            }
            // Describe: S and the name of the statement.
            b'D' => described(&prepared[&text()[1..]]),
            // Bind: the name of the portal, and that of the statement.
            b'B' => {
                text();
                executed.clone_from(&prepared[&text()]);
                message(b'2', b"")
            }
            b'E' => {
                shared.queries.lock().unwrap().push(executed.clone());
                if executed.contains("pg_cancel_backend") {
                    shared.is_cancelled.store(true, Ordering::Release);
                }
                [rows(&executed, shared), message(b'C', b"DONE\0")].concat()
            }
            b'C' => message(b'3', b""),
            b'S' => ready(),
            _ => return,
        };
        server.send(&answer);
    }
}

/// The types of the parameters and columns of a query.
fn types(query: &str) -> (Vec<u32>, Vec<u32>) {
    if query.contains("pg_catalog.pg_attribute") {
        (vec![OID, TEXT_ARRAY, OID_ARRAY, INT4_ARRAY], vec![BYTEA, BOOL])
    } else if query.contains("pg_catalog.pg_replication_slots") {
        (vec![TEXT], vec![TEXT; 19])
    } else if query.contains("pg_blocking_pids") {
        (vec![INT4], vec![BYTEA, BYTEA, INT4, BYTEA, BYTEA, BYTEA, TEXT, TEXT])
    } else if query.contains("cash_send") {
        (vec![], vec![BYTEA])
    } else if query.contains("pg_cancel_backend") {
        (vec![INT4], vec![BOOL])
    } else {
        (vec![TEXT; query.matches('$').count()], vec![])
    }
}

fn described(query: &str) -> Vec<u8> {
    let (parameters, columns) = types(query);
    let parameter_oids = parameters.iter().flat_map(|oid| oid.to_be_bytes());
    let parameters = counted(parameters.len(), parameter_oids);
    if columns.is_empty() {
        return [message(b't', &parameters), message(b'n', b"")].concat();
    }
    // No name, table or column number; then the type, its length and modifier, and the format.
    let described =
        columns.iter().flat_map(|oid| [&[0; 7], &oid.to_be_bytes()[..], &[0; 8]].concat());
    [message(b't', &parameters), message(b'T', &counted(columns.len(), described))].concat()
}

fn rows(query: &str, shared: &Shared) -> Vec<u8> {
    if query.contains("cash_send") {
        return data_row(&[Some(&100_i64.to_be_bytes())]);
    }
    let state = shared.state.lock().unwrap();
    let Some(slot) = state.slot.filter(|_| query.contains("pg_catalog.pg_replication_slots"))
    else {
        return Vec::new();
    };
    let columns = slot.columns(state.wal_end);
    let values = columns.iter().map(|text| Some(text.as_bytes()).filter(|text| !text.is_empty()));
    data_row(&values.collect::<Vec<_>>())
}

fn data_row(values: &[Option<&[u8]>]) -> Vec<u8> {
    let value = |value: Option<&[u8]>| match value {
        Some(bytes) => [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat(),
        None => (-1_i32).to_be_bytes().to_vec(),
    };
    message(b'D', &counted(values.len(), values.iter().copied().flat_map(value)))
}

/// A count and what follows it.
fn counted(count: usize, bytes: impl Iterator<Item = u8>) -> Vec<u8> {
    u16::try_from(count).unwrap().to_be_bytes().into_iter().chain(bytes).collect()
}
