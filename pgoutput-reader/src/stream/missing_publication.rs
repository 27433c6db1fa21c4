//! Publications that do not exist at the LSN that is being read.
//!
//! The server loads the publications as they were at that LSN. Up to PostgreSQL 17, one that does
//! not exist is an error. From 18 on it is a warning, and the server leaves out the changes that
//! only that publication would have sent.

use std::fmt;

use pgoutput_decode::Lsn;

use crate::error::{Error, ErrorKind, ServerMessage, StreamError};
use crate::proto::{MissingPublication, StartReplication};
use crate::server_version::ServerVersion;

/// A publication that the server left out; see [`MissingPublication::Skip`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedPublication {
    /// The publication.
    pub publication: String,
    /// The LSN of the first change that was decoded without it.
    pub lsn: Lsn,
}

impl fmt::Display for SkippedPublication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "publication \"{}\" did not exist at WAL {}: the changes that only it would publish \
             are skipped from there on, until the point of the WAL where it was created",
            self.publication, self.lsn
        )
    }
}

/// The publications of a stream, and the policy for those that do not exist.
#[derive(Debug, Clone)]
pub(crate) struct Publications {
    names: Vec<String>,
    policy: MissingPublication,
}

impl Publications {
    pub(crate) fn of(start: &StartReplication) -> Self {
        Self { names: start.publications.clone(), policy: start.options.missing_publication }
    }

    /// The publication that a warning of PostgreSQL 18 names; `None` for other notices. `received`
    /// is used where the server gives no LSN.
    pub(crate) fn parse_warning(
        &self,
        notice: &ServerMessage,
        received: Lsn,
    ) -> Option<SkippedPublication> {
        // The text is translated; the name of the function is not.
        (notice.routine() == Some("LoadPublications")).then(|| self.named(notice, received))
    }

    /// Applies the policy.
    ///
    /// # Errors
    /// [`StreamError::PublicationMissing`], unless the policy skips it.
    pub(crate) fn apply_policy(
        &self,
        skipped: SkippedPublication,
        server: ServerVersion,
    ) -> Result<SkippedPublication, Error> {
        match self.policy {
            MissingPublication::Skip => Ok(skipped),
            MissingPublication::Refuse => Err(missing(skipped, server)),
        }
    }

    /// Replaces the error of a server before PostgreSQL 18; returns any other error unchanged.
    pub(crate) fn explain(&self, error: Error, server: ServerVersion, received: Lsn) -> Error {
        let ErrorKind::Server(message) = error.kind() else { return error };
        // PostgreSQL 10 to 14, and 15 to 17.
        let by = ["GetPublicationByName", "get_publication_oid"];
        let is_missing = message.sqlstate() == Some("42704")
            && message.routine().is_some_and(|routine| by.contains(&routine));
        if is_missing { missing(self.named(message, received), server) } else { error }
    }

    fn named(&self, message: &ServerMessage, received: Lsn) -> SkippedPublication {
        let text = message.message();
        // If one name contains another, the longest is meant.
        let named = self.names.iter().filter(|name| is_quoted(text, name));
        let publication = named
            .max_by_key(|name| name.len())
            .cloned()
            .unwrap_or_else(|| self.names.join("\" or \""));
        let lsn = message.context().and_then(associated_lsn).unwrap_or(received);
        SkippedPublication { publication, lsn }
    }
}

/// Returns whether a text of the server has this name in quotes. Their form depends on its
/// language.
fn is_quoted(text: &str, name: &str) -> bool {
    let is_quote =
        |c: Option<char>| c.is_some_and(|c| "\"'\u{AB}\u{BB}“”„‟‘’‚「」『』".contains(c));
    let is_blank = |c: char| c.is_whitespace();
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            let before = text[..at].trim_end_matches(is_blank).chars().next_back();
            let after = text[at + name.len()..].trim_start_matches(is_blank).chars().next();
            is_quote(before) && is_quote(after)
        })
}

/// The last LSN in a text, as in `… in the change callback, associated LSN 0/176F880`.
fn associated_lsn(context: &str) -> Option<Lsn> {
    context.split_whitespace().rev().find_map(|word| word.parse().ok())
}

fn missing(skipped: SkippedPublication, server: ServerVersion) -> Error {
    let SkippedPublication { publication, lsn } = skipped;
    StreamError::PublicationMissing { publication, lsn, server }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::StreamOptions;

    fn version(text: &str) -> ServerVersion {
        text.parse().unwrap()
    }

    fn message(fields: &[(u8, &str)]) -> ServerMessage {
        ServerMessage::new(fields.iter().map(|(code, text)| (*code, text.as_bytes())), true)
    }

    fn publications(names: &[&str], policy: MissingPublication) -> Publications {
        let options = StreamOptions::new().missing_publication(policy);
        Publications::of(&StartReplication::new("s", names.iter().copied()).options(options))
    }

    const CONTEXT: &str =
        "slot \"s\", output plugin \"pgoutput\", in the change callback, associated LSN 0/176F880";

    #[test]
    fn the_warning_names_publication_and_lsn() {
        let text = "skipped loading publication \"shop\"";
        let warning = message(&[(b'M', text), (b'W', CONTEXT), (b'R', "LoadPublications")]);
        let names = ["sh", "shop", "other", "skip", "loading", "publication"];
        let found = publications(&names, MissingPublication::Skip);
        let skipped = found.parse_warning(&warning, Lsn::new(7)).unwrap();
        assert_eq!((skipped.publication.as_str(), skipped.lsn), ("shop", Lsn::new(0x176_F880)));
        assert_eq!(found.apply_policy(skipped.clone(), version("18.0")).unwrap(), skipped);
        let refused = publications(&["shop"], MissingPublication::Refuse);
        let error = refused.apply_policy(skipped, version("18.0")).unwrap_err().to_string();
        for part in ["\"shop\"", "0/176F880", "--skip-missing-publication", "new slot"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_name_counts_where_it_is_quoted() {
        for text in [
            "publication \"pub\" does not exist",
            "la publication « pub » n'existe pas",
            "Publikation »pub« existiert nicht",
            "パブリケーション\"pub\"は存在しません",
        ] {
            assert!(is_quoted(text, "pub"), "{text}");
            assert!(
                !["", "p", "publication", "exist", "Pub"].iter().any(|name| is_quoted(text, name))
            );
        }
    }

    #[test]
    fn a_warning_without_lsn_or_known_name_still_counts() {
        let warning = message(&[(b'M', "…"), (b'R', "LoadPublications")]);
        let skipped = publications(&["a", "b"], MissingPublication::Refuse)
            .parse_warning(&warning, Lsn::new(7))
            .unwrap();
        assert_eq!((skipped.publication.as_str(), skipped.lsn), ("a\" or \"b", Lsn::new(7)));
        let other = message(&[(b'M', "skipped loading publication \"a\""), (b'R', "other")]);
        assert!(
            publications(&["a"], MissingPublication::Skip)
                .parse_warning(&other, Lsn::ZERO)
                .is_none()
        );
    }

    #[test]
    fn the_error_of_older_servers_says_what_to_run() {
        for routine in ["GetPublicationByName", "get_publication_oid"] {
            let text = "publication \"p\" does not exist";
            let fields = [(b'C', "42704"), (b'M', text), (b'W', CONTEXT), (b'R', routine)];
            let error = publications(&["p"], MissingPublication::Refuse).explain(
                message(&fields).into(),
                version("17.2"),
                Lsn::ZERO,
            );
            let ErrorKind::Stream(StreamError::PublicationMissing { lsn, .. }) = error.kind()
            else {
                panic!("{error:?}")
            };
            assert_eq!(*lsn, Lsn::new(0x176_F880));
            assert!(error.to_string().contains("--start-lsn"), "{error}");
        }
        let slot = [(b'C', "42704"), (b'M', "replication slot"), (b'R', "ReplicationSlotAcquire")];
        let error = publications(&["p"], MissingPublication::Refuse).explain(
            message(&slot).into(),
            version("17.2"),
            Lsn::ZERO,
        );
        assert_eq!(error.sqlstate(), Some("42704"));
    }
}
