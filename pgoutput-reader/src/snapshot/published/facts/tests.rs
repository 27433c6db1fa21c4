use super::*;

const ALL: Publication = Publication {
    oid: 1,
    all_tables: true,
    inserts: true,
    updates: true,
    deletes: true,
    truncates: true,
    via_root: false,
    generated: false,
};

/// A publication that lists tables or schemas.
fn listing(oid: u32, via_root: bool) -> Publication {
    Publication { oid, all_tables: false, via_root, ..ALL }
}

/// The partitioned table 10 with the partition 11 and the partitioned partition 12, which has the
/// partition 13; a plain table 20. Table 13 is in schema 3, the others in schema 2.
fn facts(publications: Vec<Publication>, listed: &[(u32, u32)]) -> Facts {
    let relation = |oid, parent, is_partitioned| Relation {
        oid,
        is_partitioned,
        is_permanent: true,
        schema_oid: if oid == 13 { 3 } else { 2 },
        parent,
        ..Relation::default()
    };
    let relations = [
        relation(10, None, true),
        relation(11, Some(10), false),
        relation(12, Some(10), true),
        relation(13, Some(12), false),
        relation(20, None, false),
    ];
    Facts {
        publications,
        entries: listed.iter().map(|key| (*key, Entry::default())).collect(),
        schemas: HashMap::new(),
        relations: relations.into_iter().map(|relation| (relation.oid, relation)).collect(),
    }
}

/// The tables, each with its leaves.
fn published(facts: &Facts) -> Vec<(u32, Vec<u32>)> {
    let members = facts.memberships().into_iter();
    let leaves = |member: &Membership<'_>| member.leaves.iter().map(|leaf| leaf.oid).collect();
    members.map(|member| (member.relation.oid, leaves(&member))).collect()
}

fn alone(oids: &[u32]) -> Vec<(u32, Vec<u32>)> {
    oids.iter().map(|oid| (*oid, vec![*oid])).collect()
}

#[test]
fn partitions_are_published_as_themselves_or_as_the_topmost_table() {
    assert_eq!(published(&facts(vec![ALL], &[])), alone(&[11, 13, 20]));
    let via_root = Publication { via_root: true, ..ALL };
    assert_eq!(published(&facts(vec![via_root], &[])), [(10, vec![11, 13]), (20, vec![20])]);
    let of = |via_root, listed: &[u32]| {
        let listed: Vec<_> = listed.iter().map(|oid| (1, *oid)).collect();
        published(&facts(vec![listing(1, via_root)], &listed))
    };
    assert_eq!(of(false, &[10]), alone(&[11, 13]));
    assert_eq!(of(true, &[10, 12, 11]), [(10, vec![11, 13])]);
    assert_eq!(of(true, &[12, 11]), [(11, vec![11]), (12, vec![13])]);
    assert_eq!(of(true, &[13]), alone(&[13]));
    assert_eq!(of(false, &[20]), alone(&[20]));
}

#[test]
fn the_topmost_table_of_all_publications_wins_in_any_order() {
    let (middle, leaves, root) = (listing(1, true), listing(2, false), listing(3, true));
    let listed = [(1, 12), (2, 10), (3, 10)];
    let both = vec![middle.clone(), leaves.clone()];
    assert_eq!(published(&facts(both, &listed)), [(11, vec![11]), (12, vec![13])]);
    for publications in
        [vec![middle.clone(), leaves.clone(), root.clone()], vec![root, leaves, middle]]
    {
        let facts = facts(publications, &listed);
        let members = facts.memberships();
        assert_eq!(published(&facts), [(10, vec![11, 13])]);
        let deciding: Vec<u32> = members[0].publications.iter().map(|p| p.oid).collect();
        assert_eq!(deciding, [3]);
    }
}

#[test]
fn a_schema_has_its_tables_and_partitions_of_its_tables() {
    let of = |via_root, schema| {
        let mut facts = facts(vec![listing(1, via_root)], &[]);
        facts.schemas.insert((1, schema), 900);
        published(&facts)
    };
    assert_eq!(of(false, 2), alone(&[11, 13, 20]));
    assert_eq!(of(true, 2), [(10, vec![11, 13]), (20, vec![20])]);
    assert_eq!(of(true, 3), alone(&[13]));
}

#[test]
fn tables_without_published_rows_are_left_out() {
    let truncates = Publication { inserts: false, updates: false, deletes: false, ..ALL };
    assert_eq!(published(&facts(vec![truncates.clone()], &[])), []);
    let updates = Publication { updates: true, oid: 2, ..truncates.clone() };
    assert_eq!(published(&facts(vec![truncates, updates], &[])), alone(&[11, 13, 20]));
    assert_eq!(published(&facts(vec![], &[])), []);
    let mut unlogged = facts(vec![ALL], &[]);
    unlogged.relations.get_mut(&11).unwrap().is_permanent = false;
    assert_eq!(published(&unlogged), alone(&[13, 20]));
}

#[test]
fn a_cycle_of_partitions_ends() {
    let mut facts = facts(vec![Publication { via_root: true, ..ALL }], &[]);
    facts.relations.get_mut(&10).unwrap().parent = Some(12);
    assert!(!published(&facts).is_empty());
}

/// The filters of table 20 for publications with these filters.
fn filters(publications: Vec<(Publication, Option<&str>)>) -> Option<Vec<String>> {
    let (publications, filters): (Vec<_>, Vec<_>) = publications.into_iter().unzip();
    let mut facts = facts(publications, &[]);
    for (publication, filter) in facts.publications.iter().zip(filters) {
        if !publication.all_tables {
            let filter = filter.map(|text| text.as_bytes().to_vec());
            facts.entries.insert((publication.oid, 20), Entry { oid: 800, columns: None, filter });
        }
    }
    let members = facts.memberships();
    let member = members.iter().find(|member| member.relation.oid == 20).unwrap();
    let filters = facts.row_filters(member)?.into_iter();
    Some(filters.map(|filter| String::from_utf8(filter.to_vec()).unwrap()).collect())
}

#[test]
fn filters_are_alternatives_and_none_excludes_all() {
    let of = |oid| listing(oid, false);
    let found = |filters: &[&str]| Some(filters.iter().map(|text| (*text).to_owned()).collect());
    assert_eq!(filters(vec![(of(1), Some("a")), (of(2), Some("b"))]), found(&["a", "b"]));
    assert_eq!(filters(vec![(of(1), Some("a")), (of(2), Some("a"))]), found(&["a"]));
    assert_eq!(filters(vec![(of(1), Some("a")), (of(2), None)]), None);
    assert_eq!(filters(vec![(of(2), Some("a")), (ALL, None)]), None);
    assert_eq!(filters(vec![(of(1), None)]), None);
    let updates = |oid| Publication { inserts: false, ..of(oid) };
    assert_eq!(filters(vec![(of(1), Some("a")), (updates(2), Some("b"))]), found(&["a"]));
    assert_eq!(filters(vec![(of(1), Some("a")), (updates(2), None)]), found(&["a"]));
    assert_eq!(filters(vec![(updates(1), Some("a")), (updates(2), Some("b"))]), found(&["a", "b"]));
}

#[test]
fn estimates_grow_with_the_file() {
    let size = |pages, analyzed_rows, analyzed_pages| {
        let size = Size { pages, analyzed_rows, analyzed_pages, is_heap: true };
        size.estimated_rows()
    };
    assert_eq!(size(20, 100.0, 10), Some(200));
    assert_eq!(size(0, 100.0, 10), Some(0));
    assert_eq!(size(3, -1.0, 0), None);
    assert_eq!(size(3, 0.0, 0), None);
}

#[test]
fn each_entry_and_each_operation_that_is_left_out_changes_the_number() {
    let number = |publication: Publication, listed: &[(u32, u32)]| {
        let mut facts = facts(vec![publication], &[]);
        let entry = |oid| Entry { oid, ..Entry::default() };
        facts.entries = listed.iter().map(|(table, oid)| ((1, *table), entry(*oid))).collect();
        facts.entries_id(&facts.relations[&13])
    };
    // The numbers are stored in positions.
    assert_eq!(number(ALL, &[]), 1);
    assert_eq!(number(listing(1, true), &[(13, 800)]), 800);
    let mut numbers = vec![
        number(listing(1, true), &[(10, 801)]),
        number(listing(1, true), &[(13, 800), (10, 801)]),
    ];
    for left_out in 0..16_u32 {
        let is_in = |bit: u32| left_out & (1 << bit) == 0;
        let publication = Publication {
            inserts: is_in(3),
            updates: is_in(2),
            deletes: is_in(1),
            truncates: is_in(0),
            ..listing(1, true)
        };
        let one = number(publication.clone(), &[(13, 800)]);
        assert_eq!(one, 800 + (left_out << 28));
        numbers.extend([one, number(publication, &[(13, 800), (10, 802)])]);
    }
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), count);
}
