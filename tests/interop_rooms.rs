//! Rooms of others with the implementations their programs stand on: go, js, rust and py peers as real processes, each in
//! a host of its own, say what those programs say, and hear us.
//!
//!     cargo test --test interop_rooms -- --nocapture
//!
//! needs root, and the strangers that tests/interop/build makes. `STONECHAT_TEST_INTEROP=must` makes a failure of what
//! would be skipped.

#[path = "interop_rooms/places.rs"]
mod places;
#[path = "interop_rooms/star.rs"]
mod star;
#[allow(dead_code)]
mod world;

use serde_json::{Value, json};
use star::Star;
use world::foreign::{are_built, hex};
use world::{Foreign, GENEROUS, World};

/// What would steer a terminal, and what is escaped in JSON.
const TRICKY: [&str; 6] = [
    "plain",
    "<b>&amp;</b> \"quoted\" \\ back",
    "Grüße, 你好 👋 \u{2028}\u{2029}",
    "tab\tin it",
    "{\"Message\":\"no\"}",
    "~end",
];

fn world(kinds: &[&str]) -> Option<World> {
    if are_built(kinds) { World::new() } else { None }
}

fn plain(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn line(text: &str) -> Vec<u8> {
    format!("{text}\n").into_bytes()
}

/// As a person sees it.
fn shown(text: &str) -> String {
    stonechat::chat::sanitize::text(text).to_string()
}

fn short(id: &str) -> &str {
    &id[id.len() - 8..]
}

#[test]
fn universal_connectivity() {
    let kinds = ["go", "js", "rust"];
    let Some(world) = world(&kinds) else { return };
    let started = kinds.map(|kind| (kind, json!({})));
    let star = Star::new(&world, "uc:", "universal-connectivity", &started, plain);
    assert_eq!(star.logged("uc: is universal-connectivity's room"), 1, "said once on joining");
    for stranger in &star.strangers {
        for text in TRICKY {
            let text = format!("{text} of {}", stranger.kind);
            let heard = star.hears(stranger, text.as_bytes(), &shown(&text));
            assert_eq!(heard.nick, short(&stranger.id), "nobody has a nickname there");
        }
        star.hears(stranger, b"\x1b[2J\xff\r\n", "\\u{1b}[2J\u{fffd}");
    }
    for text in TRICKY {
        star.says(text, text.as_bytes());
    }
    star.check_history();
    direct_messages(&star);
    said_once(&star);
}

/// js's direct messages both ways; the others have none.
fn direct_messages(star: &Star) {
    let (us, js) = (&star.us, star.stranger("js"));
    assert_eq!(js.insist("dm", json!({"peer": us.id, "text": "psst \u{1b}"}))["status"], 200);
    let is_dm = |outbound: bool, text: &'static str| {
        move |event: &stonechat::node::event::Event| {
            let event = serde_json::to_value(event).expect("JSON");
            event["event"] == "dm" && event["outbound"] == outbound && event["text"] == text && event["via"] == "uc"
        }
    };
    us.wait_event("the direct message of js", GENEROUS, is_dm(false, "psst \\u{1b}"));
    for text in TRICKY {
        us.insist(&json!({"command": "dm", "peer": short(&js.id), "text": text}));
        js.wait_event("ours", GENEROUS, |event| {
            event["event"] == "dm" && event["peer"] == *us.id && event["text"] == text
        });
    }
    us.wait_event("our own", GENEROUS, is_dm(true, "plain"));
    for other in ["go", "rust"] {
        let refused = us.ask(&json!({"command": "dm", "peer": star.stranger(other).id, "text": "and you?"}));
        let why = refused["error"].as_str().unwrap_or_default();
        assert!(why.contains("takes no direct messages"), "{other}: {refused}");
    }
}

/// What a room cannot do is told once, also to who joins it twice.
fn said_once(star: &Star) {
    let notices = |room: &str| {
        let events = star.us.events();
        let events = events.iter().map(|event| serde_json::to_value(event).expect("JSON"));
        events.filter(|event| event["event"] == "notice" && event["room"] == room).collect::<Vec<Value>>()
    };
    for _ in 0..2 {
        star.us.insist(&json!({"command": "join", "room": "go-chat:aside"}));
    }
    star.us.insist(&json!({"command": "send", "room": "go-chat:aside", "text": "nobody is here"}));
    let after = |event: &stonechat::node::event::Event| {
        stonechat::node::command::as_message(event).is_some_and(|line| line.text == "nobody is here")
    };
    star.us.wait_event("a line after it", GENEROUS, after);
    let told = notices("go-chat:aside");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0]["text"].as_str().is_some_and(|text| text.contains("nicknames")), "{told:?}");
}

#[test]
fn go_chat() {
    let kinds = ["go", "js", "rust"];
    let Some(world) = world(&kinds) else { return };
    let greeting = |text: &str| format!(r#"{{"Message":"{text}","SenderID":"","SenderNick":"x"}}"#).into_bytes();
    let started = kinds.map(|kind| (kind, json!({})));
    let star = Star::new(&world, "go-chat:awesome-chat-room", "chat-room:awesome-chat-room", &started, greeting);
    let go = star.stranger("go");
    let encoded = |text: &str, nick: &str, sender: &str| {
        let answer = go.insist("encode_chat", json!({"text": text, "nick": nick, "sender": sender}));
        bytes(answer["data"].as_str().expect("hex"))
    };
    for (nick, wanted) in [("ann", "ann"), ("a<n\u{7}", "a\\<n\\u{7}"), ("* server", "\\* server")] {
        for text in TRICKY {
            let heard =
                star.hears(go, &encoded(&format!("{text} {nick}"), nick, &go.id), &shown(&format!("{text} {nick}")));
            assert_eq!(heard.nick, wanted);
        }
    }
    // Whoever says to be somebody else: the signed author counts.
    let heard = star.hears(star.stranger("js"), &encoded("it is me", "ann", &go.id), "it is me");
    assert_eq!(heard.from, star.stranger("js").id);
    for text in TRICKY {
        // What Go's own encoder makes of our line is what we have sent.
        let wanted = encoded(text, "ann <&>", &star.us.id);
        star.says(text, &wanted);
        let read = go.insist("decode_chat", json!({"data": hex(&wanted)}));
        assert_eq!(
            (&read["text"], &read["nick"], &read["sender"]),
            (&json!(text), &json!("ann <&>"), &json!(star.us.id))
        );
    }
    refused_alike(&star, go);
    star.check_history();
}

/// What Go's decoder refuses is not shown here either, and travels on; what it takes is shown.
fn refused_alike(star: &Star, go: &Foreign) {
    let payloads = [
        r#"{"Message":1}"#,
        "[]",
        "no JSON",
        r#"{"Message":"a"} x"#,
        r#"{"message":"lower case","SENDERNICK":"c"}"#,
        r#"{"Message":"first","Message":"last"}"#,
        r#"{"Message":"a","SenderID":7}"#,
        r#"{"x":[{"y":1}],"Message":"what it does not know"}"#,
    ];
    for payload in payloads {
        let data = payload.as_bytes();
        match go.ask("decode_chat", json!({"data": hex(data)})) {
            Ok(read) => drop(star.hears(go, data, read["text"].as_str().expect("a text"))),
            Err(_) => {
                go.publish(&star.topic, data);
                star.stranger("js").wait_message(&star.topic, data, GENEROUS);
                let after = encoded_after(payload);
                star.hears(go, &after, &format!("after {}", payload.len()));
                assert!(star.heard().iter().all(|line| !line.text.contains(payload)), "{payload} was shown");
            }
        }
    }
}

fn encoded_after(payload: &str) -> Vec<u8> {
    format!(r#"{{"Message":"after {}","SenderID":"","SenderNick":""}}"#, payload.len()).into_bytes()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(digit).collect()
}

#[test]
fn lines_of_go_s_rendezvous_chat() {
    let kinds = ["go", "js", "rust"];
    let Some(world) = world(&kinds) else { return };
    let star = Star::new(&world, "text:applesauce", "applesauce", &kinds.map(|kind| (kind, json!({}))), line);
    for text in TRICKY {
        let go = star.stranger("go");
        let heard = star.hears(go, &line(text), &shown(text));
        assert_eq!(heard.nick, "");
        star.says(text, &line(text));
    }
    star.check_history();
}

#[test]
fn lines_of_rust_s_chat() {
    let Some(world) = world(&["rust"]) else { return };
    let chat = || ("rust", json!({"id_profile": "chat"}));
    let star = Star::new(&world, "text:test-net", "test-net", &[chat(), chat()], plain);
    let [one, other] = star.strangers.as_slice() else { panic!("two were started") };
    for text in TRICKY {
        star.hears(one, text.as_bytes(), &shown(text));
        star.says(&format!("we: {text}"), format!("we: {text}").as_bytes());
    }
    // Two who say the same say it once, there as here.
    star.hears(one, b"the same", "the same");
    let again = other.ask("publish", json!({"topic": "test-net", "data": hex(b"the same")}));
    assert!(again.is_err_and(|why| why.to_string().contains("uplicate")), "their own id is the text's");
    let refused = star.us.ask(&json!({"command": "send", "text": "the same"}));
    assert!(refused["error"].as_str().is_some_and(|why| why.contains("a moment ago")), "{refused}");
    star.check_history();
}

#[test]
fn lines_of_py_s_pubsub_example() {
    let Some(world) = world(&["py", "go"]) else { return };
    let started = [("py", json!({"id_profile": "own"})), ("go", json!({}))];
    let star = Star::new(&world, "text:pubsub-chat", "pubsub-chat", &started, plain);
    for text in ["plain", "Grüße, 你好 👋"] {
        star.hears(star.stranger("py"), text.as_bytes(), text);
        star.says(&format!("we: {text}"), format!("we: {text}").as_bytes());
    }
    star.check_history();
}

#[test]
fn the_message_ids_that_each_implementation_has_by_itself() {
    let Some(world) = world(&["js", "rust"]) else { return };
    for (kind, room) in [("js", "uc+js:"), ("rust", "text+rust:own-ids")] {
        let topic = if kind == "js" { "universal-connectivity" } else { "own-ids" };
        let own = || (kind, json!({"id_profile": "own"}));
        let star = Star::new(&world, room, topic, &[own(), own()], plain);
        star.hears(&star.strangers[0], b"mine", "mine");
        star.says("ours", b"ours");
        star.check_history();
    }
}

/// py's pubsub example makes RSA keys, which are unknown here. Whoever hands on what such a peer says keeps its good name.
#[test]
fn who_hands_on_what_cannot_be_checked_here_is_heard_all_the_same() {
    const LINES: usize = 20;
    let Some(world) = world(&["go"]) else { return };
    let star = Star::new(&world, "text:pubsub-chat", "pubsub-chat", &[("go", json!({}))], plain);
    let (go, host) = (star.stranger("go"), world.host("rsa", &star.lan));
    let rsa = Foreign::run(&host, "go", json!({"rsa": true}));
    rsa.subscribe("pubsub-chat");
    rsa.insist("dial", json!({"address": go.address(&star.hosts[0])}));
    world::until("go hears it", GENEROUS, || {
        rsa.publish("pubsub-chat", b"hello");
        go.messages("pubsub-chat").contains(&hex(b"hello")).then_some(())
    });
    for n in 0..LINES {
        let data = plain(&format!("{n} of who has another key"));
        rsa.publish("pubsub-chat", &data);
        go.wait_message("pubsub-chat", &data, GENEROUS);
    }
    for n in 0..LINES {
        let text = format!("{n} of who stands between");
        star.hears(go, &plain(&text), &text);
        star.says(&format!("{n} of ours"), &plain(&format!("{n} of ours")));
    }
}
