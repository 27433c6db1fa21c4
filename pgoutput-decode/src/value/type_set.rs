//! Type descriptions in one shared allocation.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::{Attribute, AttributeList, FieldType, TypeInfo, TypeKind};
use crate::id::Oid;

/// An owned set of type descriptions, which refer to each other by oid.
///
/// It copies the descriptions and is inexpensive to clone: clones share one allocation, which is
/// freed with the last of them. Two sets are equal if they describe the same types in the same way.
///
/// ```
/// use pgoutput_decode::Oid;
/// use pgoutput_decode::value::{
///     Attribute, AttributeList, FieldType, TypeInfo, TypeKind, TypeSet, type_oid,
/// };
///
/// // create type item as (label text, mood mood); create type mood as enum …
/// let (item, mood) = (Oid::new(16_400), Oid::new(16_401));
/// let attributes = [
///     Attribute::new("label", FieldType::new(type_oid::TEXT)),
///     Attribute::new("mood", FieldType::new(mood)),
/// ];
/// let types = TypeSet::new(&[
///     TypeInfo::new(item, "item", TypeKind::Composite(AttributeList::new(&attributes))),
///     TypeInfo::new(mood, "mood", TypeKind::Enum),
/// ]);
/// let TypeKind::Composite(attributes) = types.get(item).unwrap().kind() else { panic!() };
/// assert!(matches!(attributes.get(1).unwrap().ty.kind(), TypeKind::Enum));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TypeSet {
    /// Sorted by oid, each oid once.
    entries: Arc<[Entry]>,
}

/// A type without pointers to others: a set may contain rings, and needs no recursion.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    oid: Oid,
    name: Box<str>,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Base,
    TextLike,
    Hstore,
    Enum,
    Domain(Link),
    Array { element: Link, delimiter: u8 },
    Composite(Box<[StoredAttribute]>),
    Range(Link),
    Multirange(Link),
}

/// An attribute of a composite type in a set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StoredAttribute {
    name: Box<str>,
    ty: Link,
}

/// A reference to a type, which is in the set or known by its oid alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link {
    oid: Oid,
    slot: Option<Slot>,
}

/// The index of a type in its set. Beyond the last number, types are found by their oid.
///
/// It is this short so that a [`FieldType`] has the size of two pointers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u16);

impl Slot {
    fn new(index: usize) -> Self {
        Self(u16::try_from(index).unwrap_or(u16::MAX))
    }
}

impl TypeSet {
    /// Copies these descriptions, and those of the types that they consist of.
    ///
    /// A type may be the [part](TypeKind::parts) of another by its oid alone; if the set has a
    /// description of that oid, it is the part's. Of several descriptions with the same oid the
    /// first counts, and those in `types` before those of parts.
    pub fn new(types: &[TypeInfo<'_>]) -> Self {
        let mut found = BTreeMap::new();
        for info in types {
            found.entry(info.oid).or_insert(*info);
        }
        let mut left: Vec<TypeInfo<'_>> = found.values().copied().collect();
        while let Some(info) = left.pop() {
            for part in info.kind.parts().filter_map(FieldType::info) {
                found.entry(part.oid).or_insert_with(|| {
                    left.push(part);
                    part
                });
            }
        }
        let oids: Vec<Oid> = found.keys().copied().collect();
        let link = |ty: FieldType<'_>| {
            let oid = ty.oid();
            Link { oid, slot: oids.binary_search(&oid).ok().map(Slot::new) }
        };
        Self { entries: found.into_values().map(|info| Entry::new(&info, link)).collect() }
    }

    /// The type with this oid, if the set describes it.
    pub fn get(&self, oid: Oid) -> Option<FieldType<'_>> {
        let index = self.index(oid)?;
        Some(FieldType::stored(oid, Slot::new(index), self))
    }

    /// Iterates over all types of the set, in the order of their oids.
    pub fn iter(&self) -> impl Iterator<Item = FieldType<'_>> {
        let entries = self.entries.iter().enumerate();
        entries.map(|(index, entry)| FieldType::stored(entry.oid, Slot::new(index), self))
    }

    /// The number of described types.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns true if no type is described.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn index(&self, oid: Oid) -> Option<usize> {
        self.entries.binary_search_by_key(&oid, |entry| entry.oid).ok()
    }

    fn entry(&self, oid: Oid, slot: Slot) -> Option<&Entry> {
        match self.entries.get(usize::from(slot.0)) {
            Some(entry) if entry.oid == oid => Some(entry),
            _ => self.index(oid).and_then(|index| self.entries.get(index)),
        }
    }

    pub(super) fn info(&self, oid: Oid, slot: Slot) -> Option<TypeInfo<'_>> {
        let entry = self.entry(oid, slot)?;
        Some(TypeInfo::new(oid, &entry.name, entry.kind(self)))
    }

    pub(super) fn kind(&self, oid: Oid, slot: Slot) -> TypeKind<'_> {
        self.entry(oid, slot).map_or(TypeKind::Base, |entry| entry.kind(self))
    }
}

impl Entry {
    fn new(info: &TypeInfo<'_>, link: impl Fn(FieldType<'_>) -> Link) -> Self {
        let attribute = |attribute: Attribute<'_>| StoredAttribute {
            name: attribute.name.into(),
            ty: link(attribute.ty),
        };
        let kind = match info.kind {
            TypeKind::Base => Kind::Base,
            TypeKind::TextLike => Kind::TextLike,
            TypeKind::Hstore => Kind::Hstore,
            TypeKind::Enum => Kind::Enum,
            TypeKind::Domain(base) => Kind::Domain(link(base)),
            TypeKind::Array { element, delimiter } => {
                Kind::Array { element: link(element), delimiter }
            }
            TypeKind::Composite(attributes) => {
                Kind::Composite(attributes.iter().map(attribute).collect())
            }
            TypeKind::Range(subtype) => Kind::Range(link(subtype)),
            TypeKind::Multirange(range) => Kind::Multirange(link(range)),
        };
        Self { oid: info.oid, name: info.name.into(), kind }
    }

    fn kind<'a>(&'a self, set: &'a TypeSet) -> TypeKind<'a> {
        match &self.kind {
            Kind::Base => TypeKind::Base,
            Kind::TextLike => TypeKind::TextLike,
            Kind::Hstore => TypeKind::Hstore,
            Kind::Enum => TypeKind::Enum,
            Kind::Domain(base) => TypeKind::Domain(base.of(set)),
            Kind::Array { element, delimiter } => {
                TypeKind::Array { element: element.of(set), delimiter: *delimiter }
            }
            Kind::Composite(attributes) => {
                TypeKind::Composite(AttributeList::stored(set, attributes))
            }
            Kind::Range(subtype) => TypeKind::Range(subtype.of(set)),
            Kind::Multirange(range) => TypeKind::Multirange(range.of(set)),
        }
    }
}

impl Link {
    #[inline]
    fn of(self, set: &TypeSet) -> FieldType<'_> {
        match self.slot {
            Some(slot) => FieldType::stored(self.oid, slot, set),
            None => FieldType::new(self.oid),
        }
    }
}

impl StoredAttribute {
    #[inline]
    pub(super) fn of<'a>(&'a self, set: &'a TypeSet) -> Attribute<'a> {
        Attribute::new(&self.name, self.ty.of(set))
    }
}

impl Default for TypeSet {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl fmt::Debug for TypeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().filter_map(FieldType::info)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::{format, vec};

    use super::*;
    use crate::value::{Composite, Field, Format, type_oid};

    const LIST: Oid = Oid::new(20_000);
    const ITEM: Oid = Oid::new(20_001);

    /// `item[]`, and `item` with this many attributes.
    fn types(attributes: &[Attribute<'_>]) -> TypeSet {
        let item = TypeKind::Composite(AttributeList::new(attributes));
        let element = FieldType::new(ITEM);
        TypeSet::new(&[
            TypeInfo::new(ITEM, "item", item),
            TypeInfo::new(LIST, "item[]", TypeKind::Array { element, delimiter: b',' }),
        ])
    }

    fn attribute(name: &str) -> Attribute<'_> {
        Attribute::new(name, FieldType::new(type_oid::INT4))
    }

    #[test]
    fn a_type_is_as_large_as_two_pointers() {
        assert_eq!(size_of::<FieldType<'_>>(), 16);
    }

    #[test]
    fn values_are_read_with_types_that_refer_to_each_other_by_oid() {
        let types = types(&[attribute("a"), attribute("b")]);
        let field = Field::of(types.get(LIST).unwrap(), Format::Text, br#"{"(1,2)"}"#);
        let [item] = &field.get::<vec::Vec<Composite<'_>>>().unwrap()[..] else { panic!() };
        assert_eq!(item.attribute("b").unwrap().unwrap().get::<i32>().unwrap(), 2);
    }

    #[test]
    fn sets_are_equal_whatever_the_order_and_the_form_of_their_parts() {
        let attributes = [attribute("a")];
        let kind = TypeKind::Composite(AttributeList::new(&attributes));
        let item = TypeInfo::new(ITEM, "item", kind);
        let element = FieldType::described(&item);
        let kind = TypeKind::Array { element, delimiter: b',' };
        let list = TypeInfo::new(LIST, "item[]", kind);
        assert_eq!(TypeSet::new(&[list]), types(&attributes));
        assert_eq!(TypeSet::new(&[list, item]), types(&attributes));
        assert_ne!(types(&[attribute("b")]), types(&attributes));
        assert_ne!(types(&[attribute("a"), attribute("b")]), types(&attributes));
        assert_ne!(TypeSet::new(&[item]), types(&attributes));
        let infos: vec::Vec<_> = types(&attributes).iter().map(FieldType::oid).collect();
        assert_eq!(infos, [LIST, ITEM]);
    }

    #[test]
    fn the_first_description_of_an_oid_is_used() {
        let of_item = |name| TypeInfo::new(ITEM, name, TypeKind::Enum);
        let later = of_item("later");
        let kind = TypeKind::Domain(FieldType::described(&later));
        let domain = TypeInfo::new(LIST, "domain", kind);
        let types = TypeSet::new(&[domain, of_item("first"), of_item("second")]);
        let TypeKind::Domain(base) = types.get(LIST).unwrap().kind() else { panic!() };
        assert_eq!(base.name(), Some("first"));
    }

    /// More types than a [`Slot`] counts.
    #[test]
    fn types_beyond_the_last_slot_are_found_by_their_oids() {
        let count = u32::from(u16::MAX) + 3;
        let names: vec::Vec<String> = (0..count).map(|number| format!("d{number}")).collect();
        let domain = |(oid, name)| {
            TypeInfo::new(Oid::new(oid), name, TypeKind::Domain(FieldType::new(Oid::new(oid + 1))))
        };
        let names = names.iter().map(String::as_str);
        let infos: vec::Vec<_> = (20_000..).zip(names).map(domain).collect();
        let types = TypeSet::new(&infos);
        for (ty, info) in types.iter().zip(&infos).skip(usize::from(u16::MAX) - 2) {
            assert_eq!((ty.oid(), ty.name()), (info.oid, Some(info.name)));
            let TypeKind::Domain(base) = ty.kind() else { panic!("{ty:?}") };
            assert_eq!(base.info().is_some(), base.oid().as_u32() < 20_000 + count);
        }
    }

    #[test]
    fn rings_are_read_shown_and_compared() {
        let ring =
            || TypeSet::new(&[TypeInfo::new(ITEM, "ring", TypeKind::Domain(FieldType::new(ITEM)))]);
        assert_eq!(ring(), ring());
        assert!(format!("{:?}", ring()).contains("ring"));
        let types = ring();
        let ty = types.get(ITEM).unwrap();
        assert!(matches!(ty.without_domains().kind(), TypeKind::Domain(_)));
        assert!(Field::of(ty, Format::Text, b"7").get::<i32>().is_err());
    }

    #[test]
    fn descriptions_are_freed_with_the_last_that_holds_them() {
        let mut freed = vec![];
        let mut latest = None;
        for version in 0..100 {
            let name = format!("a{version}");
            let types = types(&[attribute(&name)]);
            freed.push(Arc::downgrade(&types.entries));
            let shared = types.clone();
            assert!(Arc::ptr_eq(&shared.entries, &types.entries));
            drop(types);
            latest = Some(shared);
            let held = freed.iter().filter(|set| set.strong_count() > 0).count();
            assert_eq!(held, 1);
        }
        drop(latest);
        assert!(freed.iter().all(|set| set.strong_count() == 0));
    }
}
