//! A peer that speaks gossipsub by hand: what it sends is whatever bytes it is given, signed or not.

use crate::world::{GENEROUS, Host};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, FutureExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::{self, Swarm, SwarmEvent};
use libp2p::{Multiaddr, StreamProtocol};
use std::io;
use std::time::{Duration, Instant};
use stonechat::net::{self, executor::Executor, tcp, yamux};

/// What is wrong, or not, with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// Nothing, and no `key`: the author's id holds it.
    None,
    /// Nothing, and the `key` is sent along.
    NoneWithKey,
    /// No signature.
    Unsigned,
    /// Signed by another than the author.
    Stolen,
    /// The same, and the `key` is that of the one who signed.
    StolenWithKey,
    /// Something else was signed.
    Changed,
}

impl Forgery {
    pub const GOOD: [Self; 2] = [Self::None, Self::NoneWithKey];
    pub const BAD: [Self; 4] = [Self::Unsigned, Self::Stolen, Self::StolenWithKey, Self::Changed];
}

/// A field of bytes in protobuf.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    out.extend(varint(bytes.len()));
    out.extend(bytes);
    out
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

/// An RPC with one message, with its length before it.
fn rpc(key: &Keypair, topic: &str, data: &[u8], seqno: u64, forgery: Forgery) -> Vec<u8> {
    let stolen = matches!(forgery, Forgery::Stolen | Forgery::StolenWithKey);
    let other = Keypair::generate_ed25519();
    let author = if stolen { other.public() } else { key.public() }.to_peer_id();
    let message = |data: &[u8]| {
        [field(1, &author.to_bytes()), field(2, data), field(3, &seqno.to_be_bytes()), field(4, topic.as_bytes())]
            .concat()
    };
    let signed = if forgery == Forgery::Changed { message(b"something else") } else { message(data) };
    let signature = key.sign(&[b"libp2p-pubsub:", &*signed].concat()).expect("Ed25519 signs");
    let mut whole = message(data);
    if forgery != Forgery::Unsigned {
        whole.extend(field(5, &signature));
    }
    if matches!(forgery, Forgery::NoneWithKey | Forgery::StolenWithKey) {
        whole.extend(field(6, &key.public().encode_protobuf()));
    }
    let rpc = field(2, &whole);
    [varint(rpc.len()), rpc].concat()
}

/// Streams of gossipsub, written and read to their end.
#[derive(Debug, Clone, Default)]
struct Raw;

impl request_response::Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = ();

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        io.read_to_end(&mut all).await?;
        Ok(all)
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<()> {
        io.read_to_end(&mut Vec::new()).await.map(|_| ())
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: Vec<u8>,
    ) -> io::Result<()> {
        io.write_all(&request).await?;
        io.flush().await
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
        (): (),
    ) -> io::Result<()> {
        Ok(())
    }
}

/// From `host`, with a new key, sends a message to the peer at `address` (with its id) and a good one behind it, and
/// when that was heard another good one. Whether the first was heard by the time the last one was.
pub fn is_taken(
    host: &Host,
    address: &str,
    topic: &str,
    forgery: Forgery,
    heard: impl Fn(&str) -> bool + Sync,
) -> Result<bool, String> {
    let address: Multiaddr = address.parse().map_err(|error| format!("{address}: {error}"))?;
    let Some(Protocol::P2p(target)) = address.iter().last() else { return Err("no peer id".into()) };
    host.enter(|| {
        let (executor, key) = (Executor::new(), Keypair::generate_ed25519());
        let mark = key.public().to_peer_id().to_base58();
        let text = |what: &str| format!("{what} {forgery:?} {}", &mark[mark.len() - 6..]);
        let (first, good, last) = (text("first"), text("good"), text("last"));
        let good_rpc = |text: &str, seqno| rpc(&key, topic, text.as_bytes(), seqno, Forgery::None);
        let begin = [rpc(&key, topic, first.as_bytes(), 1, forgery), good_rpc(&good, 2)].concat();
        let mut to_say = vec![good_rpc(&last, 3), begin];
        let mut swarm = swarm(&key, &executor);
        swarm.dial(address.clone()).map_err(|error| error.to_string())?;
        let start = Instant::now();
        executor.block_on(async {
            loop {
                let mut tick = FutureExt::fuse(smol::Timer::after(Duration::from_millis(20)));
                let mut say = false;
                futures::select! {
                    event = swarm.select_next_some() => match event {
                        SwarmEvent::ConnectionEstablished { .. } => say = to_say.len() == 2,
                        // js takes five connections a second from one address and resets the others.
                        SwarmEvent::OutgoingConnectionError { error, .. } => {
                            if start.elapsed() > GENEROUS {
                                return Err(error.to_string());
                            }
                            smol::Timer::after(Duration::from_millis(500)).await;
                            swarm.dial(address.clone()).map_err(|error| error.to_string())?;
                        }
                        _ => {}
                    },
                    _ = tick => {}
                }
                say |= to_say.len() == 1 && heard(&good);
                if say && let Some(bytes) = to_say.pop() {
                    swarm.behaviour_mut().send_request(&target, bytes);
                }
                if to_say.is_empty() && heard(&last) {
                    return Ok(heard(&first));
                }
                if start.elapsed() > GENEROUS {
                    return Err(format!("{forgery:?}: the good message behind it was not heard"));
                }
            }
        })
    })
}

fn swarm(key: &Keypair, executor: &Executor) -> Swarm<request_response::Behaviour<Raw>> {
    let transport = net::transport(key, tcp::Config::default(), yamux::Config::default()).expect("Ed25519 signs");
    let config = request_response::Config::default().with_request_timeout(2 * GENEROUS);
    let protocols = [(StreamProtocol::new("/meshsub/1.1.0"), ProtocolSupport::Full)];
    let behaviour = request_response::Behaviour::with_codec(Raw, protocols, config);
    let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(GENEROUS);
    Swarm::new(transport, behaviour, key.public().to_peer_id(), config)
}
