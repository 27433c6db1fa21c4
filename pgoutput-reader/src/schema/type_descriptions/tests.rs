use std::collections::BTreeMap;

use pgoutput_decode::Message;
use pgoutput_decode::value::type_oid;

use super::*;

const ITEM: Oid = Oid::new(90_001);
const ITEMS: Oid = Oid::new(90_002);

fn catalog_type(
    name: &str,
    kind: CatalogTypeKind,
    other: Oid,
    attributes: &[(&str, Oid)],
) -> CatalogType {
    let attributes = attributes.iter().map(|(name, oid)| ((*name).into(), *oid)).collect();
    CatalogType { name: name.into(), kind, delimiter: b',', other, attributes }
}

/// `item` with these attributes, and `item[]`.
fn items(attributes: &[(&str, Oid)]) -> CatalogTypes {
    BTreeMap::from([
        (ITEM, catalog_type("item", CatalogTypeKind::Composite, Oid::new(0), attributes)),
        (ITEMS, catalog_type("item[]", CatalogTypeKind::Array, ITEM, &[])),
    ])
}

fn described(of_columns: &[Oid], catalog: &CatalogTypes) -> Types {
    describe(of_columns, catalog, &StreamTypes::default())
}

fn named(names: &[(Oid, &str, &str)]) -> StreamTypes {
    let mut types = StreamTypes::default();
    for (oid, namespace, name) in names {
        let mut frame = [&b"Y"[..], &oid.as_u32().to_be_bytes()].concat();
        frame.extend(format!("{namespace}\0{name}\0").bytes());
        let Message::Type(body) = Message::decode(&frame, false).unwrap() else { panic!() };
        types.insert(&body);
    }
    types
}

/// ALTER TYPE … ADD ATTRIBUTE: a schema with the older description keeps it.
#[test]
fn descriptions_are_compared_by_content() {
    let label = ("label", type_oid::TEXT);
    let first = described(&[ITEMS], &items(&[label]));
    assert_eq!(first, described(&[ITEMS], &items(&[label])));
    let second = described(&[ITEMS], &items(&[label, ("n", type_oid::INT4)]));
    assert_ne!(first.described, second.described);

    let TypeKind::Array { element, .. } = first.described.get(ITEMS).unwrap().kind() else {
        panic!()
    };
    let TypeKind::Composite(attributes) = element.kind() else { panic!("{element:?}") };
    let names: Vec<_> = attributes.iter().map(|attribute| attribute.name).collect();
    assert_eq!(names, ["label"]);
}

/// One query returns the types of many tables.
#[test]
fn types_of_other_tables_are_left_out() {
    let mut catalog = items(&[("label", type_oid::TEXT)]);
    catalog
        .insert(Oid::new(90_003), catalog_type("other", CatalogTypeKind::Enum, Oid::new(0), &[]));
    let types = described(&[ITEM], &catalog).described;
    assert_eq!(types.iter().map(FieldType::oid).collect::<Vec<_>>(), [ITEM]);
}

#[test]
fn types_with_unknown_parts_are_unknown() {
    let missing = Oid::new(90_009);
    let types = described(&[ITEM, ITEMS, missing], &items(&[("a", missing)]));
    assert_eq!(*types.unknown, [ITEM, ITEMS, missing]);
    assert_eq!(*types.gone, [missing]);
    assert!(types.described.get(missing).is_none());
    assert!(described(&[ITEMS], &items(&[("a", type_oid::INT4)])).unknown.is_empty());
}

#[test]
fn rings_and_types_beyond_the_depth_limit_are_unknown() {
    let ring = BTreeMap::from([(ITEM, catalog_type("ring", CatalogTypeKind::Domain, ITEM, &[]))]);
    let types = described(&[ITEM], &ring);
    assert_eq!(*types.unknown, [ITEM]);
    assert_eq!(types.described.len(), 1);

    // Each level twice in the one above it: as many paths as there are levels.
    let number = |oid: usize| Oid::new(u32::try_from(oid).unwrap());
    let nested = |levels: usize| -> CatalogTypes {
        let level = |level| {
            let inner = if level + 1 == levels { type_oid::INT4 } else { number(90_001 + level) };
            let twins = [("a", inner), ("b", inner)];
            (
                number(90_000 + level),
                catalog_type("level", CatalogTypeKind::Composite, Oid::new(0), &twins),
            )
        };
        (0..levels).map(level).collect()
    };
    let outermost = number(90_000);
    assert!(described(&[outermost], &nested(MAX_DEPTH)).unknown.is_empty());
    assert_eq!(*described(&[outermost], &nested(MAX_DEPTH + 1)).unknown, [outermost]);
}

#[test]
fn types_that_are_gone_are_described_by_the_stream() {
    let (positive, moods, gone) = (Oid::new(90_003), Oid::new(90_004), Oid::new(90_005));
    let stream = named(&[
        (positive, "", "int4"),
        (moods, "public", "_mood"),
        (gone, "public", "gone"),
        (ITEM, "", "text"),
    ]);
    // Another type has the oid of ITEM now.
    let catalog = items(&[("label", type_oid::TEXT)]);
    let types = describe(&[ITEM, positive, moods, gone], &catalog, &stream);
    assert_eq!(*types.gone, [ITEM, positive, moods, gone]);
    assert_eq!(*types.unknown, [moods, gone]);
    for (oid, base) in [(positive, type_oid::INT4), (ITEM, type_oid::TEXT)] {
        let TypeKind::Domain(of) = types.described.get(oid).unwrap().kind() else { panic!() };
        assert_eq!(of.oid(), base);
    }

    // A binary array of moods, which are a domain over text.
    let header = |element: Oid| {
        let head = [&[0, 0, 0, 1, 0, 0, 0, 0][..], &element.as_u32().to_be_bytes()].concat();
        [head, [0, 0, 0, 1].repeat(2)].concat()
    };
    let learn = |types: &Types, element| {
        with_elements(&types.described, &types.unknown, (moods, &header(element)), &stream)
    };
    let learned = learn(&types, ITEM).unwrap();
    assert_eq!(*learned.unknown, [gone]);
    let TypeKind::Array { element, .. } = learned.described.get(moods).unwrap().kind() else {
        panic!()
    };
    assert!(matches!(element.kind(), TypeKind::Domain(_)));
    assert_eq!(learned.described.get(positive).unwrap().name(), Some("int4"));
    assert!(learn(&learned, ITEM).is_none(), "nothing new");

    let still_unknown = learn(&types, gone).unwrap();
    assert_eq!(*still_unknown.unknown, [moods, gone]);
    assert!(learn(&still_unknown, gone).is_none(), "nothing new");
}
