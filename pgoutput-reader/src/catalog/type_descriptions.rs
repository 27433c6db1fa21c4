//! Descriptions of types, from the catalogue, and from the stream for types that the catalogue no
//! longer has.

use std::collections::BTreeSet;

use pgoutput_decode::Oid;
use pgoutput_decode::value::{
    Attribute, AttributeList, FieldType, PgType, TypeInfo, TypeKind, TypeSet,
};

use super::stream_types::StreamTypes;
use super::types::{Entries, Entry, MAX_DEPTH, is_known};

/// The types of a table's columns that are not built in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Types {
    /// The types of which something is known, and those that they consist of.
    pub(crate) described: TypeSet,
    /// The types whose kind, or the kind of a part of them, is known neither from the catalogue nor
    /// from the stream.
    pub(crate) unknown: Box<[Oid]>,
    /// The types that the catalogue no longer has, also where another type has the oid now.
    pub(crate) gone: Box<[Oid]>,
}

/// Describes these types of columns.
pub(super) fn describe(of_columns: &[Oid], entries: &Entries, said: &StreamTypes) -> Types {
    let is_gone = |oid: &&Oid| !entries.contains_key(oid) || is_another(**oid, entries, said);
    let gone: Box<[Oid]> = of_columns.iter().filter(is_gone).copied().collect();
    // First, since another type may have the oid in the catalogue.
    let from_stream = gone.iter().filter_map(|oid| of_stream(*oid, said));

    let of_catalogue = of_columns.iter().filter(|oid| !gone.contains(oid));
    let found = reachable(of_catalogue, entries);
    let attributes: Vec<_> = found.iter().map(|(_, entry)| attributes(entry)).collect();
    let from_catalogue = found
        .iter()
        .zip(&attributes)
        .map(|((oid, entry), attributes)| of_catalogue_entry(*oid, entry, attributes));

    let infos: Vec<_> = from_stream.chain(from_catalogue).collect();
    let described = TypeSet::new(&infos);
    let unknown = unknown_of(of_columns, &described);
    Types { described, unknown, gone }
}

/// The entries of these types and of all that they consist of.
fn reachable<'e>(
    of_columns: impl Iterator<Item = &'e Oid>,
    entries: &'e Entries,
) -> Vec<(Oid, &'e Entry)> {
    let mut left: Vec<Oid> = of_columns.copied().collect();
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    while let Some(oid) = left.pop() {
        if let Some(entry) = entries.get(&oid)
            && seen.insert(oid)
        {
            found.push((oid, entry));
            left.extend(entry.others());
        }
    }
    found
}

/// The types of which something is unknown.
fn unknown_of(types: &[Oid], described: &TypeSet) -> Box<[Oid]> {
    types.iter().filter(|oid| has_unknown(**oid, described)).copied().collect()
}

/// Whether something in the type is unknown. A type that contains others deeper than values are
/// read counts as unknown, so that its values are marked; this includes types that form a ring.
fn has_unknown(oid: Oid, described: &TypeSet) -> bool {
    let mut level = BTreeSet::from([oid]);
    for _ in 0..MAX_DEPTH {
        let mut parts = BTreeSet::new();
        for oid in level {
            let Some(ty) = described.get(oid) else { return true };
            parts.extend(ty.kind().parts().map(FieldType::oid));
        }
        parts.retain(|oid| PgType::from_oid(*oid).is_none());
        if parts.is_empty() {
            return false;
        }
        level = parts;
    }
    true
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

/// Describes a type that the catalogue no longer has, as far as the stream named it.
///
/// The Type message of a domain has the name of its base type. Arrays have names that begin with
/// `_`. A value that is not an array despite such a name does not match the description, and is
/// treated like all values that do not.
fn of_stream(oid: Oid, said: &StreamTypes) -> Option<TypeInfo<'_>> {
    domain(oid, said).or_else(|| {
        let name = said.name(oid).filter(|_| said.is_array(oid))?;
        Some(array_of(oid, name, Oid::new(0)))
    })
}

fn domain(oid: Oid, said: &StreamTypes) -> Option<TypeInfo<'_>> {
    let (name, base) = said.name(oid).zip(said.base(oid))?;
    Some(TypeInfo { oid, name, kind: TypeKind::Domain(FieldType::new(base.oid())) })
}

/// An array; the oid of its elements is 0 if it is unknown.
fn array_of(oid: Oid, name: &str, element: Oid) -> TypeInfo<'_> {
    let element = FieldType::new(element);
    TypeInfo { oid, name, kind: TypeKind::Array { element, delimiter: b',' } }
}

/// Adds what this value of an array type that is gone says about its elements. `None` if that is
/// nothing new.
pub(crate) fn with_elements(
    types: &TypeSet,
    unknown: &[Oid],
    (oid, binary): (Oid, &[u8]),
    said: &StreamTypes,
) -> Option<Types> {
    let array = types.get(oid)?;
    let TypeKind::Array { element, .. } = array.kind() else { return None };
    let (header, _) = binary.split_first_chunk::<12>()?;
    let [0, 0, 0, 0..=6, 0, 0, 0, 0..=1, a, b, c, d] = *header else { return None };
    let element_oid = Oid::new(u32::from_be_bytes([a, b, c, d]));
    if element.oid().as_u32() != 0 || is_known(element_oid) {
        return None;
    }
    let array = array_of(oid, array.name()?, element_oid);
    // Of descriptions with the same oid the first counts.
    let infos = [Some(array), domain(element_oid, said)].into_iter().flatten();
    let infos: Vec<_> = infos.chain(types.iter().filter_map(FieldType::info)).collect();
    let described = TypeSet::new(&infos);
    let unknown = unknown_of(unknown, &described);
    Some(Types { described, unknown, gone: Box::default() })
}

fn attributes(entry: &Entry) -> Vec<Attribute<'_>> {
    let attributes = entry.attributes.iter();
    attributes.map(|(name, oid)| Attribute { name, ty: FieldType::new(*oid) }).collect()
}

fn of_catalogue_entry<'a>(
    oid: Oid,
    entry: &'a Entry,
    attributes: &'a [Attribute<'a>],
) -> TypeInfo<'a> {
    let other = FieldType::new(entry.other);
    let kind = match entry.kind.as_str() {
        "e" => TypeKind::Enum,
        "d" => TypeKind::Domain(other),
        "r" => TypeKind::Range(other),
        "m" => TypeKind::Multirange(other),
        "array" => TypeKind::Array { element: other, delimiter: entry.delimiter },
        "hstore" => TypeKind::Hstore,
        "text" => TypeKind::TextLike,
        "c" => TypeKind::Composite(AttributeList::new(attributes)),
        _ => TypeKind::Base,
    };
    TypeInfo { oid, name: &entry.name, kind }
}

#[cfg(test)]
mod tests;
