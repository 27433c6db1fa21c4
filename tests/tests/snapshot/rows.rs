//! Rows as `COPY … TO STDOUT` sends them.

use std::io::Read as _;

use postgres::Client;

/// The values of a row; `None` is NULL.
pub(crate) type Row = Vec<Option<Vec<u8>>>;

fn copy(client: &mut Client, statement: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut reader = client.copy_out(statement).unwrap_or_else(|e| panic!("{statement}: {e:?}"));
    reader.read_to_end(&mut bytes).unwrap_or_else(|e| panic!("{statement}: {e:?}"));
    bytes
}

/// Returns the rows of a COPY in text format, of this many columns.
pub(crate) fn text(client: &mut Client, statement: &str, columns: usize) -> Vec<Row> {
    let bytes = copy(client, statement);
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines.pop(), Some(&b""[..]), "{statement}");
    let row = |line: &&[u8]| -> Row {
        let values: Row = line.split(|byte| *byte == b'\t').map(unescaped).collect();
        if columns == 0 { vec![] } else { values }
    };
    lines.iter().map(row).collect()
}

fn unescaped(value: &[u8]) -> Option<Vec<u8>> {
    if value == br"\N" {
        return None;
    }
    let mut bytes = value.iter();
    let mut unescaped = Vec::new();
    while let Some(byte) = bytes.next() {
        unescaped.push(match byte {
            b'\\' => match bytes.next().unwrap() {
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 11,
                other => *other,
            },
            other => *other,
        });
    }
    Some(unescaped)
}

/// Returns the rows of a COPY in binary format.
pub(crate) fn binary(client: &mut Client, statement: &str) -> Vec<Row> {
    let bytes = copy(client, statement);
    let mut rest = bytes.strip_prefix(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0").unwrap();
    let mut take = |length: usize| {
        let (taken, left) = rest.split_at(length);
        rest = left;
        taken
    };
    let mut rows = Vec::new();
    loop {
        let columns = i16::from_be_bytes(take(2).try_into().unwrap());
        let Ok(columns) = u16::try_from(columns) else { break };
        let row = (0..columns).map(|_| {
            let length = i32::from_be_bytes(take(4).try_into().unwrap());
            usize::try_from(length).ok().map(|length| take(length).to_vec())
        });
        rows.push(row.collect());
    }
    assert!(rest.is_empty(), "{statement}");
    rows
}
