//! Values of every type on real servers. The text form and the binary form read as the same value,
//! and are written as the server writes them, in text and in binary.

mod cases;
mod catalogue;
mod check;
mod opaque_types;
mod samples;

use std::time::SystemTime;

use pgoutput_decode::value::{Field, FieldType, Format};
use postgres::Client;

use cases::Case;
use check::{check, text_of};
use samples::Sample;

/// Settings, and functions for random values.
const SETUP: &str = include_str!("random.sql");

/// Returns the seed of the random values, from 0 to 1: `PGOUTPUT_TEST_SEED`, or another one each
/// time. A failed test prints it, so that a server of the same version can repeat the values.
fn seed() -> f64 {
    let seed = std::env::var("PGOUTPUT_TEST_SEED").map_or_else(
        |_| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            f64::from(now.subsec_micros()) / 1e6
        },
        |given| given.parse().expect("a number from 0 to 1 in PGOUTPUT_TEST_SEED"),
    );
    eprintln!("values at random: PGOUTPUT_TEST_SEED={seed} makes the same again");
    seed
}

fn check_all(client: &mut Client, ty: FieldType<'_>, case: &Case, samples: &[Sample]) {
    // Servers before 12 print floats with as many digits as any float needs, not with the fewest
    // that suffice.
    let version: String = client.query_one("SHOW server_version_num", &[]).unwrap().get(0);
    let has_canonical_text = !case.has_floats || version.parse::<u32>().unwrap() >= 120_000;
    for sample in samples {
        assert_eq!(sample.binary.is_some(), case.has_binary(), "{ty:?}");
        check(ty, case, sample, has_canonical_text);
    }
    if !has_canonical_text {
        // The server therefore reads our text, which must give the same bits.
        let texts = samples.iter().map(|s| text_of(Field::of(ty, Format::Text, s.text.as_bytes())));
        let texts: Vec<_> = texts.collect();
        let read_back = samples::read_back(client, ty.name().unwrap(), &texts);
        for ((text, read_back), sample) in texts.iter().zip(read_back).zip(samples) {
            assert_eq!(Some(&read_back), sample.binary.as_ref(), "{ty:?} {text}");
        }
    }
}

#[test]
fn text_and_binary_are_the_same_value_and_written_like_the_server() {
    let seed = seed();
    for server in pgoutput_harness::servers() {
        let major = server.major();
        let database = server.database("values");
        let mut client = database.client();
        client.batch_execute(SETUP).unwrap();
        client.execute("SELECT setseed($1)", &[&seed]).unwrap();
        let (mut scalars, mut arrays) = (0, 0);
        for case in cases::all().filter(|case| case.since <= major) {
            for script in case.setup {
                client.batch_execute(script).unwrap_or_else(|e| panic!("{script}: {e:?}"));
            }
            samples::fill(&mut client, case);
            let samples = samples::read(&mut client, "v", case.ty, case);
            let expected = case.values.len() + 100 * case.random.len();
            assert_eq!(samples.len(), expected, "{}", case.ty);
            let ty = catalogue::describe(&mut client, case.ty);
            for sample in &samples {
                assert_eq!((case.cast)(&sample.text), sample.cast, "{}", case.ty);
            }
            check_all(&mut client, ty.ty(), case, &samples);
            scalars += samples.len();
            if samples::fill_arrays(&mut client, case) {
                let name = format!("{}[]", case.ty);
                let samples = samples::read(&mut client, "a", &name, case);
                assert_eq!(samples.len(), 1 + expected.div_ceil(6), "{name}");
                let ty = catalogue::describe(&mut client, &name);
                for sample in &samples {
                    assert_eq!(sample.text, sample.cast, "{name}");
                }
                check_all(&mut client, ty.ty(), case, &samples);
                arrays += samples.len();
            }
        }
        eprintln!("PostgreSQL {major}: {scalars} values, {arrays} arrays of them");
    }
}

/// Every built-in type that a column can have is in the cases, as itself or as an element of
/// arrays.
#[test]
fn every_type_has_a_case() {
    for server in pgoutput_harness::servers() {
        let database = server.database("left_out");
        let mut client = database.client();
        let mut known: Vec<u32> = Vec::new();
        for case in cases::all().filter(|case| case.since <= server.major()) {
            // Without the types of users and extensions.
            let query = "SELECT oid, typarray FROM pg_type WHERE oid = to_regtype($1::text)";
            for row in client.query(query, &[&case.ty]).unwrap() {
                known.extend([row.get::<_, u32>(0), row.get(1)]);
            }
        }
        known.extend(opaque_types::types(&mut client, server.major()));
        // Excluded are rows of catalogues, which are composites, internals of BRIN, GiST and the
        // planner, which no user table has, and the last four, which PostgreSQL 12 removed. As
        // unknown types they are read as text, and they are not sent in binary.
        let query = "SELECT oid::regtype::text FROM pg_type AS t
             WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm')
               AND oid <> ALL ($1)
               AND typcategory <> 'P'
               AND coalesce((SELECT typtype FROM pg_type AS e WHERE e.oid = t.typelem), 'b')
                   NOT IN ('c', 'p')
               AND typname !~ '^_?(gtsvector|pg_brin_.*|pg_node_tree)$'
               AND typname !~ '^_?(smgr|abstime|reltime|tinterval)$'";
        let left_out: Vec<String> =
            client.query(query, &[&known]).unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(left_out, <[&str; 0]>::default(), "PostgreSQL {}", server.major());
    }
}
