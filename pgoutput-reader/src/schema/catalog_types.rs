//! Types as the catalogue has them.

use std::collections::BTreeMap;

use pgoutput_decode::Oid;
use pgoutput_decode::value::{self, PgType};

/// Types nested deeper are not described. Values are read to this depth, including the outermost
/// type.
pub(crate) const MAX_DEPTH: usize = value::MAX_DEPTH as usize + 1;

/// A type that is not built in, as the catalogue has it. It refers to other types by oid.
#[derive(Debug)]
pub(crate) struct CatalogType {
    pub(crate) name: String,
    pub(crate) kind: CatalogTypeKind,
    /// The delimiter of an array's elements.
    pub(crate) delimiter: u8,
    /// The type that a domain, an array, a range or a multirange is of; 0 for other kinds.
    pub(crate) other: Oid,
    /// The attributes of a composite.
    pub(crate) attributes: Vec<(String, Oid)>,
}

/// The kinds of types that are read in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CatalogTypeKind {
    Array,
    /// Any type that is not of another kind.
    Base,
    Composite,
    Domain,
    Enum,
    Hstore,
    Multirange,
    Range,
    /// A base type whose values are texts, such as `citext`.
    TextLike,
}

/// Types as the catalogue has them, by oid.
pub(crate) type CatalogTypes = BTreeMap<Oid, CatalogType>;

impl CatalogType {
    /// The types that it consists of and that are not built in.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Oid> {
        let attributes = self.attributes.iter().map(|(_, oid)| *oid);
        attributes.chain([self.other]).filter(|oid| !is_known(*oid))
    }
}

/// Returns whether it is a built-in type, or 0, which stands for no type.
pub(super) fn is_known(oid: Oid) -> bool {
    oid.as_u32() == 0 || PgType::from_oid(oid).is_some()
}

/// The types that are not built in, each once.
pub(crate) fn not_built_in(oids: impl Iterator<Item = Oid>) -> Vec<Oid> {
    let mut found: Vec<Oid> = oids.filter(|oid| !is_known(*oid)).collect();
    found.sort_unstable();
    found.dedup();
    found
}
