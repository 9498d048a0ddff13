//! One UDP socket for one interface and one IP version.
//!
//! Bound to the group's address, not to the wildcard: it then takes no unicast packets away from another responder of
//! this host (avahi, systemd-resolved). The price is that a query sent to our address alone is not heard.
//!
//! Linux tells which interface a group's packet came in on without any privilege: for IPv4 by `IP_MULTICAST_ALL` = 0
//! (only what this socket itself joined, and it joined on one interface), for IPv6 by the scope of the bound address.
//! Where the system knows less than Linux (qemu's user emulation), the socket is tied to the interface instead, which
//! older kernels allow to root alone.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket},
    task::{Context, Poll, ready},
};

use rustix::{io::Errno, net::netdevice};
use smol::Async;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::limits::{BACKLOG_PACKETS_MAX, PORT, SOCKET_BYTES_MAX};

/// The group of multicast DNS over IPv4. Source: RFC 6762 §3.
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// The group of multicast DNS over IPv6. Source: RFC 6762 §3.
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// TTL and hop limit of what we send. Source: RFC 6762 §11.
const HOPS: u32 = 255;

#[derive(Debug)]
pub(super) struct Port {
    io: Async<UdpSocket>,
    /// Whether reading may succeed: saves the system call that would only say "nothing there".
    is_readable: bool,
    group: SocketAddr,
    /// What the system did not take yet.
    backlog: VecDeque<(SocketAddr, Vec<u8>)>,
}

impl Port {
    /// Opens the socket for the interface `index`, to send from its address `ip`.
    pub(super) fn open(index: u32, ip: IpAddr) -> io::Result<Self> {
        let (socket, group) = match ip {
            IpAddr::V4(ip) => open_v4(index, ip)?,
            IpAddr::V6(_) => open_v6(index)?,
        };
        if let Err(error) = socket.set_recv_buffer_size(SOCKET_BYTES_MAX) {
            log::debug!("mdns: the system keeps its own receive buffer: {error}");
        }
        let io = Async::new_nonblocking(UdpSocket::from(socket))?;
        Ok(Port { io, is_readable: true, group, backlog: VecDeque::new() })
    }

    pub(super) fn is_for(&self, to: SocketAddr) -> bool {
        self.group.is_ipv4() == to.is_ipv4()
    }

    /// Sends to one host, or to all. What the system's queue does not hold waits for [`poll_flush`](Self::poll_flush).
    ///
    /// # Errors
    ///
    /// The system's; `WouldBlock` when too much waits already.
    pub(super) fn send(&mut self, to: Option<SocketAddr>, bytes: &[u8]) -> io::Result<()> {
        let to = to.unwrap_or(self.group);
        if self.backlog.is_empty() {
            match retry(|| self.io.get_ref().send_to(bytes, to)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result.map(drop),
            }
        }
        if self.backlog.len() >= BACKLOG_PACKETS_MAX {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.backlog.push_back((to, bytes.to_vec()));
        Ok(())
    }

    /// Sends what waits; ready when nothing does.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((to, bytes)) = self.backlog.front() {
            match retry(|| self.io.get_ref().send_to(bytes, *to)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.io.poll_writable(cx))?,
                result => {
                    self.backlog.pop_front();
                    result?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads one packet. Counts the reads that find none.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        in_vain: &mut u64,
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        loop {
            if !self.is_readable {
                ready!(self.io.poll_readable(cx))?;
                self.is_readable = true;
            }
            match retry(|| self.io.get_ref().recv_from(buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    *in_vain += 1;
                }
                result => return Poll::Ready(result),
            }
        }
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn open(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    Ok(socket)
}

/// Whether the system does not know the option at all.
fn is_unknown(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NOPROTOOPT.raw_os_error())
}

fn open_v4(index: u32, ip: Ipv4Addr) -> io::Result<(Socket, SocketAddr)> {
    let socket = open(Domain::IPV4)?;
    let group = SocketAddr::from((GROUP_V4, PORT));
    // By address, not by index: it then also is the source, which loopback would not choose by itself.
    match socket.set_multicast_all_v4(false).and_then(|()| socket.set_multicast_if_v4(&ip)) {
        Err(error) if is_unknown(&error) => {
            let name = netdevice::index_to_name(&socket, index)?;
            socket.bind_device(Some(name.as_bytes()))?;
        }
        result => result?,
    }
    socket.bind(&group.into())?;
    socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(index))?;
    socket.set_multicast_loop_v4(true)?;
    socket.set_multicast_ttl_v4(HOPS)?;
    socket.set_ttl_v4(HOPS)?;
    Ok((socket, group))
}

fn open_v6(index: u32) -> io::Result<(Socket, SocketAddr)> {
    let socket = open(Domain::IPV6)?;
    let group = SocketAddr::from(SocketAddrV6::new(GROUP_V6, PORT, 0, index));
    socket.set_only_v6(true)?;
    socket.bind(&group.into())?;
    socket.join_multicast_v6(&GROUP_V6, index)?;
    match socket.set_multicast_if_v6(index) {
        // The scope that it is bound to says the same.
        Err(error) if is_unknown(&error) => {}
        result => result?,
    }
    socket.set_multicast_loop_v6(true)?;
    socket.set_multicast_hops_v6(HOPS)?;
    socket.set_unicast_hops_v6(HOPS)?;
    Ok((socket, group))
}
