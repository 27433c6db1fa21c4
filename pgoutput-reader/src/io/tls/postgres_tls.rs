//! The same TLS for the `postgres` crate, which opens SQL connections over tokio's streams.

use std::future::Future;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use rustls::ClientConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{TlsSettings, end_point};
use crate::error::Error;

/// Starts TLS with the settings of the replication connection. They contain the host name, so the
/// name from that crate is not used.
#[derive(Debug, Clone)]
pub(crate) struct MakeTls(pub(crate) TlsSettings);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for MakeTls {
    type Stream = Secured<S>;
    type TlsConnect = Self;
    type Error = Error;

    fn make_tls_connect(&mut self, _: &str) -> Result<Self, Error> {
        Ok(self.clone())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for MakeTls {
    type Stream = Secured<S>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Secured<S>, Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let mut secured = Secured { stream, tls: self.0.connection()?, ended: false };
            let handshake = std::future::poll_fn(|context| secured.poll_handshake(context)).await;
            handshake.map_err(|error| Error::io("starting TLS on", "the SQL connection", error))?;
            self.0.check()?;
            Ok(secured)
        })
    }
}

/// A TLS connection over a tokio stream.
pub(crate) struct Secured<S> {
    stream: S,
    tls: ClientConnection,
    /// Whether the stream has ended.
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Secured<S> {
    fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_push(context))?;
            if !self.tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if self.ended {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            ready!(self.poll_pull(context))?;
        }
    }

    /// Reads once from the stream and passes the bytes to rustls.
    fn poll_pull(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut adapter = Adapter { stream: &mut self.stream, context };
        match self.tls.read_tls(&mut adapter) {
            Ok(len) => self.ended = len == 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error)),
        }
        if let Err(error) = self.tls.process_new_packets() {
            // Reports the error to the server, if it still reads.
            let _ = self.poll_push(context);
            return Poll::Ready(Err(super::wrap(error)));
        }
        Poll::Ready(Ok(()))
    }

    /// Sends all unsent bytes of rustls.
    fn poll_push(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let mut adapter = Adapter { stream: &mut self.stream, context };
            match self.tls.write_tls(&mut adapter) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.tls.reader().read(buffer.initialize_unfilled()) {
                Ok(len) => {
                    buffer.advance(len);
                    return Poll::Ready(Ok(()));
                }
                // Messages have lengths, so truncation without an alert is noticed.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            ready!(self.poll_pull(context))?;
            // Responses of TLS itself. If the stream is full they are sent with the next write.
            if let Poll::Ready(sent) = self.poll_push(context) {
                sent?;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_push(context))?;
        let taken = self.tls.writer().write(bytes)?;
        match self.poll_push(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(taken)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_push(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tls.send_close_notify();
        ready!(self.poll_push(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Secured<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let certificate = self.tls.peer_certificates().and_then(<[_]>::first);
        match certificate.and_then(end_point) {
            Some(hash) => ChannelBinding::tls_server_end_point(hash),
            None => ChannelBinding::none(),
        }
    }
}

/// A tokio stream with the interface that rustls expects: what would block is an error, and wakes
/// the task when it can continue.
struct Adapter<'a, 'c, S> {
    stream: &'a mut S,
    context: &'a mut Context<'c>,
}

fn would_block<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl<S: AsyncRead + Unpin> Read for Adapter<'_, '_, S> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(space);
        would_block(Pin::new(&mut *self.stream).poll_read(self.context, &mut buffer))?;
        Ok(buffer.filled().len())
    }
}

impl<S: AsyncWrite + Unpin> Write for Adapter<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        would_block(Pin::new(&mut *self.stream).poll_write(self.context, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        would_block(Pin::new(&mut *self.stream).poll_flush(self.context))
    }
}
