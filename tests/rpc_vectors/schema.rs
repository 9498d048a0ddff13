//! The schema as libp2p-gossipsub 0.50.1 has it (`generated/rpc.proto`), for prost, and RPCs made by chance.

use stonechat::base::random::Random;
use stonechat::wire::rpc::{List, Message, Part};

#[derive(Clone, PartialEq, prost::Message)]
pub struct Rpc {
    #[prost(message, repeated, tag = "1")]
    pub subscriptions: Vec<SubOpts>,
    #[prost(message, repeated, tag = "2")]
    pub publish: Vec<Published>,
    #[prost(message, optional, tag = "3")]
    pub control: Option<Control>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SubOpts {
    #[prost(bool, optional, tag = "1")]
    pub subscribe: Option<bool>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub topic: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Published {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub from: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub data: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub seqno: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub topic: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub signature: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "6")]
    pub key: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Control {
    #[prost(message, repeated, tag = "1")]
    pub ihave: Vec<IHave>,
    #[prost(message, repeated, tag = "2")]
    pub iwant: Vec<Ids>,
    #[prost(message, repeated, tag = "3")]
    pub graft: Vec<Graft>,
    #[prost(message, repeated, tag = "4")]
    pub prune: Vec<Prune>,
    #[prost(message, repeated, tag = "5")]
    pub idontwant: Vec<Ids>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct IHave {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub topic: Option<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub ids: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Ids {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub ids: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Graft {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub topic: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Prune {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub topic: Option<Vec<u8>>,
    #[prost(message, repeated, tag = "2")]
    pub peers: Vec<PeerInfo>,
    #[prost(uint64, optional, tag = "3")]
    pub backoff: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PeerInfo {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub id: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub record: Option<Vec<u8>>,
}

fn ids(ids: &[Vec<u8>]) -> List<'_> {
    List::ids(ids.iter().map(Vec::as_slice).collect::<Vec<_>>().leak())
}

/// The parts of an RPC in the order in which prost writes them.
pub fn flat(rpc: &Rpc) -> Vec<Part<'_>> {
    let topic = |topic: &'_ Option<Vec<u8>>| -> &'static [u8] { topic.clone().unwrap_or_default().leak() };
    let mut parts: Vec<Part<'_>> = Vec::new();
    for one in &rpc.subscriptions {
        parts.push(Part::Subscription { is_in: one.subscribe.unwrap_or_default(), topic: topic(&one.topic) });
    }
    for one in &rpc.publish {
        parts.push(Part::Message(Message {
            from: one.from.as_deref(),
            data: one.data.as_deref(),
            seqno: one.seqno.as_deref(),
            topic: one.topic.as_deref(),
            signature: one.signature.as_deref(),
            key: one.key.as_deref(),
        }));
    }
    let Some(control) = &rpc.control else { return parts };
    parts.extend(control.ihave.iter().map(|one| Part::IHave { topic: topic(&one.topic), ids: ids(&one.ids) }));
    parts.extend(control.iwant.iter().map(|one| Part::IWant { ids: ids(&one.ids) }));
    parts.extend(control.graft.iter().map(|one| Part::Graft { topic: topic(&one.topic) }));
    for one in &control.prune {
        let peers: Vec<&[u8]> = one.peers.iter().filter_map(|peer| peer.id.as_deref()).collect();
        let peers = List::peers(peers.leak());
        parts.push(Part::Prune { topic: topic(&one.topic), peers, backoff_s: one.backoff });
    }
    parts.extend(control.idontwant.iter().map(|one| Part::IDontWant { ids: ids(&one.ids) }));
    parts
}

fn bytes(random: &mut Random, max: u64) -> Vec<u8> {
    let length = random.below(max + 1);
    (0..length).map(|_| random.number() as u8).collect()
}

fn maybe(random: &mut Random, max: u64) -> Option<Vec<u8>> {
    (random.below(4) > 0).then(|| bytes(random, max))
}

fn several<T>(random: &mut Random, max: u64, mut one: impl FnMut(&mut Random) -> T) -> Vec<T> {
    (0..random.below(max + 1)).map(|_| one(random)).collect()
}

/// An RPC within every bound.
pub fn made(random: &mut Random) -> Rpc {
    let id_list = |random: &mut Random| several(random, 3, |random| [vec![1], bytes(random, 60)].concat());
    let control = |random: &mut Random| Control {
        ihave: several(random, 2, |random| IHave { topic: maybe(random, 30), ids: id_list(random) }),
        iwant: several(random, 2, |random| Ids { ids: id_list(random) }),
        graft: several(random, 2, |random| Graft { topic: maybe(random, 30) }),
        prune: several(random, 2, |random| Prune {
            topic: maybe(random, 30),
            peers: several(random, 2, |random| PeerInfo {
                id: Some([vec![1], bytes(random, 40)].concat()),
                record: maybe(random, 20),
            }),
            backoff: (random.below(2) > 0).then(|| random.number() >> random.below(64)),
        }),
        idontwant: several(random, 2, |random| Ids { ids: id_list(random) }),
    };
    Rpc {
        subscriptions: several(random, 2, |random| SubOpts {
            subscribe: (random.below(3) > 0).then(|| random.below(2) > 0),
            topic: maybe(random, 30),
        }),
        publish: several(random, 2, |random| Published {
            from: maybe(random, 38),
            data: maybe(random, 300),
            seqno: maybe(random, 8),
            topic: maybe(random, 30),
            signature: maybe(random, 64),
            key: maybe(random, 36),
        }),
        control: (random.below(2) > 0).then(|| control(random)),
    }
}
