//! Sockets. No other module of the crate opens one.

mod channel;
mod connect;
mod inbox;
mod read_delay;
#[cfg(feature = "reader")]
mod spill;
mod stop;
mod syscall;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod wake;
#[cfg(feature = "reader")]
pub(crate) mod worker;
mod writer;

pub(crate) use channel::{Channel, Fill};
pub(crate) use connect::{Target, connect, may_try_next, targets};
pub(crate) use inbox::BodyRange;
#[cfg(all(test, feature = "reader"))]
pub(crate) use inbox::Inbox;
#[cfg(feature = "reader")]
pub(crate) use spill::SpillFiles;
pub use stop::StopHandle;
#[cfg(all(feature = "tls", feature = "reader"))]
pub(crate) use tls::MakeTls;
#[cfg(feature = "tls")]
pub(crate) use tls::TlsSettings;
#[cfg(feature = "reader")]
pub(crate) use wake::WakePipe;
pub use wake::Waker;
#[cfg(feature = "reader")]
pub(crate) use worker::Waits;
pub(crate) use writer::Writer;

/// The TLS settings of a build without TLS: there are none.
#[cfg(not(feature = "tls"))]
#[derive(Debug, Clone)]
pub(crate) enum TlsSettings {}

#[cfg(not(feature = "tls"))]
impl TlsSettings {
    pub(crate) fn verified(&self) -> bool {
        match *self {}
    }
}
