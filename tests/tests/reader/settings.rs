//! Settings of the database and the role that text values depend on. The reader's own settings
//! override them.

use pgoutput_decode::TupleColumn;
use pgoutput_harness::{Server, servers, skip};
use pgoutput_reader::{Acknowledge, Config, Connection, Reader, StreamOptions};
use pgoutput_tests::{Fixture, InTime as _, PUBLICATION, after, eventually};
use postgres::SimpleQueryMessage;

/// Columns of a table: name, type, value, and the text that the reader must be sent. The float is
/// exactly that number and needs all these digits, so servers before 12 print no others.
const COLUMNS: [(&str, &str, &str, &str); 8] = [
    ("d", "date", "'2020-12-31'", "2020-12-31"),
    ("ts", "timestamp", "'2020-12-31 01:02:03'", "2020-12-31 01:02:03"),
    ("tz", "timestamptz", "'2020-01-01 00:00:00+00'", "2020-01-01 00:00:00+00"),
    ("iv", "interval", "'1 day 02:00:00'", "1 day 02:00:00"),
    ("f", "float8", "562949953421311.75", "562949953421311.75"),
    ("b", "bytea", r"'\x00ff'", r"\x00ff"),
    ("m", "money", "1234.5::numeric::money", "$1,234.50"),
    ("ms", "money[]", "ARRAY[(-1234.5)::numeric::money, NULL]", r#"{"-$1,234.50",NULL}"#),
];

const JSON: &str = r#"{"d":"2020-12-31","ts":"2020-12-31T01:02:03","tz":"2020-01-01T00:00:00+00:00","iv":"P1DT2H","f":562949953421311.75,"b":"\\x00ff","m":"1234.50","ms":["-1234.50",null]}"#;

/// The owner of the settings, each overriding the ones before, and the settings except
/// `lc_monetary`. A `bytea` value is the same in both forms; only the text shows that the
/// hexadecimal one is requested.
const LEVELS: [(&str, [&str; 5]); 3] = [
    (
        "DATABASE \"{database}\"",
        [
            "DateStyle = 'German'",
            "TimeZone = 'Asia/Kolkata'",
            "IntervalStyle = 'iso_8601'",
            "extra_float_digits = -15",
            "bytea_output = 'escape'",
        ],
    ),
    (
        "ROLE CURRENT_USER",
        [
            "DateStyle = 'SQL, DMY'",
            "TimeZone = 'America/New_York'",
            "IntervalStyle = 'sql_standard'",
            "extra_float_digits = 0",
            "bytea_output = 'escape'",
        ],
    ),
    (
        "ROLE CURRENT_USER IN DATABASE \"{database}\"",
        [
            "DateStyle = 'Postgres, DMY'",
            "TimeZone = '<+03>-3'",
            "IntervalStyle = 'postgres_verbose'",
            "extra_float_digits = -5",
            "bytea_output = 'escape'",
        ],
    ),
];

const LOCALE: &str = "de_DE.UTF-8";

/// Starts a server of its own, because settings of a role apply to all databases, with a locale
/// that formats money differently. If the locale cannot be compiled, `POSIX` is used, the only name
/// besides C that every system knows. It prints the same as C.
fn server(major: u32) -> (Server, &'static str) {
    match Server::builder().locale(LOCALE).start(major) {
        Ok(server) => (server, LOCALE),
        Err(error) => {
            skip(format_args!(
                "in part, no {LOCALE} for PostgreSQL {major}: lc_monetary is checked in the \
                 setting, not in the text of money: {error}"
            ));
            (Server::builder().start(major).unwrap(), "POSIX")
        }
    }
}

/// Returns the texts that an SQL connection is sent.
fn texts(fixture: &Fixture<'_>) -> Vec<String> {
    let messages = fixture.client().simple_query("SELECT * FROM t").unwrap();
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.unwrap();
    (0..row.len()).map(|at| row.get(at).unwrap().to_owned()).collect()
}

#[test]
fn settings_of_the_database_and_the_role_do_not_change_values() {
    for major in servers().iter().map(|server| server.major()) {
        let (server, locale) = server(major);
        let definitions = COLUMNS.map(|(name, ty, ..)| format!("{name} {ty}")).join(", ");
        let fixture = Fixture::new(&server, &format!("CREATE TABLE t ({definitions})"));
        let values = COLUMNS.map(|(_, _, value, _)| value).join(", ");
        fixture.run([&format!("INSERT INTO t VALUES ({values})") as &str]);
        for (target, settings) in LEVELS {
            let target = target.replace("{database}", fixture.database().name());
            let lc_monetary = format!("lc_monetary = '{locale}'");
            for setting in settings.into_iter().chain([lc_monetary.as_str()]) {
                fixture.run([&format!("ALTER {target} SET {setting}") as &str]);
            }
            // They affect sessions without settings of their own: every column differs then.
            for ((name, ty, _, text), sent) in COLUMNS.iter().zip(texts(&fixture)) {
                if !ty.starts_with("money") || locale == LOCALE {
                    assert_ne!(sent, *text, "PostgreSQL {major}, {target}: {name}");
                }
            }
            let events = fixture.read_with(|builder| builder.acknowledge(Acknowledge::Never));
            let row = events[0].after().unwrap();
            for (name, _, _, text) in COLUMNS {
                let column = row.column(name).unwrap();
                let TupleColumn::Text(sent) = column.value else { panic!("{name}") };
                assert_eq!(str::from_utf8(sent), Ok(text), "PostgreSQL {major}, {target}: {name}");
            }
            assert_eq!(after(&events[0]), JSON);
            if major >= 14 {
                let events = fixture.read_with(|builder| {
                    builder
                        .options(StreamOptions::new().binary(true))
                        .acknowledge(Acknowledge::Never)
                });
                assert_eq!(after(&events[0]), JSON, "PostgreSQL {major}, {target}: binary");
            }
            let config: Config = fixture.database().dsn().parse().unwrap();
            let mut connection = Connection::connect(&config).unwrap();
            let answers = connection.simple_query("SHOW lc_monetary").unwrap();
            assert_eq!(answers[0].rows[0].values().next(), Some(Some("C")));
            connection.close().unwrap();
        }
    }
}

#[test]
fn both_connections_have_a_name() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int)");
        let names = || {
            let query = "SELECT application_name FROM pg_catalog.pg_stat_activity
                WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()
                  AND backend_type IN ('walsender', 'client backend') AND application_name <> ''";
            let rows = fixture.client().query(query, &[]).unwrap();
            rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
        };
        for (given, expected) in [
            ("", "pgoutput"),
            (" fallback_application_name=mine", "mine"),
            (" application_name=yours fallback_application_name=mine", "yours"),
        ] {
            let dsn = fixture.database().dsn() + given;
            let reader = Reader::builder(&dsn).slot(fixture.slot_name()).publication(PUBLICATION);
            let mut reader = reader.connect().unwrap();
            fixture.run(["INSERT INTO t VALUES (1)"]);
            reader.next_in_time().unwrap().unwrap();
            assert_eq!(names(), [expected; 2], "PostgreSQL {}{given}", fixture.major());
            reader.stop().unwrap();
            eventually("both sessions to end", || names().is_empty().then_some(()));
        }
    }
}
