//! Lines by gossipsub both ways, and signatures: what is not signed by its author is refused, there and here.

use super::forger::{Forgery, is_taken};
use super::meet::address_of;
use super::{Column, Found, Ours, Section, each, failed};
use crate::world::foreign::{Trouble, hex};
use crate::world::{Foreign, GENEROUS, Host, Peer, until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use stonechat::node::command::as_message;

const LINES: &str = "gossipsub: we hear them / they hear us, each line once";
const KEYS: &str = "StrictSign: messages with and without `key` are taken, there / here";
const THEY_REFUSE: &str = "they refuse: no signature, another's, another's with its key, changed";
const WE_REFUSE: &str = "we refuse: the same, and what they send when told not to sign";

pub const SECTION: Section = Section { name: "gossip", rows: &[LINES, KEYS, THEY_REFUSE, WE_REFUSE], check };

const TOPIC: &str = "talk";
const ROOM: &str = "text:talk";
/// Lines each way: py drops what comes faster than ten a second.
const COUNT: usize = 20;
const PACE: Duration = Duration::from_millis(150);

fn check(columns: &[Column<'_>]) -> String {
    each(columns, one);
    String::new()
}

fn one(column: &Column<'_>) {
    let lan = column.world.subnet();
    let hosts = [
        column.host("us", &lan),
        column.host("them", &lan),
        column.host("mute", &lan),
        column.host("mute2", &lan),
        column.host("twin", &lan),
    ];
    let forger = column.host("forger", &lan);
    let us = Ours::in_topic(&hosts[0], ROOM);
    let them = Foreign::run(&hosts[1], column.kind, json!({}));
    them.subscribe(TOPIC);
    let addresses = [address_of(&us, &hosts[0]), them.address(&hosts[1])];
    us.insist(&json!({"command": "dial", "address": addresses[1]}));
    column.row(LINES, || {
        let [by_us, by_them] = talk(&us, &them, TOPIC, "hello", Instant::now(), GENEROUS);
        let (Some(_), Some(_)) = (by_us, by_them) else {
            return failed(format!("we heard after {by_us:?}, they after {by_them:?}"));
        };
        lines(&us, &them)
    });
    let heard_here = |text: &str| has_line(&us, text);
    let heard_there = |text: &str| them.messages(TOPIC).contains(&hex(text.as_bytes()));
    let taken = |at: usize, forgery: Forgery| match at {
        0 => is_taken(&forger, &addresses[0], TOPIC, forgery, heard_here),
        _ => is_taken(&forger, &addresses[1], TOPIC, forgery, heard_there),
    };
    column.row(KEYS, || {
        for (at, forgery) in [0, 1].iter().flat_map(|at| Forgery::GOOD.map(|forgery| (*at, forgery))) {
            match taken(at, forgery) {
                Ok(true) => {}
                Ok(false) => return failed(format!("{forgery:?} is refused {}", ["here", "there"][at])),
                Err(why) => return failed(format!("{}: {why}", ["here", "there"][at])),
            }
        }
        let theirs = sends_key(column, &them, &addresses[1], &hosts[4])?;
        Ok(format!("they {} it", if theirs { "send" } else { "do not send" }))
    });
    column.row(THEY_REFUSE, || refused(|forgery| taken(1, forgery)));
    column.row(WE_REFUSE, || {
        refused(|forgery| taken(0, forgery))?;
        unsigned(column, &us, &addresses[0], [&hosts[2], &hosts[3]])
    });
}

fn has_line(us: &Peer, text: &str) -> bool {
    us.find_event(Duration::ZERO, |event| as_message(event).is_some_and(|line| line.text == text)).is_some()
}

fn lines(us: &Ours, them: &Foreign) -> Found {
    let text = |of: &str, n: usize| format!("line {n} of {of}");
    for n in 0..COUNT {
        us.insist(&json!({"command": "send", "text": text("ours", n)}));
        them.publish(TOPIC, text("theirs", n).as_bytes());
        std::thread::sleep(PACE);
    }
    let start = Instant::now();
    let wanted = |of: &str| (0..COUNT).map(|n| text(of, n)).collect::<Vec<_>>();
    let theirs = || {
        let mut heard: Vec<String> = us
            .events()
            .iter()
            .filter_map(as_message)
            .filter(|line| line.from == them.id)
            .map(|line| line.text.clone())
            .collect();
        heard.retain(|line| line.starts_with("line "));
        heard
    };
    let ours = || {
        let begin = hex(b"line ");
        them.messages(TOPIC).into_iter().filter(|data| data.starts_with(&begin)).collect::<Vec<_>>()
    };
    while theirs().len() < COUNT || ours().len() < COUNT {
        if start.elapsed() > GENEROUS {
            return failed(format!("we heard {} of {COUNT}, they {}", theirs().len(), ours().len()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // Second copies come with or before what is said now.
    talk(us, them, TOPIC, "the end", Instant::now(), GENEROUS);
    let sent: Vec<_> = wanted("ours").iter().map(|line| hex(line.as_bytes())).collect();
    let (mut by_us, mut by_them) = (theirs(), ours());
    by_us.sort_by_key(|line| wanted("theirs").iter().position(|it| it == line));
    by_them.sort_by_key(|data| sent.iter().position(|it| it == data));
    if by_us != wanted("theirs") || by_them != sent {
        return failed(format!("not each once: {} and {} of {COUNT}", by_us.len(), by_them.len()));
    }
    Ok(format!("{COUNT} / {COUNT}"))
}

/// Whether what they say has a `key`, by the word of another of their kind.
fn sends_key(column: &Column<'_>, them: &Foreign, address: &str, host: &Host) -> Result<bool, Trouble> {
    let twin = Foreign::run(host, column.kind, json!({}));
    twin.subscribe(TOPIC);
    twin.ask("dial", json!({ "address": address }))?;
    let start = Instant::now();
    loop {
        let _ = them.ask("publish", json!({"topic": TOPIC, "data": hex(b"key?")}));
        let by_them = |event: &Value| event["event"] == "message" && event["from"] == them.id;
        match twin.find_event(PACE, by_them) {
            Some((_, event)) => return Ok(event["key"] == true),
            None if start.elapsed() > GENEROUS => return failed("they are not heard by their own kind"),
            None => {}
        }
    }
}

fn refused(taken: impl Fn(Forgery) -> Result<bool, String>) -> Found {
    for forgery in Forgery::BAD {
        match taken(forgery) {
            Ok(false) => {}
            Ok(true) => return failed(format!("{forgery:?} is taken")),
            Err(why) => return failed(why),
        }
    }
    Ok(format!("{} of {}", Forgery::BAD.len(), Forgery::BAD.len()))
}

/// Two of their kind that do not sign hear each other; we hear neither.
fn unsigned(column: &Column<'_>, us: &Ours, our_address: &str, hosts: [&Host; 2]) -> Found {
    let [mute, listener] = hosts.map(|host| {
        let mute = Foreign::run(host, column.kind, json!({"unsigned": true}));
        mute.subscribe(TOPIC);
        mute
    });
    mute.ask("dial", json!({"address": listener.address(hosts[1])}))?;
    mute.ask("dial", json!({"address": our_address}))?;
    until("both sides know each other's topic", GENEROUS, || {
        let here = us.peers().iter().any(|peer| peer.peer == mute.id && !peer.rooms.is_empty());
        (here && mute.sees_in(TOPIC, &us.id) && mute.sees_in(TOPIC, &listener.id)).then_some(())
    });
    let start = Instant::now();
    for n in 0.. {
        let _ = mute.ask("publish", json!({"topic": TOPIC, "data": hex(format!("unsigned {n}").as_bytes())}));
        let heard = listener.messages(TOPIC).iter().filter(|data| data.starts_with(&hex(b"unsigned "))).count();
        if heard >= 5 {
            break;
        }
        if start.elapsed() > GENEROUS {
            return failed("they do not hear each other without signatures either");
        }
        std::thread::sleep(PACE);
    }
    let ours = us.events();
    let heard = ours.iter().filter_map(as_message);
    match heard.filter(|line| line.text.starts_with("unsigned")).count() {
        0 => Ok(format!("{} of {}, and theirs", Forgery::BAD.len(), Forgery::BAD.len())),
        some => failed(format!("we took {some} of theirs without a signature")),
    }
}

/// Says lines from both sides, again and again, until each has heard one that the other said after `since`: how long
/// that took each way, what we heard and what they heard.
pub fn talk(
    us: &Peer,
    them: &Foreign,
    topic: &str,
    what: &str,
    since: Instant,
    limit: Duration,
) -> [Option<Duration>; 2] {
    let (mut by_us, mut by_them) = (None, None);
    for n in 0.. {
        let _ = us.ask(&json!({"command": "send", "text": format!("{what} {n} of ours")}));
        let text = format!("{what} {n} of theirs");
        // With nobody there, some refuse to publish.
        let _ = them.ask("publish", json!({"topic": topic, "data": hex(text.as_bytes())}));
        let said = Instant::now();
        while said.elapsed() < PACE {
            by_us = by_us
                .or_else(|| (0..=n).any(|n| has_line(us, &format!("{what} {n} of theirs"))).then(|| since.elapsed()));
            by_them = by_them.or_else(|| {
                let begin = hex(format!("{what} ").as_bytes());
                let end = hex(b" of ours");
                let heard = them.messages(topic);
                heard.iter().any(|data| data.starts_with(&begin) && data.ends_with(&end)).then(|| since.elapsed())
            });
            if by_us.is_some() && by_them.is_some() {
                return [by_us, by_them];
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if since.elapsed() > limit {
            break;
        }
    }
    [by_us, by_them]
}
