//! Tables whose values can be sent in binary format.

use pgoutput_harness::servers;

use crate::{copies, rows};

/// The first server with a type, the type, a value, and whether it has a binary format.
const TYPES: &[(u32, &str, &str, bool)] = &[
    (10, "int", "1", true),
    (10, "int[]", "'{1}'", true),
    (10, "point", "'(1,2)'", true),
    (10, "name", "'n'", true),
    (10, "int2vector", "'1 2'", true),
    (10, "mood", "'ok'", true),
    (10, "mood[]", "'{ok}'", true),
    (10, "numbers", "'{1}'", true),
    (10, "pair", "'(1,x)'", true),
    (10, "pair[]", "'{\"(1,x)\"}'", true),
    (10, "int4range", "'[1,2)'", true),
    (14, "int4multirange", "'{[1,2)}'", true),
    (10, "aclitem", "'postgres=r/postgres'", false),
    (10, "aclitem[]", "'{postgres=r/postgres}'", false),
    (10, "acl", "'postgres=r/postgres'", false),
    (10, "acls", "'{postgres=r/postgres}'", false),
    (10, "with_acl", "'(1,postgres=r/postgres)'", false),
    (10, "with_acl[]", "'{\"(1,postgres=r/postgres)\"}'", false),
    (10, "outer_acl", "'(\"(1,postgres=r/postgres)\")'", false),
];

/// A table is copied in binary format only if the server can send each of its values in it.
#[test]
fn tables_with_values_that_cannot_be_binary_are_known() {
    for server in servers() {
        let database = server.database("binary");
        let mut client = database.client();
        client
            .batch_execute(
                "CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN numbers AS int[];
                 CREATE TYPE pair AS (a int, b text); CREATE DOMAIN acl AS aclitem;
                 CREATE DOMAIN acls AS aclitem[]; CREATE TYPE with_acl AS (a int, b aclitem);
                 CREATE TYPE outer_acl AS (a with_acl); ALTER TYPE pair ADD ATTRIBUTE c aclitem;
                 ALTER TYPE pair DROP ATTRIBUTE c;
                 CREATE PUBLICATION p FOR ALL TABLES",
            )
            .unwrap();
        let mut expected = Vec::new();
        for (from, ty, value, is_binary) in TYPES {
            if server.major() < *from {
                continue;
            }
            let number = expected.len();
            let create = format!(
                "CREATE TABLE t{number} (v {ty}); INSERT INTO t{number} VALUES ({value}::{ty})"
            );
            client.batch_execute(&create).unwrap_or_else(|error| panic!("{create}: {error:?}"));
            expected.push((*ty, *is_binary));
        }
        let copies = copies(&database, &["p"]).unwrap();
        let found: Vec<(&str, bool)> = expected
            .iter()
            .zip(&copies)
            .map(|((ty, _), copy)| (*ty, !copy.binary.is_empty()))
            .collect();
        assert_eq!(found, expected, "PostgreSQL {}", server.version());
        client.batch_execute("SET search_path = ''").unwrap();
        for (number, (ty, is_binary)) in expected.iter().enumerate() {
            let statement = format!("COPY public.t{number} TO STDOUT WITH (FORMAT binary)");
            if *is_binary {
                assert_eq!(rows::binary(&mut client, &statement).len(), 1);
            } else {
                let sent = client
                    .copy_out(&statement)
                    .map(|mut reader| std::io::Read::read_to_end(&mut reader, &mut Vec::new()));
                assert!(!matches!(sent, Ok(Ok(_))), "{ty} has a binary format after all");
            }
        }
    }
}
