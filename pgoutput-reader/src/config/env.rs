//! The environment: the PG* variables ([PostgreSQL manual,
//! 34.15](https://www.postgresql.org/docs/18/libpq-envars.html)) and `DATABASE_URL`.
//!
//! `PGLOCALEDIR` chooses the language of libpq's own messages. It has no effect here and is not
//! read.

use super::error::{ConfigError, ParameterOrigin, Problem};
use super::keyword::{self, KEYWORDS};
use super::parameters::Parameters;
use super::variables::Lookup;
use super::{Config, ConfigErrorKind, dsn, service};

/// Variables that libpq turns into settings of the session. The reader pins these settings, so it
/// accepts only its own values.
const SESSION: &[(&str, &[&str], &str)] = &[
    (
        "PGDATESTYLE",
        &["ISO", "ISO, MDY", "ISO,MDY"],
        "the reader reads values in DateStyle ISO, MDY; unset the variable",
    ),
    ("PGTZ", &["UTC"], "the reader reads values in TimeZone UTC; unset the variable"),
    ("PGGEQO", &["on", "default"], "the reader does not set geqo; unset the variable"),
];

/// The text of a variable, if it is set.
fn text(lookup: Lookup<'_>, variable: &'static str) -> Result<Option<String>, ConfigError> {
    let Some(value) = lookup(variable) else { return Ok(None) };
    value.into_string().map(Some).map_err(|_| {
        ConfigError::new(ConfigErrorKind::InvalidValue, "the value is not UTF-8")
            .with_origin(ParameterOrigin::Variable(variable))
    })
}

/// Gives every parameter without a value that of its variable.
fn fill(parameters: &mut Parameters, lookup: Lookup<'_>) -> Result<(), ConfigError> {
    // A service takes precedence over the variables.
    if !parameters.has("service")
        && let Some(service) = keyword::find("service")
        && let Some(name) = text(lookup, "PGSERVICE")?
    {
        parameters.set(service, name, ParameterOrigin::Variable("PGSERVICE"), None);
    }
    service::fill(parameters, lookup)?;
    // Only if nothing else determines sslmode, as in libpq.
    if !parameters.has("sslmode")
        && lookup("PGSSLMODE").is_none()
        && text(lookup, "PGREQUIRESSL")?.is_some_and(|value| value.starts_with('1'))
        && let Some(sslmode) = keyword::find("sslmode")
    {
        parameters.set(
            sslmode,
            "require".to_owned(),
            ParameterOrigin::Variable("PGREQUIRESSL"),
            None,
        );
    }
    for keyword in KEYWORDS {
        if let Some(variable) = keyword.variable
            && !parameters.has(keyword.name)
            && let Some(value) = text(lookup, variable)?
        {
            parameters.set(keyword, value, ParameterOrigin::Variable(variable), None);
        }
    }
    for (variable, accepted, because) in SESSION {
        let value = text(lookup, variable)?.unwrap_or_default();
        if !value.is_empty() && !accepted.iter().any(|word| word.eq_ignore_ascii_case(&value)) {
            let problem = Problem::unsupported(*because);
            return Err(ConfigError::new(problem.kind, problem.message)
                .with_origin(ParameterOrigin::Variable(variable)));
        }
    }
    Ok(())
}

/// `Config::from_env` with the given environment.
pub(crate) fn from_env(lookup: Lookup<'_>) -> Result<Config, ConfigError> {
    let mut parameters = Parameters::default();
    fill(&mut parameters, lookup)?;
    parameters.into_config()
}

/// `Config::from_dsn_or_env` with the given environment.
pub(crate) fn from_dsn_or_env(
    dsn: Option<&str>,
    lookup: Lookup<'_>,
) -> Result<Config, ConfigError> {
    let mut parameters = match dsn {
        Some(dsn) => dsn::parse(dsn, ParameterOrigin::ConnectionString)?,
        None => match text(lookup, "DATABASE_URL")? {
            Some(url) => dsn::parse(&url, ParameterOrigin::DatabaseUrl)?,
            None => Parameters::default(),
        },
    };
    fill(&mut parameters, lookup)?;
    parameters.into_config()
}
