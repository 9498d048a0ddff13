//! Answers as tables for people.

use super::shown::{duration, name, printable, short_peer, table};
use crate::base::board::Board;
use crate::node::command::{Answer, Clock, DialState, Limit, Owed, Peer, Queue, Room, Status, Task};
use crate::node::doubts::{DOUBT_MS, in_words};
use crate::node::event::{FoundBy, Stage};
use std::fmt::Write;

/// An answer as a person reads it: whole lines.
pub(crate) fn describe(answer: &Answer) -> String {
    match answer {
        Answer::Peers { peers } if peers.is_empty() => "nobody is connected yet\n".into(),
        Answer::Peers { peers } => {
            let heads = ["nick", "peer", "rooms", "rtt", "found", "dialled by", "address", "agent"];
            table(&heads, &peers.iter().map(peer).collect::<Vec<_>>())
        }
        Answer::Rooms { rooms } if rooms.is_empty() => "no room is joined\n".into(),
        Answer::Rooms { rooms } => table(
            &["room", "peers", "mesh", "messages kept", "lines waiting", "away"],
            &rooms.iter().map(room).collect::<Vec<_>>(),
        ),
        Answer::Limits { limits } => {
            table(&["limit", "value", "used", "hit", "what"], &limits.iter().map(limit).collect::<Vec<_>>())
        }
        Answer::Status(answer) => status(answer),
        Answer::Dialled(dialled) => match dialled.state {
            DialState::Connected => "connected\n".into(),
            DialState::Dialling => "still dialling\n".into(),
        },
        Answer::Sent(sent) => format!("{}\n", sent.id),
        Answer::History { .. } | Answer::Done {} => String::new(),
    }
}

/// A stage in a word.
pub(crate) fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Join => "join",
        Stage::Connect => "connect",
        Stage::Exchange => "exchange",
    }
}

/// How a peer was found, in a word.
fn found(by: FoundBy) -> &'static str {
    match by {
        FoundBy::Mdns => "mdns",
        FoundBy::Dht => "dht",
        FoundBy::Bootstrap => "bootstrap",
        FoundBy::Remembered => "remembered",
        FoundBy::Inbound => "inbound",
        FoundBy::Dialled => "dialled",
    }
}

/// A board as a person reads it.
pub(crate) fn board(board: &Board) -> String {
    let mut text = format!("{} ({})\n\n", board.title, board.name);
    let ram = format!("{} MiB", board.ram_mib);
    let facts = [
        ("target", board.target),
        ("cpu", board.cpu),
        ("ram", ram.as_str()),
        ("storage", board.storage),
        ("wifi", board.wifi),
    ];
    for (name, value) in facts {
        let _ = writeln!(text, "{name:<10} {value}");
    }
    for model in board.models {
        let _ = writeln!(text, "{:<10} {model}", "model");
    }
    let limits = board.limits_list().map(|(name, value, what)| vec![name.into(), value.to_string(), what.into()]);
    let _ = write!(text, "\n{}", table(&["limit", "value", "what"], &limits.collect::<Vec<_>>()));
    text
}

fn peer(peer: &Peer) -> Vec<String> {
    let rtt = |us: u64| match us {
        0..10_000 => format!("{}.{} ms", us / 1000, us / 100 % 10),
        _ => format!("{} ms", us / 1000),
    };
    vec![
        name(&peer.nick, &peer.peer),
        short_peer(&peer.peer),
        printable(&peer.rooms.join(", ")).into_owned(),
        peer.rtt_us.map_or("-".into(), rtt),
        peer.found.map_or("-", found).into(),
        if peer.outbound { "us" } else { "it" }.into(),
        printable(&peer.address).into_owned(),
        printable(&peer.agent).into_owned(),
    ]
}

fn room(room: &Room) -> Vec<String> {
    let counts = [room.peers, room.mesh, room.messages, room.waiting, room.away].map(|count| count.to_string());
    [printable(&room.room).into_owned()].into_iter().chain(counts).collect()
}

fn limit(limit: &Limit) -> Vec<String> {
    let known = |count: Option<u64>| count.map_or("-".into(), |count| count.to_string());
    vec![limit.name.clone(), limit.value.to_string(), known(limit.used), known(limit.hits), limit.what.clone()]
}

fn status(status: &Status) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<10} {}", printable(&value));
    };
    line("stage", format!("{}: {}", stage(status.stage), status.why));
    for trouble in &status.troubles {
        line("trouble", format!("{} (for {}; {})", trouble.sentence, duration(trouble.for_s), trouble.code));
    }
    line("peer", status.peer.clone());
    line("nick", if status.nick.is_empty() { "(none: the end of the peer id)".into() } else { status.nick.clone() });
    line("rooms", if status.rooms.is_empty() { "(none)".into() } else { status.rooms.join(", ") });
    line("peers", status.peers.to_string());
    for owed in &status.waiting {
        line("waiting", waiting(owed));
    }
    line("board", status.board.clone());
    line("version", format!("{}, up for {}", status.version, duration(status.uptime_s)));
    for address in &status.listening {
        line("listening", address.clone());
    }
    line("dht", format!("{}, {} peers in its table", status.dht_mode, status.dht_peers));
    for node in &status.bootstrap {
        line("bootstrap", node.clone());
    }
    line("clock", clock(&status.clock));
    let counted: Vec<String> = status
        .counters
        .iter()
        .filter(|counter| counter.count > 0)
        .map(|counter| format!("{} {}", counter.name, counter.count))
        .collect();
    line("counters", if counted.is_empty() { "(all zero)".into() } else { counted.join(", ") });
    if !status.tasks.is_empty() || !status.queues.is_empty() {
        diagram(&mut text, &status.tasks, &status.queues);
    }
    text
}

/// Whose time it is.
fn clock(clock: &Clock) -> String {
    let off = match clock.offset_ms {
        _ if !clock.known => "; that of this machine is not set".into(),
        Some(off_ms) if off_ms.unsigned_abs() >= DOUBT_MS => format!("; that of this machine is {}", in_words(off_ms)),
        _ => String::new(),
    };
    let peers = match clock.vouchers {
        1 => "1 peer that knows it".into(),
        vouchers => format!("{vouchers} peers that know it"),
    };
    match clock.source.as_str() {
        "system" => "synchronised".into(),
        "trusted" => "trusted: nobody but the configuration vouches for it".into(),
        "peers" => format!("the time of {peers}{off}"),
        "earlier" => format!("the time of peers that knew it and are gone{off}"),
        "room" => format!("the time of the room: nobody vouches for any{off}"),
        "guess" => "this machine's: nobody vouches for it, and nothing is refused for its time".into(),
        _ => "not set: times are shown as --:--".into(),
    }
}

fn waiting(owed: &Owed) -> String {
    let lines = if owed.lines == 1 { "line" } else { "lines" };
    let whom = owed.peer.as_deref().map_or("somebody to take them".into(), short_peer);
    format!("{} {lines} in {} for {whom}", owed.lines, owed.room)
}

/// The tasks, and the bounded queues as arrows between them.
fn diagram(text: &mut String, tasks: &[Task], queues: &[Queue]) {
    let rows = tasks.iter().map(|task| vec![task.name.clone(), task.count.to_string(), task.what.clone()]);
    let _ = write!(text, "\n{}", table(&["task", "count", "what it does"], &rows.collect::<Vec<_>>()));
    let rows = queues.iter().map(|queue| {
        vec![
            format!("{} ─{}→ {}", queue.from, queue.name, queue.to),
            queue.length.to_string(),
            queue.capacity.to_string(),
            queue.high_water.to_string(),
            queue.drops.to_string(),
            queue.overflow.clone(),
        ]
    });
    let heads = ["queue", "length", "capacity", "high water", "drops", "when full"];
    let _ = write!(text, "\n{}", table(&heads, &rows.collect::<Vec<_>>()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::command::Trouble;

    fn example() -> Status {
        Status {
            peer: "12D3KooWAbCdEf".into(),
            nick: String::new(),
            version: "0.1.0".into(),
            board: "tiny".into(),
            stage: Stage::Connect,
            why: "1 peer connected, none in our rooms".into(),
            uptime_s: 65,
            listening: vec!["/ip4/127.0.0.1/tcp/1".into()],
            peers: 1,
            rooms: vec!["lobby".into()],
            dht_mode: "client".into(),
            dht_peers: 3,
            bootstrap: vec![],
            clock_known: false,
            troubles: vec![Trouble {
                code: "disk_refuses".into(),
                subject: String::new(),
                sentence: "the disk is full: make\u{7} space".into(),
                since: None,
                for_s: 61,
            }],
            clock: Clock::default(),
            waiting: vec![
                Owed { room: "lobby".into(), peer: None, lines: 2 },
                Owed { room: "lobby".into(), peer: Some("12D3KooWAbCdEf".into()), lines: 1 },
            ],
            counters: vec![],
            tasks: vec![Task { name: "node".into(), count: 1, what: "everything".into() }],
            queues: vec![Queue {
                name: "commands".into(),
                from: "app".into(),
                to: "node".into(),
                overflow: "wait".into(),
                length: 0,
                capacity: 32,
                high_water: 4,
                drops: 0,
            }],
        }
    }

    #[test]
    fn the_status_says_where_it_stands_and_draws_the_queues() {
        let text = describe(&Answer::Status(Box::new(example())));
        for part in [
            "stage      connect: 1 peer connected, none in our rooms\n",
            "clock      not set: times are shown as --:--\n",
            "trouble    the disk is full: make\\u{7} space (for 1 min 1 s; disk_refuses)\n",
            "waiting    2 lines in lobby for somebody to take them\n",
            "waiting    1 line in lobby for AbCdEf\n",
            "version    0.1.0, up for 1 min 5 s\n",
            "node  1      everything\n",
            "app ─commands→ node  0       32        4           0      wait\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        let quiet = Status { tasks: vec![], queues: vec![], ..example() };
        assert!(!describe(&Answer::Status(Box::new(quiet))).contains("capacity"));
    }

    #[test]
    fn what_a_remote_says_of_itself_cannot_steer_the_terminal() {
        let peer = Peer {
            peer: "12D3KooWAbCdEf".into(),
            nick: "\x1b[2J".into(),
            address: "/ip4/192.0.2.1/tcp/1".into(),
            outbound: true,
            found: Some(FoundBy::Mdns),
            rooms: vec!["lobby".into()],
            agent: "evil\r\n\x1b]0;".into(),
            rtt_us: Some(1_250),
        };
        let text = describe(&Answer::Peers { peers: vec![peer] });
        assert!(!text.contains('\x1b') && !text.contains('\r'), "{text:?}");
        assert!(text.contains("1.2 ms"), "{text}");
        assert_eq!(text.lines().count(), 2);
    }
}
