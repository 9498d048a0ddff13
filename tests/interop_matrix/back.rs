//! We come back with the same key and a new address: how soon lines flow both ways again.

use super::gossip::talk;
use super::{Column, Found, Section, failed, seconds};
use crate::world::foreign::Trouble;
use crate::world::peer::directory;
use crate::world::{Foreign, GENEROUS, Peer};
use serde_json::json;
use std::time::{Duration, Instant};

pub const ALIVE_HEARD: &str = "we get a new address: s until they hear us";
pub const ALIVE_HEAR: &str = "we get a new address: s until we hear them";
pub const KILLED_HEARD: &str = "we are killed, and come back with a new address: s until they hear us";
pub const KILLED_HEAR: &str = "we are killed, and come back with a new address: s until we hear them";
const RESTARTED_HEARD: &str = "we are killed, and come back where we were: s until they hear us";
pub const RESTARTED_HEAR: &str = "we are killed, and come back where we were: s until we hear them";

pub const SECTION: Section = Section {
    name: "back",
    rows: &[ALIVE_HEARD, ALIVE_HEAR, KILLED_HEARD, KILLED_HEAR, RESTARTED_HEARD, RESTARTED_HEAR],
    check,
};

const TOPIC: &str = "back";
const ROOM: &str = "text:back";
/// What our side can bring about takes some two seconds, which the cell tells; a machine that does much else takes longer.
const WANTED: Duration = Duration::from_secs(10);
/// Whom we wait for longest: go notices a dead connection after 32 s.
const PATIENCE: Duration = Duration::from_secs(60);
/// So long that both are at rest.
const REST: Duration = Duration::from_secs(5);
/// How long the cable is out.
const AWAY: Duration = Duration::from_secs(3);

/// What happens to us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Moved,
    KilledAndMoved,
    Killed,
}

fn check(columns: &[Column<'_>]) -> String {
    let fates = [
        (Fate::Moved, [ALIVE_HEARD, ALIVE_HEAR]),
        (Fate::KilledAndMoved, [KILLED_HEARD, KILLED_HEAR]),
        (Fate::Killed, [RESTARTED_HEARD, RESTARTED_HEAR]),
    ];
    std::thread::scope(|scope| {
        for column in columns {
            for (fate, [heard, hear]) in fates {
                scope.spawn(move || {
                    let mut by_us = failed("lines did not flow to begin with");
                    column.row(heard, || {
                        let [us, them] = back(column, fate)?;
                        by_us = Ok(us);
                        verdict(them)
                    });
                    column.row(hear, || verdict(by_us?));
                });
            }
        }
    });
    String::new()
}

fn verdict(time: Option<Duration>) -> Found {
    match time {
        Some(time) if time <= WANTED => Ok(seconds(time)),
        Some(time) => failed(seconds(time)),
        None => failed(format!("not within {} s", PATIENCE.as_secs())),
    }
}

/// How long until we heard them, and they us.
fn back(column: &Column<'_>, fate: Fate) -> Result<[Option<Duration>; 2], Trouble> {
    let lan = column.world.subnet();
    let mark = lan.router().replace('.', "-");
    let hosts = ["us", "them"].map(|name| column.host(&format!("{mark}-{name}"), &lan));
    let them = Foreign::run(&hosts[1], column.kind, json!({"mdns": "_p2p._udp", "dial_discovered": true}));
    them.subscribe(TOPIC);
    let dir = directory();
    let us = Peer::run(&hosts[0], "ours", dir.path(), &["--room", ROOM]);
    let [Some(_), Some(_)] = talk(&us, &them, TOPIC, "hello", Instant::now(), GENEROUS) else {
        return failed("lines did not flow to begin with");
    };
    std::thread::sleep(REST);
    hosts[0].unplug();
    // Without its cable its kernel cannot tell the other side that the connection is gone.
    if fate != Fate::Moved {
        us.kill();
    }
    std::thread::sleep(AWAY);
    hosts[0].plug();
    if fate != Fate::Killed {
        hosts[0].take_address(&lan);
    }
    if fate == Fate::Moved {
        return Ok(talk(&us, &them, TOPIC, "back", Instant::now(), PATIENCE));
    }
    let again = Peer::run(&hosts[0], "ours again", dir.path(), &["--room", ROOM]);
    Ok(talk(&again, &them, TOPIC, "back", again.started, PATIENCE))
}
