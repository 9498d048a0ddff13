//! A gossipsub peer of no program in particular: it says in a room whatever bytes it is given.

use super::world::{GENEROUS, Host, Peer};
use futures::{FutureExt, StreamExt};
use libp2p::swarm::{self, Swarm, SwarmEvent};
use libp2p::{Multiaddr, identity::Keypair};
use libp2p_gossipsub::{self as gossipsub, IdentTopic, MessageAuthenticity, MessageId};
use std::time::{Duration, Instant};
use stonechat::net::{self, executor::Executor, tcp, yamux};

/// What happened to a stranger.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// What it was told to wait for came.
    Done,
    /// The other side ended the connection.
    ShownOut,
}

/// From `host`, as a peer with a new key, publishes `data` in the lobby to `listener` at `address` as soon as it is
/// seen there, then stays until `done`, which is given its peer id.
pub fn say(
    host: &Host,
    listener: &Peer,
    address: &str,
    data: &[u8],
    mut done: impl FnMut(&str) -> bool + Send,
) -> Fate {
    let address: Multiaddr = format!("{address}/p2p/{}", listener.id).parse().expect("a multiaddr");
    host.enter(|| {
        let executor = Executor::new();
        let key = Keypair::generate_ed25519();
        let id = key.public().to_peer_id().to_base58();
        let mut swarm = swarm(&key, &executor);
        let topic = IdentTopic::new(stonechat::wire::room::RoomName::new("lobby").expect("a name").topic().as_str());
        swarm.behaviour_mut().subscribe(&topic).expect("no filter");
        swarm.dial(address.clone()).expect("it may be dialled");
        let (start, mut said) = (Instant::now(), false);
        executor.block_on(async {
            loop {
                let mut tick = FutureExt::fuse(smol::Timer::after(Duration::from_millis(20)));
                futures::select! {
                    event = swarm.select_next_some() => match event {
                        SwarmEvent::Behaviour(gossipsub::Event::Subscribed { topic, .. }) if !said => {
                            swarm.behaviour_mut().publish(topic, data).expect("somebody listens");
                            said = true;
                        }
                        SwarmEvent::ConnectionClosed { .. } if said => return Fate::ShownOut,
                        // A small board takes few connections a second.
                        SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => {
                            smol::Timer::after(Duration::from_millis(500)).await;
                            swarm.dial(address.clone()).expect("it may be dialled");
                        }
                        _ => {}
                    },
                    _ = tick => {}
                }
                if said && done(&id) {
                    return Fate::Done;
                }
                assert!(start.elapsed() < GENEROUS, "{} bytes: said: {said}, and nothing came of it", data.len());
            }
        })
    })
}

/// As the specification names messages.
fn name(message: &gossipsub::Message) -> MessageId {
    let mut id = message.source.map(|peer| peer.to_bytes()).unwrap_or_default();
    id.extend(message.sequence_number.unwrap_or_default().to_be_bytes());
    MessageId::from(id)
}

fn swarm(key: &Keypair, executor: &Executor) -> Swarm<gossipsub::Behaviour> {
    let transport = net::transport(key, tcp::Config::default(), yamux::Config::default()).expect("Ed25519 signs");
    let config = gossipsub::ConfigBuilder::default()
        .message_id_fn(name)
        .max_transmit_size(1 << 20)
        .heartbeat_initial_delay(Duration::from_millis(100))
        .build()
        .expect("the settings agree");
    let behaviour = gossipsub::Behaviour::new(MessageAuthenticity::Signed(key.clone()), config).expect("it signs");
    let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(GENEROUS);
    Swarm::new(transport, behaviour, key.public().to_peer_id(), config)
}
