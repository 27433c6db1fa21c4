//! Type descriptions from the server's catalogue.

use pgoutput_decode::Oid;
use pgoutput_decode::value::{Attribute, AttributeList, FieldType, TypeInfo, TypeKind, TypeSet};
use postgres::Client;

/// A type, described together with the types that it consists of.
pub(crate) struct Described {
    oid: Oid,
    types: TypeSet,
}

impl Described {
    pub(crate) fn ty(&self) -> FieldType<'_> {
        self.types.get(self.oid).unwrap()
    }
}

pub(crate) fn describe(client: &mut Client, name: &str) -> Described {
    let oid: u32 = client.query_one("SELECT $1::text::regtype::oid", &[&name]).unwrap().get(0);
    by_oid(client, oid)
}

fn by_oid(client: &mut Client, oid: u32) -> Described {
    const TYPE: &str = "
        SELECT typname::text, typtype::text, typcategory::text, typelem, typbasetype, typrelid,
               format_type(oid, NULL), typdelim::text, typlen,
               (SELECT rngsubtype FROM pg_range WHERE rngtypid = t.oid)
          FROM pg_type t WHERE oid = $1";
    let row = client.query_one(TYPE, &[&oid]).unwrap();
    let (typname, typtype): (String, String) = (row.get(0), row.get(1));
    let (category, element): (String, u32) = (row.get(2), row.get(3));
    let (parts, part, attributes): (Vec<(String, Described)>, Described, Vec<Attribute<'_>>);
    let kind = match (typtype.as_str(), category.as_str(), typname.as_str()) {
        ("e", ..) => TypeKind::Enum,
        ("d", ..) => {
            part = by_oid(client, row.get(4));
            TypeKind::Domain(part.ty())
        }
        ("c", ..) => {
            parts = attributes_of(client, row.get(5));
            attributes = parts.iter().map(|(name, part)| Attribute::new(name, part.ty())).collect();
            TypeKind::Composite(AttributeList::new(&attributes))
        }
        ("r", ..) => {
            part = by_oid(client, row.get::<_, Option<u32>>(9).unwrap());
            TypeKind::Range(part.ty())
        }
        ("m", ..) => {
            let range = "SELECT rngtypid FROM pg_range WHERE rngmultitypid = $1";
            let range: u32 = client.query_one(range, &[&oid]).unwrap().get(0);
            part = by_oid(client, range);
            TypeKind::Multirange(part.ty())
        }
        (_, _, "hstore") => TypeKind::Hstore,
        (_, _, "citext") => TypeKind::TextLike,
        // int2vector and oidvector are known by their oids, and have another notation.
        (_, "A", name) if !name.ends_with("vector") => {
            // The delimiter is a property of the element's type.
            let delimiter: String = client
                .query_one("SELECT typdelim::text FROM pg_type WHERE oid = $1", &[&element])
                .unwrap()
                .get(0);
            part = by_oid(client, element);
            TypeKind::Array { element: part.ty(), delimiter: delimiter.as_bytes()[0] }
        }
        _ => TypeKind::Base,
    };
    let (oid, name): (_, String) = (Oid::new(oid), row.get(6));
    Described { oid, types: TypeSet::new(&[TypeInfo::new(oid, &name, kind)]) }
}

fn attributes_of(client: &mut Client, relation: u32) -> Vec<(String, Described)> {
    const ATTRIBUTES: &str = "
        SELECT attname::text, atttypid FROM pg_attribute
         WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let rows = client.query(ATTRIBUTES, &[&relation]).unwrap();
    rows.into_iter().map(|row| (row.get(0), by_oid(client, row.get(1)))).collect()
}
