//! `json` and `jsonb`: text the document, binary the same (`jsonb` behind a version byte), JSON the document.

use core::fmt::{self, Write};

use super::input::Input;
use super::json_out::WriteJson;
use super::text::utf8;
use super::{FieldType, FromField, JsonOptions, ValueError, type_oid};

/// A `json` document as it was stored: digits, white space, order and duplicates of keys kept.
///
/// Written as JSON it is nested as it is, except that line breaks between its tokens become spaces, so that
/// what it is nested in stays on one line. The server has checked its syntax; it is not checked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Json<'a>(pub &'a str);

/// A `jsonb` document in PostgreSQL's text: all digits of its numbers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Jsonb<'a>(pub &'a str);

impl<'a> FromField<'a> for Json<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::JSON
    }

    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        utf8(text).map(Self)
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        utf8(bytes).map(Self)
    }
}

impl<'a> FromField<'a> for Jsonb<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::JSONB
    }

    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        utf8(text).map(Self)
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(bytes);
        input.expect(1, "version 1 of jsonb's binary form")?;
        utf8(input.rest()).map(Self).map_err(|error| error.rebased(1))
    }
}

/// A string in JSON contains no bare line break, so each one found stands between tokens.
fn one_line(out: &mut dyn Write, document: &str) -> fmt::Result {
    let mut lines = document.split(['\r', '\n']);
    out.write_str(lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| {
        out.write_char(' ')?;
        out.write_str(line)
    })
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for Jsonb<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl WriteJson for Json<'_> {
    fn write_json(&self, out: &mut dyn Write, _: JsonOptions) -> fmt::Result {
        one_line(out, self.0)
    }
}

impl WriteJson for Jsonb<'_> {
    fn write_json(&self, out: &mut dyn Write, _: JsonOptions) -> fmt::Result {
        one_line(out, self.0)
    }
}
