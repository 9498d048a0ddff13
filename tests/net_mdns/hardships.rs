//! What a network does to a peer: interfaces that vanish, ports that are taken, floods.

use std::{process::Command, thread::sleep, time::Duration};

use super::lan::{Lan, Remote, ip, lacks_root};

/// What a peer spent while time passed: turns of its loop and milliseconds of processor.
fn spent(peer: &mut Remote, time: Duration) -> (u64, u64) {
    let before = (peer.count("polls"), peer.count("cpu_ms"));
    sleep(time);
    (peer.count("polls") - before.0, peer.count("cpu_ms") - before.1)
}

#[test]
fn an_interface_that_vanishes_and_returns() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(2);
    let mut a = lan.peer(0, 4001);
    let b = lan.peer(1, 4002);
    a.wait_found(&b, "10.9.0.2");
    for _ in 0..3 {
        lan.unplug(0);
        a.wait_gone(&b, "10.9.0.2");
        let (polls, cpu_ms) = spent(&mut a, Duration::from_secs(3));
        assert!(polls < 60 && cpu_ms < 500, "{polls} turns, {cpu_ms} ms in 3 s without a network");
        lan.plug(0);
        lan.host(0, "addr add 10.9.0.1/24 dev eth0");
        a.wait_found(&b, "10.9.0.2");
    }
}

#[test]
fn a_quiet_network_costs_nothing() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(2);
    let mut a = lan.peer(0, 4001);
    let b = lan.peer(1, 4002);
    a.wait_found(&b, "10.9.0.2");
    // The queries at 0, 1, 4 and 13 s of both, probes and announcements are over in between.
    sleep(Duration::from_secs(6));
    let (polls, _) = spent(&mut a, Duration::from_secs(5));
    assert!(polls <= 12, "{polls} turns in 5 s, most of them the questions of this test");
}

#[test]
fn a_port_that_is_taken_is_tried_again() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(2);
    for at in 0..2 {
        // The squatter keeps IPv4 only.
        lan.host(at, "addr flush dev eth0 scope link");
    }
    let mut squatter = lan.nuisance(0, "squat");
    let mut a = lan.peer(0, 4001);
    let (_, state) = a.wait_for("state ");
    assert!(state.contains("eth0") && state.contains("10.9.0.1") && state.contains("AddrInUse"), "{state}");
    let b = lan.peer(1, 4002);
    let (polls, cpu_ms) = spent(&mut a, Duration::from_secs(3));
    assert!(polls < 60 && cpu_ms < 500, "{polls} turns, {cpu_ms} ms in 3 s");
    assert!(a.count("sockets_failed") >= 1);
    squatter.kill();
    assert!(a.wait_for("state ").1.contains("failing: []"));
    a.wait_found(&b, "10.9.0.2");
    b.wait_found(&a, "10.9.0.1");
}

#[test]
fn a_firewall_that_refuses_is_no_busy_loop() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(2);
    let nft = |rules: &str| lan.command(0, "nft").arg(rules).status().is_ok_and(|it| it.success());
    let table = "add table inet t; add chain inet t o { type filter hook output priority 0; }";
    if !nft(table) || !nft("add rule inet t o udp dport 5353 drop") {
        println!("skipped: no nft here");
        return;
    }
    let mut a = lan.peer(0, 4001);
    let b = lan.peer(1, 4002);
    // b announced itself, a is not heard.
    a.wait_found(&b, "10.9.0.2");
    let (polls, cpu_ms) = spent(&mut a, Duration::from_secs(4));
    assert!(polls < 80 && cpu_ms < 500, "{polls} turns, {cpu_ms} ms in 4 s");
    assert!(a.count("packets_unsent") > 0);
    assert!(nft("delete table inet t"));
    b.wait_found(&a, "10.9.0.1");
}

#[test]
fn a_flood_is_bounded_and_passes() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(3);
    let mut a = lan.peer(0, 4001);
    lan.host(2, "route add 224.0.0.0/4 dev eth0");
    let mut flood = lan.nuisance(2, "flood");
    sleep(Duration::from_secs(1));
    let before = a.count("packets_received");
    let (polls, _) = spent(&mut a, Duration::from_secs(4));
    let received = a.count("packets_received") - before;
    println!("{received} packets read and {polls} turns in 4 s of flood");
    // 200 a second; the questions of this test take a while too.
    assert!(received > 200 && received < 4 * 200 * 3, "{received} packets read in 4 s");
    assert!(polls < 4 * 200 * 3, "{polls} turns in 4 s");
    for refused in ["packets_malformed", "peers_refused", "pauses"] {
        assert!(a.count(refused) > 0, "{refused}");
    }
    assert!(a.count("answers_sent") < 100);
    flood.kill();
    // The invented peers fill a's table for their two minutes, and yet the two find each other.
    let b = lan.peer(1, 4002);
    b.wait_found(&a, "10.9.0.1");
    a.wait_found(&b, "10.9.0.2");
}

#[test]
fn no_privilege_is_needed() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(2);
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let program = folder.path().join("peer");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let everyone = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(folder.path(), everyone).unwrap();
    let nobody =
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"];
    if !Command::new("setpriv").args(&nobody[1..]).arg("true").status().is_ok_and(|it| it.success()) {
        println!("skipped: no setpriv here");
        return;
    }
    let program = program.to_str().unwrap();
    let a = lan.peer_by(0, 4001, &nobody, program);
    let b = lan.peer_by(1, 4002, &nobody, program);
    a.wait_found(&b, "10.9.0.2");
    b.wait_found(&a, "10.9.0.1");
    // Beside another user's program on the same port.
    let c = lan.peer(0, 4003);
    c.wait_found_all(&[(&a, "10.9.0.1"), (&b, "10.9.0.2")]);
    a.wait_found(&c, "10.9.0.1");
}

/// The namespaces are gone with the network.
#[test]
fn nothing_is_left_behind() {
    if lacks_root() {
        return;
    }
    let name = {
        let lan = Lan::new(1);
        lan.host(0, "link show eth0");
        lan.name().to_owned()
    };
    let out = Command::new("ip").args(["netns", "list"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&out.stdout).contains(&name));
    ip("netns list");
}
