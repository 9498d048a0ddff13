//! Both sides dial at once. Where both dial from their listening ports, two first packets that cross make one TCP
//! connection of which both are the dialer: no handshake, and nobody but us tries again.

use super::gossip::talk;
use super::meet::address_of;
use super::{Column, Found, Ours, Section, each, failed, seconds};
use crate::world::foreign::Trouble;
use crate::world::peer::{copy_identity, directory};
use crate::world::{Foreign, GENEROUS, Host, Peer, Subnet, until};
use libp2p::PeerId;
use serde_json::json;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const AT_ONCE: &str = "both dial at once, 30 times: lines both ways; slowest s, most connections";
pub const CROSSED: &str = "their first packets cross for sure, 10 times: the same";

pub const SECTION: Section = Section { name: "crossed", rows: &[AT_ONCE, CROSSED], check };

const TOPIC: &str = "crossed";
const ROOM: &str = "text:crossed";
/// Several tries of ours, and three retransmissions of a first packet that was lost (1 s, 2 s, 4 s).
const WITHIN: Duration = Duration::from_secs(10);
/// More of them say no more, and each takes its time.
const FAILURES_MAX: usize = 4;
/// Both have dialled by then.
const HELD: Duration = Duration::from_millis(300);

fn check(columns: &[Column<'_>]) -> String {
    each(columns, |column| {
        let lan = column.world.subnet();
        let hosts = [column.host("us", &lan), column.host("them", &lan)];
        let them = Foreign::run(&hosts[1], column.kind, json!({}));
        them.subscribe(TOPIC);
        column.row(AT_ONCE, || runs(&lan, &hosts, &them, 30, false));
        column.row(CROSSED, || runs(&lan, &hosts, &them, 10, true));
    });
    String::new()
}

fn runs(lan: &Subnet, hosts: &[Host; 2], them: &Foreign, count: u32, held: bool) -> Found {
    let mut ours = identities(&hosts[0], &them.id);
    let (mut slowest, mut most, mut bad) = (Duration::ZERO, 0, Vec::new());
    let mut tried = 0;
    while tried < count && bad.len() < FAILURES_MAX {
        let n = tried;
        tried += 1;
        // go takes sixteen connections at once from one address, and then one in five seconds.
        hosts[0].take_address(lan);
        if them.kind == "py" && n > 0 {
            ours = identities(&hosts[0], &them.id);
        }
        match run(hosts, &ours, them, n, held) {
            Ok((took, connections)) => (slowest, most) = (slowest.max(took), most.max(connections)),
            Err(why) => bad.push(format!("run {}: {why}", n + 1)),
        }
    }
    match bad.as_slice() {
        [] => Ok(format!("{}, {most}", seconds(slowest))),
        [first, ..] => failed(format!("{} of {tried} failed; {first}", bad.len())),
    }
}

/// Two identities, one below theirs and one above: who dials again depends on that. New ones in each run would be many
/// peers at one address, which js takes for an attack; to py one that comes back is at fault, for it names its extensions
/// of gossipsub again ("duplicate Extensions control message"), and falls silent after some returns.
fn identities(host: &Host, theirs: &str) -> [TempDir; 2] {
    let id = |text: &str| text.parse::<PeerId>().expect("a peer id");
    [true, false].map(|below| {
        loop {
            let us = Ours::start(host, "run", &["--no-mdns"]);
            if (id(&us.id) < id(theirs)) == below {
                us.kill();
                let dir = directory();
                copy_identity(us.dir.path(), dir.path());
                return dir;
            }
        }
    })
}

/// One meeting. How long until lines went both ways, and how many connections it took.
fn run(
    hosts: &[Host; 2],
    identities: &[TempDir; 2],
    them: &Foreign,
    number: u32,
    held: bool,
) -> Result<(Duration, usize), Trouble> {
    let dir = directory();
    copy_identity(identities[number as usize % 2].path(), dir.path());
    let peer = Peer::run(&hosts[0], "ours", dir.path(), &["--no-mdns", "--room", ROOM]);
    let us = Ours { peer, dir };
    let (ours, theirs) = (address_of(&us, &hosts[0]), them.address(&hosts[1]));
    if held {
        hosts.iter().for_each(hold);
    }
    let barrier = Barrier::new(2);
    let (start, their_dial) = std::thread::scope(|scope| {
        let dial = scope.spawn(|| {
            barrier.wait();
            them.ask("dial", json!({ "address": ours }))
        });
        barrier.wait();
        let start = Instant::now();
        // Refused if they are connected already.
        us.ask(&json!({"command": "dial", "address": theirs}));
        if held {
            std::thread::sleep(HELD);
            hosts.iter().for_each(release);
        }
        (start, dial.join().expect("it does not panic"))
    });
    let heard = talk(&us, them, TOPIC, &format!("run {number} {held}"), start, WITHIN);
    let connections = them.connections_with(&us.id);
    drop(us);
    until("they see us gone", GENEROUS, || {
        (them.connections_with(&ours[ours.rfind('/').map_or(0, |at| at + 1)..]) == 0).then_some(())
    });
    match heard {
        [Some(by_us), Some(by_them)] => Ok((by_us.max(by_them), connections)),
        [by_us, by_them] => {
            println!("{}: {number}: their dial: {their_dial:?}", them.kind);
            failed(format!("we heard after {by_us:.2?}, they after {by_them:.2?}"))
        }
    }
}

/// First packets of TCP do not leave.
fn hold(host: &Host) {
    host.run("nft", &["add table inet hold"]);
    host.run("nft", &["add chain inet hold output { type filter hook output priority 0 ; }"]);
    host.run("nft", &["add rule inet hold output tcp flags & (syn | ack) == syn counter drop"]);
}

fn release(host: &Host) {
    host.run("nft", &["delete table inet hold"]);
}
