//! A destination under test.

/// A log that a test can read, kill and start again.
pub(crate) trait Destination {
    /// The argument of `--to`. The program reaches the engine on this port of 127.0.0.1, which may
    /// be a proxy's.
    fn url(&self, port: u16) -> String;

    /// The engine's own port on 127.0.0.1; `None` if it is not a server.
    fn port(&self) -> Option<u16>;

    /// All values in the order of the log, if `--topic` names one topic for everything.
    fn values(&self, topic: &str) -> Vec<String>;

    /// Kills the engine, if there is one.
    fn kill(&self);

    /// Starts it again with the same data.
    fn restart(&self);
}
