//! Records of a recorded stream, with a fixed time of processing.

use pgoutput_reader::Reader;
use pgoutput_reader::ReplayBuilder;

use super::*;
use crate::args::{DecimalArg, TimeArg};
use crate::pipe::route::{KeyColumns, Route, Template, TopicRules};

const ORDERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders.pgocap");

/// 2023-11-14 22:13:20.123456789 UTC.
const NOW: i64 = 1_700_000_000_123_456_789;

fn args() -> DebeziumArgs {
    DebeziumArgs {
        decimal: DecimalArg::Precise,
        time: TimeArg::Adaptive,
        no_tombstones: false,
        unavailable_value: "?".into(),
    }
}

/// Returns the topic, the key and the value of each record.
fn records(replay: ReplayBuilder) -> Vec<(String, Option<String>, Option<String>)> {
    let source = SourceNames { name: "shop".into(), database: "app".into() };
    let mut debezium = Debezium { now: || NOW, ..Debezium::new(&args(), &source) };
    let template = Template::parse("{name}.{schema}.{table}").unwrap();
    let mut route = Route::of(template, TopicRules::Any, KeyColumns::Identity, source);
    let mut batch = Batch::default();
    for event in replay.open().unwrap() {
        let event = event.unwrap();
        batch.begin(&event);
        match event.table() {
            Some(table) => {
                debezium.encode(&event, route.of_table(table).unwrap(), &mut batch).unwrap();
            }
            None => debezium
                .encode_without_table(&event, &route.without_table(&event), &mut batch)
                .unwrap(),
        }
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    batch
        .records()
        .map(|record| (record.topic.to_string(), owned(record.key), owned(record.value)))
        .collect()
}

#[test]
fn every_field_is_written_in_order() {
    let records = records(Reader::replay(ORDERS));
    let version = env!("CARGO_PKG_VERSION");
    let (topic, key, value) = &records[0];
    assert_eq!((&**topic, key.as_deref()), ("shop.public.orders", Some(r#"{"id":1}"#)));
    // 12.50 in the scale 2 is 1250 = 0x04e2.
    let expected = r#"{"before":null,"after":{"id":1,"customer":"Ada","email":"masked",
        "amount":"BOI=","state":"open"},"source":{"version":"VERSION","connector":"postgresql",
        "name":"shop","ts_ms":1796081895573,"snapshot":"false","db":"shop",
        "sequence":"[null,\"30714272\"]","ts_us":1796081895573651,"ts_ns":1796081895573651000,
        "schema":"public","table":"orders","txId":736,"lsn":30714272,"xmin":null},
        "transaction":null,"op":"c","ts_ms":1700000000123,"ts_us":1700000000123456,
        "ts_ns":1700000000123456789}"#;
    let expected: String = expected.lines().map(str::trim).collect();
    assert_eq!(value.as_deref(), Some(&*expected.replace("VERSION", version)));
}

#[test]
fn the_sequence_starts_with_the_end_of_the_transaction_before() {
    let records = records(Reader::replay(ORDERS));
    let sequences: Vec<_> = records
        .iter()
        .filter_map(|(_, _, value)| {
            let (_, rest) = value.as_deref()?.split_once("\"sequence\":\"")?;
            Some(rest.split_once(']')?.0.replace('\\', ""))
        })
        .collect();
    // The events of a transaction have the same start.
    assert_eq!(sequences[1], r#"[null,"30714528""#);
    assert_eq!(sequences[2], r#"["30714736","30714736""#);
    assert_eq!(sequences[4].split(',').next(), sequences[3].split(',').next());
    assert_eq!(sequences[6], r#"["30716248","30716248""#);
}

#[test]
fn a_delete_is_followed_by_a_tombstone_and_ends_of_transactions_have_no_record() {
    let ended = records(Reader::replay(ORDERS).commits(true));
    assert_eq!(ended.len(), 8);
    let [.., (_, _, delete), tombstone] = &*ended else { panic!("{ended:?}") };
    let before = r#"{"before":{"id":2,"customer":null,"email":null,"amount":null,"state":null,
        "note":null},"after":null,"source":{"#;
    let before: String = before.lines().map(str::trim).collect();
    assert!(delete.as_deref().unwrap().starts_with(&before), "{delete:?}");
    let key = Some(r#"{"id":2}"#.to_owned());
    assert_eq!(*tombstone, ("shop.public.orders".to_owned(), key, None));
}

#[test]
fn times_are_rounded_down() {
    let mut out = String::new();
    times(-1, &mut out);
    assert_eq!(out, r#""ts_ms":-1,"ts_us":-1,"ts_ns":-1"#);
}
