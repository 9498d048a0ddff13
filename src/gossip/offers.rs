//! Offers and requests: how what was lost, or goes to somebody beside the mesh, arrives all the same.

use super::context::Context;
use super::mesh::in_order;
use super::messages::{Messages, frame_of};
use super::output::Output;
use super::peer::{PeerIndex, Protocol};
use super::peers::Allowance;
use super::queue::Kind;
use super::settings::{OFFER_IDS_MAX, OFFER_MS};
use super::store::Entry;
use super::topic::{Member, TopicIndex, Topics};
use crate::wire::rpc::{List, Part};
use alloc::{collections::BTreeMap, vec::Vec};

/// A peer offers messages: what is new is asked for, and of what is here it is told so, once: it need not offer that
/// again, and knows that somebody is there.
pub(super) fn on_offer(
    messages: &mut Messages,
    peer: PeerIndex,
    topic: TopicIndex,
    ids: List<'_>,
    topics: &mut Topics,
    cx: &mut Context<'_>,
) {
    let by_content = topics.find(topic).is_some_and(|topic| topic.by_content);
    let (mut wanted, mut here): (Vec<&[u8]>, Vec<&[u8]>) = Default::default();
    for id in allowed(messages, peer, Allowance::Offered, ids, cx) {
        let key = messages.key(id);
        if let Some(entry) = messages.store.find(key) {
            if entry.has.insert(peer) {
                topics.member(entry.topic, peer).into_iter().for_each(Member::on_sign_of_life);
                if !entry.sent.contains(peer) {
                    here.push(id);
                }
            }
        } else if !messages.seen.contains(key, by_content, cx.now) && messages.asked.on_offer(key, id, peer, cx.now) {
            wanted.push(id);
        }
    }
    messages.recovery.asked += wanted.len() as u64;
    if !wanted.is_empty() {
        cx.out.say(peer, Kind::Control, &[Part::IWant { ids: List::ids(&wanted) }]);
    }
    let knows = cx.peers.find(peer).and_then(|peer| peer.protocol) == Some(Protocol::V12);
    if !here.is_empty() && knows && cx.mesh.is_earned {
        cx.out.say(peer, Kind::Control, &[Part::IDontWant { ids: List::ids(&here) }]);
    }
}

/// A peer asks for messages.
pub(super) fn on_request(
    messages: &mut Messages,
    peer: PeerIndex,
    ids: List<'_>,
    topics: &mut Topics,
    cx: &mut Context<'_>,
) {
    for id in allowed(messages, peer, Allowance::Asked, ids, cx) {
        let key = messages.key(id);
        let Some(entry) = messages.store.find(key).filter(|entry| !entry.is_pending()) else { continue };
        let is_first = entry.sent.insert(peer);
        if !is_first && cx.take(peer, Allowance::Repeat, 1) == 0 {
            messages.refused.control += 1;
            continue;
        }
        cx.out.push(Output::Send { peer, frame: frame_of(entry, Kind::Forwarded) });
        messages.recovery.given += 1;
        if let Some(member) = topics.member(entry.topic, peer).filter(|_| is_first) {
            member.on_asked(cx.now);
        }
    }
}

/// A peer has messages already.
pub(super) fn on_unwanted(
    messages: &mut Messages,
    peer: PeerIndex,
    ids: List<'_>,
    topics: &mut Topics,
    cx: &mut Context<'_>,
) {
    for id in allowed(messages, peer, Allowance::Unwanted, ids, cx) {
        let key = messages.key(id);
        match messages.store.find(key) {
            Some(entry) => {
                if entry.has.insert(peer) {
                    topics.member(entry.topic, peer).into_iter().for_each(Member::on_sign_of_life);
                }
            }
            None => cx.heard(peer).into_iter().for_each(|peer| peer.note_unwanted(key)),
        }
    }
}

/// So many of the ids as the peer may name now.
fn allowed<'a>(
    messages: &mut Messages,
    peer: PeerIndex,
    allowance: Allowance,
    ids: List<'a>,
    cx: &mut Context<'_>,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let count = ids.count();
    let allowed = cx.take(peer, allowance, count);
    messages.refused.control += u64::from(allowed < count);
    ids.iter().take(allowed)
}

/// As many as one offer holds, the oldest first, for so they are asked for. Of too many the newest of each author, so that
/// one who says much leaves room for the rest.
fn shared<'a>(lacking: &[&'a Entry]) -> impl Iterator<Item = &'a Entry> + use<'a> {
    let mut newest: Vec<(u32, &Entry)> = lacking.iter().rev().map(|entry| (0, *entry)).collect();
    if newest.len() > OFFER_IDS_MAX {
        let mut said: BTreeMap<u32, u32> = BTreeMap::new();
        for (place, entry) in &mut newest {
            let count = said.entry(entry.author).or_default();
            (*place, *count) = (*count, *count + 1);
        }
        newest.sort_by_key(|(place, _)| *place);
    }
    newest.truncate(OFFER_IDS_MAX);
    newest.sort_by_key(|(_, entry)| entry.serial);
    newest.into_iter().map(|(_, entry)| entry)
}

/// Tells everybody in a topic what they may lack. True if that is to be done again.
pub(super) fn offer(messages: &mut Messages, index: TopicIndex, topics: &mut Topics, cx: &mut Context<'_>) -> bool {
    let (mut again, serial) = (false, messages.store.next_serial());
    let Some(topic) = topics.find_mut(index) else { return false };
    let told = told(topic.members().filter(|member| !member.in_mesh).map(|member| member.peer), cx);
    let (name, members) = topic.split();
    for member in members {
        if !cx.peers.is_meshable(member.peer) {
            continue;
        }
        let newest = member.told_last();
        let may_lack = |entry: &Entry| match entry.sent.contains(member.peer) {
            // What nobody but us has is told once more.
            true => cx.mesh.is_earned && entry.is_own && entry.serial >= newest,
            false => true,
        };
        let lacks = |entry: &&Entry| {
            let is_here = entry.topic == index && cx.now < entry.at + OFFER_MS;
            is_here && !entry.has.contains(member.peer) && may_lack(entry)
        };
        let lacking: Vec<&Entry> = messages.store.kept_from(member.told_from()).filter(lacks).collect();
        let ids: Vec<&[u8]> = shared(&lacking).map(|entry| &*entry.id).collect();
        let is_chosen = member.in_mesh || told.as_ref().is_none_or(|told| told.contains(&member.peer));
        if !ids.is_empty() && is_chosen {
            let offer = Part::IHave { topic: name, ids: List::ids(&ids) };
            cx.out.say(member.peer, Kind::Offer(index), &[offer]);
        }
        member.on_told(serial);
        let is_left = |entry: &&Entry| entry.serial >= member.told_from() && !entry.sent.contains(member.peer);
        again |= lacking.iter().any(is_left);
    }
    again
}

/// Of those beside the mesh as many as are told, by chance; none if all are.
fn told(beside: impl Iterator<Item = PeerIndex>, cx: &mut Context<'_>) -> Option<Vec<PeerIndex>> {
    if cx.mesh.offers_to == usize::MAX {
        return None;
    }
    let mut drawn = in_order(beside.map(|peer| (0, cx.random.number(), peer)).collect());
    drawn.truncate(cx.mesh.offers_to.max(drawn.len() / 4));
    Some(drawn)
}
