//! The built-in types of PostgreSQL: their oids, and their names as `format_type` prints them.

use crate::id::Oid;

/// A built-in type: its oid, its name in `pg_type` and its name in SQL.
///
/// The oids are the same on every server. User-defined types, whose oids are 16384 or greater, are
/// not included.
///
/// ```
/// use pgoutput_decode::value::{PgType, type_oid};
///
/// let integer = PgType::from_oid(type_oid::INT4).unwrap();
/// assert_eq!((integer.typname(), integer.sql_name()), ("int4", "integer"));
/// let array = PgType::from_oid(type_oid::INT4_ARRAY).unwrap();
/// assert_eq!((array.sql_name(), array.element()), ("integer[]", Some(type_oid::INT4)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PgType {
    oid: Oid,
    typname: &'static str,
    sql_name: &'static str,
    element: Oid,
}

impl PgType {
    /// Returns the built-in type with this oid.
    pub fn from_oid(oid: Oid) -> Option<&'static Self> {
        BUILT_IN.binary_search_by_key(&oid, |entry| entry.oid).ok().and_then(|at| BUILT_IN.get(at))
    }

    /// Returns all built-in types, ordered by oid, without the pseudo-types that no column can
    /// have.
    pub const fn all() -> &'static [Self] {
        BUILT_IN
    }

    /// Returns the oid of the type.
    pub const fn oid(&self) -> Oid {
        self.oid
    }

    /// Returns the name in `pg_type.typname`: `int4`, `_int4`.
    pub const fn typname(&self) -> &'static str {
        self.typname
    }

    /// Returns the name that `format_type(oid, NULL)` prints: `integer`, `integer[]`.
    pub const fn sql_name(&self) -> &'static str {
        self.sql_name
    }

    /// Returns the element type if this is an array.
    pub const fn element(&self) -> Option<Oid> {
        if self.element.as_u32() == 0 { None } else { Some(self.element) }
    }
}

macro_rules! built_in {
    ($($name:ident $oid:literal $typname:literal $sql_name:literal $element:literal;)*) => {
        /// The oids of the built-in types, named after `pg_type.typname` in capitals. Arrays end in
        /// `_ARRAY`.
        pub mod type_oid {
            use crate::id::Oid;
            $(
                #[doc = concat!("`", $sql_name, "`")]
                pub const $name: Oid = Oid::new($oid);
            )*
        }

        const BUILT_IN: &[PgType] = &[$(
            PgType {
                oid: type_oid::$name,
                typname: $typname,
                sql_name: $sql_name,
                element: Oid::new($element),
            },
        )*];
    };
}

// Sorted by oid, for the binary search.
built_in! {
    BOOL 16 "bool" "boolean" 0;
    BYTEA 17 "bytea" "bytea" 0;
    CHAR 18 "char" "\"char\"" 0;
    NAME 19 "name" "name" 0;
    INT8 20 "int8" "bigint" 0;
    INT2 21 "int2" "smallint" 0;
    INT2VECTOR 22 "int2vector" "int2vector" 0;
    INT4 23 "int4" "integer" 0;
    REGPROC 24 "regproc" "regproc" 0;
    TEXT 25 "text" "text" 0;
    OID 26 "oid" "oid" 0;
    TID 27 "tid" "tid" 0;
    XID 28 "xid" "xid" 0;
    CID 29 "cid" "cid" 0;
    OIDVECTOR 30 "oidvector" "oidvector" 0;
    PG_TYPE 71 "pg_type" "pg_type" 0;
    PG_ATTRIBUTE 75 "pg_attribute" "pg_attribute" 0;
    PG_PROC 81 "pg_proc" "pg_proc" 0;
    PG_CLASS 83 "pg_class" "pg_class" 0;
    JSON 114 "json" "json" 0;
    XML 142 "xml" "xml" 0;
    XML_ARRAY 143 "_xml" "xml[]" 142;
    PG_NODE_TREE 194 "pg_node_tree" "pg_node_tree" 0;
    JSON_ARRAY 199 "_json" "json[]" 114;
    PG_TYPE_ARRAY 210 "_pg_type" "pg_type[]" 71;
    PG_ATTRIBUTE_ARRAY 270 "_pg_attribute" "pg_attribute[]" 75;
    XID8_ARRAY 271 "_xid8" "xid8[]" 5069;
    PG_PROC_ARRAY 272 "_pg_proc" "pg_proc[]" 81;
    PG_CLASS_ARRAY 273 "_pg_class" "pg_class[]" 83;
    POINT 600 "point" "point" 0;
    LSEG 601 "lseg" "lseg" 0;
    PATH 602 "path" "path" 0;
    BOX 603 "box" "box" 0;
    POLYGON 604 "polygon" "polygon" 0;
    LINE 628 "line" "line" 0;
    LINE_ARRAY 629 "_line" "line[]" 628;
    CIDR 650 "cidr" "cidr" 0;
    CIDR_ARRAY 651 "_cidr" "cidr[]" 650;
    FLOAT4 700 "float4" "real" 0;
    FLOAT8 701 "float8" "double precision" 0;
    UNKNOWN 705 "unknown" "unknown" 0;
    CIRCLE 718 "circle" "circle" 0;
    CIRCLE_ARRAY 719 "_circle" "circle[]" 718;
    MACADDR8 774 "macaddr8" "macaddr8" 0;
    MACADDR8_ARRAY 775 "_macaddr8" "macaddr8[]" 774;
    MONEY 790 "money" "money" 0;
    MONEY_ARRAY 791 "_money" "money[]" 790;
    MACADDR 829 "macaddr" "macaddr" 0;
    INET 869 "inet" "inet" 0;
    BOOL_ARRAY 1000 "_bool" "boolean[]" 16;
    BYTEA_ARRAY 1001 "_bytea" "bytea[]" 17;
    CHAR_ARRAY 1002 "_char" "\"char\"[]" 18;
    NAME_ARRAY 1003 "_name" "name[]" 19;
    INT2_ARRAY 1005 "_int2" "smallint[]" 21;
    INT2VECTOR_ARRAY 1006 "_int2vector" "int2vector[]" 22;
    INT4_ARRAY 1007 "_int4" "integer[]" 23;
    REGPROC_ARRAY 1008 "_regproc" "regproc[]" 24;
    TEXT_ARRAY 1009 "_text" "text[]" 25;
    TID_ARRAY 1010 "_tid" "tid[]" 27;
    XID_ARRAY 1011 "_xid" "xid[]" 28;
    CID_ARRAY 1012 "_cid" "cid[]" 29;
    OIDVECTOR_ARRAY 1013 "_oidvector" "oidvector[]" 30;
    BPCHAR_ARRAY 1014 "_bpchar" "character[]" 1042;
    VARCHAR_ARRAY 1015 "_varchar" "character varying[]" 1043;
    INT8_ARRAY 1016 "_int8" "bigint[]" 20;
    POINT_ARRAY 1017 "_point" "point[]" 600;
    LSEG_ARRAY 1018 "_lseg" "lseg[]" 601;
    PATH_ARRAY 1019 "_path" "path[]" 602;
    BOX_ARRAY 1020 "_box" "box[]" 603;
    FLOAT4_ARRAY 1021 "_float4" "real[]" 700;
    FLOAT8_ARRAY 1022 "_float8" "double precision[]" 701;
    POLYGON_ARRAY 1027 "_polygon" "polygon[]" 604;
    OID_ARRAY 1028 "_oid" "oid[]" 26;
    ACLITEM 1033 "aclitem" "aclitem" 0;
    ACLITEM_ARRAY 1034 "_aclitem" "aclitem[]" 1033;
    MACADDR_ARRAY 1040 "_macaddr" "macaddr[]" 829;
    INET_ARRAY 1041 "_inet" "inet[]" 869;
    BPCHAR 1042 "bpchar" "character" 0;
    VARCHAR 1043 "varchar" "character varying" 0;
    DATE 1082 "date" "date" 0;
    TIME 1083 "time" "time without time zone" 0;
    TIMESTAMP 1114 "timestamp" "timestamp without time zone" 0;
    TIMESTAMP_ARRAY 1115 "_timestamp" "timestamp without time zone[]" 1114;
    DATE_ARRAY 1182 "_date" "date[]" 1082;
    TIME_ARRAY 1183 "_time" "time without time zone[]" 1083;
    TIMESTAMPTZ 1184 "timestamptz" "timestamp with time zone" 0;
    TIMESTAMPTZ_ARRAY 1185 "_timestamptz" "timestamp with time zone[]" 1184;
    INTERVAL 1186 "interval" "interval" 0;
    INTERVAL_ARRAY 1187 "_interval" "interval[]" 1186;
    NUMERIC_ARRAY 1231 "_numeric" "numeric[]" 1700;
    CSTRING_ARRAY 1263 "_cstring" "cstring[]" 2275;
    TIMETZ 1266 "timetz" "time with time zone" 0;
    TIMETZ_ARRAY 1270 "_timetz" "time with time zone[]" 1266;
    BIT 1560 "bit" "bit" 0;
    BIT_ARRAY 1561 "_bit" "bit[]" 1560;
    VARBIT 1562 "varbit" "bit varying" 0;
    VARBIT_ARRAY 1563 "_varbit" "bit varying[]" 1562;
    NUMERIC 1700 "numeric" "numeric" 0;
    REFCURSOR 1790 "refcursor" "refcursor" 0;
    REFCURSOR_ARRAY 2201 "_refcursor" "refcursor[]" 1790;
    REGPROCEDURE 2202 "regprocedure" "regprocedure" 0;
    REGOPER 2203 "regoper" "regoper" 0;
    REGOPERATOR 2204 "regoperator" "regoperator" 0;
    REGCLASS 2205 "regclass" "regclass" 0;
    REGTYPE 2206 "regtype" "regtype" 0;
    REGPROCEDURE_ARRAY 2207 "_regprocedure" "regprocedure[]" 2202;
    REGOPER_ARRAY 2208 "_regoper" "regoper[]" 2203;
    REGOPERATOR_ARRAY 2209 "_regoperator" "regoperator[]" 2204;
    REGCLASS_ARRAY 2210 "_regclass" "regclass[]" 2205;
    REGTYPE_ARRAY 2211 "_regtype" "regtype[]" 2206;
    RECORD 2249 "record" "record" 0;
    CSTRING 2275 "cstring" "cstring" 0;
    RECORD_ARRAY 2287 "_record" "record[]" 2249;
    TXID_SNAPSHOT_ARRAY 2949 "_txid_snapshot" "txid_snapshot[]" 2970;
    UUID 2950 "uuid" "uuid" 0;
    UUID_ARRAY 2951 "_uuid" "uuid[]" 2950;
    TXID_SNAPSHOT 2970 "txid_snapshot" "txid_snapshot" 0;
    PG_LSN 3220 "pg_lsn" "pg_lsn" 0;
    PG_LSN_ARRAY 3221 "_pg_lsn" "pg_lsn[]" 3220;
    PG_NDISTINCT 3361 "pg_ndistinct" "pg_ndistinct" 0;
    PG_DEPENDENCIES 3402 "pg_dependencies" "pg_dependencies" 0;
    TSVECTOR 3614 "tsvector" "tsvector" 0;
    TSQUERY 3615 "tsquery" "tsquery" 0;
    GTSVECTOR 3642 "gtsvector" "gtsvector" 0;
    TSVECTOR_ARRAY 3643 "_tsvector" "tsvector[]" 3614;
    GTSVECTOR_ARRAY 3644 "_gtsvector" "gtsvector[]" 3642;
    TSQUERY_ARRAY 3645 "_tsquery" "tsquery[]" 3615;
    REGCONFIG 3734 "regconfig" "regconfig" 0;
    REGCONFIG_ARRAY 3735 "_regconfig" "regconfig[]" 3734;
    REGDICTIONARY 3769 "regdictionary" "regdictionary" 0;
    REGDICTIONARY_ARRAY 3770 "_regdictionary" "regdictionary[]" 3769;
    JSONB 3802 "jsonb" "jsonb" 0;
    JSONB_ARRAY 3807 "_jsonb" "jsonb[]" 3802;
    INT4RANGE 3904 "int4range" "int4range" 0;
    INT4RANGE_ARRAY 3905 "_int4range" "int4range[]" 3904;
    NUMRANGE 3906 "numrange" "numrange" 0;
    NUMRANGE_ARRAY 3907 "_numrange" "numrange[]" 3906;
    TSRANGE 3908 "tsrange" "tsrange" 0;
    TSRANGE_ARRAY 3909 "_tsrange" "tsrange[]" 3908;
    TSTZRANGE 3910 "tstzrange" "tstzrange" 0;
    TSTZRANGE_ARRAY 3911 "_tstzrange" "tstzrange[]" 3910;
    DATERANGE 3912 "daterange" "daterange" 0;
    DATERANGE_ARRAY 3913 "_daterange" "daterange[]" 3912;
    INT8RANGE 3926 "int8range" "int8range" 0;
    INT8RANGE_ARRAY 3927 "_int8range" "int8range[]" 3926;
    JSONPATH 4072 "jsonpath" "jsonpath" 0;
    JSONPATH_ARRAY 4073 "_jsonpath" "jsonpath[]" 4072;
    REGNAMESPACE 4089 "regnamespace" "regnamespace" 0;
    REGNAMESPACE_ARRAY 4090 "_regnamespace" "regnamespace[]" 4089;
    REGROLE 4096 "regrole" "regrole" 0;
    REGROLE_ARRAY 4097 "_regrole" "regrole[]" 4096;
    REGCOLLATION 4191 "regcollation" "regcollation" 0;
    REGCOLLATION_ARRAY 4192 "_regcollation" "regcollation[]" 4191;
    INT4MULTIRANGE 4451 "int4multirange" "int4multirange" 0;
    NUMMULTIRANGE 4532 "nummultirange" "nummultirange" 0;
    TSMULTIRANGE 4533 "tsmultirange" "tsmultirange" 0;
    TSTZMULTIRANGE 4534 "tstzmultirange" "tstzmultirange" 0;
    DATEMULTIRANGE 4535 "datemultirange" "datemultirange" 0;
    INT8MULTIRANGE 4536 "int8multirange" "int8multirange" 0;
    PG_BRIN_BLOOM_SUMMARY 4600 "pg_brin_bloom_summary" "pg_brin_bloom_summary" 0;
    PG_BRIN_MINMAX_MULTI_SUMMARY 4601
        "pg_brin_minmax_multi_summary" "pg_brin_minmax_multi_summary" 0;
    PG_MCV_LIST 5017 "pg_mcv_list" "pg_mcv_list" 0;
    PG_SNAPSHOT 5038 "pg_snapshot" "pg_snapshot" 0;
    PG_SNAPSHOT_ARRAY 5039 "_pg_snapshot" "pg_snapshot[]" 5038;
    XID8 5069 "xid8" "xid8" 0;
    INT4MULTIRANGE_ARRAY 6150 "_int4multirange" "int4multirange[]" 4451;
    NUMMULTIRANGE_ARRAY 6151 "_nummultirange" "nummultirange[]" 4532;
    TSMULTIRANGE_ARRAY 6152 "_tsmultirange" "tsmultirange[]" 4533;
    TSTZMULTIRANGE_ARRAY 6153 "_tstzmultirange" "tstzmultirange[]" 4534;
    DATEMULTIRANGE_ARRAY 6155 "_datemultirange" "datemultirange[]" 4535;
    INT8MULTIRANGE_ARRAY 6157 "_int8multirange" "int8multirange[]" 4536;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_arrays_name_their_elements() {
        assert!(BUILT_IN.is_sorted_by(|a, b| a.oid < b.oid));
        for entry in BUILT_IN {
            assert_eq!(PgType::from_oid(entry.oid), Some(entry));
            if let Some(element) = entry.element() {
                let element = PgType::from_oid(element).unwrap();
                assert_eq!(entry.sql_name.strip_suffix("[]"), Some(element.sql_name));
            }
        }
        assert_eq!(PgType::from_oid(Oid::new(0)), None);
        assert_eq!(PgType::from_oid(Oid::new(16384)), None);
    }
}
