//! Answers to commands.

use super::{
    command::{Answer, Clock, Command, Limit, Peer, Room, Status, Task},
    handle::{Refused, Reply},
    state::Node,
    talk::{event_of, refuse},
};
use crate::{chat::clock::Source, wire::bounds};
use libp2p::kad;
use std::time::Instant;

/// What each sort of task does, for `status --tasks`.
const TASKS: [(&str, &str); 7] = [
    ("node", "swarm, rooms and disk in one loop; reads commands, fills events and disk writes"),
    ("connection", "one connection's handshake, streams and timers; one task a connection"),
    ("dns", "questions to one name server, by UDP or TCP; from the first name dialed on"),
    ("control", "one client of the control socket; fills commands, reads events"),
    ("control-listener", "accepts clients of the control socket, up to control_clients_max"),
    ("announce", "tells the addresses listened on, and ends"),
    ("chat", "the conversation on this terminal; fills commands, reads events"),
];

impl Node {
    /// Does as asked, at once or as soon as there is a stamp for it.
    pub(super) async fn on_command(&mut self, command: Command, reply: Reply) {
        match command {
            Command::Send { .. } | Command::Record { .. } => self.stamp_and_do(command, reply).await,
            command => self.do_command(command, reply).await,
        }
    }

    pub(super) async fn do_command(&mut self, command: Command, reply: Reply) {
        let answer = match command {
            // Others answer these.
            Command::Dm { peer, text } => return self.send_direct(&peer, text, reply),
            Command::Dial { address } => return self.dial(&address, reply),
            Command::Send { room, text } => self.send(room.as_deref(), &text).await,
            Command::Record { room, kind, data } => self.record(room.as_deref(), &kind, &data).await,
            Command::Join { room } => self.join(&room).map(|()| Answer::Done {}),
            Command::Leave { room } => self.leave(&room).map(|()| Answer::Done {}),
            Command::Nick { nick } => self.rename(nick).map(|()| Answer::Done {}),
            Command::History { room, count } => self.history(room.as_deref(), count),
            Command::Peers {} => Ok(Answer::Peers { peers: self.peer_list() }),
            Command::Rooms {} => Ok(Answer::Rooms { rooms: self.room_list() }),
            Command::Status { tasks } => Ok(Answer::Status(Box::new(self.status(tasks)))),
            Command::Limits {} => Ok(Answer::Limits { limits: self.limit_list() }),
        };
        let _ = reply.send(answer);
    }

    fn rename(&mut self, nick: String) -> Result<(), Refused> {
        check_nick(&nick)?;
        self.nick = nick;
        self.greetings.look_at(Instant::now());
        Ok(())
    }

    fn history(&mut self, room: Option<&str>, count: u32) -> Result<Answer, Refused> {
        let room = self.room(room)?;
        let entries = self.core.history(&room, count as usize);
        Ok(Answer::History { history: entries.map(|message| event_of(&message, &mut self.authors)).collect() })
    }

    fn peer_list(&self) -> Vec<Peer> {
        let peer = |(peer, c): (&libp2p::PeerId, &super::peers::Connected)| Peer {
            peer: peer.to_base58(),
            nick: c.nick.clone(),
            address: c.address.to_string(),
            outbound: c.outbound,
            found: Some(c.found),
            rooms: c.rooms.iter().cloned().collect(),
            agent: c.agent.clone(),
            rtt_us: c.rtt.map(|rtt| rtt.as_micros() as u64),
        };
        self.peers.all_connected().map(peer).collect()
    }

    fn room_list(&self) -> Vec<Room> {
        let gossip = &self.swarm.behaviour().gossip;
        let mesh =
            |room: &crate::wire::room::RoomName| self.topics.of(room).map_or(0, |topic| gossip.mesh(topic).count());
        let room = |room: &crate::wire::room::RoomName| Room {
            room: room.as_str().to_owned(),
            peers: self.peers.in_room(room.as_str()) as u32,
            mesh: mesh(room) as u32,
            messages: self.core.messages(room) as u32,
            waiting: self.outbox.waiting(room) as u32,
            away: self.outbox.away(room) as u32,
        };
        self.rooms.iter().map(room).collect()
    }

    fn status(&mut self, tasks: bool) -> Status {
        let now = Instant::now();
        let dht = &mut self.swarm.behaviour_mut().dht;
        let dht_peers = dht.kbuckets().map(|bucket| bucket.num_entries() as u32).sum();
        let entries = dht.kbuckets().flat_map(|bucket| bucket.iter().map(|e| e.node.value.len()).collect::<Vec<_>>());
        let fullest = entries.max().unwrap_or(0) as u64;
        let dht_mode = match self.swarm.behaviour().dht.mode() {
            kad::Mode::Client => "client",
            kad::Mode::Server => "server",
        };
        let local = *self.swarm.local_peer_id();
        Status {
            peer: local.to_base58(),
            nick: self.nick.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            board: self.board.name.into(),
            stage: self.stage,
            why: self.why.clone(),
            uptime_s: self.clocks.started().elapsed().as_secs(),
            listening: self.listening.iter().map(|a| format!("{a}/p2p/{local}")).collect(),
            peers: self.peers.connected_count() as u32,
            rooms: self.rooms.iter().map(|room| room.as_str().to_owned()).collect(),
            dht_mode: dht_mode.into(),
            dht_peers,
            bootstrap: self.bootstrap.describe(now),
            clock_known: self.now().clock_known(),
            clock: self.clock_status(),
            troubles: self.trouble_list(now),
            waiting: self.outbox.owed(),
            counters: self.counters(fullest),
            tasks: if tasks { self.task_list() } else { Vec::new() },
            queues: if tasks { self.queues() } else { Vec::new() },
        }
    }

    fn clock_status(&self) -> Clock {
        let now = self.now();
        let time = self.core.clock().time(now);
        let source = match time.source {
            Source::Own => self.clocks.clock().name(),
            Source::Peers => "peers",
            Source::Earlier => "earlier",
            Source::Room => "room",
            Source::Guess => "guess",
            Source::Nobody => "none",
        };
        let offset_ms = now.unix_ms().map(|own| own.cast_signed().saturating_sub(time.unix_ms.cast_signed()));
        Clock {
            known: now.clock_known(),
            synchronised: now.is_synchronised(),
            level: time.level,
            source: source.into(),
            offset_ms,
            vouchers: self.core.clock().vouchers() as u32,
            refused: self.doubts.refused(),
        }
    }

    fn task_list(&self) -> Vec<Task> {
        let what = |name: &str| TASKS.iter().find(|(n, _)| *n == name).map_or("", |(_, what)| what);
        let running = self.executor.tasks().into_iter();
        let mut tasks: Vec<Task> =
            running.map(|(name, count)| Task { name: name.into(), count, what: what(name).into() }).collect();
        if self.disk.is_some() {
            let what = "the only thread that writes to the card; reads disk writes".into();
            tasks.push(Task { name: "disk".into(), count: 1, what });
        }
        tasks
    }

    fn limit_list(&self) -> Vec<Limit> {
        let limit = |name: &str, value: u64, what: &str| Limit {
            name: name.into(),
            value,
            what: what.into(),
            used: self.used(name),
            hits: self.hits(name),
        };
        let board = self.board.limits_list().map(|(name, value, what)| limit(name, value, what));
        let protocol = [
            ("text_bytes_max", bounds::TEXT_BYTES_MAX, "bytes of one line; the same on every board"),
            ("nick_bytes_max", bounds::NICK_BYTES_MAX, "bytes of a nickname; the same on every board"),
            ("room_bytes_max", bounds::ROOM_BYTES_MAX, "bytes of a room's name; the same on every board"),
            ("kind_bytes_max", bounds::KIND_BYTES_MAX, "bytes of a record's kind; the same on every board"),
            ("record_bytes_max", bounds::RECORD_BYTES_MAX, "bytes of a record; the same on every board"),
            ("direct_open_max", super::courier::DIRECT_OPEN_MAX, "direct messages of ours that wait for their answer"),
            (
                "direct_per_minute_max",
                super::courier::DIRECT_PER_MINUTE_MAX as usize,
                "direct messages of one peer a minute",
            ),
            ("others_data_bytes_max", crate::compat::bounds::DATA_BYTES_MAX, "bytes of a message of another program"),
            ("bootstrap_max", super::bootstrap::BOOTSTRAP_MAX, "bootstrap nodes"),
            ("known_peers_max", super::peers::KNOWN_PEERS_MAX, "peers whose addresses are kept"),
        ];
        board.chain(protocol.into_iter().map(|(name, value, what)| limit(name, value as u64, what))).collect()
    }
}

/// A nickname that fits the wire.
pub(super) fn check_nick(nick: &str) -> Result<(), Refused> {
    crate::chat::verdict::check_nick(nick).map_err(refuse)
}
