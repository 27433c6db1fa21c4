//! The publications: that they exist, have tables, and are older than the slot.

use crate::doctor::facts::{Candidates, Facts, Peeked, Publication, Slot};
use crate::doctor::finding::Finding;
use crate::doctor::sql::{create_slot_like, drop_slot, is_name};

/// The most tables in a statement.
const NAMED: usize = 50;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<_> =
        facts.existing_publications.as_deref().map(unasked).into_iter().collect();
    for publication in facts.publications.iter().flatten() {
        findings.push(finding(facts, publication));
        let mut younger = younger(facts, publication);
        // The slot is recreated once for all publications.
        if let Some(again) = younger.as_mut()
            && findings.iter().any(|earlier| earlier.sql == again.sql)
        {
            again.sql.clear();
        }
        findings.extend(younger);
    }
    findings
}

/// The finding if no publication was named.
fn unasked(existing: &[String]) -> Finding {
    if existing.is_empty() {
        return Finding::ok(
            "publications",
            "no publication was named (--publication), and this database has none: create one \
             before the slot",
        );
    }
    Finding::ok(
        "publications",
        format_args!(
            "no publication was named (--publication); this database has: {}",
            existing.join(", ")
        ),
    )
}

fn finding(facts: &Facts, publication: &Publication) -> Finding {
    let name = &publication.name;
    let object = format!("publication \"{name}\"");
    let candidates = facts.candidates.as_ref();
    if !is_name(name) {
        return Finding::error(
            object,
            format_args!(
                "no publication can have the name \"{name}\": names have 1 to 63 bytes, and this \
                 one has {}: name another one",
                name.len()
            ),
        );
    }
    match publication.tables {
        None => {
            let database = facts.role.as_ref().map_or("", |role| role.database.shown());
            Finding::error(
                object,
                format_args!(
                    "publication \"{name}\" does not exist in database {database}: create it, \
                     before the slot if possible, since a slot cannot deliver changes from before \
                     its publications existed"
                ),
            )
            .cure(create(facts, publication, candidates))
        }
        Some(0) => {
            let what_to_do =
                if publication.has_all_tables { "create tables" } else { "add tables to it" };
            Finding::warning(
                object,
                format_args!(
                    "publication \"{name}\" has no tables, so nothing comes of it yet: {what_to_do}"
                ),
            )
            .cure(add_tables(publication, candidates))
        }
        Some(tables) => {
            let plural = if tables == 1 { "" } else { "s" };
            let all = if publication.has_all_tables { " (FOR ALL TABLES)" } else { "" };
            let except = match &*publication.unpublished {
                "" => String::new(),
                changes => format!("; it does not publish {changes}"),
            };
            Finding::ok(
                object,
                format_args!(
                    "publication \"{name}\" has {tables} table{plural}{all}{except}{}",
                    age(facts, publication)
                ),
            )
        }
    }
}

/// Returns that the publication is older than the slot, if that is known.
fn age(facts: &Facts, publication: &Publication) -> String {
    match (&facts.slot_name, facts.slot.found()) {
        (Some(name), Some(slot)) if publication.is_older(slot) => {
            format!(", and is older than slot \"{name}\"")
        }
        _ => String::new(),
    }
}

/// Returns the statement that creates a publication. A table without a replica identity is left
/// out, since its UPDATE and DELETE would fail. Only a superuser may publish all tables.
fn create(
    facts: &Facts,
    publication: &Publication,
    candidates: Option<&Candidates>,
) -> Option<String> {
    let name = publication.quoted.sql()?;
    let candidates = candidates?;
    if candidates.unfit == 0 && facts.role.as_ref().is_some_and(|role| role.is_superuser) {
        return Some(format!("CREATE PUBLICATION {name} FOR ALL TABLES"));
    }
    Some(format!("CREATE PUBLICATION {name} FOR TABLE {}", tables(candidates)?))
}

fn add_tables(publication: &Publication, candidates: Option<&Candidates>) -> Option<String> {
    if publication.has_all_tables {
        return None;
    }
    let tables = tables(candidates?)?;
    Some(format!("ALTER PUBLICATION {} ADD TABLE {tables}", publication.quoted.sql()?))
}

/// Returns the tables as a list; `None` if there are none, or too many for a statement.
fn tables(candidates: &Candidates) -> Option<String> {
    let names: Vec<_> = candidates.fit.iter().filter_map(|table| table.sql()).collect();
    (1..=NAMED).contains(&names.len()).then(|| names.join(", "))
}

/// The finding of a publication that did not exist at a change that the slot has yet to deliver.
fn younger(facts: &Facts, publication: &Publication) -> Option<Finding> {
    let slot = facts.slot.found()?;
    let slot_name = facts.slot_name.as_deref()?;
    let name = &publication.name;
    let (_, peeked) = facts.peeked.iter().find(|(peeked, _)| peeked == name)?;
    let object = format!("publication \"{name}\"");
    match peeked {
        Peeked::Fine => None,
        Peeked::Unknown(reason) => Some(Finding::ok(
            object,
            format_args!(
                "it is not known whether publication \"{name}\" is older than the changes that \
                 slot \"{slot_name}\" delivers next, since the server did not decode them: {reason}"
            ),
        )),
        Peeked::Missing => {
            let effect = match facts.server.as_ref().map(|server| server.version.major()) {
                Some(18..) => "the server skips what it would publish of them",
                _ => "the server cannot decode them",
            };
            Some(
                Finding::error(
                    object,
                    format_args!(
                        "publication \"{name}\" is younger than changes that slot \
                         \"{slot_name}\" delivers next, so that {effect}: recreate the slot, which \
                         then starts at the current position, and copy the tables again"
                    ),
                )
                .cure(recreate(slot_name, slot)),
            )
        }
    }
}

/// Returns the statements that replace a slot by a new one; none if a process holds it.
fn recreate(name: &str, slot: &Slot) -> Vec<String> {
    if slot.row.active_pid.is_some() || slot.is_temporary {
        return Vec::new();
    }
    vec![drop_slot(name), create_slot_like(name, &slot.row)]
}
