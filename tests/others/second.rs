//! Another implementation that makes a second connection. It names its topics on the first one only, as rust-libp2p does
//! (issue 5097), go and js too.

use super::peer::{PATIENCE, Peer};
use super::{PAUSE, id, in_room};
use futures::{StreamExt, channel::mpsc};
use libp2p::{
    Multiaddr, identify,
    identity::Keypair,
    swarm::{self, NetworkBehaviour, Swarm, SwarmEvent, dial_opts::DialOpts, dial_opts::PeerCondition},
};
use libp2p_gossipsub::{self as gossipsub, IdentTopic, MessageAuthenticity};
use std::sync::mpsc as std_mpsc;
use stonechat::net::{self, executor::Executor, tcp, yamux};

#[derive(NetworkBehaviour)]
struct Other {
    gossip: gossipsub::Behaviour,
    identify: identify::Behaviour,
}

fn swarm(executor: &Executor) -> Swarm<Other> {
    let key = Keypair::generate_ed25519();
    let transport = net::transport(&key, tcp::Config::default(), yamux::Config::default()).expect("Ed25519 signs");
    let config = gossipsub::ConfigBuilder::default().build().expect("the settings agree");
    let gossip = gossipsub::Behaviour::new(MessageAuthenticity::Signed(key.clone()), config).expect("it signs");
    let identify = identify::Behaviour::new(identify::Config::new("other/1".into(), key.public()));
    let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(4 * PATIENCE);
    Swarm::new(transport, Other { gossip, identify }, key.public().to_peer_id(), config)
}

/// Dials, and dials again when told to. Tells of the room that the other names, of each connection, and of each line.
async fn run(
    mut swarm: Swarm<Other>,
    address: Multiaddr,
    mut again: mpsc::UnboundedReceiver<()>,
    tell: std_mpsc::Sender<String>,
) {
    swarm.behaviour_mut().gossip.subscribe(&IdentTopic::new("twice")).expect("no filter");
    swarm.dial(address.clone()).expect("it may be dialled");
    loop {
        let told = futures::select! {
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { num_established, .. } => format!("connection {num_established}"),
                SwarmEvent::Behaviour(OtherEvent::Gossip(gossipsub::Event::Subscribed { topic, .. })) => topic.into_string(),
                SwarmEvent::Behaviour(OtherEvent::Gossip(gossipsub::Event::Message { message, .. })) => {
                    String::from_utf8_lossy(&message.data).into_owned()
                }
                _ => continue,
            },
            more = again.next() => {
                let peer = swarm.connected_peers().next().copied();
                let (Some(()), Some(peer)) = (more, peer) else { return };
                let options = DialOpts::peer_id(peer).addresses(vec![address.clone()]);
                swarm.dial(options.condition(PeerCondition::Always).build()).expect("it may be dialled");
                continue;
            }
        };
        if tell.send(told).is_err() {
            return;
        }
    }
}

#[test]
fn it_hears_us_on_the_second_connection_as_on_the_first() {
    let mut a = Peer::start(in_room("text:twice"));
    let address = a.address();
    let ((again, to_dial), (tell, told)) = (mpsc::unbounded(), std_mpsc::channel());
    let other = std::thread::spawn(move || {
        let executor = Executor::new();
        executor.block_on(run(swarm(&executor), address, to_dial, tell));
    });
    let wait = |what: &str| while told.recv_timeout(PATIENCE).expect("waited in vain") != what {};
    wait("connection 1");
    a.wait_joined();
    a.say("on the first");
    wait("on the first");
    super::until_identified(&a);
    // Two at once would be one dial of several addresses.
    std::thread::sleep(PAUSE);
    again.unbounded_send(()).expect("it runs");
    wait("connection 2");
    super::until_replaced(&a);
    assert_eq!(a.say("on the second").peers, 1, "{} knows that somebody is in its room", id(&a));
    wait("on the second");
    drop(again);
    other.join().expect("it ends");
}
