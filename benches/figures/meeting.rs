//! Two programs started at once on this machine's network, without configuration: how long until each knows the other.

use super::program::{PATIENCE, Program};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long after its start the later of two has found the other by mDNS, and how long after has it in its room.
pub fn run() -> Result<(Duration, Duration), String> {
    // A room of this run alone, should others be on this network.
    let room = format!("bench-{}", std::process::id());
    let listen = ["--listen", "/ip4/0.0.0.0/tcp/0"];
    let mut one = Program::start(&room, &listen)?;
    let mut other = Program::start(&room, &listen)?;
    let one_id = one.status()?["peer"].as_str().ok_or("no peer id")?.to_owned();
    let other_id = other.status()?["peer"].as_str().ok_or("no peer id")?.to_owned();
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| watch(&mut one, &other_id));
        let second = scope.spawn(|| watch(&mut other, &one_id));
        (first.join(), second.join())
    });
    let (first, second) = (first.map_err(|_| "a watcher panicked")??, second.map_err(|_| "a watcher panicked")??);
    Ok((first.0.max(second.0), first.1.max(second.1)))
}

/// How long after its start a program has found the other, and how long after has it in its room.
fn watch(program: &mut Program, other: &str) -> Result<(Duration, Duration), String> {
    let started = program.started;
    let mut control = program.control()?;
    control.ask(&json!({"command": "subscribe"}))?;
    // What happened before is no event any more.
    let peers = program.control()?.ask(&json!({"command": "peers"}))?;
    let peers = peers["peers"].as_array().ok_or("no peers")?;
    let (mut found, mut joined) = (None, None);
    if let Some(peer) = peers.iter().find(|peer| peer["peer"] == other) {
        found = Some(started.elapsed());
        joined = peer["rooms"].as_array().filter(|rooms| !rooms.is_empty()).map(|_| started.elapsed());
    }
    let deadline = Instant::now() + PATIENCE;
    while found.is_none() || joined.is_none() {
        if Instant::now() > deadline {
            return Err(format!("not found within {} s", PATIENCE.as_secs()));
        }
        let event = control.next()?;
        if event["peer"] != other {
            continue;
        }
        match event["event"].as_str() {
            // Whoever is dialled first knows the other before its own query is answered.
            Some("discovered" | "connected") => found = found.or(Some(started.elapsed())),
            Some("joined") => joined = joined.or(Some(started.elapsed())),
            _ => {}
        }
    }
    Ok((found.unwrap_or_default(), joined.unwrap_or_default()))
}
