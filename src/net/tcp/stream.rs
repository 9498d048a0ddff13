//! One connection, read no faster than agreed.

use std::{
    io::{self, IoSlice, Read},
    net::{Shutdown, SocketAddr, TcpStream},
    os::fd::{AsFd, BorrowedFd},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use futures::{AsyncRead, AsyncWrite};
use smol::{Async, Timer};

use super::{config::Counters, socket};
use crate::net::rate::Bucket;

/// A reader over its rate waits until it has this part of a second's worth, so that one who floods costs ten wake-ups
/// a second, not one for each segment (parts of a second). Source: guess.
const WAITS_PER_SECOND: u32 = 10;

/// A TCP connection. Reading waits when the connection is over its rate; writing does not.
///
/// What the system holds when it is dropped is still sent, as of any socket. But if it is dropped while a write waits, the
/// connection is reset: nobody is going to read that.
#[derive(Debug)]
pub struct Stream {
    io: Async<TcpStream>,
    /// Whether reading may succeed: saves the system call that would only say "nothing there".
    is_readable: bool,
    /// Whether the last thing written has to wait: the remote reads nothing, or the link is dead.
    is_stuck: bool,
    read_bytes_per_second_max: u32,
    bucket: Bucket,
    pause: Option<Timer>,
    counters: Counters,
}

impl Stream {
    pub(super) fn new(io: Async<TcpStream>, read_bytes_per_second_max: u32, counters: &Counters) -> Self {
        counters.add(|it| &it.open);
        Stream {
            io,
            is_readable: true,
            is_stuck: false,
            read_bytes_per_second_max,
            bucket: Bucket::new(read_bytes_per_second_max, Instant::now()),
            pause: None,
            counters: counters.clone(),
        }
    }

    /// Our end.
    ///
    /// # Errors
    ///
    /// The system's, when the connection is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// The other end.
    ///
    /// # Errors
    ///
    /// The system's, when the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// How many bytes may be read now; waits until it is at least one.
    fn poll_allowance(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        if self.read_bytes_per_second_max == 0 {
            return Poll::Ready(usize::MAX);
        }
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(Pin::new(pause).poll(cx));
                self.pause = None;
            }
            let now = Instant::now();
            match self.bucket.available(now) {
                0 => {
                    let enough = (self.read_bytes_per_second_max / WAITS_PER_SECOND).max(1);
                    self.counters.add(|it| &it.throttled);
                    self.pause = Some(Timer::after(self.bucket.wait_for(enough, now)));
                }
                some => return Poll::Ready(some as usize),
            }
        }
    }
}

/// For socket options.
impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.is_stuck {
            socket::reset(self.io.get_ref());
        }
        self.counters.one_less_open();
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let length = ready!(this.poll_allowance(cx)).min(buffer.len());
        loop {
            if !this.is_readable {
                ready!(this.io.poll_readable(cx))?;
                this.is_readable = true;
            }
            match this.io.get_ref().read(&mut buffer[..length]) {
                Ok(count) => {
                    this.bucket.take(count as u32, Instant::now());
                    return Poll::Ready(Ok(count));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => this.is_readable = false,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, buffer);
        self.is_stuck = result.is_pending();
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write_vectored(cx, buffers);
        self.is_stuck = result.is_pending();
        result
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is held back on this side of the system.
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.io.get_ref().shutdown(Shutdown::Write) {
            Err(e) if e.kind() != io::ErrorKind::NotConnected => Err(e),
            _ => Ok(()),
        })
    }
}
