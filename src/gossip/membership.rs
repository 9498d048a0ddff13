//! Who is in which topic: we, and our peers.

use super::context::Context;
use super::mesh;
use super::output::Output;
use super::peer::PeerIndex;
use super::peers::{Allowance, Peer, Subscribed};
use super::queue::Kind;
use super::settings::{LEAVE_BACKOFF_MS, PEER_TOPICS_MAX};
use super::topic::{Member, TopicIndex, Topics};
use crate::wire::rpc::Part;
use alloc::vec::Vec;

/// We join a topic; those who said that they are in it are its members.
pub(super) fn join(index: TopicIndex, name: &[u8], by_content: bool, topics: &mut Topics, cx: &mut Context<'_>) {
    let hash = cx.hash(name);
    if !topics.join(index, name, hash, by_content) {
        return;
    }
    tell_all(true, name, cx);
    let Some(topic) = topics.find_mut(index) else { return };
    let is_in = |peer: &Peer| peer.topics.iter().any(|topic| topic.topic == hash);
    for (peer, known) in cx.peers.iter().filter(|(_, peer)| is_in(peer)) {
        let backoff_until = cx.departed.backoff_until(known.hash, hash);
        topic.insert(Member::new(peer, backoff_until));
        cx.out.push(Output::Subscribed { peer, topic: index });
    }
}

/// We leave a topic.
pub(super) fn leave(index: TopicIndex, topics: &mut Topics, cx: &mut Context<'_>) {
    let Some(mut topic) = topics.leave(index, cx.now) else { return };
    let placed: Vec<PeerIndex> = topic.members().filter(|member| member.in_mesh).map(|member| member.peer).collect();
    placed.into_iter().for_each(|peer| mesh::prune(&mut topic, peer, LEAVE_BACKOFF_MS, false, cx));
    tell_all(false, &topic.name, cx);
    for member in topic.members() {
        if let Some(peer) = cx.peers.find(member.peer) {
            cx.departed.back_off(peer.hash, topic.hash, member.backoff_until, cx.now);
        }
    }
}

/// Those whose stream does not stand yet are told all topics when it does.
fn tell_all(is_in: bool, topic: &[u8], cx: &mut Context<'_>) {
    for (peer, known) in cx.peers.iter() {
        if known.is_reachable() && known.protocol.is_some() {
            cx.out.say(peer, Kind::Control, &[Part::Subscription { is_in, topic }]);
        }
    }
}

/// A peer says that it is in a topic, or in it no more. True if a joined topic has a member more; none if it says so
/// too often.
pub(super) fn on_subscription(
    index: PeerIndex,
    name: &[u8],
    is_in: bool,
    topics: &mut Topics,
    cx: &mut Context<'_>,
) -> Option<bool> {
    let (hash, now) = (cx.hash(name), cx.now);
    let peer = cx.heard(index)?;
    peer.said_hello = true;
    let known = peer.topics.iter().position(|topic| topic.topic == hash);
    if let Some(known) = known.and_then(|at| peer.topics.get_mut(at)).filter(|_| is_in) {
        known.is_stale = false;
        return Some(false);
    }
    if known.is_some() == is_in {
        return Some(false);
    }
    let is_too_many = is_in && peer.topics.len() >= PEER_TOPICS_MAX;
    if is_too_many || !peer.take(Allowance::Subscription, now) {
        return None;
    }
    if !is_in {
        on_left(index, hash, topics, cx);
        return Some(false);
    }
    peer.topics.push(Subscribed { topic: hash, is_stale: false });
    let backoff_until = cx.departed.backoff_until(cx.peers.find(index)?.hash, hash);
    let Some(topic) = topics.hashed(hash) else { return Some(false) };
    topic.insert(Member::new(index, backoff_until));
    cx.out.push(Output::Subscribed { peer: index, topic: topic.index });
    Some(true)
}

/// A peer left a topic.
fn on_left(index: PeerIndex, hash: u64, topics: &mut Topics, cx: &mut Context<'_>) {
    let Some(peer) = cx.peers.find_mut(index) else { return };
    peer.topics.retain(|topic| topic.topic != hash);
    if let Some(topic) = topics.hashed(hash)
        && let Some(member) = topic.remove(index)
    {
        let peer_hash = cx.peers.find(index).map_or(0, |peer| peer.hash);
        cx.departed.back_off(peer_hash, hash, member.backoff_until, cx.now);
        cx.out.push(Output::Unsubscribed { peer: index, topic: topic.index });
    }
}

/// An RPC is over. If it was the first on a new stream and named topics, the peer has left those that it did not name;
/// some name none there.
pub(super) fn on_end(index: PeerIndex, topics: &mut Topics, cx: &mut Context<'_>) {
    let Some(peer) = cx.peers.find_mut(index) else { return };
    if !core::mem::replace(&mut peer.said_hello, true) {
        peer.topics.iter_mut().for_each(|topic| topic.is_stale = false);
        return;
    }
    let stale: Vec<u64> = peer.topics.iter().filter(|topic| topic.is_stale).map(|topic| topic.topic).collect();
    stale.into_iter().for_each(|hash| on_left(index, hash, topics, cx));
}
