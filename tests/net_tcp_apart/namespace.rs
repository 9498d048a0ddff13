//! Interfaces that come and go under a listening transport, in a network namespace.

use std::{
    env,
    io::{BufRead, BufReader},
};

use libp2p::core::{
    Transport as _,
    transport::{ListenerId, TransportEvent},
};

use crate::drive::{address, dial, next, run, transport};
use crate::{CHILD, TO, netns::Namespace};

const PORT: u16 = 4001;

/// The child's side: listens on everything and prints what it hears.
#[test]
#[ignore = "run by a_listener_follows_the_interfaces in a namespace"]
fn child_listens_on_everything() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    run(async {
        let mut tcp = transport();
        for ip in ["/ip4/0.0.0.0", "/ip6/::"] {
            tcp.listen_on(ListenerId::next(), address(&format!("{ip}/tcp/{PORT}"))).unwrap();
        }
        loop {
            match next(&mut tcp).await {
                TransportEvent::NewAddress { listen_addr, .. } => println!("new {listen_addr}"),
                TransportEvent::AddressExpired { listen_addr, .. } => println!("expired {listen_addr}"),
                TransportEvent::Incoming { local_addr, send_back_addr, .. } => {
                    println!("incoming {local_addr} from {send_back_addr}");
                }
                other => println!("{other:?}"),
            }
        }
    });
}

#[test]
#[ignore = "run by a_listener_follows_the_interfaces in a namespace"]
fn child_dials() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    let to = address(&env::var(TO).unwrap());
    run(async { dial(&mut transport(), &to).await.unwrap() });
}

#[test]
fn a_listener_follows_the_interfaces() {
    let Some(namespace) = Namespace::create("tcp") else { return };
    let mut child = namespace.child("namespace::child_listens_on_everything").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // The child ends by its own limit, and the lines with it.
    let mut expect = |wanted: &[&str]| {
        let (mut missing, mut seen) = (wanted.to_vec(), Vec::new());
        while !missing.is_empty() {
            let line = lines.next().unwrap_or_else(|| panic!("never printed: {missing:?}"));
            missing.retain(|it| !line.ends_with(it));
            seen.push(line);
        }
        seen
    };
    namespace.ip("link set lo up");
    expect(&["new /ip4/127.0.0.1/tcp/4001", "new /ip6/::1/tcp/4001"]);
    namespace.ip("link add one type veth peer name two");
    namespace.ip("link set two up");
    namespace.ip("link set one up");
    namespace.ip("addr add 10.1.2.3/24 dev one");
    namespace.ip("addr add fd00::7/64 dev one nodad");
    expect(&["new /ip4/10.1.2.3/tcp/4001", "new /ip6/fd00::7/tcp/4001"]);
    // What is reported is reachable.
    let dial = |to: &str| {
        let dialed = namespace.child("namespace::child_dials").env(TO, to).output().unwrap();
        assert!(dialed.status.success(), "{to}: {dialed:?}");
    };
    dial("/ip4/10.1.2.3/tcp/4001");
    // Two interfaces have link-local addresses now: the zone tells which is meant.
    namespace.ip("addr add fe80::aaaa/64 dev one nodad");
    namespace.ip("addr add fe80::bbbb/64 dev two nodad");
    expect(&["new /ip6/fe80::aaaa/tcp/4001", "new /ip6/fe80::bbbb/tcp/4001"]);
    dial("/ip6zone/one/ip6/fe80::aaaa/tcp/4001");
    dial("/ip6zone/two/ip6/fe80::bbbb/tcp/4001");
    dial("/ip6/fe80::bbbb/tcp/4001");
    namespace.ip("addr del 10.1.2.3/24 dev one");
    namespace.ip("addr add 10.9.9.9/24 dev one");
    expect(&["expired /ip4/10.1.2.3/tcp/4001", "new /ip4/10.9.9.9/tcp/4001"]);
    // The same address on a second interface: it goes with the last of them.
    namespace.ip("addr add 10.9.9.9/32 dev lo");
    namespace.ip("link del one");
    let mut all = expect(&["expired /ip6/fd00::7/tcp/4001"]);
    namespace.ip("addr add 10.8.8.8/32 dev lo");
    all.extend(expect(&["new /ip4/10.8.8.8/tcp/4001"]));
    assert!(!all.concat().contains("expired /ip4/10.9.9.9"));
    namespace.ip("addr del 10.9.9.9/32 dev lo");
    expect(&["expired /ip4/10.9.9.9/tcp/4001"]);
    child.kill().unwrap();
    child.wait().unwrap();
}
