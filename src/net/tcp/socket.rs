//! Opening sockets: to listen and to dial.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use rustix::io::Errno;
use smol::Async;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::config::Config;

fn open(address: SocketAddr, config: &Config) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // One socket for each family, whatever the system's default, so that both can have the same port.
        socket.set_only_v6(true)?;
    }
    socket.set_tcp_nodelay(config.nodelay)?;
    // A line or two lost on a bad link is sent again every so often, not after twice as long each time. Accepted
    // connections have it from their listener. Only sooner is lost where the system does not know it.
    let _ = socket.set_tcp_thin_linear_timeouts(true);
    // These two are handed on by the listener as well. Without them a dead link is found out later, and a narrow one
    // stalls: no reason not to connect.
    if config.unacknowledged_ms_max > 0 {
        let limit = Duration::from_millis(config.unacknowledged_ms_max.into());
        let _ = socket.set_tcp_user_timeout(Some(limit));
    }
    if config.segment_bytes_max > 0 {
        let _ = socket.set_tcp_mss(config.segment_bytes_max);
    }
    // Without it a port is blocked for a minute by connections of the previous run.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A listening socket that nobody else can listen beside, and from whose port dials can leave.
pub(super) fn listen(address: SocketAddr, config: &Config) -> io::Result<Async<TcpListener>> {
    let socket = open(address, config)?;
    socket.bind(&address.into())?;
    socket.listen(config.backlog.into())?;
    // Only now: set before, a second program of the same user could listen on the port and get every other
    // connection. Set after, it still lets our dials share the port.
    socket.set_reuse_port(true)?;
    Async::new_nonblocking(socket.into())
}

/// What a dial came to: the connection, and whether it left from the port it should.
pub(super) struct Dialed {
    pub(super) io: Async<TcpStream>,
    pub(super) from_wanted_port: bool,
}

/// Connects, from the port of `local` if that can be.
pub(super) async fn dial(remote: SocketAddr, local: Option<SocketAddr>, config: &Config) -> io::Result<Dialed> {
    if let Some(local) = local {
        match connect(remote, Some(local), config).await {
            // A socket connected to itself, from a port to the same: whoever listens there is to be reached instead.
            Ok(io) if io.get_ref().local_addr()? == io.get_ref().peer_addr()? => reset(io.get_ref()),
            Ok(io) => return Ok(Dialed { io, from_wanted_port: true }),
            // That connection exists already, or the port cannot be shared.
            Err(e) if matches!(e.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse) => {
                log::debug!("tcp: dialing {remote} from a fresh port: {e}");
            }
            Err(e) => return Err(e),
        }
    }
    Ok(Dialed { io: connect(remote, None, config).await?, from_wanted_port: local.is_none() })
}

async fn connect(remote: SocketAddr, local: Option<SocketAddr>, config: &Config) -> io::Result<Async<TcpStream>> {
    let socket = open(remote, config)?;
    if let Some(local) = local {
        socket.set_reuse_port(true)?;
        socket.bind(&local.into())?;
    }
    match socket.connect(&remote.into()) {
        Ok(()) => {}
        Err(e) if e.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
        Err(e) => return Err(e),
    }
    let io = Async::new_nonblocking(TcpStream::from(socket))?;
    io.writable().await?;
    match io.get_ref().take_error()? {
        None => Ok(io),
        Some(e) => Err(e),
    }
}

/// Makes the end of this socket a reset: no state remains in the system, and the other side knows at once.
pub(super) fn reset(io: &TcpStream) {
    // Fails only for a connection that is gone, which is as well.
    let _ = SockRef::from(io).set_linger(Some(Duration::ZERO));
}
