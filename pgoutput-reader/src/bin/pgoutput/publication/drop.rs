//! `pgoutput publication drop`.

use pgoutput_reader::decode::Printable;
use serde_json::json;

use crate::args::PublicationDrop;
use crate::names::quoted;
use crate::report::Report;
use crate::result::{print_json, print_text};
use crate::session::{Session, sql_failure};
use crate::{Failure, stdout};

pub(super) fn run(arguments: &PublicationDrop) -> Result<(), Failure> {
    stdout::open().map_err(Failure::Run)?;
    let mut session = Session::open(&arguments.server, arguments.verbosity)?;
    let name = &arguments.name;
    let names = super::names(&mut session)?;
    if !names.contains(name) {
        let what = format!("in database \"{}\" publication", session.database);
        return Err(crate::missing(&what, name, &names));
    }
    let drop = format!("DROP PUBLICATION {}", quoted(name));
    session.client.execute(&drop, &[]).map_err(|error| sql_failure(&error))?;
    let printed = if arguments.result.json {
        print_json("dropped", &json!({ "name": name }))
    } else {
        print_text(&format_args!("dropped publication \"{}\"", Printable(name)))
    };
    printed.map_err(|failure| failure.with(&format!("publication \"{name}\" was dropped")))?;
    Report::of(arguments.verbosity).print(
        &"a reader of it ends with an error at the next change; a publication that is created \
          again does not bring back the changes in between",
    );
    Ok(())
}
