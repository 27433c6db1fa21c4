//! Every parameter keyword of libpq 18 and how the reader treats it ([PostgreSQL manual,
//! 34.1.2](https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS)).

use super::Config;
use super::error::Problem;
use super::value;

/// A parameter keyword.
pub(crate) struct Keyword {
    pub(crate) name: &'static str,
    /// The environment variable for it (34.15).
    pub(crate) variable: Option<&'static str>,
    pub(crate) treatment: Treatment,
}

/// The reader's treatment of a keyword. An empty value always means the default and is accepted.
pub(crate) enum Treatment {
    /// Stored in the `Config` as it is.
    Text(fn(Config, &str) -> Config),
    /// Stored in the `Config` if it can be parsed.
    Parsed(fn(&mut Config, &str) -> Result<(), Problem>),
    /// Accepted if the value matches the behaviour of the reader.
    Only { accepted: &'static [&'static str], because: &'static str },
    /// Replaced by other parameters before this step.
    Expanded,
    /// Not supported with any value.
    Never { because: &'static str },
}

impl Keyword {
    /// Returns whether the value must never be shown.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(
            self.name,
            "password"
                | "sslpassword"
                | "scram_client_key"
                | "scram_server_key"
                | "oauth_client_secret"
        )
    }
}

use Treatment::{Expanded, Never, Only, Parsed, Text};

const OAUTH: Treatment =
    Never { because: "OAuth is not supported yet; remove it and authenticate in another way" };
const SCRAM_KEY: Treatment =
    Never { because: "SCRAM pass-through is not supported; give a password" };

const fn keyword(
    name: &'static str,
    variable: Option<&'static str>,
    treatment: Treatment,
) -> Keyword {
    Keyword { name, variable, treatment }
}

/// The table, in the order of the manual.
pub(crate) static KEYWORDS: &[Keyword] = &[
    keyword("host", Some("PGHOST"), Text(Config::host)),
    keyword("hostaddr", Some("PGHOSTADDR"), Parsed(value::hostaddr)),
    keyword("port", Some("PGPORT"), Parsed(value::port)),
    keyword("dbname", Some("PGDATABASE"), Text(|config, value| config.dbname(value))),
    keyword("user", Some("PGUSER"), Text(|config, value| config.user(value))),
    keyword("password", Some("PGPASSWORD"), Text(|config, value| config.password(value))),
    keyword("passfile", Some("PGPASSFILE"), Text(|config, value| config.passfile(value))),
    keyword("require_auth", Some("PGREQUIREAUTH"), Parsed(value::require_auth)),
    keyword("channel_binding", Some("PGCHANNELBINDING"), Parsed(value::channel_binding)),
    keyword("connect_timeout", Some("PGCONNECT_TIMEOUT"), Parsed(value::connect_timeout)),
    keyword(
        "client_encoding",
        Some("PGCLIENTENCODING"),
        Only {
            accepted: &["UTF8", "UTF-8", "UNICODE", "auto"],
            because: "the reader always asks the server for UTF8",
        },
    ),
    keyword("options", Some("PGOPTIONS"), Text(|config, value| config.options(value))),
    keyword(
        "application_name",
        Some("PGAPPNAME"),
        Text(|config, value| config.application_name(value)),
    ),
    keyword(
        "fallback_application_name",
        None,
        Text(|config, value| config.fallback_application_name(value)),
    ),
    keyword("keepalives", None, Parsed(value::keepalives)),
    keyword("keepalives_idle", None, Parsed(value::keepalives_idle)),
    keyword("keepalives_interval", None, Parsed(value::keepalives_interval)),
    keyword("keepalives_count", None, Parsed(value::keepalives_count)),
    keyword("tcp_user_timeout", None, Parsed(value::tcp_user_timeout)),
    keyword(
        "replication",
        None,
        Only {
            accepted: &["database"],
            because: "logical replication needs it, and the reader sets it itself",
        },
    ),
    keyword(
        "gssencmode",
        Some("PGGSSENCMODE"),
        Only { accepted: &["disable", "prefer"], because: "GSSAPI encryption is not supported" },
    ),
    keyword("sslmode", Some("PGSSLMODE"), Parsed(value::sslmode)),
    keyword("sslnegotiation", Some("PGSSLNEGOTIATION"), Parsed(value::sslnegotiation)),
    keyword(
        "sslcompression",
        Some("PGSSLCOMPRESSION"),
        Only { accepted: &["0"], because: "compression inside TLS is insecure and not supported" },
    ),
    keyword("sslcert", Some("PGSSLCERT"), Text(|config, value| config.ssl_cert(value))),
    keyword("sslkey", Some("PGSSLKEY"), Text(|config, value| config.ssl_key(value))),
    keyword(
        "sslkeylogfile",
        None,
        Never { because: "writing TLS keys to a file is not supported; remove it" },
    ),
    keyword(
        "sslpassword",
        None,
        Never {
            because: "encrypted key files are not supported; decrypt the file in sslkey (openssl \
                      pkey), make it unreadable to others (chmod 600), and remove sslpassword",
        },
    ),
    keyword("sslcertmode", Some("PGSSLCERTMODE"), Parsed(value::sslcertmode)),
    keyword(
        "sslrootcert",
        Some("PGSSLROOTCERT"),
        Text(|config, value| config.ssl_root_cert(value)),
    ),
    keyword("sslcrl", Some("PGSSLCRL"), Text(|config, value| config.ssl_crl(value))),
    keyword("sslcrldir", Some("PGSSLCRLDIR"), Text(|config, value| config.ssl_crl_dir(value))),
    keyword("sslsni", Some("PGSSLSNI"), Parsed(value::sslsni)),
    keyword(
        "requirepeer",
        Some("PGREQUIREPEER"),
        Never {
            because: "checking the account of the server's process is not supported yet; remove it",
        },
    ),
    keyword(
        "ssl_min_protocol_version",
        Some("PGSSLMINPROTOCOLVERSION"),
        Parsed(value::ssl_min_protocol_version),
    ),
    keyword(
        "ssl_max_protocol_version",
        Some("PGSSLMAXPROTOCOLVERSION"),
        Parsed(value::ssl_max_protocol_version),
    ),
    keyword(
        "min_protocol_version",
        Some("PGMINPROTOCOLVERSION"),
        Only { accepted: &["3.0"], because: "the reader speaks version 3.0 of the protocol" },
    ),
    // An upper bound: 3.0 satisfies them all.
    keyword(
        "max_protocol_version",
        Some("PGMAXPROTOCOLVERSION"),
        Only {
            accepted: &["3.0", "3.2", "latest"],
            because: "the reader speaks version 3.0 of the protocol",
        },
    ),
    keyword(
        "krbsrvname",
        Some("PGKRBSRVNAME"),
        Only { accepted: &["postgres"], because: "GSSAPI authentication is not supported" },
    ),
    keyword(
        "gsslib",
        Some("PGGSSLIB"),
        Never { because: "GSSAPI authentication is not supported; remove it" },
    ),
    keyword(
        "gssdelegation",
        Some("PGGSSDELEGATION"),
        Only { accepted: &["0"], because: "GSSAPI authentication is not supported" },
    ),
    keyword("scram_client_key", None, SCRAM_KEY),
    keyword("scram_server_key", None, SCRAM_KEY),
    keyword("service", Some("PGSERVICE"), Expanded),
    keyword(
        "target_session_attrs",
        Some("PGTARGETSESSIONATTRS"),
        Parsed(value::target_session_attrs),
    ),
    keyword("load_balance_hosts", Some("PGLOADBALANCEHOSTS"), Parsed(value::load_balance_hosts)),
    keyword("oauth_issuer", None, OAUTH),
    keyword("oauth_client_id", None, OAUTH),
    keyword("oauth_client_secret", None, OAUTH),
    keyword("oauth_scope", None, OAUTH),
];

/// Words that other drivers use for the same parameter and that are too different for an edit
/// distance.
const ALIASES: &[(&str, &str)] = &[
    ("database", "dbname"),
    ("db", "dbname"),
    ("hostname", "host"),
    ("server", "host"),
    ("username", "user"),
    ("pass", "password"),
    ("pwd", "password"),
    ("timeout", "connect_timeout"),
    ("ssl", "sslmode"),
];

/// The keyword with this name.
pub(crate) fn find(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name == name)
}

/// Parameters that other libraries put into their connection strings: Prisma, JDBC, pgx,
/// SQLAlchemy, Doctrine, sqlx, Npgsql.
const FOREIGN: &[&str] = &[
    "schema",
    "pgbouncer",
    "connection_limit",
    "pool_timeout",
    "socket_timeout",
    "sslaccept",
    "sslidentity",
    "statement_cache_size",
    "currentschema",
    "search_path",
    "preparethreshold",
    "stringtype",
    "rewritebatchedinserts",
    "tcpkeepalive",
    "pool_size",
    "pool_max_conns",
    "pool_min_conns",
    "pool_max_conn_lifetime",
    "default_query_exec_mode",
    "statement_cache_capacity",
    "prepared_statement_cache_size",
    "serverversion",
    "charset",
    "encoding",
    "timezone",
];

/// Returns whether an unknown word is a parameter of another library.
pub(crate) fn is_foreign(word: &str) -> bool {
    FOREIGN.iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// Returns the keyword that was probably meant: an alias, or a keyword at most two edits away,
/// which must be less than half of the word.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    // The longest keyword has 25 bytes. Longer words are not compared, to bound the work.
    if name.len() > 32 {
        return None;
    }
    let name = name.to_ascii_lowercase();
    if let Some((_, meant)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Some(meant);
    }
    let near = |keyword: &Keyword| {
        let distance = edits(name.as_bytes(), keyword.name.as_bytes());
        (distance <= 2 && distance * 2 < name.len()).then_some((distance, keyword.name))
    };
    KEYWORDS.iter().filter_map(near).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// The Levenshtein distance.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_and_foreign_words_find_their_keyword() {
        let cases = [
            ("hosst", Some("host")),
            ("sslmod", Some("sslmode")),
            ("conect_timeout", Some("connect_timeout")),
            ("dbnmae", Some("dbname")),
            ("database", Some("dbname")),
            ("PWD", Some("password")),
            ("HOST", Some("host")),
            ("xy", None),
            ("flavour", None),
        ];
        for (word, meant) in cases {
            assert_eq!(nearest(word), meant, "{word}");
        }
    }

    #[test]
    fn names_and_variables_are_unique() {
        for (index, keyword) in KEYWORDS.iter().enumerate() {
            for other in &KEYWORDS[index + 1..] {
                assert_ne!(keyword.name, other.name);
                assert!(
                    keyword.variable.is_none() || keyword.variable != other.variable,
                    "{}",
                    keyword.name
                );
            }
        }
    }
}
