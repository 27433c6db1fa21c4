//! The JSON shape of a change event.

mod column_notes;
mod fields;
mod schema_change;
mod text;
mod value;
mod write;

use std::fmt::Write as _;

use pgoutput_decode::Lsn;
use pgoutput_decode::message::{MessageBody, ReplicaIdentity, TruncateFlags};
use serde::ser::{Error as _, SerializeStruct};
use serde::{Serialize, Serializer};

use schema_change::Identity;
use text::JsonText;
pub(crate) use write::Fragment;
pub use write::JsonError;

use super::{ChangeEvent, ColumnSchema, Op, ReplicationOrigin, Row, TableSchema, TransactionInfo};

/// The JSON shape: an object with the keys `op`, `message_id`, `lsn`, `transaction`,
/// `table_schema`, `before`, `after`. Further fields follow in this order, each only if it has
/// content. From `invalid_utf8` to `array_bounds` they describe columns, under the keys `before`
/// and `after`.
///
/// - `unchanged_toast`: a list of the columns that the server did not send, since the update did
///   not change them.
/// - `invalid_utf8`: the columns whose text is not UTF-8, which a database in SQL_ASCII may
///   contain. Their values are the bytes as sent, in the form of a `bytea`. An array or composite
///   with such a text is written as the bytes of the whole value, in the format in which it was
///   sent.
/// - `type_mismatch`: the columns whose values do not fit the description of their type, such as
///   values from before a composite type was altered ([`TableSchema::types`]). They are written as
///   values of an unknown type: as PostgreSQL's text, or in the binary format as the bytes in the
///   form of a `bytea`. It also names columns that are not NULL and whose types are gone from the
///   catalogue and of an unknown kind ([`TableSchema::unknown_types`]). These may be written
///   differently when the same change is read at another time.
/// - `json_null`: the `json` and `jsonb` columns, and domains over them, with the JSON value
///   `null`, which looks like NULL; also arrays and composites that contain such a `null`. If the
///   event has only one row, this is a list of columns, without `before` and `after`.
/// - `json_as_text`: the columns with a document that is written as a string of its text, because
///   some parser would refuse the whole line. Such a document contains half of a surrogate pair
///   (`"\ud800"`) or a number of 10^308 or beyond, or is nested more than 127 deep together with
///   the event around it. The field also names a `numeric` of that size, which is written as a
///   string of its digits, unless all numbers of that type were requested as strings.
/// - `value_text`: PostgreSQL's text of each value that `json_null` or `json_as_text` names and
///   that contains the document or number, such as an array or a composite. The JSON of
///   `{NULL,"null"}` is `[null,null]`; `{"after": {"a": "{NULL,\"null\"}"}}` shows which of the two
///   is NULL.
/// - `array_bounds`: the bounds of arrays that do not count from 1, by column:
///   `{"after": {"a": "[0:2]"}}`. For an array inside another value, which may be an array with
///   bounds of its own, it has PostgreSQL's text of the whole value.
/// - `truncate`, `origin`, `message`: the options of a TRUNCATE, the replication origin, a logical
///   message.
/// - `schema_change`: the change of a table, for [`Op::Schema`] under
///   [`schema_changes`](crate::ReaderBuilder::schema_changes). It has the table before as `before`,
///   in the form of `table_schema`, and then what differs: `added` and `dropped` columns, a list of
///   names each; `renamed` columns, each with the names `before` and `after`; `retyped` columns,
///   each with its `name` and with `type_id`, `type_modifier` (unless it has none) and `type_name`
///   under `before` and `after`; and under `before` and `after` the names of the columns of the
///   `key`, the `replica_identity`, the `schema_name`, the name of the `table`.
///
/// The end of a transaction ([`Op::Commit`], [`Op::Prepare`], [`Op::CommitPrepared`],
/// [`Op::RollbackPrepared`]) has only `op`, `message_id`, `lsn` and `transaction`. A transaction
/// that was delivered when it was prepared has a `gid`.
///
/// Under [`SchemaOutput::Once`](crate::SchemaOutput::Once) all events of a table except
/// [`Op::Schema`] have `relation_id` in place of `table_schema`.
///
/// `part_of_pkey` is true for the columns of the replica identity at the time of the change, which
/// is the primary key unless the table was altered. If it is not the default, `table_schema` ends
/// with `replica_identity`: `full`, `index` or `nothing`.
///
/// The reader's [`json_options`](crate::ReaderBuilder::json_options) determine how values are
/// written. Every character that is not [printable](pgoutput_decode::is_printable) is escaped, in
/// names and in values, so that a line of this JSON cannot control a terminal.
///
/// `Serialize` is meant for `serde_json`, which takes the fields of the event as they are written:
/// numbers keep all their digits. `serde_json::to_string_pretty` therefore writes one line for each
/// field; with `serde_json::to_value` first, it indents everything. Another format would get each
/// field as a piece of JSON: pass it the `serde_json::Value`.
impl Serialize for ChangeEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = String::new();
        self.write_json(&mut json).map_err(S::Error::custom)?;
        fields::serialize(&json, serializer)
    }
}

#[derive(Serialize)]
struct Truncate {
    cascade: bool,
    restart_identity: bool,
}

fn truncate(flags: TruncateFlags) -> Truncate {
    Truncate { cascade: flags.cascade(), restart_identity: flags.restart_identity() }
}

/// A logical message as JSON. Content that is not UTF-8 is written as hexadecimal digits under
/// another key.
#[derive(Serialize)]
struct LogicalMessageJson<'a> {
    transactional: bool,
    prefix: JsonText<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<JsonText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_hex: Option<String>,
}

fn logical_message<'a>(body: &MessageBody<'a>) -> LogicalMessageJson<'a> {
    let content = std::str::from_utf8(body.content).ok();
    LogicalMessageJson {
        transactional: body.flags.is_transactional(),
        prefix: JsonText(body.prefix),
        content: content.map(JsonText),
        content_hex: content.is_none().then(|| hex(body.content)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut digits, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

impl Serialize for Op {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_char(self.code())
    }
}

impl Serialize for TransactionInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        TransactionJson { transaction: self, as_text: false }.serialize(serializer)
    }
}

impl Serialize for ReplicationOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        OriginJson { origin: self, as_text: false }.serialize(serializer)
    }
}

/// A transaction, with its LSN as text or as a number.
struct TransactionJson<'a> {
    transaction: &'a TransactionInfo,
    as_text: bool,
}

impl Serialize for TransactionJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { transaction, as_text } = *self;
        let mut out = serializer.serialize_struct("TransactionInfo", 4)?;
        out.serialize_field("tx_id", &transaction.xid().as_u32())?;
        out.serialize_field("begin_lsn", &LsnJson(transaction.commit_lsn(), as_text))?;
        let commit_ts = transaction.commit_time();
        out.serialize_field("commit_ts", &format_args!("{}", commit_ts.rfc3339()))?;
        if let Some(gid) = transaction.gid() {
            out.serialize_field("gid", &JsonText(gid))?;
        }
        out.end()
    }
}

/// An origin, with its LSN as text or as a number.
struct OriginJson<'a> {
    origin: &'a ReplicationOrigin,
    as_text: bool,
}

impl Serialize for OriginJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("ReplicationOrigin", 2)?;
        out.serialize_field("name", &JsonText(&self.origin.name))?;
        if let Some(lsn) = self.origin.commit_lsn {
            out.serialize_field("commit_lsn", &LsnJson(lsn, self.as_text))?;
        }
        out.end()
    }
}

/// An LSN as text if the flag is set, otherwise as a number.
struct LsnJson(Lsn, bool);

impl Serialize for LsnJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(lsn, as_text) = *self;
        if as_text { serializer.collect_str(&lsn) } else { serializer.serialize_u64(lsn.as_u64()) }
    }
}

impl Serialize for TableSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("TableSchema", 5)?;
        out.serialize_field("column_definitions", self.columns())?;
        out.serialize_field("db", &JsonText(self.database()))?;
        out.serialize_field("schema_name", &JsonText(self.schema_name()))?;
        out.serialize_field("table", &JsonText(self.name()))?;
        out.serialize_field("relation_id", &self.relation().oid().as_u32())?;
        if self.replica_identity() != ReplicaIdentity::DEFAULT {
            out.serialize_field("replica_identity", &Identity(self.replica_identity()))?;
        }
        out.end()
    }
}

impl Serialize for ColumnSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("ColumnSchema", 5)?;
        out.serialize_field("name", &JsonText(self.name()))?;
        out.serialize_field("part_of_pkey", &self.is_key())?;
        out.serialize_field("type_id", &self.wire().type_oid.as_u32())?;
        out.serialize_field("type_name", &JsonText(self.type_name()))?;
        out.serialize_field("optional", &self.is_optional())?;
        out.end()
    }
}

/// A map from column names to values, without unchanged TOAST values.
///
/// Text that is not UTF-8 is written as a `bytea` of its bytes, and a value that does not fit its
/// type as if nothing was known of the type. The JSON of the whole event names such columns.
impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (mut json, mut notes) = (String::new(), write::Notes::default());
        write::row(&mut json, Some(self), &write::keys(self.table()), &mut notes)
            .map_err(S::Error::custom)?;
        fields::serialize(&json, serializer)
    }
}
