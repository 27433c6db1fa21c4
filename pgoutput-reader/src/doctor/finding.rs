//! A finding of a check.

use std::fmt;

use pgoutput_decode::Printable;

use crate::sql::printable::printable;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[cfg_attr(feature = "json", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Severity {
    /// Nothing to fix.
    Ok,
    /// Reading works, and something about it should be changed or known.
    Warning,
    /// Reading fails, or statements of other programs on the server do.
    Error,
}

impl Severity {
    /// Returns `ok`, `warning` or `error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One finding of [`check`](super::check): what was looked at, what is true of it, and the SQL that
/// changes it.
///
/// With the feature `json` it is serialized as `{"severity": "ok|warning|error", "object": …,
/// "message": …, "sql": […]}`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What it is about, such as `slot "my_slot"` or `table public.orders`. Printable.
    pub object: String,
    /// What was found, and what to do about it: one line that names the object. Printable.
    pub message: String,
    /// The statements that fix it, to be run one after the other in one session on the database,
    /// each without a semicolon at its end. Names in them are quoted; characters that are not
    /// printable are escaped as in `U&"\+00000a"`. Empty if nothing is to be fixed, or no SQL can.
    pub sql: Vec<String>,
}

impl Finding {
    fn new(severity: Severity, object: impl fmt::Display, message: impl fmt::Display) -> Self {
        let (object, message) = (Printable(object).to_string(), Printable(message).to_string());
        Self { severity, object, message, sql: Vec::new() }
    }

    pub(super) fn ok(object: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self::new(Severity::Ok, object, message)
    }

    pub(super) fn warning(object: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self::new(Severity::Warning, object, message)
    }

    pub(super) fn error(object: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self::new(Severity::Error, object, message)
    }

    /// Adds the statements of a cure, unless one of them cannot be written.
    pub(super) fn cure(mut self, statements: impl IntoIterator<Item = String>) -> Self {
        let statements = statements.into_iter().map(|statement| printable(&statement));
        self.sql.extend(statements.collect::<Option<Vec<_>>>().unwrap_or_default());
        self
    }
}

/// Displays severity, object and message, and each statement in a line of its own that is indented
/// and ends with a semicolon. There is no line feed at the end.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.severity, self.object, self.message)?;
        for statement in &self.sql {
            write!(f, "\n    {};", Printable(statement))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_shown_with_its_statements() {
        let finding = Finding::error("table public.t", "no\u{1b}[2J identity")
            .cure(["ALTER TABLE public.t REPLICA IDENTITY FULL".into(), "SELECT 1".into()]);
        assert_eq!(
            finding.to_string(),
            "error: table public.t: no\\u{1b}[2J identity\n    \
             ALTER TABLE public.t REPLICA IDENTITY FULL;\n    SELECT 1;"
        );
        assert!(Severity::Ok < Severity::Warning && Severity::Warning < Severity::Error);
    }

    #[cfg(feature = "json")]
    #[test]
    fn json_has_the_documented_fields() {
        let finding = Finding::warning("server", "x").cure(["SELECT 1".into()]);
        assert_eq!(
            serde_json::to_string(&finding).unwrap(),
            r#"{"severity":"warning","object":"server","message":"x","sql":["SELECT 1"]}"#
        );
    }
}
