//! Integers and strings of the wire format, in network byte order.

use proptest::prelude::*;

/// A message under construction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(pub(crate) Vec<u8>);

impl Wire {
    pub(crate) fn tagged(tag: u8) -> Self {
        Self(vec![tag])
    }

    pub(crate) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// A string and its terminating zero.
    pub(crate) fn string(mut self, value: &str) -> Self {
        self.0.extend(value.as_bytes());
        self.u8(0)
    }

    pub(crate) fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend(value);
        self
    }

    /// A count or length.
    pub(crate) fn length(self, value: usize) -> Self {
        self.u32(u32::try_from(value).expect("generated values are short"))
    }

    /// A count of columns.
    pub(crate) fn columns(self, value: usize) -> Self {
        self.bytes(&u16::try_from(value).expect("generated rows are narrow").to_be_bytes())
    }

    pub(crate) fn stream_xid(self, xid: Option<u32>) -> Self {
        match xid {
            Some(xid) => self.u32(xid),
            None => self,
        }
    }
}

/// A name: often short and plain, sometimes empty, quoted, or far from ASCII. It has no zero byte.
pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z_][a-z0-9_]{0,12}",
        1 => Just(String::new()),
        1 => "[^\u{0}]{0,16}",
    ]
}
