//! From bytes to a connection that a swarm can use: Noise, then yamux, within a time limit.

use std::{error::Error, io, time::Duration};

use futures::{AsyncRead, AsyncWrite};
use libp2p::{
    PeerId, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, timeout::TransportTimeout},
        upgrade::Version,
    },
    identity::Keypair,
    noise,
};

use super::{crossing::Crossing, tcp, yamux};

/// How long setting up a connection may take, from the first packet to yamux (ms), both ways.
///
/// Without it a remote that connects and says nothing holds a connection for ever. libp2p's builder sets 10 s; a peer
/// on a LAN needs some ms, one on a slow link far away below 2 s.
pub const HANDSHAKE_TIMEOUT_MS_MAX: u64 = 5_000;

/// Makes a transport of byte streams into one of authenticated, encrypted, multiplexed connections: Noise with this
/// key, then yamux, all within [`HANDSHAKE_TIMEOUT_MS_MAX`] for connections dialed as well as accepted.
///
/// `inner` is [`tcp::Transport`] or something around it, such as one that resolves names.
///
/// Two peers that dial each other from their listening ports get one connection, of which both are the dialer, and
/// their handshake fails. That is noticed, and one of them (the one with the smaller identity, if the address dialed
/// ends in `/p2p/…`) dials again from a fresh port within the same time. The other's dial fails, and it has an inbound
/// connection a moment later.
///
/// ```
/// use libp2p::{identity::Keypair, ping, swarm::{self, Swarm}};
/// use stonechat::net::{self, executor::Executor, tcp, yamux};
///
/// let key = Keypair::generate_ed25519();
/// let tcp = tcp::Transport::new(tcp::Config::default());
/// let counters = tcp.counters();
/// let transport = net::upgrade(tcp, &key, yamux::Config::default()).unwrap();
///
/// let config = swarm::Config::with_executor(Executor::new());
/// let swarm = Swarm::new(transport, ping::Behaviour::default(), key.public().to_peer_id(), config);
/// # let _ = (swarm, counters);
/// ```
///
/// # Errors
///
/// The key cannot sign (Ed25519 keys always can).
pub fn upgrade<T>(
    inner: T,
    keypair: &Keypair,
    yamux: yamux::Config,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error>
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let noise = noise::Config::new(keypair)?;
    let upgraded = inner.upgrade(Version::V1).authenticate(noise).multiplex(yamux.shared());
    let upgraded = Crossing::new(upgraded, keypair.public().to_peer_id());
    let limited = TransportTimeout::new(upgraded, Duration::from_millis(HANDSHAKE_TIMEOUT_MS_MAX));
    Ok(limited.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))).boxed())
}

/// TCP, Noise and yamux: [`upgrade`] over a [`tcp::Transport`]. For its counters make that yourself.
///
/// # Errors
///
/// As [`upgrade`].
pub fn transport(
    keypair: &Keypair,
    tcp: tcp::Config,
    yamux: yamux::Config,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    upgrade(tcp::Transport::new(tcp), keypair, yamux)
}

/// The system's error at the bottom of `error`, if there is one: its kind tells, say, a port in use
/// ([`io::ErrorKind::AddrInUse`]) from a missing right, whatever has been wrapped around it on the way.
///
/// ```
/// use libp2p::core::{Transport, transport::{ListenerId, TransportError}};
/// use stonechat::net::{self, tcp, yamux};
///
/// let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// let address = format!("/ip4/127.0.0.1/tcp/{}", taken.local_addr().unwrap().port()).parse().unwrap();
///
/// let key = libp2p::identity::Keypair::generate_ed25519();
/// let mut transport = net::transport(&key, tcp::Config::default(), yamux::Config::default()).unwrap();
/// let error = transport.listen_on(ListenerId::next(), address).unwrap_err();
/// assert_eq!(net::system_error(&error), Some(std::io::ErrorKind::AddrInUse));
/// ```
pub fn system_error(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    let mut found = None;
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && io.raw_os_error().is_some()
        {
            found = Some(io.kind());
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // Its own `source` would skip the error inside.
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    found
}
