//! Two of ours that are connected only by way of two others: every message arrives once.

use super::meet::address_of;
use super::{Column, Found, Ours, Section, failed, seconds};
use crate::world::foreign::Trouble;
use crate::world::{Foreign, GENEROUS, until};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const CHAIN: &str = "A–they–another–B, A and B ours: 1,000 lines each way, each once";
const NATIVE: &str = "the same in a room of ours, whose frames they only hand on";

pub const SECTION: Section = Section { name: "chain", rows: &[CHAIN, NATIVE], check };

const TOPIC: &str = "chain";
const ROOM: &str = "text:chain";
/// A room of ours and its topic.
const LOBBY: &str = "lobby";
const LOBBY_TOPIC: &str = "stonechat/1/lobby";
const COUNT: usize = 1_000;
/// What has not come after this much silence does not come: recovery takes heartbeats, a second each.
const QUIET: Duration = Duration::from_secs(8);
/// 100 a second: go has room for 32 that wait for a connection.
const PACE: Duration = Duration::from_millis(10);

fn check(columns: &[Column<'_>]) -> String {
    std::thread::scope(|scope| {
        for column in columns {
            // go and js are one chain; each has it in its own place.
            let others: Vec<&str> = match column.kind {
                "go" => vec!["go", "js"],
                "js" => vec!["js", "go"],
                "rust" => vec!["rust", "go"],
                kind => vec![kind],
            };
            let kind = column.kind;
            scope.spawn(move || match kind {
                "py" => [CHAIN, NATIVE].into_iter().for_each(|row| column.row(row, || slow(column, row))),
                _ => {
                    let chain = std::cell::OnceCell::new();
                    let chain = || chain.get_or_init(|| Chain::new(column, &others)).as_ref().map_err(Clone::clone);
                    column.row(CHAIN, || chain()?.carry_in_two_tries(ROOM));
                    column.row(NATIVE, || chain()?.carry_in_two_tries(LOBBY));
                }
            });
        }
    });
    String::new()
}

/// py drops what comes faster than ten a second, silently: how much of a hundred it leaves.
fn slow(column: &Column<'_>, row: &str) -> Found {
    let chain = Chain::new(column, &[column.kind])?;
    let room = if row == CHAIN { ROOM } else { LOBBY };
    match chain.carry(room, 100, 1) {
        Ok(_) => failed("py is said to hand on ten messages a second at most, and handed on all of a hundred"),
        Err(why) => Err(Trouble::Cannot(format!(
            "it hands on ten messages a second of a topic and drops the rest ({}, sent at 100/s)",
            why.to_string().split(',').next().unwrap_or_default()
        ))),
    }
}

struct Chain {
    ends: [Ours; 2],
    /// They end with the chain.
    _between: Vec<Foreign>,
}

impl Chain {
    fn new(column: &Column<'_>, kinds: &[&str]) -> Result<Self, Trouble> {
        let lan = column.world.subnet();
        let mark = lan.router().replace('.', "-");
        let hosts = ["a", "b"].map(|name| column.host(&format!("{mark}-{name}"), &lan));
        let start = |host| Ours::start(host, "run", &["--no-mdns", "--room", ROOM, "--room", LOBBY]);
        let ends = [start(&hosts[0]), start(&hosts[1])];
        let mut between: Vec<Foreign> = Vec::new();
        let mut addresses = vec![address_of(&ends[0], &hosts[0])];
        for kind in kinds {
            let host = column.host(&format!("{mark}-{kind}"), &lan);
            let them = Foreign::run(&host, kind, json!({}));
            [TOPIC, LOBBY_TOPIC].iter().for_each(|topic| them.subscribe(topic));
            them.ask("dial", json!({"address": addresses.last().expect("one at least")}))?;
            addresses.push(them.address(&host));
            between.push(them);
        }
        ends[1].insist(&json!({"command": "dial", "address": addresses.last().expect("one at least")}));
        let chain = Self { ends, _between: between };
        for room in [ROOM, LOBBY] {
            chain.say(room, "begin");
        }
        let peers = chain.ends.each_ref().map(|end| end.peers().len());
        if peers != [1, 1] {
            return failed(format!("the ends have {peers:?} peers"));
        }
        Ok(chain)
    }

    /// Says it until it went through in each direction: then every mesh is made, and what came before has come.
    fn say(&self, room: &str, what: &str) {
        let [a, b] = &self.ends;
        let mut number = 0;
        until("lines go through the chain", 2 * GENEROUS, || {
            for end in &self.ends {
                end.insist(&json!({"command": "send", "room": room, "text": format!("{what} {room} {number}")}));
            }
            number += 1;
            std::thread::sleep(Duration::from_millis(300));
            let through = |from: &Ours, to: &Ours| !to.lines_like(from, &format!("{what} {room}")).is_empty();
            (through(a, b) && through(b, a)).then_some(())
        });
    }

    /// A machine that does much else may stall them for longer than the 32 messages last that go keeps.
    fn carry_in_two_tries(&self, room: &str) -> Found {
        self.carry(room, COUNT, 1).or_else(|why| {
            println!("{room}: {why}; once more");
            self.carry(room, COUNT, 2)
        })
    }

    fn carry(&self, room: &str, count: usize, attempt: u32) -> Found {
        let begin = format!("{room} {attempt} ");
        let start = Instant::now();
        let mut next = start;
        for n in 0..count {
            for end in &self.ends {
                end.insist(&json!({"command": "send", "room": room, "text": format!("{begin}{n}")}));
            }
            next += PACE;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        let [a, b] = &self.ends;
        let heard = |from: &Ours, to: &Ours| {
            let mut lines = to.lines_like(from, &begin);
            lines.retain(|line| line[begin.len()..].parse::<usize>().is_ok());
            lines
        };
        let mut last = (Instant::now(), 0);
        loop {
            let sum = heard(a, b).len() + heard(b, a).len();
            if sum > last.1 {
                last = (Instant::now(), sum);
            }
            if sum >= 2 * count || last.0.elapsed() > QUIET {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let took = start.elapsed();
        // Second copies come with or before what is said now.
        self.say(room, &format!("end {attempt}"));
        let found = [(a, b), (b, a)].map(|(from, to)| {
            let lines = heard(from, to);
            let once: BTreeSet<_> = lines.iter().cloned().collect();
            let missing: Vec<_> = (0..count).filter(|n| !once.contains(&format!("{begin}{n}"))).take(5).collect();
            (once.len(), lines.len() - once.len(), missing)
        });
        if found.iter().any(|(once, twice, _)| (*once, *twice) != (count, 0)) {
            let [there, back] = found;
            let twice = there.1 + back.1;
            let text = format!("{} and {} of {count} arrived, {twice} twice", there.0, back.0);
            return failed(format!("{text}; missing {:?} and {:?}", there.2, back.2));
        }
        println!("{room}: {} s", seconds(took));
        Ok(format!("{count} / {count}"))
    }
}
