//! The control socket of a real peer: two of them talk through it, and what is thrown at it does not hurt.

mod app;

use app::{Client, PATIENCE, Peer, Process, err, out, program, run, two, until};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn two_peers_talk_through_send_and_tail() {
    let (ann, bob) = two(&["--nick", "ann"], &["--nick", "bob"]);
    let mut tail = Process::start(bob.home(), &["tail", "--json", "--count", "4"]);
    let mut plain = Process::start(bob.home(), &["tail", "--count", "4", "--room", "lobby"]);
    // Both are subscribed once their clients are counted beside the one that asks.
    let mut client = bob.connect();
    until("both tails are connected", || {
        let status = client.ask(r#"{"command":"status","tasks":true}"#);
        let readers = status["queues"].as_array()?.iter().filter(|queue| queue["to"] == "reader").count();
        (readers == 2).then_some(())
    });
    let sent = ann.run(&["send", "hello", "there"], "");
    assert_eq!((sent.status.code(), err(&sent)), (Some(0), String::new()));
    let sent = ann.run(&["send", "--room", "lobby"], "one\n\ntwo\nthree");
    assert_eq!((sent.status.code(), err(&sent)), (Some(0), String::new()));

    assert_eq!(tail.wait().code(), Some(0));
    let texts: Vec<Value> =
        tail.stdout.all().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    assert_eq!(texts.iter().map(|line| &line["text"]).collect::<Vec<_>>(), ["hello there", "one", "two", "three"]);
    let first = &texts[0];
    assert_eq!((&first["event"], &first["room"], &first["nick"]), (&"message".into(), &"lobby".into(), &"ann".into()));
    assert_eq!(first["from"], ann.address.rsplit('/').next().unwrap());
    assert!(first["id"].is_string() && first["stamp"].is_u64() && first["time"].as_str().unwrap().ends_with('Z'));

    assert_eq!(plain.wait().code(), Some(0));
    let lines = plain.stdout.all();
    assert!(lines.lines().all(|line| line.get(5..18) == Some(" lobby <ann> ")), "{lines}");

    let past = bob.run(&["tail", "--history", "2", "--count", "2"], "");
    assert_eq!(out(&past).lines().map(|line| &line[18..]).collect::<Vec<_>>(), ["two", "three"]);
    let peers: Value = serde_json::from_str(&out(&bob.run(&["peers", "--json"], ""))).unwrap();
    assert_eq!((&peers["ok"], &peers["peers"][0]["nick"]), (&true.into(), &"ann".into()));
    for command in ["peers", "rooms", "status", "limits"] {
        let table = bob.run(&[command], "");
        assert_eq!(table.status.code(), Some(0), "{command}: {}", err(&table));
        assert!(out(&table).lines().count() >= 2, "{command}: {}", out(&table));
    }
}

#[test]
fn a_refused_line_fails_and_the_others_are_sent() {
    let (ann, bob) = two(&[], &[]);
    let long = "x".repeat(1025);
    let endless = "y".repeat(20_000);
    let sent = ann.run(&["send"], &format!("first\n{long}\n{endless}\nlast\n"));
    assert_eq!(sent.status.code(), Some(4), "{}", err(&sent));
    let said = err(&sent);
    assert!(said.contains("line 2 was not sent: ") && said.contains("1024"), "{said}");
    assert!(said.contains("line 3 was not sent: it is longer than 16384 bytes"), "{said}");
    assert!(said.ends_with("stonechat: 2 of 4 lines were not sent\n"), "{said}");
    let texts = until("both lines arrive", || {
        let past = out(&bob.run(&["tail", "--history", "9", "--count", "1"], ""));
        (past.contains("first")).then_some(past)
    });
    assert!(!texts.contains("xxx"), "{texts}");
    until("the last line arrives", || {
        let mut client = bob.connect();
        let history = client.ask(r#"{"command":"history","count":9}"#);
        (history["history"].as_array()?.last()?["text"] == "last").then_some(())
    });
    let sent = ann.run(&["send", "--room", "attic", "hello"], "");
    assert_eq!(sent.status.code(), Some(4));
    assert!(err(&sent).contains("attic"), "{}", err(&sent));
    let tail = ann.run(&["tail", "--room", "attic"], "");
    assert_eq!(tail.status.code(), Some(4), "{}", err(&tail));
}

#[test]
fn a_line_for_nobody_is_kept_and_said_to_be() {
    let peer = Peer::start(&[]);
    let sent = peer.run(&["send", "hello"], "");
    assert_eq!(sent.status.code(), Some(0), "{}", err(&sent));
    assert_eq!(err(&sent), "stonechat: nobody takes it now; the peer keeps what is sent until somebody does\n");
    let sent = peer.run(&["send", "-q"], "hello\nagain\n");
    assert_eq!((sent.status.code(), err(&sent)), (Some(0), String::new()));
    let bob = Peer::start(&["--bootstrap", &peer.address]);
    let mut client = bob.connect();
    until("all of it arrives", || {
        let history = client.ask(r#"{"command":"history","count":9}"#);
        let texts: Vec<&str> = history["history"].as_array()?.iter().filter_map(|line| line["text"].as_str()).collect();
        (texts == ["hello", "hello", "again"]).then_some(())
    });
}

#[test]
fn every_request_is_answered_with_its_tag() {
    let peer = Peer::start(&[]);
    let mut client = peer.connect();
    for request in ["peers", "rooms", "status", "limits"] {
        let answer = client.ask(&format!(r#"{{"command":"{request}","tag":["{request}",1]}}"#));
        assert_eq!((&answer["ok"], &answer["tag"][0]), (&true.into(), &request.into()), "{answer}");
    }
    assert_eq!(client.ask(r#"{"command":"join","room":"attic"}"#)["ok"], true);
    assert_eq!(client.ask(r#"{"command":"status"}"#)["rooms"].as_array().unwrap().len(), 2);
    assert_eq!(client.ask(r#"{"command":"nick","nick":"ann"}"#)["ok"], true);
    let sent = client.ask(r#"{"command":"send","room":"attic","text":"hi","tag":null}"#);
    assert_eq!((&sent["ok"], &sent["tag"], &sent["peers"]), (&true.into(), &Value::Null, &0.into()), "{sent}");
    let sent = client.ask(r#"{"command":"record","room":"attic","kind":"ledger/block","data":"00ff"}"#);
    assert_eq!(sent["ok"], true, "{sent}");
    let history = client.ask(r#"{"command":"history","room":"attic","count":5}"#);
    assert_eq!(history["history"][0]["text"], "hi");
    assert_eq!(history["history"][1]["data"], "00ff");
    assert_eq!(client.ask(r#"{"command":"leave","room":"attic"}"#)["ok"], true);
    for bad in [
        r#"{"command":"leave","room":"attic"}"#,
        r#"{"command":"dial","address":"nowhere"}"#,
        r#"{"command":"record","kind":"k","data":"xyz"}"#,
        r#"{"command":"history","room":"attic","count":1}"#,
        r#"{"command":"subscribe","rooms":["attic"],"history":1}"#,
    ] {
        let answer = client.ask(bad);
        assert!(answer["ok"] == false && answer["error"].is_string(), "{bad}: {answer}");
    }
}

#[test]
fn a_subscription_brings_the_past_once_and_then_what_happens() {
    let peer = Peer::start(&["--room", "lobby", "--room", "attic"]);
    let mut writer = peer.connect();
    for (room, text) in [("lobby", "1"), ("attic", "2"), ("lobby", "3")] {
        writer.ask(&format!(r#"{{"command":"send","room":"{room}","text":"{text}"}}"#));
    }
    let mut all = peer.connect();
    assert_eq!(all.ask(r#"{"command":"subscribe","history":2,"tag":1}"#)["tag"], 1);
    let mut lobby = peer.connect();
    assert_eq!(lobby.ask(r#"{"command":"subscribe","rooms":["lobby"],"history":9}"#)["ok"], true);
    for (room, text) in [("attic", "4"), ("lobby", "5")] {
        writer.ask(&format!(r#"{{"command":"send","room":"{room}","text":"{text}"}}"#));
    }
    for text in ["2", "3", "4", "5"] {
        assert_eq!(all.event("message")["text"], text);
    }
    for text in ["1", "3", "5"] {
        assert_eq!(lobby.event("message")["text"], text);
    }
    // Requests go on beside it.
    lobby.write(b"{\"command\":\"rooms\",\"tag\":\"r\"}\n");
    assert_eq!(until("the answer", || lobby.next().filter(|line| line["tag"] == "r"))["ok"], true);
}

#[test]
fn garbage_is_answered_and_the_connection_stays() {
    let peer = Peer::start(&[]);
    let mut client = peer.connect();
    let deep = "[".repeat(10_000);
    for garbage in [b"garbage".as_slice(), b"", b"{}", b"[]", b"\xff\xfe", b"\0\0\0", deep.as_bytes()] {
        client.write(garbage);
        client.write(b"\n");
        let answer = client.next().expect("an answer");
        assert!(answer["ok"] == false && answer["error"].is_string(), "{answer}");
    }
    client.write(&vec![b'x'; 100_000]);
    let answer = client.next().expect("an answer before the line ends");
    assert!(answer["error"].as_str().unwrap().contains("16384 bytes"), "{answer}");
    client.write(&vec![b'y'; 100_000]);
    client.write(b"\n");
    assert_eq!(client.ask(r#"{"command":"peers","tag":"still here"}"#)["tag"], "still here");
    // Half a request and gone.
    peer.connect().write(b"{\"command\":\"pee");
    assert_eq!(client.ask(r#"{"command":"peers"}"#)["ok"], true);
}

#[test]
fn one_client_too_many_is_told_so() {
    let peer = Peer::start(&["--board", "tiny"]);
    let limits = peer.connect().ask(r#"{"command":"limits"}"#);
    let most = limits["limits"].as_array().unwrap().iter().find(|limit| limit["name"] == "control_clients_max");
    let most = most.unwrap()["value"].as_u64().unwrap();
    // The client above is gone, but the peer may not have noticed yet.
    let mut clients: Vec<Client> = Vec::new();
    until("every place is taken", || {
        let mut client = peer.connect();
        client.write(b"{\"command\":\"peers\"}\n");
        if client.next()?["ok"] == true {
            clients.push(client);
        }
        (clients.len() as u64 == most).then_some(())
    });
    let mut refused = peer.connect();
    let answer = refused.next().expect("a sentence");
    assert!(answer["error"].as_str().unwrap().contains("control_clients_max"), "{answer}");
    assert!(refused.next().is_none(), "the connection ends");
    let command = peer.run(&["peers"], "");
    assert_eq!(command.status.code(), Some(4));
    assert!(err(&command).contains("control_clients_max"), "{}", err(&command));
    assert_eq!(clients[0].ask(r#"{"command":"peers"}"#)["ok"], true);
    // Again and again it is a trouble, which is looked for twice a minute.
    (0..10).for_each(|_| drop(peer.connect().next()));
    let start = std::time::Instant::now();
    let trouble = loop {
        let status = clients[0].ask(r#"{"command":"status"}"#);
        if let Some(it) = status["troubles"].as_array().unwrap().iter().find(|it| it["code"] == "limit_refuses") {
            break it.clone();
        }
        assert!(start.elapsed() < 3 * PATIENCE, "{status}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert_eq!(trouble["subject"], "control_clients_max");
    assert!(trouble["sentence"].as_str().unwrap().contains("end one"), "{trouble}");
    clients.pop();
    until("the place is free again", || (peer.run(&["peers"], "").status.code() == Some(0)).then_some(()));
}

#[test]
fn a_slow_reader_is_told_how_much_it_missed() {
    let (ann, bob) = two(&["--board", "tiny"], &[]);
    let mut slow = ann.connect();
    assert_eq!(slow.ask(r#"{"command":"subscribe"}"#)["ok"], true);
    // More than a socket's buffers and the board's queue of 256 events hold.
    let count = 1500;
    let text = "z".repeat(1000);
    let mut writer = ann.connect();
    for number in 0..count {
        send(&mut writer, &format!("{number} {text}"));
    }
    send(&mut writer, "the end");
    let (mut seen, mut missed) = (0, 0);
    loop {
        let event = slow.next().expect("an event");
        match event["event"].as_str().unwrap() {
            "missed" => missed += event["count"].as_u64().unwrap(),
            "message" if event["text"] == "the end" => break,
            "message" => seen += 1,
            _ => {}
        }
    }
    assert!(missed > 0, "nothing was missed of {count}");
    // Other events may be among those missed.
    assert!(seen + missed >= count, "{seen} seen, {missed} missed of {count}");
    drop(bob);
}

/// Sends a line, again while the other side is too slow for it.
fn send(client: &mut Client, text: &str) {
    until("the line is taken", || {
        (client.ask(&format!(r#"{{"command":"send","text":"{text}"}}"#))["ok"] == true).then_some(())
    });
}

#[test]
fn many_lines_from_a_file_all_arrive() {
    let (ann, bob) = two(&["--board", "tiny"], &[]);
    let input: String = (0..1000).map(|number| format!("{number}\n")).collect();
    let sent = ann.run(&["send"], &input);
    assert_eq!(sent.status.code(), Some(0), "{}", err(&sent));
    let mut client = bob.connect();
    until("all of it arrives, in its order", || {
        let history = client.ask(r#"{"command":"history","count":250}"#);
        let texts: Vec<&str> = history["history"].as_array()?.iter().filter_map(|line| line["text"].as_str()).collect();
        texts.iter().map(|text| text.parse()).eq((750..1000).map(Ok)).then_some(())
    });
    let accepted = client.ask(r#"{"command":"status"}"#)["counters"].as_array().unwrap().clone();
    assert!(accepted.iter().any(|c| c["name"] == "messages accepted" && c["count"] == 1000), "{accepted:?}");
}

#[test]
fn a_burst_for_a_peer_that_was_frozen_does_not_deafen_it() {
    let (ann, bob) = two(&[], &[]);
    bob.process.signal(Signal::STOP);
    // More than twice what is read at once, and no more than the smallest queue holds.
    let input: String = (0..120).map(|number| format!("{number}\n")).collect();
    let sent = ann.run(&["send"], &input);
    assert_eq!(sent.status.code(), Some(0), "{}", err(&sent));
    bob.process.signal(Signal::CONT);
    send(&mut ann.connect(), "after it");
    let mut client = bob.connect();
    until("all of it arrives", || {
        let history = client.ask(r#"{"command":"history","count":200}"#);
        let history = history["history"].as_array()?;
        (history.len() == 121 && history.last()?["text"] == "after it").then_some(())
    });
}

#[test]
fn the_socket_is_its_owners_and_the_directory_one_peers() {
    let mut peer = Peer::start(&[]);
    assert_eq!(fs::metadata(peer.socket()).unwrap().permissions().mode() & 0o777, 0o600);
    let second = peer.run(&["run", "--no-mdns"], "");
    assert_eq!(second.status.code(), Some(5), "{}", err(&second));
    assert!(err(&second).contains("--guest"), "{}", err(&second));
    assert_eq!(peer.connect().ask(r#"{"command":"peers"}"#)["ok"], true);
    assert_eq!(out(&peer.run(&["id"], "")).trim(), peer.address.rsplit('/').next().unwrap());

    // Killed, it leaves its socket behind; the next one takes the place.
    peer.process.signal(Signal::KILL);
    peer.process.wait();
    assert!(peer.socket().exists());
    let home = std::mem::replace(&mut peer.home, tempfile::tempdir().unwrap());
    let mut peer = Peer::start_in(home, &[]);
    assert_eq!(peer.connect().ask(r#"{"command":"peers"}"#)["ok"], true);
    peer.process.signal(Signal::TERM);
    peer.process.wait();

    fs::write(peer.socket(), "not a socket").unwrap();
    let in_the_way = peer.run(&["run", "--no-mdns"], "");
    assert_eq!(in_the_way.status.code(), Some(1));
    assert!(err(&in_the_way).contains("no socket"), "{}", err(&in_the_way));
    let deep = peer.home().join("d".repeat(120));
    let too_long = run(peer.home(), &["run", "--dir", deep.to_str().unwrap()], "");
    assert_eq!(too_long.status.code(), Some(1));
    assert!(err(&too_long).contains("shorter --dir"), "{}", err(&too_long));
}

#[test]
fn a_signal_is_a_polite_end_within_two_seconds() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut ann, bob) = two(&[], &[]);
        let mut events = bob.connect();
        events.ask(r#"{"command":"subscribe"}"#);
        let mut open = ann.connect();
        open.ask(r#"{"command":"subscribe"}"#);
        let start = Instant::now();
        ann.process.signal(signal);
        assert_eq!(ann.process.wait().code(), Some(0));
        let took = start.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert!(!ann.socket().exists());
        // It said that it leaves the room before it hung up.
        assert_eq!(events.event("left")["room"], "lobby");
        events.event("disconnected");
        assert!(until("our connection to it ends", || Some(open.next().is_none()).filter(|end| *end)));
    }
}

#[test]
fn a_guest_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["run", "--guest", "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"];
    let mut first = Process::start(home.path(), &arguments);
    let mut second = Process::start(home.path(), &arguments);
    let socket =
        |guest: &Process| guest.stderr.wait("control socket ").trim_start_matches("control socket ").to_string();
    let sockets = [socket(&first), socket(&second)];
    assert_ne!(sockets[0], sockets[1]);
    for socket in &sockets {
        let mut client = Client::new(until("the socket answers", || UnixStream::connect(socket).ok()));
        assert_eq!(client.ask(r#"{"command":"peers"}"#)["ok"], true);
    }
    for guest in [&mut first, &mut second] {
        guest.signal(Signal::TERM);
        assert_eq!(guest.wait().code(), Some(0));
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_tail_ends_when_its_reader_or_its_peer_does() {
    let peer = Peer::start(&[]);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = program(peer.home());
    let mut tail = command.arg("tail").stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    // It holds the writing end too.
    drop(command);
    let mut client = peer.connect();
    until("the tail follows", || {
        let status = client.ask(r#"{"command":"status","tasks":true}"#);
        status["queues"].as_array()?.iter().any(|queue| queue["to"] == "reader").then_some(())
    });
    // Nothing is said, and it ends all the same.
    drop(reader);
    assert_eq!(until("the tail ends", || tail.try_wait().unwrap()).code(), Some(0));
    until("its queue is gone", || {
        let status = client.ask(r#"{"command":"status","tasks":true}"#);
        (!status["queues"].as_array()?.iter().any(|queue| queue["to"] == "reader")).then_some(())
    });

    let mut tail = Process::start(peer.home(), &["tail"]);
    until("the tail follows", || {
        let status = client.ask(r#"{"command":"status","tasks":true}"#);
        status["queues"].as_array()?.iter().any(|queue| queue["to"] == "reader").then_some(())
    });
    peer.process.signal(Signal::TERM);
    assert_eq!(tail.wait().code(), Some(3));
    tail.stderr.wait("the peer has ended");
}
