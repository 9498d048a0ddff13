//! The node's state: one struct, owned by one task. The files below it each hold one part of what it does.

use super::{
    admission::Admission,
    asked::AskedDials,
    authors::Authors,
    behaviour::Behaviour,
    bootstrap::Bootstrap,
    command::{Counter, Queue},
    courier::Directs,
    doubts::Doubts,
    event::{Event, Stage},
    greetings::Greetings,
    handle::{Hub, Requests},
    holdback::Holdback,
    lonely::Lonely,
    outbox::Outbox,
    peers::Peers,
    refusals::Refusals,
    rendezvous::Rendezvous,
    reserve::Reserve,
    strangers::Strangers,
    topics::Topics,
    troubles::Troubles,
    twin::{Changes, Twin},
    wall::Clocks,
    words::count_of,
};
use crate::{
    base::{board::Board, time::Now},
    chat::core::Core,
    net::{executor::Executor, interfaces::Interface},
    store::{remembered::Remembered, writer::Writer},
    wire::room::RoomName,
};
use libp2p::{Multiaddr, PeerId, Swarm, swarm::ConnectionId};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

/// What outlives a restart.
pub(super) struct Disk {
    pub dir: PathBuf,
    pub writer: Writer,
    pub written: Instant,
}

/// The node. [`super::run::start`] makes it.
pub struct Node {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) executor: Executor,
    pub(super) core: Core,
    pub(super) board: &'static Board,
    pub(super) nick: String,
    pub(super) rooms: Vec<RoomName>,
    pub(super) peers: Peers,
    pub(super) admission: Admission,
    pub(super) strangers: Strangers,
    /// Peers whose rooms are to be looked at, and when. Only of those who are connected.
    pub(super) unconfirmed: BTreeMap<PeerId, Instant>,
    pub(super) topics: Topics,
    /// The number of our last message.
    pub(super) seqno: u64,
    pub(super) authors: Authors,
    pub(super) directs: Directs,
    pub(super) bootstrap: Bootstrap,
    pub(super) rendezvous: Rendezvous,
    pub(super) remembered: Remembered,
    pub(super) clocks: Clocks,
    pub(super) greetings: Greetings,
    pub(super) doubts: Doubts,
    pub(super) reserve: Reserve,
    pub(super) disk: Option<Disk>,
    pub(super) outbox: Outbox,
    pub(super) holdback: Holdback,
    pub(super) dials: BTreeMap<ConnectionId, PeerId>,
    pub(super) dht_servers: BTreeSet<PeerId>,
    pub(super) stage: Stage,
    pub(super) why: String,
    pub(super) listening: Vec<Multiaddr>,
    /// The addresses of this host, once they were asked for and until they change.
    pub(super) here: Option<Vec<Interface>>,
    pub(super) hub: Arc<Hub>,
    pub(super) requests: Requests,
    pub(super) troubles: Troubles,
    pub(super) refusals: Refusals,
    pub(super) lonely: Lonely,
    pub(super) asked_dials: AskedDials,
    pub(super) twin: Twin,
    pub(super) changes: Changes,
    /// Where peers with keys of an unknown kind are, and when they were last heard of. As bounded as their troubles.
    pub(super) unknown_keys: Vec<(String, Instant)>,
    pub(super) is_bootstrap: bool,
    pub(super) counts: BTreeMap<&'static str, u64>,
    pub(super) housekeeping: Instant,
    pub(super) tcp: crate::net::tcp::Counters,
}

impl Node {
    /// What the clocks say.
    pub(super) fn now(&self) -> Now {
        self.clocks.now()
    }

    /// The wall time, if there is any notion of it: that of the room, whatever our own clock says.
    pub(super) fn unix_ms(&self) -> Option<u64> {
        self.core.clock().hello(self.now()).0
    }

    pub(super) fn emit(&self, event: Event) {
        self.hub.emit(event);
    }

    pub(super) fn count(&mut self, name: &'static str) {
        *self.counts.entry(name).or_default() += 1;
    }

    pub(super) fn counters(&self, dht_addresses: u64) -> Vec<Counter> {
        let gossip = &self.swarm.behaviour().gossip;
        let tcp = self.tcp.counts();
        let (said_again, given_up) = (self.outbox.said_again(), self.outbox.given_up());
        let waiting = gossip.waiting();
        let (gossip, slow) = (gossip.counts(), waiting.first.drops + waiting.forwarded.drops);
        let read = [
            ("gossip: messages seen before", gossip.refused.seen),
            ("gossip: messages dropped, too many at once", gossip.refused.too_many),
            ("gossip: control messages dropped", gossip.refused.control),
            ("gossip: dropped, of peers that misbehave", gossip.refused.offenders),
            ("gossip: dropped, malformed or too long", gossip.malformed),
            ("gossip: dropped, not signed as it must be", gossip.unsigned),
            ("gossip: messages dropped, a peer reads too slowly", slow),
            ("lines said again", said_again),
            ("lines given up: somebody did not get them", given_up),
            ("gossip: messages asked for", gossip.recovery.asked),
            ("gossip: messages handed out on request", gossip.recovery.given),
            ("heartbeats", gossip.beats),
            ("connections replaced by a newer one", gossip.replaced),
            ("dht: addresses of the fullest entry", dht_addresses),
        ];
        let tcp = [
            ("tcp: connections accepted", tcp.accepted),
            ("tcp: refused, too many a second", tcp.refused_total),
            ("tcp: refused, too many a second from one address", tcp.refused_address),
            ("tcp: errors of accept", tcp.accept_errors),
            ("tcp: reads held back by the rate", tcp.throttled),
        ];
        let tcp = tcp.into_iter().map(|(name, count)| (name, count as u64));
        let held_back = ("dials held back: too many named by strangers", self.strangers.held_back());
        let unlisted = ("troubles beside too many of their code", self.troubles.unlisted());
        let read = read
            .into_iter()
            .chain([held_back, unlisted])
            .chain(tcp)
            .map(|(name, count)| Counter { name: name.to_owned(), count });
        let mdns = self.swarm.behaviour().mdns.as_ref().map(|mdns| mdns.counters());
        let mdns = mdns.iter().flat_map(|counters| counters.iter());
        let mdns = mdns.map(|(name, count)| Counter { name: format!("mdns: {}", name.replace('_', " ")), count });
        let read = read.chain(mdns);
        let own = self.counts.iter().map(|(name, count)| Counter { name: (*name).to_owned(), count: *count });
        let core = self.core.counters().into_iter();
        read.chain(own).chain(core.map(|(name, count)| Counter { name: name.to_owned(), count })).collect()
    }

    /// Looks where the lifecycle stands, and tells if it moved.
    pub(super) fn update_stage(&mut self) {
        // Who shares nothing with us comes and goes without a word here.
        let peers = self.peers.neighbours();
        self.on_neighbours(peers, Instant::now());
        let best = self.rooms.iter().map(|room| (self.peers.in_room(room.as_str()), room)).max_by_key(|(n, _)| *n);
        let (stage, why) = match best {
            _ if peers == 0 && self.bootstrap.is_empty() => {
                (Stage::Join, "no peer found yet on this network".to_owned())
            }
            _ if peers == 0 => (Stage::Join, "no peer connected yet; dialling bootstrap nodes".to_owned()),
            Some((in_room, room)) if in_room > 0 => {
                (Stage::Exchange, format!("{} in {room}", count_of(in_room, "peer")))
            }
            None => (Stage::Connect, format!("{} connected; no room joined", count_of(peers, "peer"))),
            Some(_) => (Stage::Connect, format!("{} connected, none in our rooms", count_of(peers, "peer"))),
        };
        self.why = why;
        if stage != self.stage {
            self.stage = stage;
            self.emit(Event::Stage { stage, why: self.why.clone() });
        }
    }

    /// The queues of the node, for `status --tasks`.
    pub(super) fn queues(&self) -> Vec<Queue> {
        let mut queues = self.hub.queues();
        queues.push(self.requests.describe());
        queues.push(self.outbox.describe());
        let waiting = self.swarm.behaviour().gossip.waiting();
        for (name, overflow, meter) in [
            ("to the slowest peer: ours", "refuse", waiting.first),
            ("to the slowest peer: others' messages", "whoever said most gives way", waiting.forwarded),
        ] {
            queues.push(Queue {
                name: name.into(),
                from: "node".into(),
                to: "connection".into(),
                overflow: overflow.into(),
                length: meter.length as u32,
                capacity: meter.capacity as u32,
                high_water: meter.high_water as u32,
                drops: meter.drops,
            });
        }
        if let Some(disk) = &self.disk {
            let meter = disk.writer.meter();
            queues.push(Queue {
                name: "disk writes".into(),
                from: "node".into(),
                to: "disk".into(),
                overflow: "refuse".into(),
                length: meter.length as u32,
                capacity: meter.capacity as u32,
                high_water: meter.high_water as u32,
                drops: meter.refused,
            });
        }
        queues
    }
}
