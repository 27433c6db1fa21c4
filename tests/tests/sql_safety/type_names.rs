//! Type names equal those of `format_type` under the default search path, although the querying
//! session has an empty one.

use pgoutput_harness::shared;
use pgoutput_reader::Reader;
use pgoutput_tests::{InTime as _, json};
use postgres::{Client, NoTls};
use serde_json::Value;

/// `{role}` is the role that reads. It has a schema of its own and is not a superuser.
const TYPES: &str = r#"
    CREATE SCHEMA app; CREATE SCHEMA "App.1"; CREATE SCHEMA closed; CREATE SCHEMA {role};
    GRANT USAGE ON SCHEMA app, "App.1", {role} TO {role};
    CREATE TYPE public.mood AS ENUM ('ok');
    CREATE TYPE app.mood AS ENUM ('ok');
    CREATE TYPE closed.mood AS ENUM ('ok');
    CREATE TYPE app."It's, a ""Type""" AS ENUM ('ok');
    CREATE TYPE "App.1"."select" AS ENUM ('ok');
    CREATE TYPE public."Mood" AS ENUM ('ok');
    CREATE TYPE public."select" AS ENUM ('ok');
    CREATE TYPE public."a.b" AS ENUM ('ok');
    CREATE TYPE public."public.x" AS ENUM ('ok');
    CREATE TYPE public."x[]" AS ENUM ('ok');
    CREATE TYPE public.hidden AS ENUM ('ok');
    CREATE TYPE {role}.hidden AS ENUM ('ok');
    CREATE TYPE {role}.own AS ENUM ('ok');
    CREATE TYPE {role}.text AS ENUM ('ok');
    CREATE TYPE public.point AS ENUM ('ok');
    CREATE TYPE public.int4 AS ENUM ('ok');
    CREATE TYPE public."integer" AS ENUM ('ok');
    CREATE DOMAIN public.code AS pg_catalog.varchar(7);
    CREATE DOMAIN app.codes AS pg_catalog.varchar(7)[];
    CREATE TYPE public.pair AS (a pg_catalog.int4);
    CREATE TYPE app.span AS RANGE (subtype = pg_catalog.int4);
    CREATE TABLE public.row_type (a pg_catalog.int4);"#;

/// Types of columns, each also as an array.
const COLUMNS: &[&str] = &[
    "public.mood",
    "app.mood",
    "closed.mood",
    "app.\"It's, a \"\"Type\"\"\"",
    "\"App.1\".\"select\"",
    "public.\"Mood\"",
    "public.\"select\"",
    "public.\"a.b\"",
    "public.\"public.x\"",
    "public.\"x[]\"",
    "public.hidden",
    "{role}.hidden",
    "{role}.own",
    "{role}.text",
    "public.point",
    "public.int4",
    "public.\"integer\"",
    "public.code",
    "public.pair",
    "app.span",
    "public.row_type",
    "app.codes",
    "pg_catalog.int4",
    "pg_catalog.varchar(20)",
    "pg_catalog.bpchar(3)",
    "pg_catalog.bpchar",
    "pg_catalog.numeric(10,2)",
    "timestamp(3) with time zone",
    "time(0)",
    "interval day to second(2)",
    "pg_catalog.\"char\"",
    "pg_catalog.bit(3)",
    "pg_catalog.varbit",
    "pg_catalog.text",
    "pg_catalog.oid",
    "pg_catalog.point",
    "pg_catalog.json",
    "pg_catalog.int4range",
];

fn check(major: u32, settings: &str, revoke: &str) {
    let server = shared(major).unwrap();
    let database = server.database("type_names");
    let role = database.slot_name("reader");
    let mut admin = database.client();
    let run = |client: &mut Client, sql: &str| {
        client
            .batch_execute(&sql.replace("{role}", &role))
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    };
    run(&mut admin, "CREATE ROLE {role} LOGIN REPLICATION");
    run(&mut admin, TYPES);
    let of = |array: &'static str| {
        // Before 11 there is no array of a domain.
        let is_domain = |ty: &str| matches!(ty, "public.code" | "app.codes");
        let there = move |ty: &&str| array.is_empty() || major >= 11 || !is_domain(ty);
        COLUMNS.iter().copied().filter(there).map(move |ty| format!("{ty}{array}"))
    };
    let columns: Vec<String> =
        of("").chain(of("[]")).enumerate().map(|(n, ty)| format!("c{n} {ty}")).collect();
    run(&mut admin, &format!("CREATE TABLE public.t ({})", columns.join(", ")));
    run(&mut admin, "GRANT SELECT ON public.t TO {role}; CREATE PUBLICATION p FOR TABLE public.t");
    run(&mut admin, revoke);
    run(&mut admin, settings);
    let slot = database.slot_name("slot");
    let create =
        "SELECT pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput')::pg_catalog.text";
    admin.query_one(create, &[&slot]).unwrap();
    run(&mut admin, "INSERT INTO public.t DEFAULT VALUES");

    let dsn = database.dsn().replace("user=postgres", &format!("user={role}"));
    let table = admin.query_one("SELECT 'public.t'::pg_catalog.regclass::pg_catalog.oid", &[]);
    let table: u32 = table.unwrap().get(0);
    let mut client =
        pgoutput_harness::waiting("a session", || Client::connect(&dsn, NoTls)).unwrap();
    client
        .batch_execute("SET search_path = \"$user\", public; SET quote_all_identifiers = off")
        .unwrap();
    let expected: Vec<String> = client
        .query(
            "SELECT pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute
             WHERE attrelid = $1 AND attnum > 0 ORDER BY attnum",
            &[&table],
        )
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(expected.len(), columns.len());

    let mut reader = Reader::builder(&dsn).slot(&slot).publication("p").connect().unwrap();
    let event = json(&reader.next_in_time().unwrap().unwrap());
    reader.stop().unwrap();
    let definitions = event["table_schema"]["column_definitions"].as_array().unwrap();
    let found: Vec<&str> =
        definitions.iter().map(|c: &Value| c["type_name"].as_str().unwrap()).collect();
    assert_eq!(found, expected, "PostgreSQL {major}: {settings} {revoke}");
    run(&mut admin, "DROP OWNED BY {role} CASCADE; DROP SCHEMA {role} CASCADE; DROP ROLE {role}");
}

#[test]
fn type_names_are_those_under_the_default_search_path() {
    for major in [10, 14, 18] {
        check(major, "", "");
    }
}

#[test]
fn settings_of_the_role_do_not_change_names() {
    for major in [10, 14, 18] {
        let settings = "ALTER ROLE {role} SET search_path = app, public;
                    ALTER ROLE {role} SET quote_all_identifiers = on";
        check(major, settings, "");
    }
}

/// `public` and the role's schema are in the search path only if the role may use them.
#[test]
fn a_schema_without_usage_privilege_has_no_effect() {
    for major in [10, 14, 18] {
        check(major, "", "REVOKE USAGE ON SCHEMA {role} FROM {role}");
        check(major, "", "REVOKE USAGE ON SCHEMA public FROM PUBLIC");
    }
}
