//! Topics of tables.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::*;

fn route(template: &str, rules: TopicRules) -> Route {
    let source = SourceNames { name: "shop".into(), database: "app".into() };
    Route::of(Template::parse(template).unwrap(), rules, KeyColumns::Identity, source)
}

/// Claims the topic of a table, and returns it. Tables with other names are other tables.
fn claim(route: &mut Route, schema: &str, table: &str) -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    (schema, table).hash(&mut hasher);
    let oid = u32::try_from(hasher.finish() >> 32).unwrap().max(1);
    route.claim(oid, "app", schema, table).map(|topic| topic.to_string())
}

#[test]
fn tables_that_differ_only_in_replaced_characters_are_refused() {
    let mut route = route("{name}.{schema}.{table}", TopicRules::Kafka);
    assert_eq!(claim(&mut route, "public", "a b").unwrap(), "shop.public.a_b");
    assert_eq!(claim(&mut route, "public", "a b").unwrap(), "shop.public.a_b");
    let error = claim(&mut route, "public", "a/b").unwrap_err();
    assert!(error.contains(r#""public"."a/b""#) && error.contains(r#""public"."a b""#), "{error}");
}

#[test]
fn names_with_dots_are_refused_if_they_meet() {
    let mut any = route("{name}.{schema}.{table}", TopicRules::Any);
    claim(&mut any, "a.b", "c").unwrap();
    claim(&mut any, "a", "b.c").unwrap_err();
    // In subjects, dots in names are replaced.
    let mut nats = route("{name}.{schema}.{table}", TopicRules::Nats);
    assert_eq!(claim(&mut nats, "a.b", "c").unwrap(), "shop.a_b.c");
    assert_eq!(claim(&mut nats, "a", "b.c").unwrap(), "shop.a.b_c");
}

#[test]
fn tables_share_a_topic_that_does_not_name_them() {
    let mut one = route("{name}.{schema}", TopicRules::Kafka);
    for table in ["a", "b", "a b", "a/b"] {
        assert_eq!(claim(&mut one, "public", table).unwrap(), "shop.public");
    }
    let mut by_table = route("{table}", TopicRules::Any);
    claim(&mut by_table, "a", "t").unwrap();
    assert_eq!(claim(&mut by_table, "b", "t").unwrap(), "t");
}

#[test]
fn the_topics_of_other_records_belong_to_no_table() {
    let mut route = route("{name}.{schema}.{table}", TopicRules::Any);
    for table in ["message", "snapshot", "transaction", "position"] {
        let error = claim(&mut route, "pgoutput", table).unwrap_err();
        assert!(error.contains("records without a table"), "{error}");
    }
    assert_eq!(claim(&mut route, "pgoutput", "other").unwrap(), "shop.pgoutput.other");
}

#[test]
fn a_renamed_table_does_not_meet_itself_or_its_successor() {
    let mut route = route("{name}.{schema}.{table}", TopicRules::Kafka);
    let mut claim = |oid, table| route.claim(oid, "app", "public", table).map(drop);
    claim(7, "a b").unwrap();
    claim(7, "a/b").unwrap();
    claim(7, "old").unwrap();
    claim(8, "a/b").unwrap();
    claim(9, "a b").unwrap_err();
}

#[test]
fn a_published_table_has_its_topic_before_its_first_event() {
    let mut route = route("{table}", TopicRules::Kafka);
    route.reserve(7, "public", "a b").unwrap();
    route.reserve(8, "public", "a c").unwrap();
    let error = route.reserve(9, "public", "a_b").unwrap_err();
    assert!(error.contains(r#""a_b" and "a b" have the same topic"#), "{error}");
}
