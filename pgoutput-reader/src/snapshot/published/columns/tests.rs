use super::super::facts::{Entry, Publication};
use super::*;
use crate::error::ErrorKind;

const TABLE: u32 = 20;

/// Columns 1 and 2, the stored generated column 4 and the virtual one 5.
fn attributes(generated: bool) -> Attributes {
    let attribute = |number: i16, generated| Attribute {
        number,
        name: format!("c{number}").into_bytes(),
        type_oid: 23,
        type_modifier: -1,
        generated,
    };
    let mut all = vec![attribute(1, Generated::No), attribute(2, Generated::No)];
    if generated {
        all.extend([attribute(4, Generated::Stored), attribute(5, Generated::Virtual)]);
    }
    Attributes {
        of: [(TABLE, all)].into(),
        identities: [(TABLE, vec![2])].into(),
        without_binary: HashSet::new(),
    }
}

/// Publications of the table, each with whether it publishes generated columns and its list.
fn described(
    publications: &[(bool, Option<&[i16]>)],
    attributes: &Attributes,
) -> Result<PublishedTable, Error> {
    let relation = Relation {
        oid: TABLE,
        is_permanent: true,
        schema: b"s".into(),
        name: b"t".into(),
        replica_identity: b'd',
        ..Relation::default()
    };
    let mut facts = Facts { relations: [(TABLE, relation)].into(), ..Facts::default() };
    for (oid, (generated, list)) in (1..).zip(publications) {
        let publication =
            Publication { oid, inserts: true, generated: *generated, ..Publication::default() };
        facts.publications.push(publication);
        let columns = list.map(<[i16]>::to_vec);
        facts.entries.insert((oid, TABLE), Entry { oid: 800, columns, filter: None });
    }
    table(&facts, &facts.memberships()[0], attributes)
}

fn names(publications: &[(bool, Option<&[i16]>)], generated: bool) -> Vec<String> {
    let table = described(publications, &attributes(generated)).unwrap();
    table.columns.into_iter().map(|column| column.name).collect()
}

#[test]
fn lists_select_columns_in_the_order_of_the_table() {
    assert_eq!(names(&[(false, None)], true), ["c1", "c2"]);
    assert_eq!(names(&[(true, None)], true), ["c1", "c2", "c4"]);
    assert_eq!(names(&[(false, Some(&[4, 2]))], true), ["c2", "c4"]);
    assert_eq!(names(&[(false, Some(&[2])), (true, Some(&[2]))], true), ["c2"]);
    assert_eq!(names(&[(false, Some(&[2, 1])), (false, None)], true), ["c1", "c2"]);
    assert_eq!(names(&[(false, Some(&[1, 2, 4])), (true, None)], true), ["c1", "c2", "c4"]);
    assert_eq!(names(&[(false, None), (true, None)], false), ["c1", "c2"]);
}

#[test]
fn contradictions_are_errors() {
    let refused = |publications: &[(bool, Option<&[i16]>)]| {
        let error = described(publications, &attributes(true)).unwrap_err();
        match error.into_kind() {
            ErrorKind::Setup(error) => error,
            other => panic!("{other}"),
        }
    };
    let table = "s.t".to_owned();
    let lists = SetupError::ColumnListsDiffer { table: table.clone() };
    assert_eq!(refused(&[(false, Some(&[1])), (false, Some(&[2]))]), lists);
    assert_eq!(refused(&[(false, Some(&[1])), (false, None)]), lists);
    let generated = SetupError::GeneratedColumnsDiffer { table };
    assert_eq!(refused(&[(false, None), (true, None)]), generated);
}

#[test]
fn keys_and_formats_are_those_of_the_columns() {
    let mut attributes = attributes(true);
    attributes.without_binary.insert(23);
    let table = described(&[(true, None)], &attributes).unwrap();
    let keys: Vec<bool> = table.columns.iter().map(|column| column.is_key).collect();
    assert_eq!(keys, [false, true, false]);
    assert!(table.columns[2].is_generated && !table.columns[0].is_generated);
    assert!(!table.has_binary());
    assert_eq!(table.all_columns, ["c1", "c2", "c4", "c5"]);
    assert_eq!(any_of(&["a".into(), "b".into()]).unwrap(), "(a) OR (b)");
}

#[test]
fn a_name_that_is_not_utf8_is_shown_escaped() {
    let mut attributes = attributes(false);
    attributes.of.get_mut(&TABLE).unwrap()[0].name = b"caf\xe9".into();
    let list: &[i16] = &[2];
    let table = described(&[(false, Some(list))], &attributes).unwrap();
    assert_eq!(table.all_columns, [r"caf\xe9", "c2"]);
    let error = described(&[(false, None)], &attributes).unwrap_err();
    assert!(
        error.to_string().starts_with(r"caf\xe9 of published table s.t is not UTF-8"),
        "{error}"
    );
}
