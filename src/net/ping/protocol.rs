//! The protocol on one stream: 32 bytes there, the same 32 bytes back, again and again.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::Poll,
    time::{Duration, Instant},
};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, future::Either};
use libp2p::swarm::StreamProtocol;
use smol::Timer;

use super::event::Failure;

/// The protocol's name.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");

/// Bytes of a ping (bytes). Source: libp2p's specification of ping.
const PING_BYTES: usize = 32;

/// What became of a ping: the stream for the next one, how long it took, and whether it was a fence.
pub(super) type Pinged<S> = Result<(S, Duration, bool), Failure>;

/// Sends a ping and waits for the same bytes, no longer than `timeout`.
pub(super) async fn ping<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, timeout: Duration) -> Pinged<S> {
    // A stream of net::yamux is asked so whether anything waits on the connection. Another one takes nothing as it is.
    let nothing_waits =
        poll_fn(|cx| Poll::Ready(matches!(Pin::new(&mut stream).poll_write(cx, &[]), Poll::Ready(Ok(_)))));
    let is_fence = nothing_waits.await;
    let exchange = async {
        let sent: [u8; PING_BYTES] = std::array::from_fn(|_| fastrand::u8(..));
        stream.write_all(&sent).await?;
        stream.flush().await?;
        let flushed = Instant::now();
        let mut received = [0; PING_BYTES];
        stream.read_exact(&mut received).await?;
        match received == sent {
            true => Ok(flushed.elapsed()),
            false => Err(io::Error::new(io::ErrorKind::InvalidData, "what came back is not what was sent")),
        }
    };
    let exchange = std::pin::pin!(exchange);
    let answer = match futures::future::select(exchange, Timer::after(timeout)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => return Err(Failure::Timeout(timeout)),
    };
    answer.map(|rtt| (stream, rtt, is_fence)).map_err(|error: io::Error| Failure::Io(error.to_string()))
}

/// Sends back what comes, until the other ends the stream. Not only in pieces of 32 bytes: the former js-libp2p sent one.
pub(super) async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<()> {
    let mut buffer = [0; PING_BYTES];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return stream.close().await;
        }
        stream.write_all(&buffer[..count]).await?;
        stream.flush().await?;
    }
}
