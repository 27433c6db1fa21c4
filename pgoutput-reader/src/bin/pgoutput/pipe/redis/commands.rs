//! Commands as bytes.

use std::fmt::Display;
use std::io::Write as _;

use super::entry_id::EntryId;

/// Commands one after another, and their number.
#[derive(Debug, Default)]
pub(super) struct Commands {
    bytes: Vec<u8>,
    count: usize,
    /// The text of a number, before its length is known.
    text: Vec<u8>,
}

/// The largest buffer that is kept for the next batch.
const KEPT: usize = 4 * 1024 * 1024;

impl Commands {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.count = 0;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the number of commands, and so of replies.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Adds a command.
    pub(super) fn add(&mut self, arguments: &[&str]) {
        self.begin(arguments.len());
        for argument in arguments {
            self.argument(argument.as_bytes());
        }
    }

    /// Starts a command of so many arguments, its name included.
    pub(super) fn begin(&mut self, arguments: usize) {
        self.count += 1;
        self.bytes.push(b'*');
        self.number(arguments as u64);
        self.bytes.extend_from_slice(b"\r\n");
    }

    pub(super) fn argument(&mut self, argument: &[u8]) {
        self.bytes.push(b'$');
        self.number(argument.len() as u64);
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes.extend_from_slice(argument);
        self.bytes.extend_from_slice(b"\r\n");
    }

    pub(super) fn display(&mut self, argument: impl Display) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let _ = write!(text, "{argument}");
        self.argument(&text);
        self.text = text;
    }

    pub(super) fn id(&mut self, id: EntryId) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        push_number(&mut text, id.first);
        text.push(b'-');
        push_number(&mut text, id.second);
        self.argument(&text);
        self.text = text;
    }

    /// Appends arguments that are encoded already.
    pub(super) fn encoded(&mut self, arguments: &[u8]) {
        self.bytes.extend_from_slice(arguments);
    }

    /// Returns the arguments of one command, without their number.
    pub(super) fn encode(arguments: &[&str]) -> Vec<u8> {
        let mut commands = Self::default();
        for argument in arguments {
            commands.argument(argument.as_bytes());
        }
        commands.bytes
    }

    fn number(&mut self, number: u64) {
        push_number(&mut self.bytes, number);
    }
}

/// Appends a number in decimal digits, without an allocation and without `fmt`.
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    let start = bytes.len();
    loop {
        bytes.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = bytes.get_mut(start..) {
        digits.reverse();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Commands, push_number};
    use crate::pipe::redis::entry_id::EntryId;

    #[test]
    fn commands_are_arrays_of_bulk_strings() {
        let mut commands = Commands::default();
        commands.add(&["WATCH", "ключ"]);
        commands.begin(2);
        commands.encoded(&Commands::encode(&["XADD"]));
        commands.id(EntryId { first: 10, second: 0 });
        assert_eq!(
            String::from_utf8(commands.bytes().to_vec()).unwrap(),
            "*2\r\n$5\r\nWATCH\r\n$8\r\nключ\r\n*2\r\n$4\r\nXADD\r\n$4\r\n10-0\r\n"
        );
        assert_eq!(commands.count(), 2);
    }

    proptest! {
        #[test]
        fn numbers_are_decimal(number: u64) {
            let mut bytes = b"x".to_vec();
            push_number(&mut bytes, number);
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), format!("x{number}"));
        }
    }
}
