//! The changes made on the server while the streams are open. Every major gets the same ones as far
//! as it supports them.
//!
//! A mark before every step names it, and starts a section of the capture.

mod prepared;
mod rows;
mod streamed;
mod tables;
mod types;

use std::error::Error;

use postgres::Client;

use super::record::Recorder;
pub(super) use tables::{PUBLICATION, prepare};

/// Runs every step.
pub(super) fn run(recorder: &mut Recorder<'_>, major: u32) -> Result<(), Box<dyn Error>> {
    let mut steps = Steps { first: recorder.session(), second: recorder.session(), recorder };
    rows::run(&mut steps, major)?;
    streamed::run(&mut steps)?;
    prepared::run(&mut steps)
}

/// Two sessions, and the streams that follow them.
struct Steps<'s, 'd> {
    recorder: &'s mut Recorder<'d>,
    first: Client,
    second: Client,
}

impl Steps<'_, '_> {
    /// Names the next step.
    fn mark(&mut self, title: &str) -> Result<(), Box<dyn Error>> {
        self.recorder.mark(title)
    }

    /// Marks a step and runs these statements in the first session. Statements in one string are
    /// one transaction, unless they say otherwise.
    fn step(&mut self, title: &str, statements: &[&str]) -> Result<(), Box<dyn Error>> {
        self.mark(title)?;
        self.run(statements)
    }

    /// Runs these statements in the first session.
    fn run(&mut self, statements: &[&str]) -> Result<(), Box<dyn Error>> {
        statements.iter().try_for_each(|statement| {
            self.first.batch_execute(statement).map_err(|error| explain(statement, &error))
        })
    }

    /// Runs these statements in the second session.
    fn run_second(&mut self, statements: &[&str]) -> Result<(), Box<dyn Error>> {
        statements.iter().try_for_each(|statement| {
            self.second.batch_execute(statement).map_err(|error| explain(statement, &error))
        })
    }
}

fn explain(statement: &str, error: &postgres::Error) -> Box<dyn Error> {
    let message = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
    format!("{message} in: {statement}").into()
}
