//! One peer of ours in a room of others, and strangers that are connected with it alone: whatever one of them hears of
//! another went through ours, and the implementation that hears it has checked the author's signature.

use crate::world::foreign::hex;
use crate::world::peer::{PORT, directory};
use crate::world::{Foreign, GENEROUS, Host, Peer, Subnet, World, until};
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use stonechat::node::{command::as_message, event::MessageEvent};

pub struct Star {
    pub room: String,
    pub topic: String,
    pub us: Peer,
    pub strangers: Vec<Foreign>,
    /// Where each of them is.
    pub hosts: Vec<Host>,
    pub lan: Subnet,
    dir: tempfile::TempDir,
}

impl Star {
    /// Starts all, with what each kind is told at its start, and waits until each hears each.
    pub fn new(world: &World, room: &str, topic: &str, kinds: &[(&str, Value)], greeting: fn(&str) -> Vec<u8>) -> Self {
        let lan = world.subnet();
        let (host, dir) = (world.host(&format!("us-in-{topic}"), &lan), directory());
        let us = Peer::run(&host, "ann <&>", dir.path(), &["--no-mdns", "--room", room]);
        let name = |(at, (kind, _)): (usize, &(&str, Value))| format!("{kind}{at}-in-{topic}");
        let hosts: Vec<_> = kinds.iter().enumerate().map(|kind| world.host(&name(kind), &lan)).collect();
        let start = |((kind, options), theirs): (&(&str, Value), &Host)| {
            let stranger = Foreign::run(theirs, kind, options.clone());
            stranger.subscribe(topic);
            stranger.insist("dial", json!({"address": format!("/ip4/{}/tcp/{PORT}/p2p/{}", host.address(), us.id)}));
            until("it knows that we are in the room", GENEROUS, || stranger.sees_in(topic, &us.id).then_some(()));
            stranger
        };
        let strangers = kinds.iter().zip(&hosts).map(start).collect();
        let star = Self { room: room.into(), topic: topic.into(), us, strangers, hosts, lan, dir };
        star.become_one(greeting);
        star
    }

    pub fn stranger(&self, kind: &str) -> &Foreign {
        self.strangers.iter().find(|stranger| stranger.kind == kind).expect("it was started")
    }

    fn others<'a>(&'a self, but: &'a Foreign) -> impl Iterator<Item = &'a Foreign> {
        self.strangers.iter().filter(|stranger| stranger.id != but.id)
    }

    /// All talk until all have heard all: a mesh takes a heartbeat or two, and py one of its own.
    fn become_one(&self, greeting: fn(&str) -> Vec<u8>) {
        let start = Instant::now();
        let heard_of = |hearer: &Foreign, author: &str| {
            hearer.events().iter().any(|event| event["event"] == "message" && event["from"] == author)
        };
        for round in 0.. {
            self.us.send(&format!("hello {round} of us"));
            for stranger in &self.strangers {
                stranger.publish(&self.topic, &greeting(&format!("hello {round} of {}", stranger.id)));
            }
            let all = || {
                self.strangers.iter().all(|stranger| {
                    let ours = self.heard().iter().any(|line| line.from == stranger.id);
                    ours && heard_of(stranger, &self.us.id)
                        && self.others(stranger).all(|other| heard_of(stranger, &other.id))
                })
            };
            let asked = Instant::now();
            while asked.elapsed() < Duration::from_secs(1) {
                if all() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(start.elapsed() < 2 * GENEROUS, "some are deaf after {:?}", start.elapsed());
        }
    }

    /// Lines of others that ours has told of.
    pub fn heard(&self) -> Vec<MessageEvent> {
        let events = self.us.events();
        let lines = events.iter().filter_map(as_message);
        lines.filter(|line| line.from != self.us.id).cloned().collect()
    }

    /// `author` says these bytes: ours shows `text`, and every other stranger hears the same bytes as the author's. Gives
    /// our line.
    pub fn hears(&self, author: &Foreign, data: &[u8], text: &str) -> MessageEvent {
        let id = author.publish(&self.topic, data);
        let what = format!("{text:?} of {}", author.kind);
        let (_, event) = self.us.wait_event(&what, GENEROUS, |event| {
            as_message(event).is_some_and(|line| line.from == author.id && line.text == text)
        });
        let line = as_message(&event).expect("a line").clone();
        assert_eq!((&line.room, line.via.as_deref()), (&self.room, self.room.split([':', '+']).next()));
        assert!(line.time.is_some(), "its time is ours: {line:?}");
        for other in self.others(author) {
            let what = format!("{:?} of {}, handed on", String::from_utf8_lossy(data), author.kind);
            let (_, event) = other.wait_event(&what, GENEROUS, |event| {
                event["event"] == "message" && event["from"] == *author.id && event["data"] == hex(data)
            });
            // The author's own number and key, under the author's own signature.
            let seqno = event["seqno"].as_str().expect("a number");
            assert!(line.id.ends_with(seqno), "{line:?} and {event}");
            if let (Some(key), true) = (event["key"].as_bool(), author.kind != "rust") {
                assert_eq!(key, ["js", "py"].contains(&author.kind.as_str()), "{} through ours: {event}", author.kind);
            }
        }
        self.check_name(author, id.as_deref(), data, &line);
        line
    }

    /// What the author calls its message is what our room calls it.
    fn check_name(&self, author: &Foreign, id: Option<&str>, data: &[u8], line: &MessageEvent) {
        let room = stonechat::node::others::room_name(&self.room).expect("a room");
        let profile = stonechat::node::others::of(&room).expect("of others").profile;
        let peer: libp2p::PeerId = author.id.parse().expect("a peer id");
        let (from, seqno) = (peer.to_bytes(), &line.id[line.id.len() - 16..]);
        let seqno = u64::from_str_radix(seqno, 16).expect("a number");
        let named = stonechat::compat::profile::Named { from: &from, from_text: &author.id, seqno, data };
        // py gives the id its example would have, whatever it was started with.
        if let Some(id) = id {
            assert_eq!(id, hex(&profile.id(named)), "the id of {}'s {line:?}", author.kind);
        }
    }

    /// Ours says `text`: every stranger hears exactly these bytes from it.
    pub fn says(&self, text: &str, data: &[u8]) {
        self.us.insist(&json!({"command": "send", "room": self.room, "text": text}));
        for stranger in &self.strangers {
            let what = format!("{:?} of ours", String::from_utf8_lossy(data));
            stranger.wait_event(&what, GENEROUS, |event| {
                event["event"] == "message" && event["from"] == *self.us.id && event["data"] == hex(data)
            });
        }
    }

    fn tail(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stonechat"));
        command.args(["tail", "--room", &self.room, "--dir"]).arg(self.dir.path()).args(args);
        command.output().expect("it runs")
    }

    /// The history has every line, ours and theirs, as it was told of and in that order; so has `tail --history`.
    pub fn check_history(&self) -> Vec<String> {
        // A straggler may come between two questions.
        let (history, told) = until("all is told of that is kept", GENEROUS, || {
            let request = json!({"command": "history", "room": self.room, "count": 1000});
            let history = self.us.insist(&request)["history"].as_array().expect("a list").clone();
            let told: Vec<_> = self.us.events().iter().filter_map(as_message).map(|line| json!(line)).collect();
            let told: Vec<_> = told.into_iter().filter(|line| line["room"] == *self.room).collect();
            (history.len() == told.len()).then_some((history, told))
        });
        for (kept, told) in history.iter().zip(&told) {
            for field in ["id", "from", "nick", "text", "stamp", "time", "via"] {
                assert_eq!(kept[field], told[field], "{field} of {kept}");
            }
        }
        let count = history.len().to_string();
        let json = self.tail(&["--history", "1000", "--count", &count, "--json"]);
        let lines: Vec<Value> = String::from_utf8_lossy(&json.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines, history, "tail --json");
        let plain = self.tail(&["--history", "1000", "--count", &count]);
        let lines: Vec<_> = String::from_utf8_lossy(&plain.stdout).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), history.len(), "one line each");
        for (line, kept) in lines.iter().zip(&history) {
            let text = kept["text"].as_str().expect("a text");
            assert!(line.ends_with(&format!("> {text}")) && line.contains(&format!(" {} <", self.room)), "{line}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        lines
    }

    /// How often something was told on standard error.
    pub fn logged(&self, what: &str) -> usize {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default().matches(what).count()
    }
}
