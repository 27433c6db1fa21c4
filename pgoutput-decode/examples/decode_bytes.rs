//! Decodes one transaction from its bytes, as a server sends them: no server, no allocation.
//!
//! ```text
//! create table readme (id integer primary key, note text);
//! insert into readme values (42, null);
//! ```
//!
//! Run with `cargo run -p pgoutput-decode --example decode_bytes --no-default-features`.
#![expect(clippy::print_stdout, reason = "an example prints")]

use pgoutput_decode::{DecodeError, Decoder, Message, TupleColumn};

/// The frames, one after another, as in the XLogData messages of the replication stream.
const FRAMES: [&[u8]; 4] = [
    b"B\
      \0\0\0\0\x01\x58\xFA\xC8\
      \x00\x02\x78\x8C\xCF\xCA\x01\xDE\
      \0\0\x03\x09", // Begin: final LSN 0/158FAC8, commit time, transaction 777
    b"R\
      \0\0\x40\x13\
      public\0\
      readme\0\
      d\
      \0\x02\
      \x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF\
      \0note\0\0\0\0\x19\xFF\xFF\xFF\xFF", // Relation 16403: key `id` of type 23, `note` of type 25
    b"I\
      \0\0\x40\x13\
      N\
      \0\x02\
      t\0\0\0\x0242\
      n", // Insert into 16403: the text "42", NULL
    b"C\
      \0\
      \0\0\0\0\x01\x58\xFA\xC8\
      \0\0\0\0\x01\x58\xFA\xF8\
      \x00\x02\x78\x8C\xCF\xCA\x01\xDE", // Commit: LSN 0/158FAC8, end 0/158FAF8, commit time
];

fn main() -> Result<(), DecodeError> {
    let mut decoder = Decoder::new();
    for frame in FRAMES {
        match decoder.decode(frame)? {
            Message::Begin(begin) => {
                println!("begin {} at {}, {}", begin.xid, begin.final_lsn, begin.commit_time);
            }
            Message::Relation(table) => {
                println!("table {}: {}.{}", table.oid, table.namespace(), table.name);
                for column in table.columns {
                    let key = if column.flags.is_key() { ", key" } else { "" };
                    println!("  {} of type {}{key}", column.name, column.type_oid);
                }
            }
            Message::Insert(insert) => {
                println!("insert into {}", insert.relation);
                for column in insert.new.columns() {
                    match column {
                        TupleColumn::Null => println!("  null"),
                        TupleColumn::Unchanged => println!("  unchanged"),
                        TupleColumn::Text(text) => println!("  text {}", text.escape_ascii()),
                        TupleColumn::Binary(bytes) => println!("  binary {bytes:02x?}"),
                    }
                }
            }
            Message::Commit(commit) => println!("commit, ends at {}", commit.end_lsn),
            other => println!("{other:?}"),
        }
    }
    Ok(())
}
