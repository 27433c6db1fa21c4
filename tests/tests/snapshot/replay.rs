//! The rows of tables: as events make them, and as the server has them.

use std::collections::BTreeMap;
use std::error::Error;

use pgoutput_decode::TupleColumn;
use pgoutput_reader::{ChangeEvent, Op, Row};
use postgres::types::{FromSql, Type};
use postgres::{Client, SimpleQueryMessage};

/// The values of a row as they are sent; `None` is NULL.
type Values = Vec<Option<Vec<u8>>>;

/// The rows of each table by the value of the first column, or by number if there is none.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Rows(BTreeMap<String, BTreeMap<Vec<u8>, Values>>);

/// The bytes of a column as the server sends them in binary format.
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn key(values: &Values, rows: &BTreeMap<Vec<u8>, Values>) -> Vec<u8> {
    let first = values.first().map(|first| first.clone().expect("a key"));
    first.unwrap_or_else(|| rows.len().to_be_bytes().to_vec())
}

impl Rows {
    /// Returns the rows that the server has, as text or in binary format.
    pub(crate) fn of(client: &mut Client, is_binary: bool) -> Self {
        client
            .batch_execute(
                "SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET IntervalStyle = 'postgres'",
            )
            .unwrap();
        let tables = "SELECT relname::text FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY oid";
        let mut all = Self::default();
        for table in client.query(tables, &[]).unwrap() {
            let name: String = table.get(0);
            let select = format!("SELECT * FROM \"{}\"", name.replace('"', "\"\""));
            let rows: Vec<Values> =
                if is_binary { binary(client, &select) } else { text(client, &select) };
            let known = all.0.entry(name).or_default();
            for row in rows {
                known.insert(key(&row, known), row);
            }
        }
        all.without_empty()
    }

    /// Returns the rows of these tables.
    pub(crate) fn only(mut self, tables: &[&str]) -> Self {
        self.0.retain(|name, _| tables.contains(&name.as_str()));
        self
    }

    fn without_empty(mut self) -> Self {
        self.0.retain(|_, rows| !rows.is_empty());
        self
    }

    /// Returns the rows that these events make of no rows. Each must fit those before it.
    pub(crate) fn replayed<'e>(events: impl IntoIterator<Item = &'e ChangeEvent>) -> Self {
        let mut rows = Self::default();
        events.into_iter().for_each(|event| rows.apply(event, true));
        rows.without_empty()
    }

    /// Returns the same if events may be repeated.
    pub(crate) fn replayed_again<'e>(events: impl IntoIterator<Item = &'e ChangeEvent>) -> Self {
        let mut rows = Self::default();
        events.into_iter().for_each(|event| rows.apply(event, false));
        rows.without_empty()
    }

    fn apply(&mut self, event: &ChangeEvent, once: bool) {
        let Some(table) = event.table() else { return };
        let rows = self.0.entry(table.name().to_owned()).or_default();
        if event.op() == Op::Truncate {
            return rows.clear();
        }
        let old_key = event.before().map(|row| values(&row, None)).map(|old| key(&old, rows));
        let new_key = event.after().map(|row| key(&values_of_key(&row), rows));
        let replaces = matches!(event.op(), Op::Update | Op::Delete);
        let old = replaces.then(|| rows.remove(old_key.as_ref().or(new_key.as_ref()).unwrap()));
        if once && replaces {
            assert!(matches!(old, Some(Some(_))), "no row for {event:?}");
        }
        if let (Some(new), Some(key)) = (event.after(), new_key) {
            let values = values(&new, old.flatten().as_ref());
            let replaced = rows.insert(key, values);
            assert!(!once || replaced.is_none(), "a second row: {event:?}");
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Asserts equality, and shows the first difference.
    #[track_caller]
    pub(crate) fn assert_eq(&self, other: &Self, context: &str) {
        if self == other {
            return;
        }
        for (name, rows) in other.0.iter().chain(&self.0) {
            let (one, two) = (self.0.get(name), other.0.get(name));
            for key in rows.keys() {
                let get = |rows: Option<&BTreeMap<Vec<u8>, Values>>| rows?.get(key).cloned();
                let (one, two) = (get(one), get(two));
                let shown = |values: &Option<Values>| {
                    let text = |value: &Option<Vec<u8>>| {
                        value.as_ref().map(|value| value.escape_ascii().to_string())
                    };
                    values.as_ref().map(|values| values.iter().map(text).collect::<Vec<_>>())
                };
                assert_eq!(shown(&one), shown(&two), "{context}: {name} {}", key.escape_ascii());
            }
        }
    }
}

fn values_of_key(row: &Row<'_>) -> Values {
    let first = row.columns().next().map(|column| match column.value {
        TupleColumn::Text(bytes) | TupleColumn::Binary(bytes) => Some(bytes.to_vec()),
        _ => None,
    });
    first.into_iter().collect()
}

/// The values of a row. Unchanged ones are those of the old row.
fn values(row: &Row<'_>, old: Option<&Values>) -> Values {
    let value = |(index, value): (usize, TupleColumn<'_>)| match value {
        TupleColumn::Null => None,
        TupleColumn::Text(bytes) | TupleColumn::Binary(bytes) => Some(bytes.to_vec()),
        TupleColumn::Unchanged => match old {
            Some(old) => old[index].clone(),
            // Of a repeated event, whose last repetition counts.
            None => Some(b"unchanged".to_vec()),
        },
    };
    row.columns().map(|column| column.value).enumerate().map(value).collect()
}

fn text(client: &mut Client, select: &str) -> Vec<Values> {
    let rows = client.simple_query(select).unwrap();
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => {
            let value = |index| row.get(index).map(|text: &str| text.as_bytes().to_vec());
            Some((0..row.len()).map(value).collect())
        }
        _ => None,
    };
    rows.into_iter().filter_map(row).collect()
}

fn binary(client: &mut Client, select: &str) -> Vec<Values> {
    let rows = client.query(select, &[]).unwrap();
    let row = |row: &postgres::Row| {
        (0..row.len()).map(|index| row.get::<_, Option<Raw>>(index).map(|raw| raw.0)).collect()
    };
    rows.iter().map(row).collect()
}
