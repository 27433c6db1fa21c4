//! The catalogue's facts as records.

use std::collections::BTreeSet;

use pgoutput_decode::value::{Attribute, AttributeList, FieldType, TypeInfo, TypeKind, TypeSet};
use pgoutput_decode::{Lsn, Oid, Relation};

use super::fields::{Fields, put_len, put_str};
use super::record::{Kind, checksum};
use crate::event::ColumnSchema;
use crate::schema::{Facts, Need, TableDescription, Types};

/// A description of a table that facts belong to: its oid, and a number for the rest.
pub(crate) type TableKey = (Oid, u32);

/// Returns the key of a table: its oid, and the checksum of the rest of its Relation message.
pub(crate) fn key_of(relation: &Relation) -> TableKey {
    let mut body = Vec::new();
    for text in [relation.namespace(), relation.name()] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(relation.replica_identity().0);
    for column in relation.columns() {
        body.push(column.flags.0);
        body.extend_from_slice(column.name.as_bytes());
        body.push(0);
        body.extend_from_slice(&column.type_oid.as_u32().to_be_bytes());
        body.extend_from_slice(&column.type_modifier.to_be_bytes());
    }
    (relation.oid(), checksum(0, &body))
}

/// Encodes an answer: the kind of its record, and the payload.
pub(super) fn encode(need: &Need, facts: &Facts) -> (Kind, Vec<u8>) {
    let mut out = Vec::new();
    let kind = match (need, facts) {
        (Need::Table { relation, .. }, Facts::Table(table)) => {
            put_key(&mut out, key_of(relation));
            put_len(&mut out, table.columns.len());
            for column in &table.columns {
                out.push(u8::from(column.optional));
                put_str(&mut out, &column.type_name);
            }
            put_types(&mut out, &table.types);
            Kind::TABLE
        }
        (Need::Types { relation }, Facts::Types { queried_at, types }) => {
            put_key(&mut out, key_of(relation));
            out.extend_from_slice(&queried_at.as_u64().to_be_bytes());
            put_types(&mut out, types);
            Kind::TYPES
        }
        (_, Facts::MoneyDigits(digits)) => {
            out.push(*digits);
            Kind::MONEY
        }
        (_, Facts::Dropped { tables, answered_at }) => {
            out.extend_from_slice(&answered_at.as_u64().to_be_bytes());
            put_oids(&mut out, tables.iter().copied());
            Kind::DROPPED
        }
        // Needs and facts come in pairs: this is never read as an answer.
        (_, Facts::Table(_) | Facts::Types { .. }) => Kind(0xFF),
    };
    (kind, out)
}

fn put_key(out: &mut Vec<u8>, (oid, number): TableKey) {
    out.extend_from_slice(&oid.as_u32().to_be_bytes());
    out.extend_from_slice(&number.to_be_bytes());
}

fn put_oids(out: &mut Vec<u8>, oids: impl ExactSizeIterator<Item = Oid>) {
    put_len(out, oids.len());
    for oid in oids {
        out.extend_from_slice(&oid.as_u32().to_be_bytes());
    }
}

fn put_types(out: &mut Vec<u8>, types: &Types) {
    put_oids(out, types.unknown.iter().copied());
    put_oids(out, types.gone.iter().copied());
    let infos: Vec<_> = types.described.iter().filter_map(FieldType::info).collect();
    put_len(out, infos.len());
    for info in infos {
        out.extend_from_slice(&info.oid.as_u32().to_be_bytes());
        put_str(out, info.name);
        let (letter, part) = match info.kind {
            TypeKind::TextLike => (b't', None),
            TypeKind::Hstore => (b'h', None),
            TypeKind::Enum => (b'e', None),
            TypeKind::Domain(part) => (b'd', Some(part)),
            TypeKind::Array { element, .. } => (b'a', Some(element)),
            TypeKind::Composite(_) => (b'c', None),
            TypeKind::Range(part) => (b'r', Some(part)),
            TypeKind::Multirange(part) => (b'm', Some(part)),
            _ => (b'b', None),
        };
        out.push(letter);
        if let Some(part) = part {
            out.extend_from_slice(&part.oid().as_u32().to_be_bytes());
        }
        match info.kind {
            TypeKind::Array { delimiter, .. } => out.push(delimiter),
            TypeKind::Composite(attributes) => {
                put_len(out, attributes.len());
                for attribute in attributes.iter() {
                    put_str(out, attribute.name);
                    out.extend_from_slice(&attribute.ty.oid().as_u32().to_be_bytes());
                }
            }
            _ => {}
        }
    }
}

/// Returns the key of a record about a table or its types.
pub(crate) fn key(payload: &[u8]) -> Option<TableKey> {
    let mut fields = Fields::new(payload);
    Some((Oid::new(fields.u32()?), fields.u32()?))
}

/// Decodes the record about a table that is described like this.
pub(crate) fn table(payload: &[u8], relation: &Relation) -> Option<TableDescription> {
    let mut fields = Fields::new(payload);
    let _key = (fields.u32()?, fields.u32()?);
    if usize::try_from(fields.u32()?).ok()? != relation.columns().len() {
        return None;
    }
    let mut columns = Vec::with_capacity(relation.columns().len());
    for column in relation.columns() {
        let optional = fields.u8()? != 0;
        let type_name = fields.str()?.into();
        columns.push(ColumnSchema { wire: column.clone(), type_name, optional });
    }
    let types = types_in(&mut fields)?;
    fields.end(TableDescription { columns: columns.into(), types })
}

/// Decodes the record about the types of a table.
pub(crate) fn types(payload: &[u8]) -> Option<(Lsn, Types)> {
    let mut fields = Fields::new(payload);
    let _key = (fields.u32()?, fields.u32()?);
    let queried_at = Lsn::new(fields.u64()?);
    let types = types_in(&mut fields)?;
    fields.end((queried_at, types))
}

/// Decodes the record about `money`.
pub(crate) fn money(payload: &[u8]) -> Option<u8> {
    let mut fields = Fields::new(payload);
    let digits = fields.u8().filter(|digits| *digits <= 10)?;
    fields.end(digits)
}

/// Decodes the record about dropped tables.
pub(crate) fn dropped(payload: &[u8]) -> Option<(BTreeSet<Oid>, Lsn)> {
    let mut fields = Fields::new(payload);
    let answered_at = Lsn::new(fields.u64()?);
    let tables = oids_in(&mut fields)?;
    fields.end((tables.into_iter().collect(), answered_at))
}

fn oids_in(fields: &mut Fields<'_>) -> Option<Vec<Oid>> {
    let mut oids = Vec::new();
    for _ in 0..fields.u32()? {
        oids.push(Oid::new(fields.u32()?));
    }
    Some(oids)
}

/// A type before its attributes are borrowed.
struct ReadType<'a> {
    oid: Oid,
    name: &'a str,
    letter: u8,
    part: Oid,
    delimiter: u8,
    attributes: Vec<Attribute<'a>>,
}

fn types_in(fields: &mut Fields<'_>) -> Option<Types> {
    let (unknown, gone) = (oids_in(fields)?.into(), oids_in(fields)?.into());
    let mut read = Vec::new();
    for _ in 0..fields.u32()? {
        let (oid, name, letter) = (Oid::new(fields.u32()?), fields.str()?, fields.u8()?);
        let part = match letter {
            b'd' | b'a' | b'r' | b'm' => Oid::new(fields.u32()?),
            _ => Oid::new(0),
        };
        let delimiter = if letter == b'a' { fields.u8()? } else { 0 };
        let mut attributes = Vec::new();
        if letter == b'c' {
            for _ in 0..fields.u32()? {
                let name = fields.str()?;
                attributes.push(Attribute::new(name, FieldType::new(Oid::new(fields.u32()?))));
            }
        }
        read.push(ReadType { oid, name, letter, part, delimiter, attributes });
    }
    let mut infos = Vec::with_capacity(read.len());
    for ty in &read {
        let part = FieldType::new(ty.part);
        let kind = match ty.letter {
            b'b' => TypeKind::Base,
            b't' => TypeKind::TextLike,
            b'h' => TypeKind::Hstore,
            b'e' => TypeKind::Enum,
            b'd' => TypeKind::Domain(part),
            b'a' => TypeKind::Array { element: part, delimiter: ty.delimiter },
            b'c' => TypeKind::Composite(AttributeList::new(&ty.attributes)),
            b'r' => TypeKind::Range(part),
            b'm' => TypeKind::Multirange(part),
            _ => return None,
        };
        infos.push(TypeInfo::new(ty.oid, ty.name, kind));
    }
    Some(Types { described: TypeSet::new(&infos), unknown, gone })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pgoutput_decode::value::type_oid;
    use pgoutput_decode::{Message, Relations};

    use super::*;

    fn relation() -> Arc<Relation> {
        let frame = b"R\0\0\x40\x13public\0t\0d\0\x02\
            \x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF\0x\0\0\0\x40\x14\xFF\xFF\xFF\xFF";
        let Message::Relation(body) = Message::decode(frame, false).unwrap() else { panic!() };
        Arc::clone(Relations::new().update(&body))
    }

    fn all_kinds() -> Types {
        let oid = |number| Oid::new(20_000 + number);
        let part = FieldType::new(type_oid::INT4);
        let attributes =
            [Attribute::new("label", FieldType::new(oid(3))), Attribute::new("n", part)];
        let kinds = [
            TypeKind::Base,
            TypeKind::TextLike,
            TypeKind::Hstore,
            TypeKind::Enum,
            TypeKind::Domain(FieldType::new(oid(6))),
            TypeKind::Array { element: FieldType::new(oid(6)), delimiter: b';' },
            TypeKind::Composite(AttributeList::new(&attributes)),
            TypeKind::Range(part),
            TypeKind::Multirange(FieldType::new(oid(7))),
        ];
        let infos: Vec<_> = (0_u32..)
            .zip(kinds)
            .map(|(number, kind)| TypeInfo::new(oid(number), "näme", kind))
            .collect();
        Types {
            described: TypeSet::new(&infos),
            unknown: [oid(90), oid(91)].into(),
            gone: [oid(92)].into(),
        }
    }

    #[test]
    fn every_answer_is_read_back_and_no_prefix_of_it() {
        let relation = relation();
        let columns = relation.columns().iter().map(|column| ColumnSchema {
            wire: column.clone(),
            type_name: format!("type of {}", column.name).into(),
            optional: &*column.name == "x",
        });
        let columns: Box<[_]> = columns.collect();
        let need =
            Need::Table { relation: Arc::clone(&relation), commit_lsn: Lsn::MAX, evicted: false };
        let facts = TableDescription { columns: columns.clone(), types: all_kinds() };
        let (kind, payload) = encode(&need, &Facts::Table(facts));
        assert_eq!((kind, key(&payload)), (Kind::TABLE, Some(key_of(&relation))));
        let read = table(&payload, &relation).unwrap();
        assert_eq!((read.columns, read.types), (columns, all_kinds()));
        for len in 0..payload.len() {
            assert!(table(&payload[..len], &relation).is_none(), "{len}");
        }

        let need = Need::Types { relation: Arc::clone(&relation) };
        let facts = Facts::Types { queried_at: Lsn::new(77), types: all_kinds() };
        let (kind, payload) = encode(&need, &facts);
        assert_eq!((kind, types(&payload)), (Kind::TYPES, Some((Lsn::new(77), all_kinds()))));
        for len in 0..payload.len() {
            assert!(types(&payload[..len]).is_none(), "{len}");
        }

        let (kind, payload) = encode(&Need::MoneyDigits, &Facts::MoneyDigits(3));
        assert_eq!((kind, money(&payload), money(b"\x0b")), (Kind::MONEY, Some(3), None));

        let tables: BTreeSet<Oid> = [Oid::new(7), Oid::new(9)].into();
        let facts = Facts::Dropped { tables: tables.clone(), answered_at: Lsn::new(5) };
        let (kind, payload) = encode(&Need::Dropped { tables: Vec::new() }, &facts);
        assert_eq!((kind, dropped(&payload)), (Kind::DROPPED, Some((tables, Lsn::new(5)))));
    }

    #[test]
    fn the_key_depends_on_the_description() {
        let relation = relation();
        let frame = b"R\0\0\x40\x13public\0t\0d\0\x01\x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF";
        let Message::Relation(body) = Message::decode(frame, false).unwrap() else { panic!() };
        let other = Relation::from(&body);
        assert_eq!(key_of(&relation).0, key_of(&other).0);
        assert_ne!(key_of(&relation).1, key_of(&other).1);
    }
}
