//! The rooms of other programs, from the command line, the chat and the control socket.

mod app;

use app::{Peer, Process, err, two};
use serde_json::Value;

const UC: &[&str] = &["--room", "uc:"];

fn short(peer: &Peer) -> String {
    let id = peer.connect().ask(r#"{"command":"status"}"#)["peer"].as_str().expect("a peer id").to_owned();
    id[id.len() - 8..].to_owned()
}

#[test]
fn lines_and_direct_messages_go_through_the_commands() {
    let (ann, bob) = two(&[UC, &["--nick", "ann"]].concat(), &[UC, &["--nick", "bob"]].concat());
    let mut heard = bob.connect();
    heard.ask(r#"{"command":"subscribe"}"#);
    assert!(ann.run(&["send", "--room", "uc:", "hi", "all"], "").status.success());
    let message = heard.event("message");
    assert_eq!((&message["room"], &message["text"], &message["via"]), (&"uc:".into(), &"hi all".into(), &"uc".into()));
    assert_eq!(message["nick"], short(&ann), "nobody has a nickname there");
    assert!(message["time"].is_string());

    let mut told = ann.connect();
    told.ask(r#"{"command":"subscribe"}"#);
    let sent = ann.run(&["dm", &short(&bob), "between", "us"], "");
    assert_eq!(sent.status.code(), Some(0), "{}", err(&sent));
    let direct = heard.event("dm");
    assert_eq!((&direct["text"], &direct["outbound"]), (&"between us".into(), &Value::Bool(false)));
    assert!(direct["peer"].as_str().unwrap().ends_with(&short(&ann)));
    assert_eq!(told.event("dm")["outbound"], true);
    let answer = bob.connect().ask(&format!(r#"{{"command":"dm","peer":"{}","text":"yes","tag":1}}"#, short(&ann)));
    assert_eq!(answer.to_string(), r#"{"ok":true,"tag":1}"#);

    for (arguments, code, part) in [
        (&["dm", "nobody", "hi"][..], 4, "no connected peer"),
        (&["dm", "onlyapeer"], 2, "dm needs a peer and a text"),
        (&["send", "--room", "go-chat:x", "hi"], 4, "not joined"),
    ] {
        let refused = ann.run(arguments, "");
        assert_eq!(refused.status.code(), Some(code), "{}", err(&refused));
        assert!(err(&refused).contains(part), "{}", err(&refused));
    }
    let mut client = ann.connect();
    let record = client.ask(r#"{"command":"record","room":"uc:","kind":"k","data":"00"}"#);
    assert!(record["error"].as_str().unwrap().contains("text only"), "{record}");
    let mut joins = ann.connect();
    joins.ask(r#"{"command":"subscribe","rooms":["text:applesauce"]}"#);
    client.ask(r#"{"command":"join","room":"text:applesauce"}"#);
    let notice = joins.event("notice");
    assert!(notice["text"].as_str().unwrap().starts_with("text:applesauce is a topic of other programs"), "{notice}");
    let history = client.ask(r#"{"command":"history","room":"uc:","count":9}"#);
    assert_eq!(history["history"][0]["via"], "uc");
}

#[test]
fn tail_shows_both_and_a_chat_talks_alike() {
    let ann = Peer::start(UC);
    let home = tempfile::tempdir().unwrap();
    let arguments =
        ["chat", "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0", "--room", "uc:", "--bootstrap", &ann.address];
    let mut chat = Process::start(home.path(), &arguments);
    chat.stderr.wait("* uc: is universal-connectivity's room");
    chat.stderr.wait(" is in uc:");
    let tail = Process::start(ann.home(), &["tail", "--dir", ann.dir().to_str().unwrap(), "--history", "9"]);
    let to_ann = short(&ann);
    chat.type_in("hello there\n");
    assert!(tail.stdout.wait("hello there").contains(" uc: <"));
    chat.type_in(&format!("/dm {to_ann} psst\n/dm\n"));
    assert!(tail.stdout.wait("psst").contains(" dm: <"));
    assert!(chat.stdout.wait("psst").ends_with(&format!(" dm: <→ {}> psst", &to_ann[2..])));
    chat.stderr.wait("/dm PEER TEXT: to whom, and what?");
    assert!(ann.run(&["send", "hello back"], "").status.success());
    assert!(chat.stdout.wait("hello back").contains(&format!(" uc: <{to_ann}> ")));
    chat.type_in("/join go-chat:x\n");
    chat.stderr.wait("* go-chat:x is a room of go-libp2p's chat example");
    chat.type_in("/quit\n");
    assert_eq!(chat.wait().code(), Some(0));
}
