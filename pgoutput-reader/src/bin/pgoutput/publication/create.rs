//! `pgoutput publication create`.

use pgoutput_reader::Published;
use pgoutput_reader::decode::Printable;
use serde_json::json;

use super::refused::Refused;
use crate::args::{Operation, PublicationCreate};
use crate::names::quoted;
use crate::print::failure;
use crate::report::Report;
use crate::result::{print_json, print_text};
use crate::session::{Session, sql_failure};
use crate::{Failure, print_detail, print_line, stdout};

pub(super) fn run(arguments: &PublicationCreate) -> Result<(), Failure> {
    stdout::open().map_err(Failure::Run)?;
    let mut session = Session::open(&arguments.server, arguments.verbosity)?;
    check_version(arguments, &session)?;
    let name = &arguments.name;
    // Nobody sees the publication before the tables are checked.
    let mut transaction = session.client.transaction().map_err(|error| sql_failure(&error))?;
    transaction.execute(&statement(arguments), &[]).map_err(|error| sql_failure(&error))?;
    let published = Published::query(&mut transaction, std::slice::from_ref(name))
        .map_err(|error| failure(&error))?;
    let refused = Refused::all(&published, &arguments.content.tables);
    if !refused.is_empty() && !arguments.allow_failing_updates {
        transaction.rollback().map_err(|error| sql_failure(&error))?;
        return Err(refuse(arguments, &refused));
    }
    transaction.commit().map_err(|error| sql_failure(&error))?;
    let printed = if arguments.result.json {
        let created = json!({ "name": name, "tables": published.tables, "refused": refused });
        print_json("created", &created)
    } else {
        print_text(&format_args!("created publication \"{}\", {published}", Printable(name)))
    };
    let report = Report::of(arguments.verbosity);
    for warning in published.warnings() {
        report.print(&format_args!("warning: {warning}"));
    }
    printed.map_err(|failure| failure.with(&format!("publication \"{name}\" was created")))
}

/// Names the tables and the SQL that cures them.
fn refuse(arguments: &PublicationCreate, refused: &[Refused]) -> Failure {
    if arguments.result.json {
        // The exit status says that nothing was created, whoever reads this.
        let _ = print_json("refused", &refused);
    }
    for refused in refused {
        print_line(&format_args!("UPDATE and DELETE would fail {}", refused.message()));
        for sql in refused.sql() {
            print_detail(sql);
        }
    }
    Failure::Run(format!(
        "publication \"{}\" was not created: cure these tables, leave them out, use --publish \
         insert alone, or create it all the same with --allow-failing-updates",
        arguments.name
    ))
}

fn check_version(arguments: &PublicationCreate, session: &Session) -> Result<(), Failure> {
    let content = &arguments.content;
    if content.tables.iter().any(super::PublishedTable::is_limited) {
        session.needs("a column list or a condition", 15)?;
    }
    if !content.schemas.is_empty() {
        session.needs("--schema", 15)?;
    }
    if arguments.via_root {
        session.needs("--via-root", 13)?;
    }
    if arguments.publish.contains(&Operation::Truncate) {
        session.needs("--publish truncate", 11)?;
    }
    Ok(())
}

fn statement(arguments: &PublicationCreate) -> String {
    let content = &arguments.content;
    let content = if content.all_tables {
        "ALL TABLES".to_owned()
    } else {
        let tables = content.tables.iter().map(|table| format!("TABLE {}", table.to_sql()));
        let schemas =
            content.schemas.iter().map(|schema| format!("TABLES IN SCHEMA {}", quoted(schema)));
        if content.schemas.is_empty() {
            // Before PostgreSQL 15 the keyword is not repeated.
            let tables: Vec<String> =
                content.tables.iter().map(super::PublishedTable::to_sql).collect();
            format!("TABLE {}", tables.join(", "))
        } else {
            tables.chain(schemas).collect::<Vec<_>>().join(", ")
        }
    };
    let mut options = Vec::new();
    if !arguments.publish.is_empty() {
        let words: Vec<&str> = arguments.publish.iter().map(|operation| operation.word()).collect();
        options.push(format!("publish = '{}'", words.join(", ")));
    }
    if arguments.via_root {
        options.push("publish_via_partition_root = true".into());
    }
    let options = match options.as_slice() {
        [] => String::new(),
        options => format!(" WITH ({})", options.join(", ")),
    };
    format!("CREATE PUBLICATION {} FOR {content}{options}", quoted(&arguments.name))
}
