//! The names of the fields of messages, for errors.

/// Defines the enum, and the name of each field in error messages.
macro_rules! names {
    ($($name:ident => $text:literal,)*) => {
        /// The name of a field, in one byte. An error with a `&str` in it would be larger.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum FieldName {
            $($name,)*
        }

        impl FieldName {
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

names! {
    AbortLsn => "abort LSN",
    AbortTimestamp => "abort timestamp",
    ApplyPosition => "apply position",
    CatalogXmin => "catalog xmin",
    CatalogXminEpoch => "catalog xmin epoch",
    ClientTime => "client time",
    ColumnCount => "column count",
    ColumnFlags => "column flags",
    ColumnKind => "column kind",
    ColumnName => "column name",
    ColumnType => "column type",
    ColumnValue => "column value",
    ColumnValueLength => "column value length",
    CommitLsn => "commit LSN",
    CommitTimestamp => "commit timestamp",
    Content => "content",
    ContentLength => "content length",
    EndLsn => "end LSN",
    FinalLsn => "final LSN",
    FirstSegmentFlag => "first segment flag",
    Flags => "flags",
    FlushPosition => "flush position",
    Gid => "GID",
    MessageLsn => "message LSN",
    MessagePrefix => "message prefix",
    MessageTag => "message tag",
    Namespace => "namespace",
    OriginName => "origin name",
    PrepareEndLsn => "prepare end LSN",
    PrepareLsn => "prepare LSN",
    PrepareTimestamp => "prepare timestamp",
    RelationCount => "relation count",
    RelationId => "relation id",
    RelationIds => "relation ids",
    RelationName => "relation name",
    ReplicaIdentity => "replica identity",
    ReplyRequest => "reply request",
    RollbackEndLsn => "rollback end LSN",
    RollbackTimestamp => "rollback timestamp",
    SendTime => "send time",
    SubtransactionId => "subtransaction id",
    TransactionId => "transaction id",
    TupleKind => "tuple kind",
    TypeId => "type id",
    TypeModifier => "type modifier",
    TypeName => "type name",
    WalEnd => "WAL end",
    WalStart => "WAL start",
    WritePosition => "write position",
    Xmin => "xmin",
    XminEpoch => "xmin epoch",
}
