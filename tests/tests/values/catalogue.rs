//! Describes types as the server's catalogue knows them.

use pgoutput_decode::Oid;
use pgoutput_decode::value::{Attribute, TypeInfo, TypeKind};
use postgres::Client;

/// Descriptions are leaked: they refer to each other, and a test ends soon.
pub(crate) fn describe(client: &mut Client, name: &str) -> &'static TypeInfo<'static> {
    let oid: u32 = client.query_one("SELECT $1::text::regtype::oid", &[&name]).unwrap().get(0);
    by_oid(client, oid)
}

fn by_oid(client: &mut Client, oid: u32) -> &'static TypeInfo<'static> {
    const TYPE: &str = "
        SELECT typname::text, typtype::text, typcategory::text, typelem, typbasetype, typrelid,
               format_type(oid, NULL), typdelim::text, typlen,
               (SELECT rngsubtype FROM pg_range WHERE rngtypid = t.oid)
          FROM pg_type t WHERE oid = $1";
    let row = client.query_one(TYPE, &[&oid]).unwrap();
    let (typname, typtype): (String, String) = (row.get(0), row.get(1));
    let (category, element): (String, u32) = (row.get(2), row.get(3));
    let kind = match (typtype.as_str(), category.as_str(), typname.as_str()) {
        ("e", ..) => TypeKind::Enum,
        ("d", ..) => TypeKind::Domain(by_oid(client, row.get(4))),
        ("c", ..) => TypeKind::Composite(attributes(client, row.get(5))),
        ("r", ..) => TypeKind::Range(by_oid(client, row.get::<_, Option<u32>>(9).unwrap())),
        ("m", ..) => {
            let range = "SELECT rngtypid FROM pg_range WHERE rngmultitypid = $1";
            let range: u32 = client.query_one(range, &[&oid]).unwrap().get(0);
            TypeKind::Multirange(by_oid(client, range))
        }
        (_, _, "hstore") => TypeKind::Hstore,
        (_, _, "citext") => TypeKind::TextLike,
        // int2vector and oidvector are known by their oids, and have another notation.
        (_, "A", name) if !name.ends_with("vector") => {
            let element = by_oid(client, element);
            // What stands between elements is a matter of the element's type.
            let delimiter: String = client
                .query_one(
                    "SELECT typdelim::text FROM pg_type WHERE oid = $1",
                    &[&element.oid.as_u32()],
                )
                .unwrap()
                .get(0);
            TypeKind::Array { element, delimiter: delimiter.as_bytes()[0] }
        }
        _ => TypeKind::Base,
    };
    let name: String = row.get(6);
    Box::leak(Box::new(TypeInfo { oid: Oid::new(oid), name: name.leak(), kind }))
}

fn attributes(client: &mut Client, relation: u32) -> &'static [Attribute<'static>] {
    const ATTRIBUTES: &str = "
        SELECT attname::text, atttypid FROM pg_attribute
         WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let rows = client.query(ATTRIBUTES, &[&relation]).unwrap();
    let attributes: Vec<_> = rows
        .into_iter()
        .map(|row| Attribute {
            name: row.get::<_, String>(0).leak(),
            ty: by_oid(client, row.get(1)),
        })
        .collect();
    attributes.leak()
}
