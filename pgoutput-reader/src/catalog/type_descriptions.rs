//! Descriptions of types, from what the catalogue has and from what the stream says of those that
//! it no longer has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use pgoutput_decode::Oid;
use pgoutput_decode::value::{Attribute, PgType, TypeInfo, TypeKind};

use super::UNKNOWN_TYPE;
use super::stream_types::StreamTypes;
use super::types::{Entries, MAX_DEPTH, is_known};

/// The types of a table's columns that are not built in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Types {
    /// Those of which something is known.
    pub(crate) described: Box<[TypeInfo<'static>]>,
    /// Those whose kind, or the kind of a part of them, neither the catalogue nor the stream tells.
    pub(crate) unknown: Box<[Oid]>,
    /// Those that the catalogue no longer has, also where another type has the oid now.
    pub(crate) gone: Box<[Oid]>,
}

/// Describes these types of columns.
pub(super) fn describe(of_columns: &[Oid], entries: &Entries, said: &StreamTypes) -> Types {
    let is_gone = |oid: &&Oid| !entries.contains_key(oid) || is_another(**oid, entries, said);
    let gone: Box<[Oid]> = of_columns.iter().filter(is_gone).copied().collect();
    let describe = |oid: &Oid| {
        if gone.contains(oid) {
            of_stream(*oid, said)
        } else {
            Some(*info(*oid, entries, MAX_DEPTH))
        }
    };
    let described: Box<[_]> = of_columns.iter().filter_map(describe).collect();
    let unknown = unknown_of(of_columns, &described);
    Types { described, unknown, gone }
}

/// Those of these types of which something is unknown.
fn unknown_of(types: &[Oid], described: &[TypeInfo<'static>]) -> Box<[Oid]> {
    let is_unknown = |oid: &&Oid| {
        let info = described.iter().find(|info| info.oid == **oid);
        info.is_none_or(|info| has_unknown(info, &mut BTreeSet::new()))
    };
    types.iter().filter(is_unknown).copied().collect()
}

/// Whether the oid was given to another type since the stream named this one: a domain does not
/// change its base type, and nothing else becomes a domain. Names of user types may change.
fn is_another(oid: Oid, entries: &Entries, said: &StreamTypes) -> bool {
    let mut below = oid;
    for _ in 0..MAX_DEPTH {
        match entries.get(&below) {
            Some(entry) if entry.kind == "d" => below = entry.other,
            _ => break,
        }
    }
    let base_now = PgType::from_oid(below).map(PgType::oid);
    said.contains(oid) && said.base(oid).map(PgType::oid) != base_now
}

/// What the stream says of a type that the catalogue no longer has.
///
/// The Type message of a domain has the name of its base type. Arrays have names that begin with
/// `_`; a value that is none despite such a name does not fit, and is treated like all that do not.
fn of_stream(oid: Oid, said: &StreamTypes) -> Option<TypeInfo<'static>> {
    let name = said.name(oid)?;
    if let Some(base) = said.base(oid) {
        return Some(*kept(oid, name, DescribedKind::Plain(TypeKind::Domain(built_in(base)))));
    }
    said.is_array(oid).then(|| array_of(oid, name, Oid::new(0), said))
}

/// The same types, the elements of an array that is gone being what this value says. `None` if it
/// tells nothing new.
pub(crate) fn with_elements(
    types: &[TypeInfo<'static>],
    unknown: &[Oid],
    (oid, binary): (Oid, &[u8]),
    said: &StreamTypes,
) -> Option<Types> {
    let place = types.iter().position(|info| info.oid == oid)?;
    let TypeKind::Array { element, .. } = types.get(place)?.kind else { return None };
    let (header, _) = binary.split_first_chunk::<12>()?;
    let [0, 0, 0, 0..=6, 0, 0, 0, 0..=1, a, b, c, d] = *header else { return None };
    let element_oid = Oid::new(u32::from_be_bytes([a, b, c, d]));
    if element.oid.as_u32() != 0 || is_known(element_oid) {
        return None;
    }
    let mut described: Box<[_]> = types.into();
    let info = described.get_mut(place)?;
    *info = array_of(oid, info.name, element_oid, said);
    let unknown = unknown_of(unknown, &described);
    Some(Types { described, unknown, gone: Box::default() })
}

fn array_of(oid: Oid, name: &str, element: Oid, said: &StreamTypes) -> TypeInfo<'static> {
    let element = match said.base(element).zip(said.name(element)) {
        Some((base, name)) => {
            kept(element, name, DescribedKind::Plain(TypeKind::Domain(built_in(base))))
        }
        None => unknown(element),
    };
    *kept(oid, name, DescribedKind::Plain(TypeKind::Array { element, delimiter: b',' }))
}

/// A type of which nothing is known but its oid, which is 0 if not even that is.
fn unknown(oid: Oid) -> &'static TypeInfo<'static> {
    kept(oid, UNKNOWN_TYPE, DescribedKind::Plain(TypeKind::Base))
}

/// Whether something in the type is unknown. Types stand in each other in many ways: each is looked
/// at once.
fn has_unknown(info: &TypeInfo<'static>, seen: &mut BTreeSet<*const TypeInfo<'static>>) -> bool {
    if !seen.insert(std::ptr::from_ref(info)) {
        return false;
    }
    match info.kind {
        TypeKind::Base => info.name == UNKNOWN_TYPE,
        TypeKind::Domain(part)
        | TypeKind::Range(part)
        | TypeKind::Multirange(part)
        | TypeKind::Array { element: part, .. } => has_unknown(part, seen),
        TypeKind::Composite(attributes) => {
            attributes.iter().any(|attribute| has_unknown(attribute.ty, seen))
        }
        _ => false,
    }
}

fn built_in(known: &PgType) -> &'static TypeInfo<'static> {
    kept(known.oid(), known.sql_name(), DescribedKind::Plain(TypeKind::Base))
}

fn info(oid: Oid, entries: &Entries, depth: usize) -> &'static TypeInfo<'static> {
    if let Some(known) = PgType::from_oid(oid) {
        return built_in(known);
    }
    // What is too deep is unknown, so that values of it are marked.
    let Some(depth) = depth.checked_sub(1) else { return unknown(oid) };
    let Some(entry) = entries.get(&oid) else { return unknown(oid) };
    let other = || info(entry.other, entries, depth);
    let kind = DescribedKind::Plain(match entry.kind.as_str() {
        "e" => TypeKind::Enum,
        "d" => TypeKind::Domain(other()),
        "r" => TypeKind::Range(other()),
        "m" => TypeKind::Multirange(other()),
        "array" => TypeKind::Array { element: other(), delimiter: entry.delimiter },
        "hstore" => TypeKind::Hstore,
        "text" => TypeKind::TextLike,
        "c" => {
            let types = entry.attributes.iter().map(|(_, oid)| info(*oid, entries, depth));
            let names = entry.attributes.iter().map(|(name, _)| name.as_str());
            return kept(oid, &entry.name, DescribedKind::Composite(names.zip(types).collect()));
        }
        _ => TypeKind::Base,
    });
    kept(oid, &entry.name, kind)
}

/// The kind of a type, all but its own names kept already.
enum DescribedKind<'n> {
    Plain(TypeKind<'static>),
    Composite(Vec<(&'n str, &'static TypeInfo<'static>)>),
}

impl DescribedKind<'_> {
    fn is(&self, kind: TypeKind<'static>) -> bool {
        match (self, kind) {
            (Self::Plain(own), kind) => *own == kind,
            (Self::Composite(own), TypeKind::Composite(attributes)) => {
                let names_and_types =
                    attributes.iter().map(|attribute| (attribute.name, attribute.ty));
                names_and_types.eq(own.iter().copied())
            }
            (Self::Composite(_), _) => false,
        }
    }

    fn keep(self) -> TypeKind<'static> {
        match self {
            Self::Plain(kind) => kind,
            Self::Composite(attributes) => {
                let keep = |(name, ty)| Attribute { name: keep_name(name), ty };
                TypeKind::Composite(Vec::leak(attributes.into_iter().map(keep).collect()))
            }
        }
    }
}

fn keep_name(name: &str) -> &'static str {
    Box::leak(name.into())
}

/// The one description like this, kept as long as the program runs.
///
/// Descriptions borrow from each other, and are borrowed by events wherever those go. There are as many as the databases
/// that are read have had types; each is kept once, however often its table is described.
fn kept(oid: Oid, name: &str, kind: DescribedKind<'_>) -> &'static TypeInfo<'static> {
    static KEPT: Mutex<BTreeMap<Oid, Vec<&'static TypeInfo<'static>>>> =
        Mutex::new(BTreeMap::new());

    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let same_oid = kept.entry(oid).or_default();
    if let Some(known) = same_oid.iter().find(|known| known.name == name && kind.is(known.kind)) {
        return known;
    }
    let made = Box::leak(Box::new(TypeInfo { oid, name: keep_name(name), kind: kind.keep() }));
    same_oid.push(made);
    made
}

#[cfg(test)]
mod tests {
    use pgoutput_decode::value::type_oid;

    use super::super::types::Entry;
    use super::*;

    fn entry(name: &str, kind: &str, other: Oid, attributes: &[(&str, Oid)]) -> Entry {
        let attributes = attributes.iter().map(|(name, oid)| ((*name).into(), *oid)).collect();
        Entry { name: name.into(), kind: kind.into(), delimiter: b',', other, attributes }
    }

    #[test]
    fn equal_descriptions_are_kept_once() {
        let (item, items) = (Oid::new(90_001), Oid::new(90_002));
        let mut entries = BTreeMap::from([
            (item, entry("item", "c", Oid::new(0), &[("label", type_oid::TEXT)])),
            (items, entry("item[]", "array", item, &[])),
        ]);
        let first = info(items, &entries, MAX_DEPTH);
        assert!(std::ptr::eq(first, info(items, &entries, MAX_DEPTH)));
        let TypeKind::Array { element, .. } = first.kind else { panic!("{first:?}") };
        let TypeKind::Composite([label]) = element.kind else { panic!("{element:?}") };
        assert_eq!((label.name, label.ty.oid), ("label", type_oid::TEXT));

        // ALTER TYPE item ADD ATTRIBUTE: what older events hold stays as it was.
        entries.insert(
            item,
            entry("item", "c", Oid::new(0), &[("label", type_oid::TEXT), ("n", type_oid::INT4)]),
        );
        let second = info(items, &entries, MAX_DEPTH);
        assert_ne!(first, second);
        assert!(matches!(element.kind, TypeKind::Composite([_])));
    }

    #[test]
    fn rings_end() {
        let ring = Oid::new(90_003);
        let entries = BTreeMap::from([(ring, entry("ring", "d", ring, &[]))]);
        let mut ty = info(ring, &entries, MAX_DEPTH);
        let mut depth = 0;
        while let TypeKind::Domain(base) = ty.kind {
            (ty, depth) = (base, depth + 1);
        }
        assert_eq!(depth, MAX_DEPTH);
        assert!(has_unknown(info(ring, &entries, MAX_DEPTH), &mut BTreeSet::new()));
    }
}
