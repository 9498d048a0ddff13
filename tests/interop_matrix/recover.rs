//! Lines that were lost: who is not in the mesh of its neighbour hears only what it asks for (IHAVE, IWANT).
//!
//! Leaving a room sends PRUNE, after which neither side may take the other into its mesh for ten seconds
//! (gossipsub 1.1, `unsubscribe_backoff`). Whoever comes back at once is in the topic, connected, and in nobody's mesh:
//! lines of a third peer reach it only if it asks for them. We count what we asked for and were asked for.

use super::crowd::in_a_crowd;
use super::gossip::talk;
use super::meet::address_of;
use super::{Column, Found, Ours, Section, each, failed, seconds};
use crate::world::foreign::{Trouble, hex};
use crate::world::{Foreign, GENEROUS, Subnet, until};
use serde_json::json;
use std::time::{Duration, Instant};
use stonechat::node::command::as_message;

const WE_ASK: &str = "what we lost we ask them for (IHAVE/IWANT), the specification's ids";
const THEY_ASK: &str = "what they lost they ask us for, the specification's ids";
const WE_ASK_OWN: &str = "the same by their own ids: we ask";
const THEY_ASK_OWN: &str = "the same by their own ids: they ask";

pub const SECTION: Section = Section { name: "recover", rows: &[WE_ASK, THEY_ASK, WE_ASK_OWN, THEY_ASK_OWN], check };

const TOPIC: &str = "lost";
/// The back-off is ten seconds; what comes later may come by the mesh.
const WITHIN: Duration = Duration::from_secs(8);
/// Each is wanted. The ones after them keep rust's heartbeat awake, which sleeps when nothing comes.
const WANTED: usize = 3;
/// Three of py's heartbeats, in which it fills its mesh.
const HEARTBEATS: Duration = Duration::from_secs(3);
/// More than are all in a mesh of ours (12), with them, and than one of py's needs (up to 8).
const CROWD: usize = 12;
/// Our D_lo: a mesh of a larger room that is as full as this wants nobody.
const MESH_LOW: u64 = 6;
const PACE: Duration = Duration::from_millis(400);
const WE_ASKED: &str = "gossip: messages asked for";
const WE_WERE_ASKED: &str = "gossip: messages handed out on request";

fn check(columns: &[Column<'_>]) -> String {
    each(columns, |column| {
        column.row(WE_ASK, || we_ask(column, "spec"));
        column.row(THEY_ASK, || Lost::new(column, "spec").and_then(|lost| lost.they_ask()));
        column.row(WE_ASK_OWN, || we_ask(column, "own"));
        column.row(THEY_ASK_OWN, || Lost::new(column, "own").and_then(|lost| lost.they_ask()));
    });
    String::new()
}

/// py offers nothing to whom it may not take into its mesh yet: there a crowd fills the meshes instead.
fn we_ask(column: &Column<'_>, profile: &str) -> Found {
    if column.kind != "py" {
        return Lost::new(column, profile)?.we_ask();
    }
    let lan = column.world.subnet();
    let crowd: Vec<_> = (0..CROWD).map(|n| column.host(&format!("{profile}-crowd{n}"), &lan)).collect();
    let lost = Lost::apart(column, profile, &lan)?;
    let addresses = [lost.addresses[0].clone(), lost.addresses[2].clone()];
    in_a_crowd(&crowd, TOPIC, &addresses, || lost.we_ask_in_a_crowd())
}

/// Three peers in a row: the first speaks, the second hands on, the third is in the mesh of nobody.
struct Lost {
    us: Ours,
    author: Ours,
    them: Foreign,
    /// Of us, of the author, of them.
    addresses: [String; 3],
    room: String,
}

/// How many lines we asked for, or were asked for.
fn asked(us: &Ours, what: &str) -> u64 {
    let status = us.insist(&json!({"command": "status"}));
    let counters = status["counters"].as_array().expect("counters");
    counters.iter().find(|counter| counter["name"] == what).and_then(|counter| counter["count"].as_u64()).expect("one")
}

fn mesh(us: &Ours) -> u64 {
    us.insist(&json!({"command": "rooms"}))["rooms"][0]["mesh"].as_u64().expect("a number")
}

impl Lost {
    /// We and they are connected and hear each other.
    fn new(column: &Column<'_>, profile: &str) -> Result<Self, Trouble> {
        let lost = Self::apart(column, profile, &column.world.subnet())?;
        lost.us.insist(&json!({"command": "dial", "address": lost.addresses[2]}));
        talk(&lost.us, &lost.them, TOPIC, "hello", Instant::now(), GENEROUS);
        lost.insist_on_ids()?;
        Ok(lost)
    }

    /// They name messages as the room says that they do.
    fn insist_on_ids(&self) -> Result<(), Trouble> {
        let id = self.them.publish(TOPIC, b"which id?").unwrap_or_default();
        let author = hex(&self.them.id.parse::<libp2p::PeerId>().expect("a peer id").to_bytes());
        if id.starts_with(&author) == self.room.starts_with("text:") {
            return Ok(());
        }
        failed(format!("their own id is {id}, in {}", self.room))
    }

    /// Nobody is connected.
    fn apart(column: &Column<'_>, profile: &str, lan: &Subnet) -> Result<Self, Trouble> {
        let room = match (profile, column.kind) {
            ("own", kind @ ("js" | "rust")) => format!("text+{kind}:{TOPIC}"),
            _ => format!("text:{TOPIC}"),
        };
        let mark = lan.router().replace('.', "-");
        let hosts = ["us", "author", "them"].map(|name| column.host(&format!("{mark}-{name}"), lan));
        let (us, author) = (Ours::in_topic(&hosts[0], &room), Ours::in_topic(&hosts[1], &room));
        let them = Foreign::run(&hosts[2], column.kind, json!({"id_profile": profile}));
        them.subscribe(TOPIC);
        let addresses = [address_of(&us, &hosts[0]), address_of(&author, &hosts[1]), them.address(&hosts[2])];
        Ok(Self { us, author, them, addresses, room })
    }

    /// We leave and come back: from now on we are in nobody's mesh.
    fn step_out(&self) {
        self.us.insist(&json!({"command": "leave", "room": self.room}));
        until("they see us gone", GENEROUS, || (!self.them.sees_in(TOPIC, &self.us.id)).then_some(()));
        self.us.insist(&json!({"command": "join", "room": self.room}));
        until("they see us again", GENEROUS, || self.them.sees_in(TOPIC, &self.us.id).then_some(()));
        until("we see them again", GENEROUS, || {
            self.us.peers().iter().any(|peer| peer.peer == self.them.id && !peer.rooms.is_empty()).then_some(())
        });
    }

    fn we_ask(&self) -> Found {
        self.author.insist(&json!({"command": "dial", "address": self.addresses[2]}));
        let heard = |us: &Ours, what: &str| us.lines_like(&self.author, what).len();
        self.through(|| heard(&self.us, "through "))?;
        self.step_out();
        self.count(WE_ASKED, |text| drop(self.author.send(text)), || heard(&self.us, "lost "))
    }

    fn we_ask_in_a_crowd(&self) -> Found {
        self.insist_on_ids()?;
        until("our mesh is full", GENEROUS, || (mesh(&self.us) >= MESH_LOW).then_some(()));
        let in_topic =
            || self.them.insist("subscribers", json!({"topic": TOPIC}))["peers"].as_array().map_or(0, Vec::len);
        until("theirs can be full", GENEROUS, || (in_topic() == CROWD).then_some(()));
        std::thread::sleep(HEARTBEATS);
        // They dial: a mesh wants two who were dialled, and ours has none of them.
        self.them.ask("dial", json!({"address": self.addresses[0]}))?;
        until("they see us", GENEROUS, || self.them.sees_in(TOPIC, &self.us.id).then_some(()));
        // They speak: an author of ours would be in their mesh, and for the better of a newer gossipsub they have room.
        let say = |text: &str| drop(self.them.publish(TOPIC, text.as_bytes()));
        let heard = || {
            self.us
                .events()
                .iter()
                .filter_map(as_message)
                .filter(|line| line.from == self.them.id && line.text.starts_with("lost "))
                .count()
        };
        self.count(WE_ASKED, say, heard)
    }

    fn they_ask(&self) -> Found {
        self.author.insist(&json!({"command": "dial", "address": self.addresses[0]}));
        let heard = |what: &str| {
            let what = hex(what.as_bytes());
            self.them.messages(TOPIC).iter().filter(|data| data.starts_with(&what)).count()
        };
        self.through(|| heard("through "))?;
        self.step_out();
        self.count(WE_WERE_ASKED, |text| drop(self.author.send(text)), || heard("lost "))
    }

    /// Lines of the author arrive by way of the one between.
    fn through(&self, heard: impl Fn() -> usize) -> Result<(), Trouble> {
        let start = Instant::now();
        for n in 0.. {
            self.author.send(&format!("through {n}"));
            std::thread::sleep(PACE);
            if heard() > 0 {
                return Ok(());
            }
            if start.elapsed() > GENEROUS {
                return failed("lines do not come through");
            }
        }
        Ok(())
    }

    fn count(&self, what: &str, say: impl Fn(&str), heard: impl Fn() -> usize) -> Found {
        let before = asked(&self.us, what);
        let start = Instant::now();
        let mesh_before = mesh(&self.us);
        let mut sent = 0;
        while start.elapsed() < WITHIN && heard() < WANTED {
            say(&format!("lost {sent}"));
            sent += 1;
            std::thread::sleep(PACE);
        }
        let (heard, took, mesh, asks) = (heard(), start.elapsed(), mesh(&self.us), asked(&self.us, what) - before);
        let first = self.us.events();
        let here = first.iter().filter_map(as_message).filter(|line| line.text.starts_with("lost ")).count();
        let text = format!("{heard} of {sent} within {} s, {asks} asked for", seconds(took));
        match () {
            () if mesh > mesh_before => failed(format!("{text}, but our mesh grew from {mesh_before} to {mesh}")),
            () if heard < WANTED || asks < WANTED as u64 => failed(format!("{text}; we had {here}")),
            () => Ok(text),
        }
    }
}
