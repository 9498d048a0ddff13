//! Peers that fill the meshes of others and hand nothing on.

use crate::world::{GENEROUS, Host};
use futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::swarm::{self, Swarm, SwarmEvent};
use libp2p_gossipsub::{self as gossipsub, IdentTopic, MessageAuthenticity, MessageId};
use smol::future::FutureExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use stonechat::net::{self, executor::Executor, tcp, yamux};

/// Between the dials of one of them and the next: some take few connections a second from one address.
const STAGGER: Duration = Duration::from_millis(400);

/// Does `work` while a peer in each of `hosts` is in `topic` with the peers at `addresses`. py takes those who come from
/// few addresses for one that wants to be many, and others into its mesh instead.
pub fn in_a_crowd<T>(hosts: &[Host], topic: &str, addresses: &[String], work: impl FnOnce() -> T) -> T {
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Relaxed);
        }
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        for (number, host) in hosts.iter().enumerate() {
            let stop = &stop;
            scope.spawn(move || host.enter(|| stay(topic, addresses, number, stop)));
        }
        work()
    })
}

fn stay(topic: &str, addresses: &[String], number: usize, stop: &AtomicBool) {
    let executor = Executor::new();
    let stopped = async {
        while !stop.load(Relaxed) {
            smol::Timer::after(Duration::from_millis(50)).await;
        }
    };
    executor.block_on(one(&executor, topic, addresses, number).or(stopped));
}

async fn one(executor: &Executor, topic: &str, addresses: &[String], number: usize) {
    let key = Keypair::generate_ed25519();
    let mut swarm = swarm(&key, executor);
    swarm.behaviour_mut().subscribe(&IdentTopic::new(topic)).expect("no filter");
    smol::Timer::after(STAGGER * number as u32).await;
    for address in addresses {
        swarm.dial(address.parse::<libp2p::Multiaddr>().expect("a multiaddr")).expect("it may be dialled");
    }
    loop {
        // The timer keeps gossipsub's heartbeat awake.
        let tick = async {
            smol::Timer::after(Duration::from_millis(500)).await;
            None
        };
        let event = async { Some(swarm.select_next_some().await) }.or(tick).await;
        if let Some(SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), .. }) = event {
            smol::Timer::after(2 * STAGGER).await;
            let address = addresses.iter().find(|address| address.ends_with(&peer.to_base58())).expect("one of them");
            let _ = swarm.dial(address.parse::<libp2p::Multiaddr>().expect("a multiaddr"));
        }
    }
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
        // Of newer ones py takes others into a full mesh, to see whether they are better.
        .protocol_id("/meshsub/1.0.0", gossipsub::Version::V1_0)
        // Nobody ever says that a message is good: none is handed on.
        .validate_messages()
        .heartbeat_initial_delay(Duration::from_millis(100))
        .build()
        .expect("the settings agree");
    let behaviour = gossipsub::Behaviour::new(MessageAuthenticity::Signed(key.clone()), config).expect("it signs");
    let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(4 * GENEROUS);
    Swarm::new(transport, behaviour, key.public().to_peer_id(), config)
}
