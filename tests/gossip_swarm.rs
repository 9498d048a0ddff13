//! gossip on connections: swarms of ours among themselves and with libp2p-gossipsub, on loopback in one thread.

#[path = "gossip_swarm/net.rs"]
mod net;
#[path = "gossip_swarm/others.rs"]
mod others;

use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use net::{Net, Ours, TOPIC};
use stonechat::compat::profile::Profile;

/// Several of ours, each of which dials the one before it, in one room.
fn chain(count: usize) -> Net {
    let mut net = Net::new(count);
    for at in 1..count {
        let address = net.address(at - 1);
        net.swarms[at].dial(address).unwrap();
    }
    net.until("all are in the room", |net| {
        let links = |at: usize| usize::from(at > 0) + usize::from(at + 1 < count);
        (0..count).all(|at| net.heard[at].members.len() == links(at))
    });
    net
}

#[test]
fn two_peers_talk() {
    let mut net = chain(2);
    for round in 0..50 {
        for (from, to) in [(0, 1), (1, 0)] {
            let line = format!("line {round} of {from}");
            assert_eq!(net.say(from, &line), Ok(1));
            net.until(&line, |net| net.heard[to].lines.last() == Some(&line));
        }
    }
    assert_eq!(net.heard.iter().map(|heard| heard.lines.len()).collect::<Vec<_>>(), [50, 50], "each once");
    let counts = net.swarms[0].behaviour().counts();
    assert_eq!((counts.malformed, counts.unsigned, counts.refused.offenders), (0, 0, 0));
}

#[test]
fn who_has_named_its_topics_is_told_apart_from_who_is_silent() {
    let mut net = Net::new(3);
    let [_, mate, stranger] = net.ids();
    let topic = net.topic(2);
    let elsewhere = net.swarms[2].behaviour_mut();
    elsewhere.leave(topic);
    elsewhere.join("stonechat/1/elsewhere", Profile::Spec);
    for at in 1..3 {
        let address = net.address(0);
        net.swarms[at].dial(address).unwrap();
    }
    net.until("both have named theirs", |net| net.heard[0].greeted.len() == 2);
    net.heard[0].greeted.sort_by_key(|(_, is_member)| *is_member);
    assert_eq!(net.heard[0].greeted, [(stranger, false), (mate, true)]);
}

#[test]
fn a_line_goes_along_a_chain_signed_by_its_author() {
    let mut net = chain(6);
    net.say(0, "from one end").unwrap();
    net.until("the other end", |net| net.heard[5].lines == ["from one end"]);
    let author = *net.swarms[0].local_peer_id();
    assert!((1..6).all(|at| net.heard[at].authors == [author.to_bytes()]));
}

#[test]
fn over_a_second_connection_nothing_is_lost_and_the_room_is_the_same() {
    let mut net = chain(2);
    for round in 0..5 {
        net.pause(stonechat::swarm::gossip::RACED_DIALS_MS + 100);
        let (peer, address) = (*net.swarms[0].local_peer_id(), net.address(0));
        let options = DialOpts::peer_id(peer).addresses(vec![address]).condition(PeerCondition::Always);
        net.swarms[1].dial(options.build()).unwrap();
        let replaced = |net: &Net| net.swarms.iter().all(|swarm| swarm.behaviour().counts().replaced > round);
        net.until("a connection was replaced", |net| {
            let (line, count) = (format!("{round} {}", net.polls), net.polls);
            if count.is_multiple_of(7) {
                // The own lane may be full, as nobody can be polled meanwhile.
                let _ = net.say(0, &line);
            }
            replaced(net)
        });
    }
    net.say(0, "the end").unwrap();
    net.until("the end", |net| net.heard[1].lines.iter().any(|line| line == "the end"));
    net.until("every line", |net| net.heard[1].lines.len() == net.heard[0].said.len());
    let said = net.heard[0].said.clone();
    let mut heard = net.heard[1].lines.clone();
    heard.sort_by_key(|line| said.iter().position(|it| it == line));
    assert_eq!(heard, said, "each once");
    assert!(net.heard.iter().all(|heard| heard.left == 0), "nobody left the room");
}

#[test]
fn who_leaves_a_room_or_the_network_is_missed() {
    let mut net = chain(3);
    let topic = net.topic(2);
    net.swarms[2].behaviour_mut().leave(topic);
    net.until("it has left", |net| net.heard[1].left == 1);
    net.rejoin(2);
    net.until("it is back", |net| net.heard[1].members.len() == 2 && net.heard[2].members.len() == 1);
    let [_, middle, end] = net.ids();
    net.swarms[2].disconnect_peer_id(middle).unwrap();
    net.until("it is gone", |net| !net.swarms[1].is_connected(&end));
    assert_eq!(net.say(1, "who is there?"), Ok(1));
}

#[test]
fn what_is_said_to_nobody_is_not_said() {
    let mut net = Net::new(1);
    assert_eq!(net.say(0, "hello?"), Err(stonechat::swarm::gossip::PublishError::Nobody));
    assert_eq!(Ours::name(), TOPIC);
}
