//! Values as a server writes them.

use std::error::Error;

use postgres::types::{FromSql, Type};
use postgres::{Client, SimpleQueryMessage};

use crate::cases::Case;

/// A value as the server wrote it.
pub(crate) struct Sample {
    /// The output of the type's output function.
    pub(crate) text: String,
    /// The result of the cast to `text`.
    pub(crate) cast: String,
    /// `None` if the type has no binary form.
    pub(crate) binary: Option<Vec<u8>>,
    /// The binary form of the value that the server reads from its own text.
    pub(crate) binary_of_text: Option<Vec<u8>>,
    /// The result of the server's `to_jsonb`, if the case says that it equals our JSON.
    pub(crate) json: Option<serde_json::Value>,
}

/// The bytes of a column as they arrived.
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Creates a table of the case's values.
pub(crate) fn fill(client: &mut Client, case: &Case) {
    let ty = case.ty;
    let mut run = |statement: String| {
        client.batch_execute(&statement).unwrap_or_else(|e| panic!("{ty}: {statement}: {e:?}"));
    };
    run(format!("DROP TABLE IF EXISTS v; CREATE TABLE v (n serial, v {ty})"));
    for value in case.values {
        run(format!("INSERT INTO v (v) VALUES ($value${value}$value$::{ty})"));
    }
    for random in case.random {
        run(format!("INSERT INTO v (v) SELECT {random} FROM generate_series(1, 100) AS g"));
    }
}

/// Fills a table with arrays of up to six of the values, including NULL. Some arrays count from -1,
/// some have two dimensions. Returns false if the type has no array type.
pub(crate) fn fill_arrays(client: &mut Client, case: &Case) -> bool {
    let ty = case.ty;
    let has_arrays =
        "SELECT typarray <> 0, typdelim::text FROM pg_type WHERE oid = $1::text::regtype";
    let row = client.query_one(has_arrays, &[&ty]).unwrap();
    let (has_arrays, delimiter): (bool, String) = (row.get(0), row.get(1));
    if has_arrays {
        // The server decides which elements need quotes.
        let statement = format!(
            r#"
            DROP TABLE IF EXISTS a;
            CREATE TABLE a (n serial, v {ty}[]);
            INSERT INTO a (v) VALUES ('{{}}');
            INSERT INTO a (v)
            SELECT (CASE WHEN is_table
                    THEN '{{{{' || string_agg(e,
                        CASE WHEN n % 3 = 0 THEN '}}{delimiter}{{' ELSE '{delimiter}' END ORDER BY n
                    ) || '}}}}'
                    ELSE bounds || '{{' || string_agg(e, '{delimiter}' ORDER BY n) || '}}'
                    END)::{ty}[]
              FROM (SELECT n, e, row,
                           row % 3 = 1 AND count(*) OVER (PARTITION BY row) = 6 AS is_table,
                           CASE WHEN row % 3 = 2
                                THEN '[-1:' || count(*) OVER (PARTITION BY row) - 2 || ']='
                                ELSE '' END AS bounds
                      FROM (SELECT n - 1 AS n, (n - 1) / 6 AS row,
                                   CASE WHEN n % 5 = 4 THEN 'NULL'
                                   ELSE '"' || replace(replace(v::text, '\', '\\'), '"', '\"')
                                        || '"' END AS e
                              FROM v) AS elements) AS rows
             GROUP BY row, is_table, bounds ORDER BY row"#
        );
        client.batch_execute(&statement).unwrap_or_else(|e| panic!("{ty}[]: {e:?}"));
    }
    has_arrays
}

/// Returns the values of a table in which `v` is of type `ty`.
pub(crate) fn read(client: &mut Client, table: &str, ty: &str, case: &Case) -> Vec<Sample> {
    let order = format!("FROM {table} ORDER BY n");
    let texts = client.simple_query(&format!("SELECT v, v::text {order}")).unwrap();
    let texts = texts.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            let [text, cast] = [0, 1].map(|at| row.get(at).expect("not NULL").to_owned());
            Some((text, cast))
        }
        _ => None,
    });
    let mut binary = |column: String| {
        let rows = if case.has_binary() {
            client.query(&format!("SELECT {column} {order}"), &[]).unwrap()
        } else {
            Vec::new()
        };
        rows.into_iter().map(|row| row.get::<_, Raw>(0).0)
    };
    let mut binaries = binary("v".to_owned());
    let mut binaries_of_texts = binary(format!("v::text::{ty}"));
    let documents = if case.is_json_as_the_servers {
        client.query(&format!("SELECT to_jsonb(v)::text {order}"), &[]).unwrap()
    } else {
        Vec::new()
    };
    let mut documents = documents.into_iter().map(|row| {
        let document: String = row.get(0);
        serde_json::from_str(&document).unwrap()
    });
    texts
        .map(|(text, cast)| Sample {
            text,
            cast,
            binary: binaries.next(),
            binary_of_text: binaries_of_texts.next(),
            json: documents.next(),
        })
        .collect()
}

/// Returns the binary forms of the values that the server reads from these texts.
pub(crate) fn read_back(client: &mut Client, ty: &str, texts: &[String]) -> Vec<Vec<u8>> {
    let query =
        format!("SELECT t::{ty} FROM unnest($1::text[]) WITH ORDINALITY AS u (t, n) ORDER BY n");
    let rows = client.query(&query, &[&texts]).unwrap();
    rows.into_iter().map(|row| row.get::<_, Raw>(0).0).collect()
}
