//! What can go wrong, in sentences.

use std::{fmt, io, net::SocketAddr};

/// Why a dial, a listener or an accepted connection failed. The [source](std::error::Error::source) is the system's
/// error, whose [`kind`](io::Error::kind) a program can act on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A dial failed.
    #[error("cannot dial {address}: {}", Dialed(source))]
    Dial {
        /// Whom we dialed.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// A listener could not be opened.
    #[error("cannot listen on {address}: {}", Listened(source))]
    Listen {
        /// Where we wanted to listen.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// A connection could not be accepted; the listener remains.
    #[error("cannot accept a connection: {source}")]
    Accept {
        /// The system's error.
        source: io::Error,
    },
}

struct Dialed<'a>(&'a io::Error);

impl fmt::Display for Dialed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            io::ErrorKind::ConnectionRefused => f.write_str("nobody listens there"),
            io::ErrorKind::HostUnreachable => f.write_str("no such host answers"),
            io::ErrorKind::NetworkUnreachable => f.write_str("no network of this host leads there"),
            io::ErrorKind::TimedOut => f.write_str("no answer"),
            _ => self.0.fmt(f),
        }
    }
}

struct Listened<'a>(&'a io::Error);

impl fmt::Display for Listened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            io::ErrorKind::AddrInUse => f.write_str("the port is in use"),
            io::ErrorKind::AddrNotAvailable => f.write_str("this host does not have that address"),
            io::ErrorKind::PermissionDenied => f.write_str("this user may not use that port"),
            _ => self.0.fmt(f),
        }
    }
}
