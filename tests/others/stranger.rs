//! A gossipsub peer in a thread that knows nothing of rooms: it says bytes in a topic and hears bytes.

use super::peer::PATIENCE;
use futures::{StreamExt, channel::mpsc};
use libp2p::{
    Multiaddr,
    identity::Keypair,
    swarm::{self, Swarm, SwarmEvent},
};
use libp2p_gossipsub::{self as gossipsub, IdentTopic, MessageAuthenticity, MessageId};
use std::{sync::mpsc as std_mpsc, thread::JoinHandle, time::Duration};
use stonechat::net::{self, executor::Executor, tcp, yamux};

fn name(message: &gossipsub::Message) -> MessageId {
    let mut id = message.source.map(|peer| peer.to_bytes()).unwrap_or_default();
    id.extend(message.sequence_number.unwrap_or_default().to_be_bytes());
    MessageId::from(id)
}

/// The stranger.
pub struct Stranger {
    /// Its peer id (base58).
    pub id: String,
    say: Option<mpsc::UnboundedSender<Vec<u8>>>,
    heard: std_mpsc::Receiver<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
}

impl Stranger {
    /// Subscribes to `topic` and dials.
    pub fn start(address: Multiaddr, topic: &str) -> Self {
        let key = Keypair::generate_ed25519();
        let id = key.public().to_peer_id().to_base58();
        let topic = IdentTopic::new(topic);
        let (say, mut to_say) = mpsc::unbounded::<Vec<u8>>();
        let (hear, heard) = std_mpsc::channel();
        let thread = std::thread::spawn(move || {
            let executor = Executor::new();
            let mut swarm = swarm(&key, &executor);
            swarm.behaviour_mut().subscribe(&topic).expect("no filter");
            swarm.dial(address).expect("it may be dialled");
            let (mut ready, mut waiting) = (false, Vec::new());
            executor.block_on(async {
                loop {
                    futures::select! {
                        event = swarm.select_next_some() => match event {
                            SwarmEvent::Behaviour(gossipsub::Event::Subscribed { topic: theirs, .. }) => {
                                ready |= theirs == topic.hash();
                            }
                            SwarmEvent::Behaviour(gossipsub::Event::Message { message, .. }) => {
                                let _ = hear.send(message.data);
                            }
                            _ => {}
                        },
                        data = to_say.next() => match data {
                            Some(data) => waiting.push(data),
                            None => return,
                        },
                    }
                    if ready {
                        for data in waiting.drain(..) {
                            swarm.behaviour_mut().publish(topic.clone(), data).expect("somebody listens");
                        }
                    }
                }
            });
        });
        Self { id, say: Some(say), heard, thread: Some(thread) }
    }

    /// Publishes these bytes, as soon as somebody is there.
    pub fn say(&self, data: &[u8]) {
        self.say.as_ref().expect("it runs").unbounded_send(data.to_vec()).expect("it runs");
    }

    /// The next bytes of somebody else.
    pub fn hear(&self) -> Vec<u8> {
        self.heard.recv_timeout(PATIENCE).expect("waited in vain")
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.say = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn swarm(key: &Keypair, executor: &Executor) -> Swarm<gossipsub::Behaviour> {
    let transport = net::transport(key, tcp::Config::default(), yamux::Config::default()).expect("Ed25519 signs");
    let config = gossipsub::ConfigBuilder::default()
        .message_id_fn(name)
        .heartbeat_initial_delay(Duration::from_millis(100))
        .build()
        .expect("the settings agree");
    let behaviour = gossipsub::Behaviour::new(MessageAuthenticity::Signed(key.clone()), config).expect("it signs");
    let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(4 * PATIENCE);
    Swarm::new(transport, behaviour, key.public().to_peer_id(), config)
}
