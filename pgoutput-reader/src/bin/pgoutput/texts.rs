//! The commands `pgoutput completions` and `pgoutput man`.

use std::io;
use std::path::Path;

use clap::Command;

use crate::Failure;
use crate::args::{Completions, Man, command};
use crate::result::print;

/// Prints the completions of a shell.
pub(crate) fn completions(arguments: &Completions) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "pgoutput", &mut text);
    print(&text)
}

/// Prints a manual page, or writes all of them to a directory.
pub(crate) fn man(arguments: &Man) -> Result<(), Failure> {
    // The page of each command names its subcommands; there is no page for the help.
    let mut command = command().disable_help_subcommand(true);
    command.build();
    if let Some(folder) = &arguments.out {
        return write_pages(&command, folder);
    }
    for name in &arguments.command {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| {
            Failure::Usage(format!("there is no command \"{name}\": pgoutput --help lists them"))
        })?;
    }
    let mut page = Vec::new();
    render(command, &mut page).map_err(|error| Failure::Run(error.to_string()))?;
    print(&page)
}

fn write_pages(command: &Command, folder: &Path) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = folder.join(format!("{name}.1"));
    let mut page = Vec::new();
    render(command.clone(), &mut page)
        .and_then(|()| std::fs::write(&path, page))
        .map_err(|error| Failure::Run(format!("{}: {error}", path.display())))?;
    command.get_subcommands().try_for_each(|command| write_pages(command, folder))
}

fn render(command: Command, page: &mut Vec<u8>) -> io::Result<()> {
    let source = concat!("pgoutput ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command).source(source).render(page)
}
