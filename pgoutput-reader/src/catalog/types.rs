//! What the catalogue knows of types that are not built in.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pgoutput_decode::value::{Attribute, PgType, TypeInfo, TypeKind};
use pgoutput_decode::{Oid, Relation};

use super::Catalog;
use crate::Error;

/// One row for each type that still exists. `pg_range` has the column `rngmultitypid` since PostgreSQL 14 only: as JSON it
/// may be absent.
const DESCRIBE: &str = concat!(
    "SELECT typ.oid, ",
    type_name!("typ.oid", "NULL::pg_catalog.int4"),
    ",
       CASE WHEN typ.typtype OPERATOR(pg_catalog.=) ANY ('{e,d,c,r,m}'::pg_catalog.\"char\"[])
            THEN typ.typtype::pg_catalog.text
            WHEN typ.typelem OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
             AND typ.typlen OPERATOR(pg_catalog.=) (-1)::pg_catalog.int2
             AND typ.typcategory OPERATOR(pg_catalog.=) 'A'::pg_catalog.\"char\" THEN 'array'
            WHEN send.proname OPERATOR(pg_catalog.=) 'hstore_send'::pg_catalog.name THEN 'hstore'
            WHEN send.proname OPERATOR(pg_catalog.=) ANY ('{textsend,citextsend}'::pg_catalog.name[])
            THEN 'text'
            ELSE '' END,
       coalesce(element.typdelim, ','::pg_catalog.\"char\"),
       CASE WHEN typ.typtype OPERATOR(pg_catalog.=) 'd'::pg_catalog.\"char\" THEN typ.typbasetype
            WHEN typ.typtype OPERATOR(pg_catalog.=) 'r'::pg_catalog.\"char\"
            THEN (SELECT rngsubtype FROM pg_catalog.pg_range
                  WHERE rngtypid OPERATOR(pg_catalog.=) typ.oid)
            WHEN typ.typtype OPERATOR(pg_catalog.=) 'm'::pg_catalog.\"char\"
            THEN (SELECT rngtypid FROM pg_catalog.pg_range AS rng
                  WHERE (pg_catalog.to_jsonb(rng)
                             OPERATOR(pg_catalog.->>) 'rngmultitypid'::pg_catalog.text)
                        OPERATOR(pg_catalog.=) typ.oid::pg_catalog.text)
            ELSE typ.typelem END,
       ARRAY(SELECT attname::pg_catalog.text FROM pg_catalog.pg_attribute
             WHERE attrelid OPERATOR(pg_catalog.=) typ.typrelid
               AND attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2
               AND NOT attisdropped ORDER BY attnum),
       ARRAY(SELECT atttypid FROM pg_catalog.pg_attribute
             WHERE attrelid OPERATOR(pg_catalog.=) typ.typrelid
               AND attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2
               AND NOT attisdropped ORDER BY attnum)
FROM pg_catalog.pg_type AS typ
LEFT JOIN pg_catalog.pg_type AS element ON element.oid OPERATOR(pg_catalog.=) typ.typelem
LEFT JOIN pg_catalog.pg_proc AS send
  ON send.oid OPERATOR(pg_catalog.=) typ.typsend::pg_catalog.oid
WHERE typ.oid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[])"
);

/// What stands deeper in each other is not described.
const MAX_DEPTH: usize = 16;

/// A type as the catalogue has it, naming others by their ids.
#[derive(Debug)]
struct Entry {
    name: String,
    kind: String,
    delimiter: u8,
    other: Oid,
    attributes: Vec<(String, Oid)>,
}

impl Entry {
    fn others(&self) -> impl Iterator<Item = Oid> {
        let attributes = self.attributes.iter().map(|(_, oid)| *oid);
        attributes.chain([self.other]).filter(|oid| !is_known(*oid))
    }
}

fn is_known(oid: Oid) -> bool {
    oid.as_u32() == 0 || PgType::from_oid(oid).is_some()
}

impl Catalog {
    /// The types of this table's columns that are not built in, and still exist; no query if there are none.
    pub(crate) fn describe_types(
        &mut self,
        relation: &Relation,
    ) -> Result<Box<[TypeInfo<'static>]>, Error> {
        let columns = relation.columns().iter().map(|column| column.type_oid);
        let mut wanted: Vec<Oid> = columns.filter(|oid| !is_known(*oid)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let of_columns = wanted.clone();
        let mut entries = BTreeMap::new();
        for _ in 0..MAX_DEPTH {
            if wanted.is_empty() {
                break;
            }
            let found = self.entries(&wanted)?;
            wanted = found.values().flat_map(Entry::others).collect();
            entries.extend(found);
            wanted.retain(|oid| !entries.contains_key(oid));
            wanted.sort_unstable();
            wanted.dedup();
        }
        let described = of_columns.iter().filter(|oid| entries.contains_key(oid));
        Ok(described.map(|oid| *info(*oid, &entries, MAX_DEPTH)).collect())
    }

    fn entries(&mut self, oids: &[Oid]) -> Result<BTreeMap<Oid, Entry>, Error> {
        let oids: Vec<u32> = oids.iter().map(|oid| oid.as_u32()).collect();
        let rows = self.0.query(DESCRIBE, vec![Box::new(oids)])?;
        let entry = |row: postgres::Row| {
            let names: Vec<String> = row.get(5);
            let types: Vec<u32> = row.get(6);
            let delimiter: i8 = row.get(3);
            let entry = Entry {
                name: row.get(1),
                kind: row.get(2),
                delimiter: delimiter.cast_unsigned(),
                other: row.get::<_, Option<u32>>(4).unwrap_or_default().into(),
                attributes: names.into_iter().zip(types.into_iter().map(Oid::new)).collect(),
            };
            (Oid::new(row.get(0)), entry)
        };
        Ok(rows.into_iter().map(entry).collect())
    }
}

fn info(oid: Oid, entries: &BTreeMap<Oid, Entry>, depth: usize) -> &'static TypeInfo<'static> {
    if let Some(known) = PgType::from_oid(oid) {
        return kept(oid, known.sql_name(), Kind::Plain(TypeKind::Base));
    }
    let Some((entry, depth)) = entries.get(&oid).zip(depth.checked_sub(1)) else {
        return kept(oid, "", Kind::Plain(TypeKind::Base));
    };
    let other = || info(entry.other, entries, depth);
    let kind = Kind::Plain(match entry.kind.as_str() {
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
            return kept(oid, &entry.name, Kind::Composite(names.zip(types).collect()));
        }
        _ => TypeKind::Base,
    });
    kept(oid, &entry.name, kind)
}

/// The kind of a type, all but its own names kept already.
enum Kind<'n> {
    Plain(TypeKind<'static>),
    Composite(Vec<(&'n str, &'static TypeInfo<'static>)>),
}

impl Kind<'_> {
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
fn kept(oid: Oid, name: &str, kind: Kind<'_>) -> &'static TypeInfo<'static> {
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
    use super::*;
    use pgoutput_decode::value::type_oid;

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
    }
}
