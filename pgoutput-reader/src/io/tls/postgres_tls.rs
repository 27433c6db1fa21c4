//! The same TLS for the `postgres` crate, which makes ordinary connections over tokio's streams.

use std::future::Future;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use rustls::ClientConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{TlsSettings, end_point};
use crate::Error;

/// Makes connections with the settings of the replication connection. The name of the host is part of them, so what that crate
/// says it is does not matter.
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
            let shaken = std::future::poll_fn(|context| secured.poll_handshake(context)).await;
            shaken.map_err(|error| Error::io("securing", "an ordinary connection", error))?;
            self.0.check()?;
            Ok(secured)
        })
    }
}

/// A TLS connection over one of tokio's streams.
pub(crate) struct Secured<S> {
    stream: S,
    tls: ClientConnection,
    /// The stream has ended.
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

    /// One read from the stream, given to rustls.
    fn poll_pull(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut adapter = Adapter { stream: &mut self.stream, context };
        match self.tls.read_tls(&mut adapter) {
            Ok(len) => self.ended = len == 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error)),
        }
        if let Err(error) = self.tls.process_new_packets() {
            // The server is told why, if it still listens.
            let _ = self.poll_push(context);
            return Poll::Ready(Err(super::wrap(error)));
        }
        Poll::Ready(Ok(()))
    }

    /// Sends all that waits in rustls.
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
                // Messages have lengths, so an end without a word cannot cut one short unseen.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            ready!(self.poll_pull(context))?;
            // Answers of TLS itself; if the stream is full they go with the next write.
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

/// One of tokio's streams as rustls wants it: what would wait is an error, and wakes the task when it can go on.
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
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(room);
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
