//! The types that the Type messages of a stream have named.

use std::collections::BTreeMap;

use pgoutput_decode::Oid;
use pgoutput_decode::message::TypeBody;
use pgoutput_decode::value::PgType;

/// The types that Type messages named, by oid. The server sends a Type message for each type of a
/// table that is not built in, before the table's Relation message.
#[derive(Debug, Default)]
pub(crate) struct StreamTypes {
    by_oid: BTreeMap<Oid, NamedType>,
}

/// A type as a Type message named it.
#[derive(Debug, Clone)]
pub(super) struct NamedType {
    /// With its schema, unless that is `pg_catalog`.
    name: Box<str>,
    /// The built-in type of this name. If there is one, the type is a domain over it, possibly
    /// through other domains.
    base: Option<&'static PgType>,
    is_array: bool,
}

impl StreamTypes {
    pub(crate) fn insert(&mut self, body: &TypeBody<'_>) {
        let is_catalog = body.namespace() == "pg_catalog";
        let name = if is_catalog {
            body.name.into()
        } else {
            format!("{}.{}", body.namespace(), body.name).into()
        };
        let is_base =
            |known: &&PgType| is_catalog && known.typname() == body.name && known.oid() != body.oid;
        let base = PgType::all().iter().find(is_base);
        let is_array = !is_catalog && body.name.starts_with('_');
        self.by_oid.insert(body.oid, NamedType { name, base, is_array });
    }

    pub(super) fn get(&self, oid: Oid) -> Option<&NamedType> {
        self.by_oid.get(&oid)
    }

    pub(super) fn set(&mut self, oid: Oid, named: NamedType) {
        self.by_oid.insert(oid, named);
    }

    pub(crate) fn clear(&mut self) {
        self.by_oid.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.by_oid.len()
    }

    /// Keeps those that are in use.
    pub(crate) fn retain(&mut self, is_used: impl Fn(Oid) -> bool) {
        self.by_oid.retain(|oid, _| is_used(*oid));
    }

    pub(super) fn contains(&self, oid: Oid) -> bool {
        self.by_oid.contains_key(&oid)
    }

    pub(super) fn name(&self, oid: Oid) -> Option<&str> {
        self.by_oid.get(&oid).map(|named| &*named.name)
    }

    /// Returns the built-in type that this one is a domain over.
    pub(super) fn base(&self, oid: Oid) -> Option<&'static PgType> {
        self.by_oid.get(&oid)?.base
    }

    /// Returns whether it has the name of an array. The server chooses these names, and they cannot
    /// be changed.
    pub(super) fn is_array(&self, oid: Oid) -> bool {
        self.by_oid.get(&oid).is_some_and(|named| named.is_array)
    }
}

#[cfg(test)]
mod tests {
    use pgoutput_decode::Message;
    use pgoutput_decode::value::type_oid;

    use super::*;

    fn named(namespace: &str, name: &str) -> StreamTypes {
        let mut types = StreamTypes::default();
        let frame = format!("Y\0\0\x40\x01{namespace}\0{name}\0");
        let Message::Type(body) = Message::decode(frame.as_bytes(), false).unwrap() else {
            panic!()
        };
        types.insert(&body);
        types
    }

    #[test]
    fn a_name_of_the_catalogue_is_the_base_of_a_domain() {
        let oid = Oid::new(0x4001);
        for namespace in ["", "pg_catalog"] {
            let types = named(namespace, "int4");
            assert_eq!(types.base(oid).map(PgType::oid), Some(type_oid::INT4));
            assert_eq!((types.name(oid), types.is_array(oid)), (Some("int4"), false));
        }
        let array = named("", "_int4");
        assert_eq!(array.base(oid).map(PgType::oid), Some(type_oid::INT4_ARRAY));
        assert!(!array.is_array(oid), "a domain over an array is no array");
        assert_eq!(named("", "of_an_extension").base(oid), None);
    }

    #[test]
    fn a_name_of_another_schema_shows_whether_it_is_an_array() {
        let oid = Oid::new(0x4001);
        let types = named("public", "int4");
        assert_eq!((types.base(oid), types.is_array(oid)), (None, false));
        assert_eq!(types.name(oid), Some("public.int4"));
        assert!(named("public", "_mood").is_array(oid));
        assert_eq!(types.name(Oid::new(1)), None);
    }
}
