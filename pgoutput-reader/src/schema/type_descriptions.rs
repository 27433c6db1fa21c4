//! Descriptions of types, from the catalogue, and from the stream for types that the catalogue no
//! longer has.

use std::collections::BTreeSet;

use pgoutput_decode::Oid;
use pgoutput_decode::value::{
    Attribute, AttributeList, FieldType, PgType, TypeInfo, TypeKind, TypeSet,
};

use super::catalog_types::{CatalogType, CatalogTypeKind, CatalogTypes, MAX_DEPTH, is_known};
use super::stream_types::StreamTypes;

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
pub(crate) fn describe(of_columns: &[Oid], catalog: &CatalogTypes, stream: &StreamTypes) -> Types {
    let is_gone = |oid: &&Oid| !catalog.contains_key(oid) || is_reassigned(**oid, catalog, stream);
    let gone: Box<[Oid]> = of_columns.iter().filter(is_gone).copied().collect();
    // First, since another type may have the oid in the catalogue.
    let from_stream = gone.iter().filter_map(|oid| of_stream(*oid, stream));

    let of_catalogue = of_columns.iter().filter(|oid| !gone.contains(oid));
    let found = reachable(of_catalogue, catalog);
    let attributes: Vec<_> = found.iter().map(|(_, ty)| attributes(ty)).collect();
    let from_catalogue = found
        .iter()
        .zip(&attributes)
        .map(|((oid, ty), attributes)| of_catalog_type(*oid, ty, attributes));

    let infos: Vec<_> = from_stream.chain(from_catalogue).collect();
    let described = TypeSet::new(&infos);
    let unknown = unknown_of(of_columns, &described);
    Types { described, unknown, gone }
}

/// These types and all that they consist of, as far as the catalogue has them.
fn reachable<'c>(
    of_columns: impl Iterator<Item = &'c Oid>,
    catalog: &'c CatalogTypes,
) -> Vec<(Oid, &'c CatalogType)> {
    let mut left: Vec<Oid> = of_columns.copied().collect();
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    while let Some(oid) = left.pop() {
        if let Some(ty) = catalog.get(&oid)
            && seen.insert(oid)
        {
            found.push((oid, ty));
            left.extend(ty.parts());
        }
    }
    found
}

/// The types of which something is unknown.
fn unknown_of(types: &[Oid], described: &TypeSet) -> Box<[Oid]> {
    types.iter().filter(|oid| has_unknown(**oid, described)).copied().collect()
}

/// Returns whether a part of the type is unknown. A type that contains others deeper than values
/// are read counts as unknown, so that its values are marked; this includes types that form a ring.
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

/// Returns whether the oid was assigned to another type since the stream named this one: a domain
/// does not change its base type, and nothing else becomes a domain. Names of user types may
/// change.
fn is_reassigned(oid: Oid, catalog: &CatalogTypes, stream: &StreamTypes) -> bool {
    let mut base = oid;
    for _ in 0..MAX_DEPTH {
        match catalog.get(&base) {
            Some(ty) if ty.kind == CatalogTypeKind::Domain => base = ty.other,
            _ => break,
        }
    }
    let base_now = PgType::from_oid(base).map(PgType::oid);
    stream.contains(oid) && stream.base(oid).map(PgType::oid) != base_now
}

/// Describes a type that the catalogue no longer has, as far as the stream named it.
///
/// The Type message of a domain has the name of its base type. Arrays have names that begin with
/// `_`. A value that is not an array despite such a name does not match the description, and is
/// treated like all values that do not.
fn of_stream(oid: Oid, stream: &StreamTypes) -> Option<TypeInfo<'_>> {
    domain(oid, stream).or_else(|| {
        let name = stream.name(oid).filter(|_| stream.is_array(oid))?;
        Some(array_of(oid, name, Oid::new(0)))
    })
}

fn domain(oid: Oid, stream: &StreamTypes) -> Option<TypeInfo<'_>> {
    let (name, base) = stream.name(oid).zip(stream.base(oid))?;
    Some(TypeInfo::new(oid, name, TypeKind::Domain(FieldType::new(base.oid()))))
}

/// An array; the oid of its elements is 0 if it is unknown.
fn array_of(oid: Oid, name: &str, element: Oid) -> TypeInfo<'_> {
    let element = FieldType::new(element);
    TypeInfo::new(oid, name, TypeKind::Array { element, delimiter: b',' })
}

/// Adds the facts in this value of an array type that is gone about its elements. `None` if there
/// are no new ones.
pub(super) fn with_elements(
    types: &TypeSet,
    unknown: &[Oid],
    (oid, binary): (Oid, &[u8]),
    stream: &StreamTypes,
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
    let infos = [Some(array), domain(element_oid, stream)].into_iter().flatten();
    let infos: Vec<_> = infos.chain(types.iter().filter_map(FieldType::info)).collect();
    let described = TypeSet::new(&infos);
    let unknown = unknown_of(unknown, &described);
    Some(Types { described, unknown, gone: Box::default() })
}

fn attributes(ty: &CatalogType) -> Vec<Attribute<'_>> {
    let attributes = ty.attributes.iter();
    attributes.map(|(name, oid)| Attribute::new(name, FieldType::new(*oid))).collect()
}

fn of_catalog_type<'a>(
    oid: Oid,
    ty: &'a CatalogType,
    attributes: &'a [Attribute<'a>],
) -> TypeInfo<'a> {
    let other = FieldType::new(ty.other);
    let kind = match ty.kind {
        CatalogTypeKind::Array => TypeKind::Array { element: other, delimiter: ty.delimiter },
        CatalogTypeKind::Base => TypeKind::Base,
        CatalogTypeKind::Composite => TypeKind::Composite(AttributeList::new(attributes)),
        CatalogTypeKind::Domain => TypeKind::Domain(other),
        CatalogTypeKind::Enum => TypeKind::Enum,
        CatalogTypeKind::Hstore => TypeKind::Hstore,
        CatalogTypeKind::Multirange => TypeKind::Multirange(other),
        CatalogTypeKind::Range => TypeKind::Range(other),
        CatalogTypeKind::TextLike => TypeKind::TextLike,
    };
    TypeInfo::new(oid, &ty.name, kind)
}

#[cfg(test)]
mod tests;
