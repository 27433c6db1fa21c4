//! Requests and answers of Kafka's protocol, as bytes.

use std::io::{self, Read};

/// A request, read from its beginning.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) api: i16,
    pub(super) version: i16,
    pub(super) correlation: i32,
    bytes: Vec<u8>,
    at: usize,
}

impl Request {
    /// Reads a request from a connection.
    pub(super) fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let mut bytes = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
        stream.read_exact(&mut bytes)?;
        let mut request = Self { api: 0, version: 0, correlation: 0, bytes, at: 0 };
        request.api = request.i16();
        request.version = request.i16();
        request.correlation = request.i32();
        let _client = request.nullable();
        Ok(request)
    }

    pub(super) fn raw(&mut self, len: usize) -> &[u8] {
        self.at += len;
        &self.bytes[self.at - len..self.at]
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.raw(N).try_into().unwrap()
    }

    pub(super) fn i8(&mut self) -> i8 {
        i8::from_be_bytes(self.array())
    }

    pub(super) fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.array())
    }

    pub(super) fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.array())
    }

    pub(super) fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.array())
    }

    pub(super) fn nullable(&mut self) -> Option<String> {
        let len = usize::try_from(self.i16()).ok()?;
        Some(String::from_utf8(self.raw(len).to_vec()).unwrap())
    }

    pub(super) fn string(&mut self) -> String {
        self.nullable().unwrap()
    }

    pub(super) fn bytes(&mut self) -> Vec<u8> {
        let len = usize::try_from(self.i32()).unwrap_or_default();
        self.raw(len).to_vec()
    }

    /// Reads the elements of an array; `None` if it is null.
    pub(super) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> T) -> Option<Vec<T>> {
        let len = self.i32();
        (len >= 0).then(|| (0..len).map(|_| read(self)).collect())
    }
}

/// An answer.
#[derive(Debug, Default)]
pub(super) struct Answer(pub(super) Vec<u8>);

impl Answer {
    pub(super) fn i8(&mut self, value: i8) -> &mut Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn i16(&mut self, value: i16) -> &mut Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn i32(&mut self, value: i32) -> &mut Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn i64(&mut self, value: i64) -> &mut Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn string(&mut self, text: &str) -> &mut Self {
        self.i16(i16::try_from(text.len()).unwrap());
        self.0.extend(text.as_bytes());
        self
    }

    pub(super) fn null(&mut self) -> &mut Self {
        self.i16(-1)
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.i32(i32::try_from(bytes.len()).unwrap());
        self.0.extend(bytes);
        self
    }

    /// Appends an array.
    pub(super) fn list<T>(
        &mut self,
        elements: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        let at = self.0.len();
        self.i32(0);
        let mut len = 0_i32;
        for element in elements {
            write(self, element);
            len += 1;
        }
        self.0[at..at + 4].copy_from_slice(&len.to_be_bytes());
        self
    }
}
