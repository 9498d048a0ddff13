//! Who is in the mesh of a topic: those to whom each message is sent at once.
//!
//! A place is earned by bringing messages first and by asking for what is offered; who does neither for long loses it.

use super::context::Context;
use super::output::Output;
use super::peer::{PeerIndex, Protocol};
use super::peers::Peer;
use super::queue::Kind;
use super::settings::{BACKOFF_MS, BACKOFF_MS_MAX, BEAT_MS, FOLLOW_UP_MS, GRAFT_TOO_SOON, PX_MAX, REPAIR_MS};
use super::topic::{Member, Topic};
use crate::wire::rpc::{List, Part};
use alloc::vec::Vec;

/// Members without a place that get one at one heartbeat because they are underserved. Source: gossipsub specification,
/// opportunistic grafting takes two.
const MORE_MAX: usize = 2;

/// The first whole multiple of `pace` after a moment, so that the timers of several things are one.
pub(super) const fn next_of(pace: u64, now: u64) -> u64 {
    (now / pace + 1) * pace
}

/// Looks after the mesh of a topic. Says when that is to be done again, if it is.
pub(super) fn tend(topic: &mut Topic, cx: &mut Context<'_>) -> Option<u64> {
    let mut again = drop_idle(topic, cx);
    let capable = topic.members().filter(|member| cx.peers.is_meshable(member.peer)).count();
    let is_small = capable <= cx.mesh.everybody;
    let (low, target) = if is_small { (capable, capable) } else { (cx.mesh.low, cx.mesh.target) };
    let high = cx.mesh.high;
    if topic.in_mesh() < low {
        let wanted = target.min(high).saturating_sub(topic.in_mesh());
        candidates(topic, cx, |_, _| true).into_iter().take(wanted).for_each(|peer| graft(topic, peer, cx));
    }
    let outbound = topic.members().filter(|member| member.in_mesh && is_outbound(member.peer, cx)).count();
    if topic.in_mesh() >= low && outbound < cx.mesh.outbound_min {
        let wanted = cx.mesh.outbound_min - outbound;
        let ours = candidates(topic, cx, |member, cx| is_outbound(member.peer, cx));
        ours.into_iter().take(wanted).for_each(|peer| graft(topic, peer, cx));
    }
    if topic.in_mesh() > high {
        let left = if cx.mesh.is_earned { high } else { target };
        let excess = topic.in_mesh() - left;
        worst(topic, cx).into_iter().take(excess).for_each(|peer| prune(topic, peer, BACKOFF_MS, true, cx));
    }
    if cx.mesh.is_earned {
        let now = cx.now;
        for peer in candidates(topic, cx, |member, cx| member.is_underserved(cx.now)).into_iter().take(MORE_MAX) {
            let merit = topic.member(peer).map_or(0, |member| member.merit(now));
            if has_place(topic, merit, cx) {
                graft(topic, peer, cx);
            }
        }
    }
    if topic.in_mesh() < low {
        let waits = |member: &&Member| !member.in_mesh && !member.is_idle && cx.peers.is_meshable(member.peer);
        let ends = topic.members().filter(waits).map(|member| member.backoff_until).min();
        let at = ends.map(|ends| next_of(REPAIR_MS, ends.max(cx.now)));
        again = [again, at].into_iter().flatten().min();
    }
    again
}

/// Those who were sent and then offered so much without a sign of life lose their places.
fn drop_idle(topic: &mut Topic, cx: &mut Context<'_>) -> Option<u64> {
    let (mut idle, mut again): (Vec<PeerIndex>, _) = (Vec::new(), None);
    for member in topic.members_mut().filter(|member| cx.mesh.is_earned && member.in_mesh) {
        match member.idle_since() {
            // It had time to ask for the last one.
            Some(since) if cx.now >= since + FOLLOW_UP_MS => {
                member.is_idle = true;
                idle.push(member.peer);
            }
            Some(since) => again = Some(next_of(BEAT_MS, since + FOLLOW_UP_MS - 1).max(next_of(BEAT_MS, cx.now))),
            None => {}
        }
    }
    idle.into_iter().for_each(|peer| prune(topic, peer, BACKOFF_MS, false, cx));
    again
}

fn is_outbound(peer: PeerIndex, cx: &Context<'_>) -> bool {
    cx.peers.find(peer).is_some_and(|peer| peer.outbound)
}

/// Those who could be taken in, the worthiest first; among equals whoever has the fewest neighbours of its own network
/// address in the mesh, and then chance.
fn candidates(topic: &Topic, cx: &mut Context<'_>, choose: impl Fn(&Member, &Context<'_>) -> bool) -> Vec<PeerIndex> {
    let is_free = |member: &&Member| {
        let may = !member.in_mesh && !member.is_idle && member.backoff_until <= cx.now;
        may && cx.peers.is_meshable(member.peer) && choose(member, cx)
    };
    let free: Vec<&Member> = topic.members().filter(is_free).collect();
    let group = |peer| cx.peers.find(peer).map(|peer| peer.group);
    let mut ranked = Vec::with_capacity(free.len());
    for member in free {
        let own = group(member.peer);
        let neighbours = topic.members().filter(|other| other.in_mesh && group(other.peer) == own).count();
        let rank = u64::from(!member.merit(cx.now)) << 32 | neighbours as u64;
        ranked.push((rank, cx.random.number(), member.peer));
    }
    in_order(ranked)
}

/// Those in the mesh, the least worthy first; as many as it should have that we dialled come last.
fn worst(topic: &Topic, cx: &mut Context<'_>) -> Vec<PeerIndex> {
    let mut spared = cx.mesh.outbound_min;
    let mut ranked = Vec::new();
    for member in topic.members().filter(|member| member.in_mesh) {
        let is_spared = spared > 0 && is_outbound(member.peer, cx);
        spared -= usize::from(is_spared);
        let rank = u64::from(is_spared) << 32 | u64::from(member.merit(cx.now));
        ranked.push((rank, cx.random.number(), member.peer));
    }
    in_order(ranked)
}

/// Peers by their ranks, and among equals by chance.
pub(super) fn in_order(mut ranked: Vec<(u64, u64, PeerIndex)>) -> Vec<PeerIndex> {
    ranked.sort_unstable();
    ranked.into_iter().map(|(.., peer)| peer).collect()
}

/// Whether a mesh has a place for somebody of such a merit: a free one, or one whose holder has by far less.
fn has_place(topic: &mut Topic, merit: u32, cx: &mut Context<'_>) -> bool {
    if topic.in_mesh() < cx.mesh.high {
        return true;
    }
    let last = worst(topic, cx).first().copied().filter(|_| cx.mesh.is_earned);
    let Some(last) = last.filter(|last| {
        let now = cx.now;
        topic.member(*last).is_some_and(|member| merit > 2 * member.merit(now))
    }) else {
        return false;
    };
    prune(topic, last, BACKOFF_MS, true, cx);
    true
}

/// Takes a peer into the mesh and tells it.
fn graft(topic: &mut Topic, peer: PeerIndex, cx: &mut Context<'_>) {
    if let Some(member) = topic.member(peer) {
        member.in_mesh = true;
        member.on_sign_of_life();
        cx.out.say(peer, Kind::Control, &[Part::Graft { topic: &topic.name }]);
    }
}

/// A peer has no place in the mesh, and is told so.
pub(super) fn prune(topic: &mut Topic, peer: PeerIndex, backoff_ms: u64, recommends: bool, cx: &mut Context<'_>) {
    if let Some(member) = topic.member(peer) {
        member.in_mesh = false;
        member.backoff_until = cx.now + backoff_ms;
    }
    let knows = |peer: PeerIndex| cx.peers.find(peer).and_then(|peer| peer.protocol).unwrap_or(Protocol::None);
    if !cx.peers.is_meshable(peer) {
        return;
    }
    let mut others = Vec::new();
    if knows(peer) >= Protocol::V11 && recommends {
        let placed = topic.members().filter(|member| member.in_mesh && member.peer != peer);
        others.extend(placed.map(|member| (0, cx.random.number(), member.peer)));
    }
    let others = in_order(others).into_iter().take(PX_MAX);
    let ids: Vec<&[u8]> = others.filter_map(|other| cx.peers.find(other)).map(|other| &*other.id).collect();
    let backoff_s = (knows(peer) >= Protocol::V11).then_some(backoff_ms / 1_000);
    cx.out.say(peer, Kind::Control, &[Part::Prune { topic: &topic.name, peers: List::peers(&ids), backoff_s }]);
}

/// A peer takes us into its mesh, and asks for a place in ours. It has used one of its changes.
pub(super) fn on_graft(topic: &mut Topic, peer: PeerIndex, cx: &mut Context<'_>) {
    let (now, is_ours) = (cx.now, is_outbound(peer, cx));
    let Some(member) = topic.member(peer) else { return };
    if member.in_mesh {
        return;
    }
    let (merit, is_early, is_idle) = (member.merit(now), member.backoff_until > now, member.is_idle);
    if is_early {
        cx.offend(peer, GRAFT_TOO_SOON);
    }
    let may = cx.peers.find(peer).is_some_and(Peer::may_have_place);
    let is_welcome = may && !is_early && !is_idle;
    if is_welcome && ((is_ours && !cx.mesh.is_earned) || has_place(topic, merit, cx)) {
        if let Some(member) = topic.member(peer) {
            member.in_mesh = true;
            member.on_sign_of_life();
        }
    } else {
        prune(topic, peer, BACKOFF_MS, !is_early && !is_idle, cx);
    }
}

/// A peer has no place for us.
pub(super) fn on_prune(
    topic: &mut Topic,
    peer: PeerIndex,
    peers: List<'_>,
    backoff_s: Option<u64>,
    cx: &mut Context<'_>,
) {
    let Some(member) = topic.member(peer) else { return };
    let backoff_ms = backoff_s.map_or(BACKOFF_MS, |seconds| seconds.saturating_mul(1_000)).min(BACKOFF_MS_MAX);
    member.in_mesh = false;
    // A little longer than it says: its clock began when it sent this.
    member.backoff_until = member.backoff_until.max(cx.now + backoff_ms + BEAT_MS);
    if topic.in_mesh() < cx.mesh.low {
        for id in peers.iter().take(PX_MAX) {
            cx.out.push(Output::Suggested { topic: topic.index, id: id.into() });
        }
    }
}
