//! The name of a type as `format_type` prints it under the default search path.
//!
//! Sessions of the catalogue have an empty search path, so that no object of a user's schema is
//! ever chosen for them. `format_type` then qualifies every type outside of `pg_catalog`.

/// A scalar subquery in SQL: the name of the type with this id and this modifier (or `NULL`). It is
/// the name that `format_type` would print if the search path were `"$user", public`, and `NULL` if
/// there is no such type.
///
/// The rules are those of `TypeIsVisible` in the server. `pg_catalog` comes first, then the schema
/// named like the role, then `public`, the last two only where the role may use them. A type is
/// visible if no schema before its own has a type of that name. For an array, the name and the
/// schema are those of its element.
macro_rules! type_name {
    ($oid:literal, $modifier:literal) => {
        concat!(
            "(SELECT CASE
    WHEN pg_catalog.strpos(shown.name, shown.prefix) OPERATOR(pg_catalog.=) 1
     AND (home.nspname OPERATOR(pg_catalog.=) 'public'::pg_catalog.name
          OR home.nspname OPERATOR(pg_catalog.=) CURRENT_USER)
     AND pg_catalog.has_schema_privilege(home.oid, 'USAGE'::pg_catalog.text)
     AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_type AS hiding
         JOIN pg_catalog.pg_namespace AS earlier
           ON earlier.oid OPERATOR(pg_catalog.=) hiding.typnamespace
         WHERE hiding.typname OPERATOR(pg_catalog.=) coalesce(element.typname, own.typname)
           AND (earlier.nspname OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.name
                OR (home.nspname OPERATOR(pg_catalog.=) 'public'::pg_catalog.name
                    AND earlier.nspname OPERATOR(pg_catalog.=) CURRENT_USER
                    AND pg_catalog.has_schema_privilege(earlier.oid, 'USAGE'::pg_catalog.text))))
    THEN pg_catalog.substr(shown.name, pg_catalog.length(shown.prefix) OPERATOR(pg_catalog.+) 1)
    ELSE shown.name END
  FROM pg_catalog.pg_type AS own
  CROSS JOIN LATERAL (SELECT pg_catalog.format_type(own.oid, ",
            $modifier,
            ") AS name) AS formatted
  LEFT JOIN pg_catalog.pg_type AS element
    ON element.oid OPERATOR(pg_catalog.=) own.typelem
   AND pg_catalog.right(formatted.name, 2) OPERATOR(pg_catalog.=) '[]'::pg_catalog.text
  LEFT JOIN pg_catalog.pg_namespace AS home
    ON home.oid OPERATOR(pg_catalog.=) coalesce(element.typnamespace, own.typnamespace)
  CROSS JOIN LATERAL (SELECT formatted.name,
      pg_catalog.quote_ident(home.nspname::pg_catalog.text)
          OPERATOR(pg_catalog.||) '.'::pg_catalog.text AS prefix) AS shown
  WHERE own.oid OPERATOR(pg_catalog.=) ",
            $oid,
            ")"
        )
    };
}
