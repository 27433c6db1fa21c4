//! The server's messages (manual, section "Message Formats"), borrowed from the receive buffer.
//!
//! `postgres_protocol` has a parser too. It refuses CopyBothResponse and takes its input from a
//! growable buffer, so the few messages used here are parsed here.

use crate::error::{ProtocolError, ServerMessage};

pub(crate) const COPY_DATA: u8 = b'd';

/// A complete message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    Authentication(Authentication<'a>),
    /// The secret key, of variable length since protocol 3.2, is not kept: this connection sends no
    /// CancelRequest.
    BackendKeyData {
        pid: u32,
    },
    CommandComplete(&'a [u8]),
    CopyBothResponse,
    CopyData(&'a [u8]),
    CopyDone,
    CopyInResponse,
    CopyOutResponse,
    DataRow(DataRowValues<'a>),
    EmptyQueryResponse,
    ErrorResponse(Fields<'a>),
    NegotiateProtocolVersion {
        version: u32,
        options: u32,
    },
    NoticeResponse(Fields<'a>),
    NotificationResponse,
    ParameterStatus {
        name: &'a [u8],
        value: &'a [u8],
    },
    ReadyForQuery,
    RowDescription(Columns<'a>),
}

/// The server's authentication requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authentication<'a> {
    Ok,
    CleartextPassword,
    Md5Password {
        salt: [u8; 4],
    },
    /// Names, each terminated by a zero byte.
    Sasl {
        mechanisms: &'a [u8],
    },
    SaslContinue(&'a [u8]),
    SaslFinal(&'a [u8]),
    /// A method of PostgreSQL that this crate does not support.
    Unsupported(&'static str),
}

impl<'a> Message<'a> {
    /// Parses the body of a message.
    pub(crate) fn parse(tag: u8, bytes: &'a [u8]) -> Result<Self, ProtocolError> {
        let mut body = Body { message: name(tag)?, rest: bytes };
        let message = match tag {
            b'R' => return authentication(body).map(Self::Authentication),
            b'd' => return Ok(Self::CopyData(bytes)),
            // The body gives the format of each column; replication has none.
            b'W' => return Ok(Self::CopyBothResponse),
            b'G' => return Ok(Self::CopyInResponse),
            b'H' => return Ok(Self::CopyOutResponse),
            b'A' => return Ok(Self::NotificationResponse),
            b'K' => {
                return Ok(Self::BackendKeyData { pid: body.u32("process id")? });
            }
            b'E' => return body.fields().map(Self::ErrorResponse),
            b'N' => return body.fields().map(Self::NoticeResponse),
            b'T' => return body.columns().map(Self::RowDescription),
            b'D' => return body.values().map(Self::DataRow),
            b'v' => {
                let version = body.u32("version")?;
                let options = body.u32("option count")?;
                return Ok(Self::NegotiateProtocolVersion { version, options });
            }
            b'C' => Self::CommandComplete(body.cstr("command tag")?),
            b'c' => Self::CopyDone,
            b'I' => Self::EmptyQueryResponse,
            b'S' => Self::ParameterStatus { name: body.cstr("name")?, value: body.cstr("value")? },
            b'Z' => {
                body.array::<1>("transaction status")?;
                Self::ReadyForQuery
            }
            other => return Err(ProtocolError::UnknownTag(other)),
        };
        body.finish()?;
        Ok(message)
    }
}

fn name(tag: u8) -> Result<&'static str, ProtocolError> {
    Ok(match tag {
        b'A' => "NotificationResponse",
        b'C' => "CommandComplete",
        b'D' => "DataRow",
        b'E' => "ErrorResponse",
        b'G' => "CopyInResponse",
        b'H' => "CopyOutResponse",
        b'I' => "EmptyQueryResponse",
        b'K' => "BackendKeyData",
        b'N' => "NoticeResponse",
        b'R' => "Authentication",
        b'S' => "ParameterStatus",
        b'T' => "RowDescription",
        b'W' => "CopyBothResponse",
        b'Z' => "ReadyForQuery",
        b'c' => "CopyDone",
        b'd' => "CopyData",
        b'v' => "NegotiateProtocolVersion",
        other => return Err(ProtocolError::UnknownTag(other)),
    })
}

fn authentication(mut body: Body<'_>) -> Result<Authentication<'_>, ProtocolError> {
    let request = match body.u32("method")? {
        0 => Authentication::Ok,
        2 => Authentication::Unsupported("Kerberos V5"),
        3 => Authentication::CleartextPassword,
        5 => Authentication::Md5Password { salt: body.array("salt")? },
        6 => Authentication::Unsupported("SCM credential"),
        7 | 8 => return Ok(Authentication::Unsupported("GSSAPI")),
        9 => return Ok(Authentication::Unsupported("SSPI")),
        10 => return Ok(Authentication::Sasl { mechanisms: body.rest }),
        11 => return Ok(Authentication::SaslContinue(body.rest)),
        12 => return Ok(Authentication::SaslFinal(body.rest)),
        other => return Err(ProtocolError::UnknownAuthentication(other)),
    };
    body.finish()?;
    Ok(request)
}

/// The fields of an error or notice, each a code and a text. They were checked when they were
/// parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fields<'a>(Body<'a>);

impl Fields<'_> {
    pub(crate) fn to_message(self, verified: bool) -> ServerMessage {
        let mut body = self.0;
        ServerMessage::new(std::iter::from_fn(|| body.field().ok().flatten()), verified)
    }
}

/// The names of a result's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Columns<'a>(Body<'a>);

impl<'a> Columns<'a> {
    pub(crate) fn names(self) -> impl Iterator<Item = &'a [u8]> {
        let mut body = self.0;
        std::iter::from_fn(move || body.column().ok().flatten())
    }
}

/// The values of one row in text format; `None` is NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataRowValues<'a>(Body<'a>);

impl<'a> DataRowValues<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = Option<&'a [u8]>> {
        let mut body = self.0;
        std::iter::from_fn(move || body.value().ok().flatten())
    }
}

/// The unread rest of a message's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Body<'a> {
    message: &'static str,
    rest: &'a [u8],
}

impl<'a> Body<'a> {
    fn malformed(&self, field: &'static str) -> ProtocolError {
        ProtocolError::Malformed { message: self.message, field }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ProtocolError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(|| self.malformed(field))?;
        self.rest = rest;
        Ok(*array)
    }

    fn u32(&mut self, field: &'static str) -> Result<u32, ProtocolError> {
        self.array(field).map(u32::from_be_bytes)
    }

    fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], ProtocolError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.malformed(field))?;
        self.rest = rest;
        Ok(taken)
    }

    fn cstr(&mut self, field: &'static str) -> Result<&'a [u8], ProtocolError> {
        let end = self.rest.iter().position(|byte| *byte == 0);
        let text = self.take(end.ok_or_else(|| self.malformed(field))?, field)?;
        self.array::<1>(field)?;
        Ok(text)
    }

    fn finish(self) -> Result<(), ProtocolError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed("its end")) }
    }

    fn field(&mut self) -> Result<Option<(u8, &'a [u8])>, ProtocolError> {
        match self.array("field code")? {
            [0] => Ok(None),
            [code] => Ok(Some((code, self.cstr("field text")?))),
        }
    }

    fn fields(self) -> Result<Fields<'a>, ProtocolError> {
        let mut body = self;
        while body.field()?.is_some() {}
        body.finish()?;
        Ok(Fields(self))
    }

    fn column(&mut self) -> Result<Option<&'a [u8]>, ProtocolError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let name = self.cstr("column name")?;
        // Table, column number, type, its length and modifier, format.
        self.take(18, "column description")?;
        Ok(Some(name))
    }

    fn columns(mut self) -> Result<Columns<'a>, ProtocolError> {
        let count = u16::from_be_bytes(self.array("column count")?);
        let mut body = self;
        for _ in 0..count {
            body.column()?.ok_or_else(|| self.malformed("column name"))?;
        }
        body.finish()?;
        Ok(Columns(self))
    }

    #[expect(clippy::option_option, reason = "end of the row, and null within it")]
    fn value(&mut self) -> Result<Option<Option<&'a [u8]>>, ProtocolError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        match i32::from_be_bytes(self.array("value length")?) {
            -1 => Ok(Some(None)),
            len => {
                let len = usize::try_from(len).map_err(|_| self.malformed("value length"))?;
                self.take(len, "value").map(|value| Some(Some(value)))
            }
        }
    }

    fn values(mut self) -> Result<DataRowValues<'a>, ProtocolError> {
        let count = u16::from_be_bytes(self.array("column count")?);
        let mut body = self;
        for _ in 0..count {
            body.value()?.ok_or_else(|| self.malformed("value length"))?;
        }
        body.finish()?;
        Ok(DataRowValues(self))
    }
}

#[cfg(test)]
mod tests;
