use super::*;

const STORED: &str = "1:7574093210001112223:1:my_slot:79142219578eefc7:FFFFFFFF/158FAC8:3.";

#[test]
fn the_text_contains_every_part() {
    let position: Position = STORED.parse().unwrap();
    assert_eq!(position.system_identifier(), 7_574_093_210_001_112_223);
    assert_eq!(position.timeline(), 1);
    assert_eq!(position.slot(), "my_slot");
    assert_eq!(position.publication_fingerprint(), 0x7914_2219_578e_efc7);
    assert_eq!(position.commit_lsn(), Lsn::new(0xFFFF_FFFF_0158_FAC8));
    assert_eq!(position.index(), Some(3));
    assert_eq!(position.to_string(), STORED);
    let outside = STORED.replace(":3.", ":-.");
    assert_eq!(format!("\n {STORED} \n").parse::<Position>().unwrap().to_string(), STORED);
    assert_eq!(outside.parse::<Position>().unwrap().to_string(), outside);
    let end: Position = STORED.replace(":3.", ":end.").parse().unwrap();
    assert_eq!((end.index(), end.to_string()), (None, STORED.replace(":3.", ":end.")));
    assert_ne!(end, outside.parse().unwrap());
    let described: Position = STORED.replace(":3.", ":s3.").parse().unwrap();
    assert_eq!(
        (described.index(), described.to_string()),
        (Some(3), STORED.replace(":3.", ":s3."))
    );
    assert_ne!(described, position);
}

#[test]
fn copied_tables_are_a_further_part() {
    let text = STORED.replace(":3.", ":-:0/158FAC8-16403,0/1600000-16500+16512.");
    let position: Position = text.parse().unwrap();
    assert_eq!(position.to_string(), text);
    assert_ne!(position, STORED.replace(":3.", ":-.").parse().unwrap());
    assert!(position.identity().copied.as_ref().unwrap().has(16403.into()));
}

#[test]
fn an_invalid_position_is_an_error_that_names_the_part() {
    let part = |text: &str| match text.parse::<Position>() {
        Err(PositionError::Malformed { part }) => part,
        other => panic!("{text}: {other:?}"),
    };
    for (from, to, expected) in [
        ("1:757", "2:757", "version"),
        ("1:757", "", "version"),
        ("7574093210001112223", "75740932100011122233", "system identifier"),
        ("7574093210001112223", "+7", "system identifier"),
        (":1:", ":-1:", "timeline"),
        (":1:", "::", "timeline"),
        ("my_slot", "My_slot", "slot"),
        ("my_slot", "", "slot"),
        ("79142219578eefc7", "79142219578EEFC7", "publication fingerprint"),
        ("79142219578eefc7", "9142219578eefc7", "publication fingerprint"),
        ("FFFFFFFF/158FAC8", "158FAC8", "LSN"),
        (":3.", ":.", "index"),
        (":3.", ":18446744073709551615.", "index"),
        (":3.", ":18446744073709551616.", "index"),
        (":3.", ":9223372036854775808.", "index"),
        (":3.", ":s9223372036854775808.", "index"),
        (":3.", ":s.", "index"),
        (":3.", ":ss3.", "index"),
        (":3.", ":send.", "index"),
        (":3.", ".", "index"),
        (":3.", ":3:.", "copied tables"),
        (":3.", ":3:0/1.", "copied tables"),
        (":3.", ":3:0/1-5:.", "end"),
        (":3.", ":3:0/1-5:x", "end"),
        ("1:757", "{", "version"),
    ] {
        assert_eq!(part(&STORED.replacen(from, to, 1)), expected, "{from:?} -> {to:?}");
    }
    let long = STORED.replace("my_slot", &"s".repeat(64));
    assert_eq!(part(&long), "slot");
}

#[test]
fn a_truncated_text_is_reported_as_truncated() {
    for text in ["", "\n", " \t", "\0\0\0"] {
        assert_eq!(text.parse::<Position>(), Err(PositionError::Empty), "{text:?}");
    }
    for length in 1..STORED.len() {
        let cut = &STORED[..length];
        let error = cut.parse::<Position>().unwrap_err();
        assert!(matches!(error, PositionError::EndsEarly { .. }), "{cut:?}: {error:?}");
    }
    let error = STORED.trim_end_matches(":3.").parse::<Position>().unwrap_err();
    assert_eq!(error, PositionError::EndsEarly { part: "LSN" });
}

#[test]
fn a_stored_position_belongs_to_no_reader() {
    let position: Position = STORED.parse().unwrap();
    assert_eq!(position.delivery_of(ReaderId::NONE), None);
    assert_eq!(position.delivery_of(ReaderId::unique()), None);
}

#[test]
fn equality_ignores_the_delivery_number() {
    let stored: Position = STORED.parse().unwrap();
    let identity =
        Arc::new(StreamIdentity { reader: ReaderId::unique(), ..stored.identity().clone() });
    let delivered = Position::new(&identity, stored.commit_lsn(), stored.index(), 17);
    assert_eq!(delivered, stored);
    assert_eq!(delivered.delivery_of(identity.reader), Some(17));
    assert_ne!(Position::new(&identity, stored.commit_lsn(), None, 17), stored);
}

#[cfg(all(feature = "serde", feature = "json"))]
#[test]
fn serde_uses_the_text() {
    let position: Position = STORED.parse().unwrap();
    let json = serde_json::to_string(&position).unwrap();
    assert_eq!(json, format!("\"{STORED}\""));
    assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), position);
    let error =
        serde_json::from_str::<Position>("\"1:2:x:s:79142219578eefc7:0/1:0.\"").unwrap_err();
    assert!(error.to_string().contains("timeline"), "{error}");
}
