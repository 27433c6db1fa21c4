//! Descriptions of types that are not built in.

use core::fmt;

use super::type_oid;
#[cfg(feature = "alloc")]
use super::type_set::{Slot, StoredAttribute, TypeSet};
use crate::id::Oid;

/// A description of a type that is not built in.
///
/// The decoder never queries the server. A program that knows the catalogue describes types with
/// this: for a value with [`Field::with_type`](super::Field::with_type), for a row with a `TypeSet`
/// and `Row::with_types`.
///
/// ```
/// use pgoutput_decode::Oid;
/// use pgoutput_decode::value::{Field, FieldType, Format, TypeInfo, TypeKind, type_oid};
///
/// // create domain positive as integer check (value > 0)
/// let kind = TypeKind::Domain(FieldType::new(type_oid::INT4));
/// let positive = TypeInfo::new(Oid::new(16_400), "positive", kind);
/// assert_eq!(Field::with_type(&positive, Format::Text, b"7").get::<i32>()?, 7);
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TypeInfo<'a> {
    /// The type's oid in its database.
    pub oid: Oid,
    /// The type's name, for messages.
    pub name: &'a str,
    /// The kind of the type, with the types that it consists of.
    pub kind: TypeKind<'a>,
}

impl<'a> TypeInfo<'a> {
    /// Creates a description.
    pub const fn new(oid: Oid, name: &'a str, kind: TypeKind<'a>) -> Self {
        Self { oid, name, kind }
    }
}

/// The kind of a type (`pg_type.typtype`), with the types that it consists of.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum TypeKind<'a> {
    /// A base type, known by its oid if it is built in.
    Base,
    /// A base type whose binary form is its text, such as `citext`.
    TextLike,
    /// The type `hstore` of the extension of this name.
    Hstore,
    /// An enum.
    Enum,
    /// A domain over this type, which may be a domain itself.
    Domain(FieldType<'a>),
    /// An array.
    Array {
        /// The type of the elements.
        element: FieldType<'a>,
        /// The byte between elements in the text form: `,`, for `box` `;`.
        delimiter: u8,
    },
    /// A composite type, with its attributes in order, without dropped ones.
    Composite(AttributeList<'a>),
    /// A range over this type.
    Range(FieldType<'a>),
    /// A multirange of this range type.
    Multirange(FieldType<'a>),
}

impl<'a> TypeKind<'a> {
    /// The types that a type of this kind consists of directly.
    pub fn parts(self) -> impl Iterator<Item = FieldType<'a>> {
        let (part, attributes) = match self {
            Self::Domain(part)
            | Self::Array { element: part, .. }
            | Self::Range(part)
            | Self::Multirange(part) => (Some(part), AttributeList::new(&[])),
            Self::Composite(attributes) => (None, attributes),
            Self::Base | Self::TextLike | Self::Hstore | Self::Enum => {
                (None, AttributeList::new(&[]))
            }
        };
        part.into_iter().chain(attributes.iter().map(|attribute| attribute.ty))
    }
}

/// One attribute of a composite type.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Attribute<'a> {
    /// The name of the attribute.
    pub name: &'a str,
    /// Its type.
    pub ty: FieldType<'a>,
}

impl<'a> Attribute<'a> {
    /// Creates an attribute.
    pub const fn new(name: &'a str, ty: FieldType<'a>) -> Self {
        Self { name, ty }
    }
}

/// The attributes of a composite type, in order.
#[derive(Clone, Copy)]
pub struct AttributeList<'a>(Attributes<'a>);

#[derive(Clone, Copy)]
enum Attributes<'a> {
    Borrowed(&'a [Attribute<'a>]),
    #[cfg(feature = "alloc")]
    Stored(&'a TypeSet, &'a [StoredAttribute]),
}

impl<'a> AttributeList<'a> {
    /// Creates a list of these attributes.
    pub const fn new(attributes: &'a [Attribute<'a>]) -> Self {
        Self(Attributes::Borrowed(attributes))
    }

    #[cfg(feature = "alloc")]
    pub(super) const fn stored(set: &'a TypeSet, attributes: &'a [StoredAttribute]) -> Self {
        Self(Attributes::Stored(set, attributes))
    }

    /// The number of attributes.
    #[inline]
    pub const fn len(&self) -> usize {
        match self.0 {
            Attributes::Borrowed(attributes) => attributes.len(),
            #[cfg(feature = "alloc")]
            Attributes::Stored(_, attributes) => attributes.len(),
        }
    }

    /// Returns true for a composite type without attributes.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The attribute at this index, from 0.
    #[inline]
    pub fn get(&self, index: usize) -> Option<Attribute<'a>> {
        match self.0 {
            Attributes::Borrowed(attributes) => attributes.get(index).copied(),
            #[cfg(feature = "alloc")]
            Attributes::Stored(set, attributes) => {
                attributes.get(index).map(|attribute| attribute.of(set))
            }
        }
    }

    /// Iterates over the attributes.
    pub fn iter(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let list = *self;
        (0..list.len()).filter_map(move |index| list.get(index))
    }
}

impl fmt::Debug for AttributeList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The type of a [`Field`](super::Field): an oid, and the description of the type if there is one.
#[derive(Clone, Copy)]
pub struct FieldType<'a>(Description<'a>);

/// The description, or only the oid. The oid has the same offset in all variants, so that reading
/// it is one load.
#[derive(Clone, Copy)]
enum Description<'a> {
    Oid(Oid),
    Borrowed(Oid, &'a TypeInfo<'a>),
    #[cfg(feature = "alloc")]
    Stored(Oid, Slot, &'a TypeSet),
}

/// The limit for domains over domains: descriptions may form a ring.
const MAX_DOMAINS: usize = 64;

/// The limit for the number of descriptions to search, for the same reason.
#[cfg(feature = "alloc")]
const MAX_SEARCHED: usize = 256;

impl<'a> FieldType<'a> {
    /// A type known by its oid alone.
    #[inline]
    pub const fn new(oid: Oid) -> Self {
        Self(Description::Oid(oid))
    }

    /// A described type.
    #[inline]
    pub const fn described(info: &'a TypeInfo<'a>) -> Self {
        Self(Description::Borrowed(info.oid, info))
    }

    #[cfg(feature = "alloc")]
    #[inline]
    pub(super) const fn stored(oid: Oid, slot: Slot, set: &'a TypeSet) -> Self {
        Self(Description::Stored(oid, slot, set))
    }

    /// The oid.
    #[inline]
    pub const fn oid(self) -> Oid {
        match self.0 {
            Description::Oid(oid) | Description::Borrowed(oid, _) => oid,
            #[cfg(feature = "alloc")]
            Description::Stored(oid, ..) => oid,
        }
    }

    /// The description, if there is one.
    pub fn info(self) -> Option<TypeInfo<'a>> {
        match self.0 {
            Description::Oid(_) => None,
            Description::Borrowed(_, info) => Some(*info),
            #[cfg(feature = "alloc")]
            Description::Stored(oid, slot, set) => set.info(oid, slot),
        }
    }

    /// The name in the description, if there is one.
    pub fn name(self) -> Option<&'a str> {
        self.info().map(|info| info.name)
    }

    /// The kind of the type; [`TypeKind::Base`] without a description.
    #[inline]
    pub fn kind(self) -> TypeKind<'a> {
        if let Description::Oid(_) = self.0 { TypeKind::Base } else { self.described_kind() }
    }

    // Out of line, since nearly all types are built in.
    fn described_kind(self) -> TypeKind<'a> {
        match self.0 {
            Description::Oid(_) => TypeKind::Base,
            Description::Borrowed(_, info) => info.kind,
            #[cfg(feature = "alloc")]
            Description::Stored(oid, slot, set) => set.kind(oid, slot),
        }
    }

    /// Returns true for a type with a description.
    #[inline]
    pub(super) const fn is_described(self) -> bool {
        !matches!(self.0, Description::Oid(_))
    }

    /// Returns true for a base type that is not like text, and for a type without a description.
    #[inline]
    pub(crate) fn is_base(self) -> bool {
        matches!(self.0, Description::Oid(_)) || self.is_described_base()
    }

    fn is_described_base(self) -> bool {
        matches!(self.described_kind(), TypeKind::Base)
    }

    /// Searches this type, and the types inside it, for a description of the type with this oid.
    #[cfg(feature = "alloc")]
    pub(crate) fn find(self, oid: Oid) -> Option<FieldType<'a>> {
        if let Description::Stored(_, _, set) = self.0 {
            return set.get(oid);
        }
        let mut left = alloc::vec![self];
        for _ in 0..MAX_SEARCHED {
            let ty = left.pop()?;
            if ty.oid() == oid && ty.info().is_some() {
                return Some(ty);
            }
            left.extend(ty.kind().parts());
        }
        None
    }

    /// The type below all domains.
    #[must_use]
    #[inline]
    pub fn without_domains(self) -> Self {
        if let Description::Oid(_) = self.0 { self } else { self.below_domains() }
    }

    fn below_domains(self) -> Self {
        let mut ty = self;
        for _ in 0..MAX_DOMAINS {
            let TypeKind::Domain(base) = ty.kind() else { break };
            ty = base;
        }
        ty
    }

    /// Returns true for the types whose text and binary forms are both the text itself.
    #[inline]
    pub fn is_text(self) -> bool {
        if let Description::Oid(oid) = self.0 { is_text(oid) } else { self.is_described_text() }
    }

    fn is_described_text(self) -> bool {
        match self.described_kind() {
            TypeKind::Base => is_text(self.oid()),
            TypeKind::TextLike | TypeKind::Enum => true,
            _ => false,
        }
    }

    /// Returns true for the types whose text names an object of the catalogue, and whose binary
    /// form is its oid: `regclass` and similar types.
    #[inline]
    pub fn is_reg(self) -> bool {
        self.is_base()
            && matches!(
                self.oid(),
                type_oid::REGPROC
                    | type_oid::REGPROCEDURE
                    | type_oid::REGOPER
                    | type_oid::REGOPERATOR
                    | type_oid::REGCLASS
                    | type_oid::REGTYPE
                    | type_oid::REGROLE
                    | type_oid::REGNAMESPACE
                    | type_oid::REGCONFIG
                    | type_oid::REGDICTIONARY
                    | type_oid::REGCOLLATION
            )
    }

    /// Returns true for a type of which only the bytes are known: it is not described, and this
    /// crate has no reader for it.
    pub(crate) fn is_opaque(self) -> bool {
        self.is_base()
            && (self.is_reg()
                || super::PgType::from_oid(self.oid()).is_none()
                || matches!(
                    self.oid(),
                    type_oid::ACLITEM
                        | type_oid::RECORD
                        | type_oid::PG_TYPE
                        | type_oid::PG_ATTRIBUTE
                        | type_oid::PG_PROC
                        | type_oid::PG_CLASS
                        | type_oid::PG_NDISTINCT
                        | type_oid::PG_DEPENDENCIES
                        | type_oid::PG_MCV_LIST
                        | type_oid::PG_BRIN_BLOOM_SUMMARY
                        | type_oid::PG_BRIN_MINMAX_MULTI_SUMMARY
                        | type_oid::GTSVECTOR
                ))
    }

    /// Returns true for the types whose characters can be read as a string from either format.
    pub(super) fn has_characters(self) -> bool {
        self.is_text() || self.is_json() || self.is_opaque()
    }

    #[inline]
    pub(super) fn is_json(self) -> bool {
        self.is_base() && matches!(self.oid(), type_oid::JSON | type_oid::JSONB)
    }
}

/// Returns whether the text and binary forms of this built-in type are both the text itself.
#[inline]
fn is_text(oid: Oid) -> bool {
    matches!(
        oid,
        type_oid::TEXT
            | type_oid::VARCHAR
            | type_oid::BPCHAR
            | type_oid::NAME
            | type_oid::XML
            | type_oid::UNKNOWN
            | type_oid::CSTRING
            | type_oid::REFCURSOR
            | type_oid::PG_NODE_TREE
    )
}

impl fmt::Debug for FieldType<'_> {
    /// Shows the oid and the name. The parts of the type may form a ring.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldType").field("oid", &self.oid()).field("name", &self.name()).finish()
    }
}
