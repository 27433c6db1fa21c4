//! Times, with values that were calculated by hand or are in Debezium's documentation.

use pgoutput_reader::Oid;
use pgoutput_reader::decode::value::{Field, Format, FromField, type_oid};

use super::TimeArg::{Adaptive, Isostring};
use super::*;

fn read<'a, T: FromField<'a>>(oid: Oid, text: &'a str) -> T {
    Field::new(oid, Format::Text, text.as_bytes()).get().unwrap()
}

fn written(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

fn a_date(text: &str, how: TimeArg) -> String {
    written(|out| date(read(type_oid::DATE, text), how, out))
}

fn a_time(text: &str, modifier: i32, how: TimeArg) -> String {
    written(|out| time(read(type_oid::TIME, text), modifier, how, out))
}

fn a_timestamp(text: &str, modifier: i32, how: TimeArg) -> String {
    written(|out| timestamp(read(type_oid::TIMESTAMP, text), modifier, how, out))
}

fn a_timestamptz(text: &str, modifier: i32) -> String {
    written(|out| timestamptz(read(type_oid::TIMESTAMPTZ, text), modifier, out))
}

fn a_timetz(text: &str) -> String {
    written(|out| timetz(read(type_oid::TIMETZ, text), out))
}

#[test]
fn dates_are_days_since_1970() {
    for (text, days) in [
        ("1970-01-01", "0"),
        ("1969-12-31", "-1"),
        ("2000-03-01", "11017"),
        ("2016-11-04", "17109"),
        ("infinity", "-2147472692"),
        ("-infinity", "-2147472691"),
    ] {
        assert_eq!(a_date(text, Adaptive), days, "{text}");
    }
}

#[test]
fn iso_dates_have_a_zone() {
    for (text, iso) in [
        ("2017-09-15", "2017-09-15Z"),
        ("2000-02-29", "2000-02-29Z"),
        ("1900-03-01", "1900-03-01Z"),
        ("0044-03-15 BC", "-0043-03-15Z"),
        ("0001-12-31 BC", "0000-12-31Z"),
        ("12345-06-07", "+12345-06-07Z"),
        ("infinity", "infinity"),
        ("-infinity", "-infinity"),
    ] {
        assert_eq!(a_date(text, Isostring), format!("\"{iso}\""), "{text}");
    }
}

#[test]
fn times_are_milliseconds_up_to_precision_3() {
    // 13:51:30 is 49890 seconds after midnight.
    assert_eq!(a_time("13:51:30", -1, Adaptive), "49890000000");
    assert_eq!(a_time("13:51:30.123", 3, Adaptive), "49890123");
    assert_eq!(a_time("13:51:30", 0, Adaptive), "49890000");
    assert_eq!(a_time("13:51:30.1237", 4, Adaptive), "49890123700");
    assert_eq!(a_time("24:00:00", -1, Adaptive), "86400000000");
    assert_eq!(a_time("04:05:11.789", -1, Isostring), "\"04:05:11.789Z\"");
    assert_eq!(a_time("04:05:00", 0, Isostring), "\"04:05:00Z\"");
}

#[test]
fn timestamps_are_milliseconds_up_to_precision_3() {
    let text = "2018-06-20 15:13:16.945104";
    assert_eq!(a_timestamp(text, -1, Adaptive), "1529507596945104");
    assert_eq!(a_timestamp(text, 6, Adaptive), "1529507596945104");
    assert_eq!(a_timestamp("2018-06-20 15:13:16.945", 3, Adaptive), "1529507596945");
    assert_eq!(a_timestamp("1969-12-31 23:59:59.999", 3, Adaptive), "-1");
    assert_eq!(a_timestamp("4713-12-31 23:59:59.999999 BC", -1, Adaptive), "-210831897600000001");
    assert_eq!(a_timestamp("infinity", -1, Adaptive), "9223372036825200000");
    assert_eq!(a_timestamp("-infinity", -1, Adaptive), "-9223372036832400000");
    assert_eq!(a_timestamp("infinity", 3, Adaptive), "9223372036825200");
    let iso = a_timestamp("2019-07-09 02:28:57.123456", -1, Isostring);
    assert_eq!(iso, "\"2019-07-09T02:28:57.123456Z\"");
    assert_eq!(a_timestamp("2019-07-09 02:28:57", -1, Isostring), "\"2019-07-09T02:28:57Z\"");
    assert_eq!(a_timestamp("2019-07-09 02:28:57.5", 3, Isostring), "\"2019-07-09T02:28:57.5Z\"");
    assert_eq!(a_timestamp("infinity", -1, Isostring), "\"infinity\"");
}

#[test]
fn timestamps_with_a_zone_have_the_digits_of_their_column() {
    for (text, modifier, iso) in [
        ("2016-11-04 13:51:30.123456+02", -1, "2016-11-04T11:51:30.123456Z"),
        ("21016-11-04 13:51:30+07", -1, "+21016-11-04T06:51:30.000000Z"),
        ("2016-11-04 11:51:30.5+00", 3, "2016-11-04T11:51:30.500Z"),
        ("2016-11-04 11:51:30+00", 0, "2016-11-04T11:51:30Z"),
        ("4714-12-31 23:59:59.999999+00 BC", -1, "-4713-12-31T23:59:59.999999Z"),
        ("infinity", -1, "infinity"),
        ("-infinity", 3, "-infinity"),
    ] {
        assert_eq!(a_timestamptz(text, modifier), format!("\"{iso}\""), "{text}");
    }
}

#[test]
fn times_with_a_zone_are_in_utc() {
    for (text, iso) in [
        ("13:51:30.123789+02", "11:51:30.123789Z"),
        ("13:51:30.123+02", "11:51:30.123Z"),
        ("00:30:00+01", "23:30:00Z"),
        ("23:30:00-01", "00:30:00Z"),
        ("24:00:00+00", "24:00:00Z"),
        ("24:00:00+02", "22:00:00Z"),
    ] {
        assert_eq!(a_timetz(text), format!("\"{iso}\""), "{text}");
    }
}

#[test]
fn intervals_are_microseconds_of_average_months() {
    let write = |text| written(|out| interval(read(type_oid::INTERVAL, text), out));
    // 14 months of 2629800 s, 3 days, 4 h 5 min 6.78 s: 36817200 + 259200 + 14706.78 s.
    assert_eq!(write("1 year 2 mons 3 days 04:05:06.78"), "37091106780000");
    assert_eq!(write("-00:00:01"), "-1000000");
    assert_eq!(write("infinity"), "9223372036854775807");
    assert_eq!(write("-infinity"), "-9223372036854775808");
}
