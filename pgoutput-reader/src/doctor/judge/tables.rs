//! The published tables: whether they can be copied, and whether UPDATE and DELETE work.

use crate::catalog::{RefusalCause, RefusedTable};
use crate::doctor::facts::{Differing, Facts, NotCopied, Role, Tables};
use crate::doctor::finding::Finding;
use crate::doctor::sql::Quoted;
use crate::error::SetupError;

/// The most findings of one kind.
const MOST: usize = 100;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let Some(tables) = &facts.tables else { return Vec::new() };
    let mut findings = Vec::new();
    if tables.refused.is_empty() && tables.number > 0 {
        findings.push(Finding::ok(
            "tables",
            match tables.number {
                1 => "UPDATE and DELETE work on the published table".to_owned(),
                number => format!("UPDATE and DELETE work on all {number} published tables"),
            },
        ));
    }
    findings.extend(tables.refused.iter().take(MOST).enumerate().filter_map(|(index, table)| {
        // A table without an identity is the same problem in every publication.
        let is_again = table.cause == RefusalCause::NoIdentity
            && tables.refused[..index]
                .iter()
                .any(|earlier| earlier.cause == table.cause && earlier.table == table.table);
        (!is_again).then(|| refused(table))
    }));
    let tables_that_differ = tables.differing.chunk_by(|one, next| one.table == next.table);
    findings.extend(tables_that_differ.map(differing));
    findings.extend(copies(tables, facts.role.as_ref()));
    if tables.refused.len() > MOST || tables.not_copied.len() > MOST {
        findings.push(Finding::warning(
            "tables",
            format_args!(
                "more published tables have these problems: fix the first {MOST}, and \
                          check again"
            ),
        ));
    }
    findings
}

/// The finding of a table whose UPDATE and DELETE fail.
fn refused(table: &RefusedTable) -> Finding {
    let quoted = Quoted::read(&table.table);
    let publication = Quoted::read(&table.publication);
    let (name, publication) = (quoted.shown(), publication.shown());
    let why = match table.cause {
        RefusalCause::NoIdentity if table.list.is_some() => format!(
            "for lack of a replica identity (publication {publication} with a column list): add a \
             primary key of columns in the list"
        ),
        RefusalCause::NoIdentity => format!(
            "for lack of a replica identity (publication {publication}): add a primary key, or set \
             another replica identity"
        ),
        RefusalCause::ColumnList if table.is_full => format!(
            "since publication {publication} has a column list for it, and its replica identity is \
             FULL: publish it without a list, or give it a replica identity within the list"
        ),
        RefusalCause::ColumnList => format!(
            "since the column list of publication {publication} does not contain its replica \
             identity ({}): add these columns to the list",
            shown(&table.key)
        ),
        RefusalCause::RowFilter => format!(
            "since the row filter of publication {publication} uses columns outside of its replica \
             identity: set the replica identity to FULL or to an index with these columns, or use \
             another filter"
        ),
        RefusalCause::GeneratedColumns if table.is_virtual => format!(
            "since its replica identity FULL has a virtual generated column, which is never \
             published (publication {publication}): set a replica identity without it"
        ),
        RefusalCause::GeneratedColumns => format!(
            "since its replica identity has a generated column that publication {publication} does \
             not publish: publish generated columns"
        ),
    };
    Finding::error(
        format_args!("table {name}"),
        format_args!("UPDATE and DELETE of table {name} fail {why}"),
    )
    .cure(cure(table).unwrap_or_default())
}

fn shown(names: &[Vec<u8>]) -> String {
    let names: Vec<_> = names.iter().map(|name| Quoted::read(name).shown().to_owned()).collect();
    names.join(", ")
}

/// Returns the statements that let UPDATE and DELETE work; `None` if a name cannot be written.
fn cure(table: &RefusedTable) -> Option<Vec<String>> {
    let name = str::from_utf8(&table.table).ok()?;
    let identity =
        |identity: &str| Some(vec![format!("ALTER TABLE {name} REPLICA IDENTITY {identity}")]);
    let index = table.index.as_deref().map(str::from_utf8).transpose().ok()?;
    match table.cause {
        RefusalCause::NoIdentity if table.has_primary_key => identity("DEFAULT"),
        // A column list would have to contain the columns, and FULL needs all of them.
        RefusalCause::NoIdentity | RefusalCause::RowFilter if table.list.is_some() => None,
        // A row filter may use only columns of the identity.
        RefusalCause::NoIdentity => match index.filter(|_| table.filter.is_none()) {
            Some(index) => identity(&format!("USING INDEX {index}")),
            None => identity("FULL"),
        },
        RefusalCause::ColumnList => publish_again(table),
        RefusalCause::RowFilter => identity("FULL"),
        RefusalCause::GeneratedColumns if !table.is_virtual => {
            let publication = str::from_utf8(&table.publication).ok()?;
            let set = "SET (publish_generated_columns = 'stored')";
            Some(vec![format!("ALTER PUBLICATION {publication} {set}")])
        }
        RefusalCause::GeneratedColumns if table.has_primary_key => identity("DEFAULT"),
        RefusalCause::GeneratedColumns => identity(&format!("USING INDEX {}", index?)),
    }
}

/// Returns the statements that publish a table with a list that contains its replica identity. In
/// one transaction, so that no change is missed.
fn publish_again(table: &RefusedTable) -> Option<Vec<String>> {
    let listed = str::from_utf8(&table.listed).ok()?;
    let publication = str::from_utf8(&table.publication).ok()?;
    let mut columns = table.list.clone()?;
    columns.extend(
        table.key.iter().filter(|key| !table.list.iter().flatten().any(|c| c == *key)).cloned(),
    );
    let columns: Result<Vec<_>, _> = columns.iter().map(|name| str::from_utf8(name)).collect();
    let columns = columns.ok()?.join(", ");
    let list = if table.is_full { String::new() } else { format!(" ({columns})") };
    let filter = match &table.filter {
        Some(filter) => format!(" WHERE ({})", str::from_utf8(filter).ok()?),
        None => String::new(),
    };
    Some(vec![
        "BEGIN".into(),
        format!("ALTER PUBLICATION {publication} DROP TABLE ONLY {listed}"),
        format!("ALTER PUBLICATION {publication} ADD TABLE ONLY {listed}{list}{filter}"),
        "COMMIT".into(),
    ])
}

/// The finding of a table of which the publications have different columns.
fn differing(entries: &[Differing]) -> Finding {
    let name = entries.first().map_or("", |entry| entry.table.shown());
    let table = name.to_owned();
    let object = format!("table {name}");
    if !entries.iter().any(|entry| entry.has_list) {
        let set = entries.iter().filter_map(|entry| {
            let publication = entry.publication.sql()?;
            Some(format!(
                "ALTER PUBLICATION {publication} SET (publish_generated_columns = 'stored')"
            ))
        });
        let error = SetupError::GeneratedColumnsDiffer { table };
        return Finding::error(object, error).cure(set);
    }
    let finding = Finding::error(object, SetupError::ColumnListsDiffer { table });
    let without_lists: Option<Vec<_>> = entries
        .iter()
        .filter(|entry| entry.has_list)
        .map(|entry| {
            let (table, publication) = (entry.table.sql()?, entry.publication.sql()?);
            let filter = match &entry.filter {
                Some(filter) => format!(" WHERE ({})", filter.sql()?),
                None => String::new(),
            };
            Some([
                format!("ALTER PUBLICATION {publication} DROP TABLE ONLY {table}"),
                format!("ALTER PUBLICATION {publication} ADD TABLE ONLY {table}{filter}"),
            ])
        })
        .collect();
    let Some(statements) = without_lists else { return finding };
    let statements = statements.into_iter().flatten();
    finding.cure(["BEGIN".to_owned()]).cure(statements).cure(["COMMIT".to_owned()])
}

/// The findings of tables that the role cannot copy.
fn copies(tables: &Tables, role: Option<&Role>) -> Vec<Finding> {
    let Some(role) = role else { return Vec::new() };
    tables.not_copied.iter().take(MOST).map(|table| not_copied(table, role)).collect()
}

fn not_copied(table: &NotCopied, role: &Role) -> Finding {
    let (name, role_name) = (table.table.shown(), role.name.shown());
    let object = format!("table {name}");
    if table.has_usage && table.has_select {
        let finding = Finding::warning(
            object,
            format_args!(
                "an initial copy of table {name} would fail, since row level security hides rows \
                 from role {role_name} (changes are not restricted): give the role the attribute \
                 BYPASSRLS"
            ),
        );
        return finding.cure(role.name.sql().map(|role| format!("ALTER ROLE {role} BYPASSRLS")));
    }
    let lacks = match (table.has_usage, table.has_select) {
        (true, _) => "SELECT on it",
        (false, true) => "USAGE on its schema",
        (false, false) => "USAGE on its schema and SELECT on it",
    };
    let finding = Finding::warning(
        object,
        format_args!(
            "an initial copy of table {name} would fail, since role {role_name} lacks {lacks} \
             (changes need no privileges): grant them"
        ),
    );
    let Some(role) = role.name.sql() else { return finding };
    let usage = table.schema.sql().filter(|_| !table.has_usage);
    let select = table.table.sql().filter(|_| !table.has_select);
    finding
        .cure(usage.map(|schema| format!("GRANT USAGE ON SCHEMA {schema} TO {role}")))
        .cure(select.map(|table| format!("GRANT SELECT ON TABLE {table} TO {role}")))
}
