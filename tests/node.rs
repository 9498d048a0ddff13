//! Nodes that talk, through the library.

mod peer;

use peer::{PATIENCE, Peer, config};
use std::time::Instant;
use stonechat::{
    base::board,
    node::{
        Config,
        command::{Answer, Command},
        event::Event,
    },
    wire::bounds,
};

fn pair(make: impl Fn() -> Config) -> (Peer, Peer) {
    let mut a = Peer::start(make());
    let mut b = Peer::start(Config { bootstrap: vec![a.address()], ..make() });
    a.wait_joined();
    b.wait_joined();
    (a, b)
}

fn lines_arrive_once_in_order(make: impl Fn() -> Config, count: usize) {
    let (mut a, mut b) = pair(make);
    for n in 0..count {
        a.say(&format!("a {n}"));
        b.say(&format!("b {n}"));
    }
    for (peer, other) in [(&mut a, "b"), (&mut b, "a")] {
        let mut heard = Vec::new();
        peer.wait("every line of the other", |event| {
            if let Event::Message(m) = event
                && m.text.starts_with(other)
            {
                heard.push(m.text.clone());
            }
            (heard.len() == count).then_some(())
        });
        let want: Vec<String> = (0..count).map(|n| format!("{other} {n}")).collect();
        assert_eq!(heard, want);
    }
    // And once: the history of both holds each line a single time.
    for peer in [&a, &b] {
        let Ok(Answer::History { history }) = peer.ask(Command::History { room: None, count: 10_000 }) else {
            panic!("no history");
        };
        assert_eq!(history.len(), (2 * count).min(history.len()));
        let mut ids: Vec<_> = history.iter().map(|e| serde_json::to_value(e).unwrap()["id"].to_string()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), history.len());
    }
}

#[test]
fn a_hundred_lines_each_way_arrive_once_in_order() {
    lines_arrive_once_in_order(config, 100);
}

#[test]
fn the_same_on_the_smallest_board() {
    let tiny = board::find("tiny").expect("the tiny board");
    lines_arrive_once_in_order(|| Config { board: tiny, ..config() }, 100);
}

#[test]
fn a_line_typed_while_nobody_is_there_goes_out_when_somebody_comes() {
    let a = Peer::start(config());
    let sent = a.say("is anybody there?");
    assert_eq!(sent.peers, 0);
    let mut b = Peer::start(Config { bootstrap: vec![a.address()], ..config() });
    let heard = b.wait_line("is anybody there?");
    assert_eq!(heard.id, sent.id, "the id told at once is the id heard later");
}

#[test]
fn the_outbox_refuses_when_full_and_says_so() {
    let a = Peer::start(config());
    let most = config().board.limits.outbox_lines_max;
    let refused =
        (0..2 * most).find_map(|n| Some((n, a.ask(Command::Send { room: None, text: format!("{n}") }).err()?)));
    let (taken, refused) = refused.expect("the outbox is bounded");
    assert_eq!(taken, most);
    assert!(refused.to_string().contains(&format!("{most} lines wait already")), "{refused}");
    let waiting = a.status().waiting;
    assert_eq!((waiting[0].lines, &waiting[0].peer), (most, &None));
}

#[test]
fn limits_tell_what_is_used_and_how_often_they_refused() {
    let a = Peer::start(config());
    a.say("kept");
    let Ok(Answer::Limits { limits }) = a.ask(Command::Limits {}) else { panic!("no limits") };
    let (used, hits): (Vec<_>, Vec<_>) = (
        limits.iter().filter(|it| it.used.is_some()).collect(),
        limits.iter().filter(|it| it.hits.is_some()).collect(),
    );
    println!("{} limits, {} with what is used, {} with refusals", limits.len(), used.len(), hits.len());
    assert!(used.len() >= 16 && hits.len() >= 14);
    let used = |name: &str| limits.iter().find(|it| it.name == name).and_then(|it| it.used);
    assert_eq!((used("rooms_max"), used("history_messages_max")), (Some(1), Some(1)));
    assert!(used("history_bytes_max") > Some(0));
    // But for a low mark nothing is above what it may be.
    assert!(limits.iter().all(|it| it.name == "peers_low" || it.used.is_none_or(|used| used <= it.value)));
}

#[test]
fn records_travel_as_they_are() {
    let (a, mut b) = pair(config);
    let data: String = (0..=255u8).map(|b| format!("{b:02x}")).collect();
    let record = Command::Record { room: None, kind: "ledger/block".into(), data: data.clone() };
    a.ask(record).expect("the record is taken");
    let heard = b.wait("the record", |event| match event {
        Event::Record(record) => Some(record.clone()),
        _ => None,
    });
    assert_eq!((heard.kind.as_str(), heard.data), ("ledger/block", data));
}

#[test]
fn what_is_too_long_is_refused_with_the_limit() {
    let a = Peer::start(config());
    let long = "x".repeat(bounds::TEXT_BYTES_MAX + 1);
    let refusals = [
        (Command::Send { room: None, text: long.clone() }, bounds::TEXT_BYTES_MAX),
        (Command::Nick { nick: long.clone() }, bounds::NICK_BYTES_MAX),
        (Command::Join { room: long }, bounds::ROOM_BYTES_MAX),
        (Command::Record { room: None, kind: "k".into(), data: "00".repeat(5000) }, bounds::RECORD_BYTES_MAX),
    ];
    for (command, limit) in refusals {
        let refused = a.ask(command).expect_err("refused").to_string();
        assert!(refused.contains(&limit.to_string()), "{refused}");
    }
    a.ask(Command::Dial { address: "nonsense".into() }).expect_err("no multiaddr");
    a.ask(Command::Send { room: Some("elsewhere".into()), text: "x".into() }).expect_err("not joined");
    assert_eq!(a.status().rooms, ["lobby"], "it runs on as it was");
}

#[test]
fn rooms_are_joined_and_left_while_running() {
    let (mut a, mut b) = pair(config);
    for peer in [&a, &b] {
        peer.ask(Command::Join { room: "kitchen".into() }).expect("joined");
    }
    for peer in [&mut a, &mut b] {
        peer.wait("the other in the kitchen", |e| {
            matches!(e, Event::Joined { room, .. } if room == "kitchen").then_some(())
        });
    }
    a.ask(Command::Send { room: Some("kitchen".into()), text: "soup".into() }).expect("sent");
    assert_eq!(b.wait_line("soup").room, "kitchen");
    a.ask(Command::Leave { room: "kitchen".into() }).expect("left");
    b.wait("the other gone", |e| matches!(e, Event::Left { room, .. } if room == "kitchen").then_some(()));
}

#[test]
fn a_node_leaves_politely_and_soon() {
    let (a, mut b) = pair(config);
    let start = Instant::now();
    smol::block_on(a.handle.shutdown());
    b.wait("the other gone", |e| matches!(e, Event::Disconnected { .. }).then_some(()));
    assert!(start.elapsed() < PATIENCE);
    a.ask(Command::Peers {}).expect_err("stopped");
}

/// As the README says: what was said in the last ten seconds is said again to who comes, and nothing older.
#[test]
fn a_newcomer_hears_what_was_said_a_moment_ago() {
    let (a, mut b) = pair(config);
    a.say("just now");
    b.wait_line("just now");
    let mut c = Peer::start(Config { bootstrap: vec![a.address()], ..config() });
    c.wait_line("just now");
    a.say("and now");
    c.wait_line("and now");
}
