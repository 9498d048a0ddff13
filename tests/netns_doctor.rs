//! `stonechat doctor` on hosts that are well and on hosts that are not, with and without a peer that runs.

#[allow(dead_code)]
mod world;

use serde_json::Value;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use stonechat::node::WallClock;
use world::peer::{PORT, copy_identity, directory};
use world::{GENEROUS, Host, Peer, World, until};

/// What `doctor` says there: its exit code, and each finding as check, state and sentence.
fn doctor(host: &Host, dir: &Path, args: &[&str]) -> (Option<i32>, Vec<(String, String, String)>) {
    let mut command = host.command(env!("CARGO_BIN_EXE_stonechat"));
    command.args(["doctor", "--json", "--dir"]).arg(dir).args(args).env("HOME", dir).env_remove("XDG_CONFIG_HOME");
    let output = command.output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"));
    let code = output.status.code();
    assert_eq!(answer["ok"], Value::Bool(code == Some(0)), "{text}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "all of it is told on stdout");
    let word = |finding: &Value, name: &str| finding[name].as_str().expect("a text").to_string();
    let findings = answer["findings"].as_array().expect("a list");
    (code, findings.iter().map(|it| (word(it, "check"), word(it, "state"), word(it, "found"))).collect())
}

/// The sentence of the finding with this name and state.
fn found(findings: &[(String, String, String)], check: &str, state: &str) -> String {
    let it = findings.iter().find(|it| it.0 == check && it.1 == state);
    it.unwrap_or_else(|| panic!("{check} is not {state}: {findings:#?}")).2.clone()
}

#[test]
fn without_a_peer_the_host_is_looked_at() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let host = world.host("a", &lan);
    let dir = directory();
    let (code, well) = doctor(&host, dir.path(), &[]);
    assert_eq!(code, Some(0), "{well:#?}");
    assert!(found(&well, "peer", "note").contains("none runs on"), "{well:#?}");
    assert!(found(&well, "interfaces", "ok").contains(&host.address()), "{well:#?}");
    found(&well, "directory", "ok");
    found(&well, "identity", "note");
    found(&well, "port", "ok");
    assert!(found(&well, "mdns", "note").contains("heard 0 of other hosts"), "{well:#?}");
    found(&well, "clock", if WallClock::System.is_vouched() { "ok" } else { "note" });
    let (_, well) = doctor(&host, dir.path(), &["--no-mdns", "--clock", "trusted"]);
    assert!(found(&well, "clock", "ok").contains("trusted"), "{well:#?}");
    let (_, well) = doctor(&host, dir.path(), &["--no-mdns", "--clock", "untrusted"]);
    assert!(found(&well, "clock", "note").contains("NTP"), "{well:#?}");
    // Everything is wrong at once.
    let held = host
        .enter(|| (UdpSocket::bind("0.0.0.0:5353").expect("free"), TcpListener::bind("0.0.0.0:4470").expect("free")));
    std::fs::write(dir.path().join("identity.key"), "garbage").expect("the directory is ours");
    let gone = format!("/ip4/{}/tcp/9", host.address());
    let args = ["--bootstrap", gone.as_str(), "--bootstrap", "/unix/x", "--listen", "/ip4/0.0.0.0/tcp/4470"];
    let (code, ill) = doctor(&host, dir.path(), &args);
    assert_eq!(code, Some(1), "{ill:#?}");
    let ours = format!("(process {})", std::process::id());
    let mdns = found(&ill, "mdns", "wrong");
    assert!(mdns.contains("keeps UDP port 5353 for itself") && mdns.contains(&ours), "{mdns}");
    assert!(found(&ill, "port", "wrong").contains(&ours), "{ill:#?}");
    let bootstrap = found(&ill, "bootstrap", "wrong");
    assert!(bootstrap.contains("refused") && bootstrap.contains("whether it runs"), "{bootstrap}");
    assert!(ill.iter().any(|it| it.0 == "bootstrap" && it.2.contains("only TCP can")), "{ill:#?}");
    let mode = |mode| {
        let key = dir.path().join("identity.key");
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    mode(0o644);
    let (_, ill) = doctor(&host, dir.path(), &["--no-mdns"]);
    assert!(found(&ill, "identity", "wrong").contains("chmod 600"), "{ill:#?}");
    assert!(found(&ill, "port", "note").contains(&ours), "a peer would take another one: {ill:#?}");
    mode(0o600);
    let (_, ill) = doctor(&host, dir.path(), &["--no-mdns"]);
    assert!(found(&ill, "identity", "wrong").contains("damaged"), "{ill:#?}");
    drop(held);
    // A disk that takes nothing, and no network.
    host.ip(&["link", "set", "eth0", "down"]);
    let (code, ill) = doctor(&host, Path::new("/proc/self"), &["--no-mdns"]);
    assert_eq!(code, Some(1));
    assert!(found(&ill, "directory", "wrong").contains("cannot be written"), "{ill:#?}");
    assert!(found(&ill, "interfaces", "wrong").contains("none but loopback"), "{ill:#?}");
}

#[test]
fn a_bootstrap_node_is_dialled_as_a_peer_would() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts = [world.host("a", &lan), world.host("hub", &lan)];
    let dirs = [directory(), directory()];
    let hub = Peer::start(&hosts[1], "bootstrap", "hub", dirs[1].path(), &[]);
    let at = format!("/ip4/{}/tcp/{PORT}", hosts[1].address());
    let (code, well) = doctor(&hosts[0], dirs[0].path(), &["--bootstrap", &at]);
    assert_eq!(code, Some(0), "{well:#?}");
    assert!(found(&well, "bootstrap", "ok").ends_with(&format!("answers as {}", hub.id)), "{well:#?}");
    assert!(found(&well, "mdns", "ok").contains("1 peer found"), "{well:#?}");
    let wrong = format!("{at}/p2p/{}", libp2p::PeerId::random());
    let (code, ill) = doctor(&hosts[0], dirs[0].path(), &["--bootstrap", &wrong]);
    assert_eq!(code, Some(1));
    assert!(found(&ill, "bootstrap", "wrong").contains("another peer answered"), "{ill:#?}");
}

#[test]
fn a_running_peer_tells_what_it_sees() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts = [world.host("a", &lan), world.host("b", &lan), world.host("copy", &lan)];
    let dirs = [directory(), directory(), directory()];
    let a = Peer::run(&hosts[0], "a", dirs[0].path(), &["--clock", "trusted"]);
    let b = Peer::run(&hosts[1], "b", dirs[1].path(), &["--clock", "untrusted"]);
    a.wait_joined(&[&b], GENEROUS);
    b.wait_joined(&[&a], GENEROUS);
    let (code, well) = doctor(&hosts[0], dirs[0].path(), &[]);
    assert_eq!(code, Some(0), "{well:#?}");
    assert!(found(&well, "peer", "ok").contains("exchange: 1 peer in lobby"), "{well:#?}");
    assert!(found(&well, "port", "ok").contains(&format!("{}/tcp/{PORT}", hosts[0].address())), "{well:#?}");
    found(&well, "mdns", "ok");
    assert!(found(&well, "identity", "ok").contains(&a.id), "{well:#?}");
    assert!(found(&well, "clock", "ok").contains("trusted"), "as its peer has it: {well:#?}");
    let (_, well) = doctor(&hosts[1], dirs[1].path(), &[]);
    assert!(found(&well, "clock", "note").contains("NTP"), "{well:#?}");
    copy_identity(dirs[0].path(), dirs[2].path());
    let _copy = Peer::run(&hosts[2], "copy", dirs[2].path(), &[]);
    let sentence = until("doctor names the copied identity", GENEROUS, || {
        let (_, ill) = doctor(&hosts[0], dirs[0].path(), &[]);
        ill.iter().find(|it| it.0 == "identity_twice" && it.1 == "wrong").map(|it| it.2.clone())
    });
    assert!(sentence.contains(&hosts[2].address()) && sentence.contains("identity.key"), "{sentence}");
}
