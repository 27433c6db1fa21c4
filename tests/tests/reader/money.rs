//! Amounts of `money` with an `lc_monetary` that has no cents, or more than two digits of them.

use pgoutput_harness::{Server, servers, skip};
use pgoutput_reader::{Acknowledge, Reader, ReaderBuilder, StreamOptions};
use pgoutput_tests::{Fixture, InTime as _, PUBLICATION, after, line};

/// Locales, and the digits after the whole units of their currencies.
const LOCALES: [(&str, &str); 2] = [("ja_JP.UTF-8", ""), ("ar_KW.UTF-8", ".000")];

const SETUP: &str = "CREATE DOMAIN price AS money; CREATE TYPE offer AS (m money, ms money[]);
    CREATE TYPE span AS RANGE (SUBTYPE = money);
    CREATE TABLE t (m money, ms money[], p price, o offer, r span)";

const ROW: &str = "INSERT INTO t VALUES (
    1234567::numeric::money, ARRAY[(-5)::numeric::money, NULL], 70::numeric::money,
    ROW(1::numeric::money, ARRAY[2::numeric::money]), span(3::numeric::money, NULL))";

fn json(end: &str) -> String {
    format!(
        r#"{{"m":"1234567{end}","ms":["-5{end}",null],"p":"70{end}","o":{{"m":"1{end}","ms":["2{end}"]}},"r":"[3{end},)"}}"#
    )
}

/// Starts a server with this locale, or returns `None` if the locale cannot be compiled.
fn server(major: u32, locale: &str) -> Option<Server> {
    let server = Server::builder().locale(locale).start(major);
    let report = |error: &_| skip(format_args!("no {locale} for PostgreSQL {major}: {error}"));
    server.inspect_err(report).ok()
}

/// Returns what is read, in text and in binary.
fn read(fixture: &Fixture<'_>, expected: &str, what: &str) {
    read_as(fixture, || fixture.builder(), expected, what);
}

fn read_as(fixture: &Fixture<'_>, builder: impl Fn() -> ReaderBuilder, expected: &str, what: &str) {
    #[derive(serde::Deserialize)]
    struct Amounts {
        m: String,
        ms: Vec<Option<String>>,
    }

    let end = fixture.end();
    let formats = if fixture.major() >= 14 { &[false, true][..] } else { &[false] };
    for binary in formats {
        let what = format!("PostgreSQL {}, {what}, binary {binary}", fixture.major());
        let builder = builder()
            .options(StreamOptions::new().binary(*binary))
            .acknowledge(Acknowledge::Never)
            .until_lsn(end);
        let mut reader = builder.connect().unwrap();
        let events: Vec<_> = reader.in_time().map(Result::unwrap).collect();
        drop(reader);
        assert_eq!(after(&events[0]), json(expected), "{what}");
        let mut direct = String::new();
        events[0].write_json(&mut direct).unwrap();
        assert_eq!(direct, line(&events[0]));
        let amounts: Amounts = events[0].after().unwrap().deserialize().unwrap();
        assert_eq!(amounts.m, format!("1234567{expected}"), "{what}");
        assert_eq!(amounts.ms, [Some(format!("-5{expected}")), None], "{what}");
        fixture.wait_until_free();
    }
}

#[test]
fn amounts_have_the_digits_of_the_currency() {
    for major in servers().iter().map(|server| server.major()) {
        for (locale, end) in LOCALES {
            let Some(server) = server(major, locale) else { continue };
            // initdb sets lc_monetary to C.
            let cents = Fixture::new(&server, SETUP);
            cents.run([ROW]);
            read(&cents, ".00", "C");
            // The database's setting; with one locale also the role's, and the role's in this
            // database.
            let of_role = "ALTER ROLE CURRENT_USER RESET lc_monetary";
            for (target, others) in [
                ("DATABASE \"{database}\"", ""),
                ("ROLE CURRENT_USER", ""),
                (
                    "ROLE CURRENT_USER IN DATABASE \"{database}\"",
                    "ALTER ROLE CURRENT_USER SET lc_monetary = 'C'",
                ),
            ]
            .into_iter()
            .take(if locale == LOCALES[0].0 { 3 } else { 1 })
            {
                let fixture = Fixture::new(&server, SETUP);
                let target = target.replace("{database}", fixture.database().name());
                fixture.run([&format!("ALTER {target} SET lc_monetary = '{locale}'") as &str]);
                if !others.is_empty() {
                    fixture.run([others]);
                }
                fixture.run([ROW]);
                read(&fixture, end, &target);
                fixture.run([of_role]);
            }
            // Written with a setting of the session, which the reader is given too.
            let fixture = Fixture::new(&server, SETUP);
            fixture.run([&format!("SET lc_monetary = '{locale}'; {ROW}") as &str]);
            let dsn = format!("{} options='-c lc_monetary={locale}'", fixture.database().dsn());
            let builder =
                || Reader::builder(&dsn).slot(fixture.slot_name()).publication(PUBLICATION);
            read_as(&fixture, builder, end, "connection string");
        }
    }
}
