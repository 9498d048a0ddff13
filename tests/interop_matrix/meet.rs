//! Dial and be dialled: Noise and Yamux (we offer nothing else), identify both ways, ping both ways.

use super::{Column, Found, Ours, Section, each, failed};
use crate::world::{Foreign, GENEROUS, Host, until};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

const WE_DIAL: &str = "we dial them: Noise, Yamux, identify, ping; ms by us / by them";
const THEY_DIAL: &str = "they dial us: the same";

pub const SECTION: Section = Section { name: "meet", rows: &[WE_DIAL, THEY_DIAL], check };

fn check(columns: &[Column<'_>]) -> String {
    let versions = Mutex::new(BTreeMap::new());
    each(columns, |column| {
        let version = one(column);
        versions.lock().unwrap_or_else(PoisonError::into_inner).insert(column.kind, version);
    });
    let versions = versions.into_inner().unwrap_or_else(PoisonError::into_inner);
    let of = |column: &Column<'_>| versions.get(column.kind).cloned().unwrap_or_else(|| format!("{}: ?", column.kind));
    let all: Vec<_> = columns.iter().map(of).collect();
    format!("By their own words: {}.\n", all.join("; "))
}

fn one(column: &Column<'_>) -> String {
    let lan = column.world.subnet();
    let hosts = [column.host("us", &lan), column.host("us2", &lan), column.host("them", &lan)];
    let them = Foreign::run(&hosts[2], column.kind, json!({}));
    column.row(WE_DIAL, || {
        let us = Ours::in_topic(&hosts[0], "text:meet");
        us.insist(&json!({"command": "dial", "address": them.address(&hosts[2])}));
        greet(&us, &them, true)
    });
    column.row(THEY_DIAL, || {
        let us = Ours::in_topic(&hosts[1], "text:meet");
        them.ask("dial", json!({"address": address_of(&us, &hosts[1])}))?;
        greet(&us, &them, false)
    });
    them.version.clone()
}

/// Where a peer of ours listens, as strangers want it.
pub fn address_of(us: &Ours, host: &Host) -> String {
    format!("/ip4/{}/tcp/{}/p2p/{}", host.address(), crate::world::peer::PORT, us.id)
}

fn greet(us: &Ours, them: &Foreign, outbound: bool) -> Found {
    let seen = until("we know their agent and have pinged them", GENEROUS, || {
        let peers = us.peers();
        peers.into_iter().find(|peer| peer.peer == them.id && !peer.agent.is_empty() && peer.rtt_us.is_some())
    });
    if seen.outbound != outbound {
        return failed(format!("the connection goes the other way: {seen:?}"));
    }
    if !seen.agent.contains(&agent_part(&them.kind)) {
        return failed(format!("an unknown agent: {}", seen.agent));
    }
    let known = them.ask("identify", json!({"peer": us.id}))?;
    let agent = known["agent"].as_str().unwrap_or_default();
    if agent != concat!("stonechat/", env!("CARGO_PKG_VERSION")) {
        return failed(format!("they take us for {agent:?}"));
    }
    let protocols = known["protocols"].to_string();
    for wanted in ["/meshsub/1.1.0", "/ipfs/ping/1.0.0", "/ipfs/id/1.0.0"] {
        if !protocols.contains(&format!("\"{wanted}\"")) {
            return failed(format!("they do not know that we speak {wanted}: {protocols}"));
        }
    }
    let by_us = seen.rtt_us.unwrap_or_default() as f64 / 1000.0;
    let by_them = them.ask("ping", json!({"peer": us.id}))?["ms"].as_f64().unwrap_or_default();
    Ok(format!("{by_us:.1} / {by_them:.1}, {:?}", seen.agent))
}

/// What the agent of a stranger says for sure.
fn agent_part(kind: &str) -> String {
    match kind {
        "go" => "stranger".into(),
        other => format!("{other}-libp2p"),
    }
}
