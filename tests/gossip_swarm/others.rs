//! With libp2p-gossipsub.

use super::net::{Net, PATIENCE, TOPIC};
use futures::{FutureExt, StreamExt, channel::mpsc};
use libp2p::{
    Multiaddr,
    identity::Keypair,
    swarm::{self, Swarm, SwarmEvent},
};
use libp2p_gossipsub::{self as gossipsub, IdentTopic, MessageAuthenticity, MessageId, ValidationMode};
use stonechat::net::{self, executor::Executor, tcp, yamux};

fn id(message: &gossipsub::Message) -> MessageId {
    let mut id = message.source.map(|peer| peer.to_bytes()).unwrap_or_default();
    id.extend(message.sequence_number.unwrap_or_default().to_be_bytes());
    MessageId::from(id)
}

fn theirs(executor: &Executor) -> Swarm<gossipsub::Behaviour> {
    let key = Keypair::generate_ed25519();
    let transport = net::transport(&key, tcp::Config::default(), yamux::Config::default()).unwrap();
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        .message_id_fn(id)
        .heartbeat_initial_delay(std::time::Duration::from_millis(100))
        .build()
        .unwrap();
    let behaviour = gossipsub::Behaviour::new(MessageAuthenticity::Signed(key.clone()), config).unwrap();
    let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(2 * PATIENCE);
    let mut swarm = Swarm::new(transport, behaviour, key.public().to_peer_id(), config);
    swarm.behaviour_mut().subscribe(&IdentTopic::new(TOPIC)).unwrap();
    swarm
}

/// What it tells when it knows that somebody is in the room.
const MET: &str = "met";

/// Runs one of theirs as a task that dials: what it hears, and what it is told to say.
fn start(executor: &Executor, address: Multiaddr) -> (mpsc::UnboundedSender<String>, mpsc::UnboundedReceiver<String>) {
    let (say, mut to_say) = mpsc::unbounded::<String>();
    let (hear, heard) = mpsc::unbounded();
    let mut swarm = theirs(executor);
    swarm.dial(address).unwrap();
    let running = async move {
        loop {
            futures::select! {
                event = swarm.select_next_some() => {
                    let _ = match event {
                        SwarmEvent::Behaviour(gossipsub::Event::Message { message, .. }) => {
                            hear.unbounded_send(String::from_utf8(message.data).unwrap())
                        }
                        SwarmEvent::Behaviour(gossipsub::Event::Subscribed { .. }) => hear.unbounded_send(MET.into()),
                        _ => continue,
                    };
                }
                line = to_say.next() => match line {
                    Some(line) => drop(swarm.behaviour_mut().publish(IdentTopic::new(TOPIC), line)),
                    None => return,
                },
            }
        }
    };
    executor.spawn("theirs", running.boxed()).detach();
    (say, heard)
}

#[test]
fn theirs_and_ours_hear_each_other_and_ours_hands_on() {
    let mut net = Net::new(2);
    let (first, second) = (net.address(0), net.address(1));
    net.swarms[1].dial(first.clone()).unwrap();
    let executor = net.executor.clone();
    let (say, mut heard) = start(&executor, first);
    let (_keep, mut heard_too) = start(&executor, second);
    net.until("each knows two others", |net| net.heard.iter().all(|heard| heard.members.len() == 2));
    let lines = |what: &str, heard: &mut mpsc::UnboundedReceiver<String>, net: &mut Net| {
        net.until(what, |_| heard.try_recv().is_ok_and(|line| line == what));
    };
    lines(MET, &mut heard, &mut net);
    lines(MET, &mut heard_too, &mut net);
    for round in 0..20 {
        let line = format!("theirs {round}");
        say.unbounded_send(line.clone()).unwrap();
        net.until(&line, |net| net.heard.iter().all(|heard| heard.lines.last() == Some(&line)));
        lines(&line, &mut heard_too, &mut net);
        let line = format!("ours {round}");
        net.say(1, &line).unwrap();
        lines(&line, &mut heard, &mut net);
        lines(&line, &mut heard_too, &mut net);
    }
    assert_eq!(net.heard[1].lines.len(), 20, "each once");
    let counts = net.swarms[1].behaviour().counts();
    assert_eq!((counts.malformed, counts.unsigned, counts.refused.offenders), (0, 0, 0));
}
