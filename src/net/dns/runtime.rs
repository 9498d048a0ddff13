//! What the resolver needs of a runtime, on smol: sockets, timers, tasks.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpStream, UdpSocket},
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite, FutureExt, future::BoxFuture};
use hickory_net::runtime::{DnsTcpStream, DnsUdpSocket, RuntimeProvider, Spawn, Time};
use smol::{Async, Timer, future::or};

use super::system::Zone;
use crate::net::executor::Executor;

/// The name under which the resolver's tasks are counted: one for each name server and UDP or TCP.
const TASK: &str = "dns";

/// How long connecting to a name server by TCP takes when the resolver does not say (ms). Source: as long as a try.
const CONNECT_TIMEOUT_MS: u64 = super::config::TRY_TIMEOUT_MS_MAX;

/// smol, for the resolver.
#[derive(Clone)]
pub(super) struct Runtime {
    /// The transport owns it. The resolver's tasks hold this, and an executor that its own tasks hold is never dropped.
    pub executor: Weak<Executor>,
    /// On which interfaces link-local name servers are: the resolver forgets that.
    pub zones: Arc<[Zone]>,
}

impl Runtime {
    fn target(&self, mut server: SocketAddr) -> SocketAddr {
        if let SocketAddr::V6(v6) = &mut server
            && let Some(zone) = self.zones.iter().find(|zone| zone.ip == *v6.ip())
        {
            v6.set_scope_id(zone.index());
        }
        server
    }
}

impl Spawn for Runtime {
    fn spawn_bg(&mut self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(executor) = self.executor.upgrade() {
            executor.spawn(TASK, future).detach();
        }
    }
}

impl RuntimeProvider for Runtime {
    type Handle = Runtime;
    type Timer = Clock;
    type Udp = Udp;
    type Tcp = Tcp;

    fn create_handle(&self) -> Runtime {
        self.clone()
    }

    fn connect_tcp(
        &self,
        server_addr: SocketAddr,
        _bind_addr: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Tcp>>>> {
        let server = self.target(server_addr);
        let timeout = timeout.unwrap_or(Duration::from_millis(CONNECT_TIMEOUT_MS));
        within(timeout, async move {
            let stream = Async::<TcpStream>::connect(server).await?;
            stream.get_ref().set_nodelay(true)?;
            Ok(Tcp(stream))
        })
        .map(|connected| connected?)
        .boxed()
    }

    fn bind_udp(
        &self,
        local_addr: SocketAddr,
        server_addr: SocketAddr,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Udp>>>> {
        let server = self.target(server_addr);
        async move { Ok(Udp { socket: Async::<UdpSocket>::bind(local_addr)?, server }) }.boxed()
    }
}

/// smol's timers.
pub(super) struct Clock;

impl Time for Clock {
    fn delay_for<'a>(duration: Duration) -> BoxFuture<'a, ()> {
        Timer::after(duration).map(drop).boxed()
    }

    fn timeout<'a, F: 'static + Future + Send + 'a>(
        duration: Duration,
        future: F,
    ) -> BoxFuture<'a, Result<F::Output, io::Error>> {
        within(duration, future).boxed()
    }
}

async fn within<F: Future>(duration: Duration, future: F) -> io::Result<F::Output> {
    let expired = async {
        Timer::after(duration).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    or(async { Ok(future.await) }, expired).await
}

/// A socket for one question.
pub(super) struct Udp {
    socket: Async<UdpSocket>,
    /// Whom it asks, with the interface.
    server: SocketAddr,
}

impl DnsUdpSocket for Udp {
    type Time = Clock;

    fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        loop {
            match self.socket.get_ref().recv_from(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
            ready!(self.socket.poll_readable(cx))?;
        }
    }

    fn poll_send_to(&self, cx: &mut Context<'_>, buf: &[u8], target: SocketAddr) -> Poll<io::Result<usize>> {
        debug_assert_eq!(target.ip(), self.server.ip());
        loop {
            match self.socket.get_ref().send_to(buf, self.server) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
            ready!(self.socket.poll_writable(cx))?;
        }
    }
}

/// A connection to a name server, for answers that do not fit into one packet.
pub(super) struct Tcp(Async<TcpStream>);

impl DnsTcpStream for Tcp {
    type Time = Clock;
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
