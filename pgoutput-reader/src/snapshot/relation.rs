//! The Relation message of a published table.

use pgoutput_decode::ColumnFlags;

use super::published::PublishedTable;

/// The schema whose name the stream leaves out.
const CATALOG: &str = "pg_catalog";

impl PublishedTable {
    /// Returns the message that describes the table in the stream, byte for byte (manual, section
    /// "Logical Replication Message Formats").
    pub(crate) fn relation_message(&self) -> Vec<u8> {
        let mut message = vec![b'R'];
        message.extend(self.oid.as_u32().to_be_bytes());
        string(&mut message, if self.schema == CATALOG { "" } else { &self.schema });
        string(&mut message, &self.name);
        message.push(self.replica_identity.0);
        // A table has at most 1600 columns.
        let count = u16::try_from(self.columns.len()).unwrap_or(u16::MAX);
        message.extend(count.to_be_bytes());
        for column in self.columns.iter().take(count.into()) {
            let flags = if column.is_key { ColumnFlags::KEY } else { ColumnFlags::default() };
            message.push(flags.0);
            string(&mut message, &column.name);
            message.extend(column.type_oid.as_u32().to_be_bytes());
            message.extend(column.type_modifier.to_be_bytes());
        }
        message
    }
}

/// Appends a text and its end. No name contains a zero byte.
fn string(message: &mut Vec<u8>, text: &str) {
    message.extend(text.bytes().filter(|byte| *byte != 0));
    message.push(0);
}

#[cfg(test)]
mod tests {
    use pgoutput_decode::{Message, Oid, ReplicaIdentity};

    use super::super::plan::tests::{column, table};

    #[test]
    fn the_message_decodes_to_the_table() {
        let mut table = table("s", "t");
        table.replica_identity = ReplicaIdentity::FULL;
        table.columns = vec![column("a"), column("\u{e9}\"")];
        table.columns[1].is_key = true;
        table.columns[1].type_modifier = -1;
        let bytes = table.relation_message();
        let Ok(Message::Relation(relation)) = Message::decode(&bytes, false) else {
            panic!("{bytes:?}")
        };
        assert_eq!((relation.oid, relation.namespace(), relation.name), (table.oid, "s", "t"));
        assert_eq!(relation.replica_identity, ReplicaIdentity::FULL);
        let columns: Vec<_> = relation.columns.iter().collect();
        assert_eq!(columns.len(), 2);
        assert_eq!((columns[1].name, columns[1].type_modifier), ("\u{e9}\"", -1));
        assert!(!columns[0].flags.is_key() && columns[1].flags.is_key());
        assert_eq!(columns[0].type_oid, Oid::new(23));
    }

    #[test]
    fn the_name_of_pg_catalog_is_left_out() {
        let bytes = table("pg_catalog", "t").relation_message();
        assert_eq!(bytes[5..8], *b"\0t\0");
    }
}
