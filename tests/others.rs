//! The rooms of other programs: nodes among themselves, and with a gossipsub peer that knows nothing of us.

mod peer;
#[path = "others/second.rs"]
mod second;
#[path = "others/stranger.rs"]
mod stranger;

use peer::{PATIENCE, Peer, config};
use std::time::{Duration, Instant};
use stonechat::node::{
    Config,
    command::{Answer, Command},
    event::{DirectEvent, Event, MessageEvent},
};
use stranger::Stranger;

fn in_room(room: &str) -> Config {
    Config { rooms: vec![room.into()], ..config() }
}

fn pair(room: &str) -> (Peer, Peer) {
    let mut a = Peer::start(in_room(room));
    let mut b = Peer::start(Config { bootstrap: vec![a.address()], ..in_room(room) });
    a.wait_joined();
    b.wait_joined();
    (a, b)
}

/// Above `RACED_DIALS_MS`.
const PAUSE: Duration = Duration::from_millis(stonechat::swarm::gossip::RACED_DIALS_MS + 200);

/// Waits until it is known what program the connected peers are.
fn until_identified(peer: &Peer) {
    let start = Instant::now();
    let is_known = || match peer.ask(Command::Peers {}) {
        Ok(Answer::Peers { peers }) => peers.iter().all(|peer| !peer.agent.is_empty()),
        _ => false,
    };
    while !is_known() {
        assert!(start.elapsed() < PATIENCE, "no identify");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a newer connection of a peer is the one in use.
fn until_replaced(peer: &Peer) {
    let start = Instant::now();
    while peer.counter("connections replaced by a newer one") == 0 {
        assert!(start.elapsed() < PATIENCE, "no connection was replaced");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn id(peer: &Peer) -> String {
    peer.status().peer
}

fn history(peer: &Peer) -> Vec<MessageEvent> {
    let Ok(Answer::History { history }) = peer.ask(Command::History { room: None, count: 1_000 }) else {
        panic!("no history");
    };
    history
        .into_iter()
        .filter_map(|event| if let Event::Message(message) = event { Some(message) } else { None })
        .collect()
}

fn dm(from: &Peer, to: &str, text: &str) -> Result<Answer, String> {
    from.ask(Command::Dm { peer: to.into(), text: text.into() }).map_err(|refused| refused.to_string())
}

fn wait_dm(peer: &mut Peer, text: &str) -> DirectEvent {
    peer.wait(text, |event| match event {
        Event::Dm(direct) if direct.text == text => Some(direct.clone()),
        _ => None,
    })
}

#[test]
fn two_nodes_talk_in_each_and_the_history_keeps_it() {
    for (room, via, nick) in [
        ("text:applesauce", "text", Some("")),
        ("go-chat:awesome-chat-room", "go-chat", Some("tester")),
        ("uc:", "uc", None),
    ] {
        let (a, mut b) = pair(room);
        let sent: Vec<String> = (0..20).map(|n| format!("line {n}")).collect();
        let own: Vec<String> = sent.iter().map(|line| a.say(line).id).collect();
        let last = b.wait_line("line 19");
        let author = id(&a);
        let nick = nick.unwrap_or(&author[author.len() - 8..]);
        assert_eq!((last.room.as_str(), last.via.as_deref(), last.nick.as_str()), (room, Some(via), nick));
        assert!(last.time.is_some() && last.from == author);
        for (peer, what) in [(&a, "the author"), (&b, "the other")] {
            let kept = history(peer);
            let texts: Vec<&str> = kept.iter().map(|message| message.text.as_str()).collect();
            assert_eq!(texts, sent, "{room}, {what}");
            assert!(kept.iter().all(|message| message.via.as_deref() == Some(via) && message.nick == nick));
        }
        assert_eq!(history(&a).into_iter().map(|message| message.id).collect::<Vec<_>>(), own);
    }
}

#[test]
fn what_such_a_room_cannot_do_is_said_or_refused() {
    let mut a = Peer::start(config());
    a.ask(Command::Join { room: "uc:".into() }).expect("joined");
    let notice = a.wait("the notice", |event| match event {
        Event::Notice { room, text } if room == "uc:" => Some(text.clone()),
        _ => None,
    });
    assert!(notice.contains("nickname") && notice.contains("records"), "{notice}");
    let sentence = |command: Command| a.ask(command).expect_err("refused").to_string();
    let record = Command::Record { room: Some("uc:".into()), kind: "k".into(), data: "00".into() };
    assert!(sentence(record).contains("text only"));
    assert!(sentence(Command::Join { room: "uc+js:".into() }).contains("uc: is the same room"));
    assert!(sentence(Command::Join { room: "text:universal-connectivity".into() }).contains("uc: is the same room"));
    assert!(sentence(Command::Join { room: "irc:lobby".into() }).contains("uc:, go-chat: or text:"));
    assert!(sentence(Command::Join { room: "text:stonechat/1/lobby".into() }).contains("room of ours"));
    let long = Command::Send { room: Some("uc:".into()), text: "x".repeat(1_025) };
    assert!(sentence(long).contains("1024"));
    a.ask(Command::Join { room: "go-chat:x".into() }).expect("joined");
    let escaped = Command::Send { room: Some("go-chat:x".into()), text: "<".repeat(1_000) };
    assert!(sentence(escaped).contains("2176"));
    a.ask(Command::Leave { room: "uc:".into() }).expect("left");
    a.ask(Command::Join { room: "text:universal-connectivity".into() }).expect("now it is free");
}

#[test]
fn a_line_typed_while_nobody_is_there_waits() {
    let a = Peer::start(in_room("go-chat:x"));
    assert_eq!(a.say("is anybody there?").peers, 0);
    let mut b = Peer::start(Config { bootstrap: vec![a.address()], ..in_room("go-chat:x") });
    assert_eq!(b.wait_line("is anybody there?").nick, "tester");
}

#[test]
fn a_stranger_hears_the_bytes_of_its_own_program_and_is_heard() {
    for (room, topic, said, heard) in [
        ("text:applesauce", "applesauce", &b"hi\n"[..], &b"yes\n"[..]),
        ("uc:", "universal-connectivity", b"hi", b"yes"),
    ] {
        let mut a = Peer::start(in_room(room));
        let stranger = Stranger::start(a.address(), topic);
        a.wait_joined();
        stranger.say(said);
        let line = a.wait_line("hi");
        assert_eq!(line.from, stranger.id);
        a.say("yes");
        assert_eq!(stranger.hear(), heard, "{room}");
        // What cannot be shown is counted, and the stranger keeps its good name.
        stranger.say(b"\n");
        stranger.say(&vec![b'x'; 9_000]);
        stranger.say(b"\x1b[2Jafter\xff");
        let line = a.wait("the last line", |event| match event {
            Event::Message(message) if message.text.contains("after") => Some(message.clone()),
            _ => None,
        });
        assert_eq!(line.text, "\\u{1b}[2Jafter\u{fffd}", "sanitised as our own are");
        assert_eq!(a.counter("messages of other programs not shown"), 1);
        assert_eq!(a.counter("gossip: dropped, malformed or too long"), 1);
        assert_eq!(history(&a).len(), 3);
    }
    let mut a = Peer::start(in_room("go-chat:awesome-chat-room"));
    let stranger = Stranger::start(a.address(), "chat-room:awesome-chat-room");
    a.wait_joined();
    stranger.say(br#"{"Message":"hi <all>","SenderID":"somebody else","SenderNick":"* server"}"#);
    let line = a.wait_line("hi <all>");
    assert_eq!(
        (line.from.as_str(), line.nick.as_str()),
        (stranger.id.as_str(), "\\* server"),
        "the signed author counts"
    );
    a.say("yes & no");
    let heard = String::from_utf8(stranger.hear()).unwrap();
    let wanted = format!(r#"{{"Message":"yes \u0026 no","SenderID":"{}","SenderNick":"tester"}}"#, id(&a));
    assert_eq!(heard, wanted);
}

#[test]
fn each_topic_has_its_own_message_ids() {
    // By content two who say the same are one; by author they are two. rust-libp2p's chat is of the first sort.
    for (room, by_content) in [("text:test-net", true), ("text+spec:test-net", false), ("text+uc-rust:x", true)] {
        let mut a = Peer::start(in_room(room));
        let topic = room.split_once(':').expect("a colon").1;
        let strangers = [(); 2].map(|()| Stranger::start(a.address(), topic));
        for _ in &strangers {
            a.wait_joined();
        }
        // Ids are remembered for three seconds: a machine that stalls between the two may need another go.
        let heard_once = (0..10).any(|go| {
            let mut heard = 0;
            for stranger in &strangers {
                stranger.say(format!("ok {go}").as_bytes());
                stranger.say(format!("end of {} {go}", stranger.id).as_bytes());
            }
            let mut ends = 0;
            a.wait("both ends", |event| {
                if let Event::Message(message) = event {
                    heard += u32::from(message.text == format!("ok {go}"));
                    ends += u32::from(message.text.ends_with(&format!(" {go}")) && message.text.starts_with("end"));
                }
                (ends == 2).then_some(())
            });
            assert!((1..=2).contains(&heard), "{room}: {heard}");
            heard == 1
        });
        assert_eq!(heard_once, by_content, "{room}");
    }
}

#[test]
fn direct_messages_go_both_ways_while_both_are_in_the_room() {
    let (mut a, mut b) = pair("uc:");
    let (id_a, id_b) = (id(&a), id(&b));
    assert_eq!(dm(&a, &id_b[id_b.len() - 8..], "psst \u{1b}"), Ok(Answer::Done {}));
    let heard = wait_dm(&mut b, "psst \\u{1b}");
    assert_eq!((heard.peer, heard.outbound, heard.via.as_str()), (id_a.clone(), false, "uc"));
    assert!(wait_dm(&mut a, "psst \\u{1b}").outbound);
    assert_eq!(dm(&b, &id_a, "yes?"), Ok(Answer::Done {}));
    wait_dm(&mut a, "yes?");
    for (to, text, why) in [
        (id_b.as_str(), "", "empty"),
        (&id_b, &"x".repeat(1_025), "1024"),
        ("xyz", "hi", "last 4"),
        ("nobody", "hi", "no connected peer"),
    ] {
        let refused = dm(&a, to, text).expect_err("refused");
        assert!(refused.contains(why), "{refused}");
    }
    b.ask(Command::Leave { room: "uc:".into() }).expect("left");
    a.wait("the other gone", |event| matches!(event, Event::Left { .. }).then_some(()));
    let refused = dm(&a, &id_b, "are you there?").expect_err("refused");
    assert!(refused.contains("takes no direct messages") || refused.contains("nobody is here"), "{refused}");
    assert!(dm(&b, &id_a, "hi").expect_err("refused").contains("join the room uc:"));
    // Back again, over the connection that stood all the time.
    b.ask(Command::Join { room: "uc:".into() }).expect("joined");
    let start = Instant::now();
    while let Err(refused) = dm(&a, &id_b, "and now?") {
        assert!(start.elapsed() < PATIENCE, "{refused}");
    }
    wait_dm(&mut b, "and now?");
}

#[test]
fn direct_messages_have_a_bound_a_minute() {
    let (a, b) = pair("uc:");
    let to = id(&b);
    let refused = (0..1_000).find_map(|n| dm(&a, &to, &format!("{n}")).err()).expect("there is a bound");
    assert!(refused.contains("too many messages"), "{refused}");
    assert!(b.counter("direct messages refused") > 0);
    assert_eq!(b.status().rooms, ["uc:"], "and it runs on");
}

#[test]
fn a_connection_that_was_refused_leaves_nothing_behind() {
    let (a, mut b) = pair("uc:");
    // Without a peer id it is dialled although it is connected, and the second one of the same moment is refused.
    let address: String = b.address().iter().take(2).map(|part| part.to_string()).collect();
    for _ in 0..3 {
        a.ask(Command::Dial { address: address.clone() }).expect("it may be dialled");
    }
    let start = Instant::now();
    while b.counter("inbound connections failed") == 0 && a.counter("connections replaced by a newer one") == 0 {
        assert!(start.elapsed() < PATIENCE, "neither refused nor replaced");
    }
    let to = id(&b);
    // One that was under way on a connection that gave way is lost, and said to be.
    while let Err(refused) = dm(&a, &to, "still there") {
        assert!(start.elapsed() < PATIENCE, "{refused}");
    }
    wait_dm(&mut b, "still there");
    smol::block_on(a.handle.shutdown());
    b.wait("the other gone", |event| matches!(event, Event::Disconnected { .. }).then_some(()));
    assert_eq!(b.status().peers, 0, "and it runs on");
}
