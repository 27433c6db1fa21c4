//! What the catalogue knows of a type that is not built in.

use super::type_oid;
use crate::Oid;

/// Describes a user-defined type. The decoder never queries; whoever has a catalogue supplies this.
///
/// ```
/// use pgoutput_decode::Oid;
/// use pgoutput_decode::value::{Field, Format, TypeInfo, TypeKind, type_oid};
///
/// // create domain positive as integer check (value > 0)
/// let integer = TypeInfo { oid: type_oid::INT4, name: "integer", kind: TypeKind::Base };
/// let positive = TypeInfo { oid: Oid::new(16_400), name: "positive", kind: TypeKind::Domain(&integer) };
/// assert_eq!(Field::with_type(&positive, Format::Text, b"7").get::<i32>()?, 7);
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeInfo<'a> {
    /// The type's oid in its database.
    pub oid: Oid,
    /// Its name, as the one who describes it wants it shown.
    pub name: &'a str,
    /// What kind of type it is, with what that kind consists of.
    pub kind: TypeKind<'a>,
}

/// The kind of a type (`pg_type.typtype` and what hangs on it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    Domain(&'a TypeInfo<'a>),
    /// An array.
    Array {
        /// The type of the elements.
        element: &'a TypeInfo<'a>,
        /// What stands between elements in the text form: `,`, for `box` `;`.
        delimiter: u8,
    },
    /// A composite type, with its attributes in order, dropped ones left out.
    Composite(&'a [Attribute<'a>]),
    /// A range over this type.
    Range(&'a TypeInfo<'a>),
    /// A multirange of this range type.
    Multirange(&'a TypeInfo<'a>),
}

/// One attribute of a composite type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The name of the attribute.
    pub name: &'a str,
    /// Its type.
    pub ty: &'a TypeInfo<'a>,
}

/// The type of a [`Field`](super::Field): an oid, and for user-defined types perhaps a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldType<'a> {
    oid: Oid,
    info: Option<&'a TypeInfo<'a>>,
}

/// Domains over domains deeper than this are left as they are: descriptions in statics may form a ring.
const MAX_DOMAINS: usize = 64;

/// How many descriptions are searched for one, for the same reason.
#[cfg(feature = "alloc")]
const MAX_SEARCHED: usize = 256;

impl<'a> FieldType<'a> {
    /// A type known by its oid alone.
    #[inline]
    pub const fn new(oid: Oid) -> Self {
        Self { oid, info: None }
    }

    /// A described type.
    #[inline]
    pub const fn described(info: &'a TypeInfo<'a>) -> Self {
        Self { oid: info.oid, info: Some(info) }
    }

    /// The oid.
    #[inline]
    pub const fn oid(self) -> Oid {
        self.oid
    }

    /// The description, where there is one.
    #[inline]
    pub const fn info(self) -> Option<&'a TypeInfo<'a>> {
        self.info
    }

    /// What kind it is, as far as it was described.
    #[inline]
    pub fn kind(self) -> TypeKind<'a> {
        self.info.map_or(TypeKind::Base, |info| info.kind)
    }

    /// The description of this type inside of this one, as far as it is not too large to be searched.
    #[cfg(feature = "alloc")]
    pub(crate) fn find(self, oid: Oid) -> Option<&'a TypeInfo<'a>> {
        let mut left = alloc::vec::Vec::from_iter(self.info);
        for _ in 0..MAX_SEARCHED {
            let info = left.pop()?;
            if info.oid == oid {
                return Some(info);
            }
            match info.kind {
                // From the end, so that the first attribute is searched first.
                TypeKind::Composite(attributes) => {
                    left.extend(attributes.iter().rev().map(|attribute| attribute.ty));
                }
                TypeKind::Domain(inner)
                | TypeKind::Range(inner)
                | TypeKind::Multirange(inner)
                | TypeKind::Array { element: inner, .. } => left.push(inner),
                TypeKind::Base | TypeKind::TextLike | TypeKind::Hstore | TypeKind::Enum => {}
            }
        }
        None
    }

    /// The type below all domains.
    #[must_use]
    #[inline]
    pub fn without_domains(self) -> Self {
        match self.info {
            Some(TypeInfo { kind: TypeKind::Domain(base), .. }) => Self::below(base),
            _ => self,
        }
    }

    fn below(base: &'a TypeInfo<'a>) -> Self {
        let mut ty = Self::described(base);
        for _ in 1..MAX_DOMAINS {
            let TypeKind::Domain(base) = ty.kind() else { break };
            ty = Self::described(base);
        }
        ty
    }

    /// True for the types whose text and binary forms are both the text itself.
    #[inline]
    pub fn is_text(self) -> bool {
        match self.kind() {
            TypeKind::Base => matches!(
                self.oid,
                type_oid::TEXT
                    | type_oid::VARCHAR
                    | type_oid::BPCHAR
                    | type_oid::NAME
                    | type_oid::XML
                    | type_oid::UNKNOWN
                    | type_oid::CSTRING
                    | type_oid::REFCURSOR
                    | type_oid::PG_NODE_TREE
            ),
            TypeKind::TextLike | TypeKind::Enum => true,
            _ => false,
        }
    }

    /// True for the types whose text names an object of the catalogue, and whose binary form is its oid: `regclass` and
    /// its like.
    #[inline]
    pub fn is_reg(self) -> bool {
        self.kind() == TypeKind::Base
            && matches!(
                self.oid,
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

    /// True for a type of which only the bytes are known: neither described nor one of those this crate has a reader for.
    pub(crate) fn is_opaque(self) -> bool {
        self.kind() == TypeKind::Base
            && (self.is_reg()
                || super::PgType::from_oid(self.oid).is_none()
                || matches!(
                    self.oid,
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

    /// True for the types whose characters can be had as a string from either format.
    pub(super) fn has_characters(self) -> bool {
        self.is_text() || self.is_json() || self.is_opaque()
    }

    #[inline]
    pub(super) fn is_json(self) -> bool {
        self.kind() == TypeKind::Base && matches!(self.oid, type_oid::JSON | type_oid::JSONB)
    }
}
