//! The lines of the control socket, to the letter: scripts are written against them.

use super::*;
use crate::node::command::{Room, Sent, Status};
use crate::node::event::{
    DirectEvent, FoundBy, MessageEvent, RecordEvent, Stage, TroubleEvent, TroubleState, UnsentEvent,
};
use serde_json::json;

fn sentence(line: &str) -> String {
    parse(line).1.expect_err(line).to_string()
}

fn command_of(line: &str) -> Command {
    match parse(line).1 {
        Ok(Request::Command(command)) => command,
        other => panic!("{line}: {other:?}"),
    }
}

fn status() -> Status {
    Status {
        peer: "12D3KooW".into(),
        nick: "ann".into(),
        version: "0.1.0".into(),
        board: "tiny".into(),
        stage: Stage::Join,
        why: "nobody".into(),
        uptime_s: 1,
        listening: vec![],
        peers: 0,
        rooms: vec![],
        dht_mode: "client".into(),
        dht_peers: 0,
        bootstrap: vec![],
        clock_known: true,
        troubles: vec![],
        clock: Default::default(),
        waiting: vec![],
        counters: vec![],
        tasks: vec![],
        queues: vec![],
    }
}

#[test]
fn every_command_is_read() {
    let room = |room: &str| Some(room.to_string());
    assert_eq!(
        command_of(r#"{"command":"send","room":"lobby","text":"hi"}"#),
        Command::Send { room: room("lobby"), text: "hi".into() }
    );
    assert_eq!(command_of(r#"{"text":"hi","command":"send"}"#), Command::Send { room: None, text: "hi".into() });
    assert_eq!(
        command_of(r#"{"command":"record","kind":"ledger/block","data":"00ff"}"#),
        Command::Record { room: None, kind: "ledger/block".into(), data: "00ff".into() }
    );
    assert_eq!(command_of(r#"{"command":"join","room":"a"}"#), Command::Join { room: "a".into() });
    assert_eq!(command_of(r#"{"command":"leave","room":"a"}"#), Command::Leave { room: "a".into() });
    assert_eq!(command_of(r#"{"command":"nick","nick":"a"}"#), Command::Nick { nick: "a".into() });
    assert_eq!(command_of(r#"{"command":"dial","address":"/x"}"#), Command::Dial { address: "/x".into() });
    assert_eq!(command_of(r#"{"command":"history","count":3}"#), Command::History { room: None, count: 3 });
    assert_eq!(command_of(r#"{"command":"peers"}"#), Command::Peers {});
    assert_eq!(command_of(r#"{"command":"rooms"}"#), Command::Rooms {});
    assert_eq!(command_of(r#"{"command":"limits"}"#), Command::Limits {});
    assert_eq!(command_of(r#"{"command":"status"}"#), Command::Status { tasks: false });
    assert_eq!(command_of(r#"{"command":"status","tasks":true}"#), Command::Status { tasks: true });
    for name in COMMANDS.iter().filter(|name| **name != "subscribe") {
        let (_, parsed) = parse(&format!(r#"{{"command":"{name}"}}"#));
        assert!(!matches!(parsed, Err(RequestError::Command(..))), "{name}");
    }
}

#[test]
fn our_own_lines_are_read_back() {
    let all = [
        Command::Send { room: Some("a".into()), text: "\"\n\u{1b}".into() },
        Command::Peers {},
        Command::Status { tasks: true },
        Command::History { room: None, count: 1 },
    ];
    for one in all {
        assert_eq!(command_of(&command(&one)), one);
    }
    let subscription = Subscribe { rooms: Some(vec!["a".into()]), history: 2 };
    assert_eq!(parse(&subscribe(&subscription)).1, Ok(Request::Subscribe(subscription)));
    assert_eq!(parse(r#"{"command":"subscribe"}"#).1, Ok(Request::Subscribe(Subscribe::default())));
}

#[test]
fn the_tag_comes_back_also_beside_an_error() {
    let (tag, parsed) = parse(r#"{"command":"sned","tag":[1,"x"]}"#);
    assert_eq!(tag, Some(json!([1, "x"])));
    assert_eq!(parsed.unwrap_err().to_string(), "there is no command `sned`: did you mean `send`?");
    assert_eq!(parse(r#"{"command":"peers","tag":null}"#).0, Some(Value::Null));
    let long = "x".repeat(TAG_BYTES_MAX - 2);
    assert!(parse(&format!(r#"{{"command":"peers","tag":"{long}"}}"#)).1.is_ok());
    assert_eq!(sentence(&format!(r#"{{"command":"peers","tag":"{long}y"}}"#)), "the tag is longer than 64 bytes");
}

#[test]
fn what_is_no_request_is_told_why() {
    for (line, start) in [
        ("", "the line is not JSON ("),
        ("garbage", "the line is not JSON ("),
        ("{\"command\":\"peers\"} x", "the line is not JSON ("),
        ("[1]", "the line is no JSON object"),
        ("null", "the line is no JSON object"),
        ("{}", "the request has no \"command\": there are: send, "),
        (r#"{"command":7}"#, "the request has no \"command\""),
        (r#"{"command":"sub"}"#, "there is no command `sub`: did you mean `subscribe`?"),
        (r#"{"command":"send"}"#, "`send`: missing field `text`"),
        (r#"{"command":"send","text":"x","txt":1}"#, "`send`: unknown field `txt`"),
        (r#"{"command":"send","text":5}"#, "`send`: invalid type: integer `5`, expected a string"),
        (r#"{"command":"peers","all":true}"#, "`peers`: unknown field `all`"),
        (r#"{"command":"subscribe","room":"a"}"#, "`subscribe`: unknown field `room`"),
        (r#"{"command":"history","count":-1}"#, "`history`: invalid value"),
    ] {
        let told = sentence(line);
        assert!(told.starts_with(start), "{line}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn depth_and_size_are_survived() {
    let deep = "[".repeat(REQUEST_BYTES_MAX);
    assert!(sentence(&deep).starts_with("the line is not JSON (recursion limit exceeded"));
    let objects = r#"{"tag":"#.repeat(2000);
    assert!(sentence(&objects).starts_with("the line is not JSON (recursion limit exceeded"));
    let wide = format!(r#"{{"command":"send","text":[{}0]}}"#, "0,".repeat(8000));
    assert!(sentence(&wide).starts_with("`send`: invalid type: sequence"));
    let name = format!(r#"{{"command":"{}"}}"#, "x".repeat(16_000));
    assert!(sentence(&name).len() < 300);
}

#[test]
fn answers_are_flat() {
    let tag = json!(7);
    let sent = Answer::Sent(Sent { id: "ab".into(), peers: 2, waiting: 0, away: 1 });
    assert_eq!(good(None, &sent), r#"{"ok":true,"id":"ab","peers":2,"waiting":0,"away":1}"#);
    assert_eq!(good(Some(&tag), &Answer::Done {}), r#"{"ok":true,"tag":7}"#);
    let rooms =
        Answer::Rooms { rooms: vec![Room { room: "a".into(), peers: 1, mesh: 1, messages: 0, waiting: 2, away: 1 }] };
    let wanted = r#"{"ok":true,"rooms":[{"room":"a","peers":1,"mesh":1,"messages":0,"waiting":2,"away":1}]}"#;
    assert_eq!(good(None, &rooms), wanted);
    let answer = good(None, &Answer::Status(Box::new(status())));
    assert!(answer.starts_with(r#"{"ok":true,"peer":"12D3KooW","nick":"ann""#), "{answer}");
    assert!(answer.contains(r#""stage":"join""#) && !answer.contains("tasks"), "{answer}");
    assert_eq!(bad(Some(&tag), "no"), r#"{"ok":false,"tag":7,"error":"no"}"#);
}

#[test]
fn a_client_understands_every_answer_by_its_command() {
    let read = |command: &Command, sent: &Answer| match reply(&good(None, sent)) {
        Some(Reply::Good(fields)) => answer(command, fields).unwrap(),
        other => panic!("{other:?}"),
    };
    // Without rooms, by its fields alone, this would pass for a list of rooms.
    let sent = Answer::Status(Box::new(status()));
    assert_eq!(read(&Command::Status { tasks: false }, &sent), sent);
    for (command, sent) in [
        (Command::Rooms {}, Answer::Rooms { rooms: vec![] }),
        (Command::Peers {}, Answer::Peers { peers: vec![] }),
        (Command::Limits {}, Answer::Limits { limits: vec![] }),
        (Command::History { room: None, count: 1 }, Answer::History { history: vec![] }),
        (Command::Join { room: "a".into() }, Answer::Done {}),
        (
            Command::Send { room: None, text: "x".into() },
            Answer::Sent(Sent { id: "a".into(), peers: 0, waiting: 3, away: 0 }),
        ),
    ] {
        assert_eq!(read(&command, &sent), sent);
    }
    assert_eq!(reply(&bad(None, "no")), Some(Reply::Bad("no".into())));
    assert_eq!(reply("garbage"), None);
    assert_eq!(reply(r#"{"event":"of a later version"}"#), None);
}

fn events() -> Vec<(Event, Value)> {
    let (room, id, from) = (|| "lobby".to_string(), || "ab".to_string(), || "12D3".to_string());
    let message = MessageEvent {
        room: room(),
        id: id(),
        from: from(),
        nick: "ann".into(),
        text: "hi".into(),
        stamp: 5,
        time: Some("2026-11-23T12:00:00Z".into()),
        via: None,
    };
    let abroad = MessageEvent { room: room(), via: Some("uc".into()), ..message.clone() };
    let direct = DirectEvent { peer: from(), outbound: false, text: "hi".into(), time: None, via: "uc".into() };
    let record =
        RecordEvent { room: room(), id: id(), from: from(), kind: "k".into(), data: "00".into(), stamp: 5, time: None };
    let peer = from;
    vec![
        (
            Event::Message(message),
            json!({"event":"message","room":"lobby","id":"ab","from":"12D3","nick":"ann","text":"hi","stamp":5,
                "time":"2026-11-23T12:00:00Z"}),
        ),
        (
            Event::Message(abroad),
            json!({"event":"message","room":"lobby","id":"ab","from":"12D3","nick":"ann","text":"hi","stamp":5,
                "time":"2026-11-23T12:00:00Z","via":"uc"}),
        ),
        (Event::Dm(direct), json!({"event":"dm","peer":"12D3","outbound":false,"text":"hi","time":null,"via":"uc"})),
        (
            Event::Notice { room: room(), text: "a sentence".into() },
            json!({"event":"notice","room":"lobby","text":"a sentence"}),
        ),
        (
            Event::Record(record),
            json!({"event":"record","room":"lobby","id":"ab","from":"12D3","kind":"k","data":"00","stamp":5,
                "time":null}),
        ),
        (
            Event::Discovered { peer: None, address: Some("/x".into()), by: FoundBy::Mdns },
            json!({"event":"discovered","peer":null,"address":"/x","by":"mdns"}),
        ),
        (
            Event::Connected { peer: peer(), address: "/x".into() },
            json!({"event":"connected","peer":"12D3","address":"/x"}),
        ),
        (Event::Disconnected { peer: peer() }, json!({"event":"disconnected","peer":"12D3"})),
        (Event::Joined { peer: peer(), room: room() }, json!({"event":"joined","peer":"12D3","room":"lobby"})),
        (Event::Left { peer: peer(), room: room() }, json!({"event":"left","peer":"12D3","room":"lobby"})),
        (
            Event::Stage { stage: Stage::Exchange, why: "w".into() },
            json!({"event":"stage","stage":"exchange","why":"w"}),
        ),
        (
            Event::Dialled { dial: 3, address: "/x".into(), peer: None, error: Some("no".into()) },
            json!({"event":"dialled","dial":3,"address":"/x","peer":null,"error":"no"}),
        ),
        (
            Event::Trouble(TroubleEvent {
                code: "limit_refuses".into(),
                state: TroubleState::Began,
                subject: "x_max".into(),
                sentence: "s".into(),
                since: None,
            }),
            json!({"event":"trouble","code":"limit_refuses","state":"began","subject":"x_max","sentence":"s",
                "since":null}),
        ),
        (
            Event::Unsent(UnsentEvent {
                room: "lobby".into(),
                peer: "p".into(),
                lines: 2,
                ids: vec!["00".into()],
                left: 1,
            }),
            json!({"event":"unsent","room":"lobby","peer":"p","lines":2,"ids":["00"],"left":1}),
        ),
        (Event::Missed { count: 3 }, json!({"event":"missed","count":3})),
    ]
}

#[test]
fn events_are_as_documented_and_read_back() {
    for (sent, expected) in events() {
        let line = event(&sent);
        assert!(line.starts_with(r#"{"event":"#), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
        assert_eq!(reply(&line), Some(Reply::Event(sent)));
    }
}

#[test]
fn a_subscription_to_rooms_leaves_other_rooms_out() {
    let lobby = Subscribe { rooms: Some(vec!["lobby".into()]), history: 0 };
    let attic = Subscribe { rooms: Some(vec!["attic".into()]), history: 0 };
    for (event, _) in events() {
        assert!(Subscribe::default().wants(&event) && lobby.wants(&event));
        assert_eq!(attic.wants(&event), room_of(&event).is_none(), "{event:?}");
    }
}
