//! Two hosts on one network and no configuration: they find each other, talk, and find each other again.

#[allow(dead_code)]
mod world;

use std::time::{Duration, Instant};
use world::peer::{copy_identity, directory};
use world::{GENEROUS, Host, Peer, Subnet, World};

/// Within this they see each other after a start, and lines flow after a return.
const AT_ONCE: Duration = Duration::from_secs(2);

/// One line each way, so that what follows starts from a conversation.
fn greet(a: &Peer, b: &Peer) {
    a.wait_joined(&[b], GENEROUS);
    b.wait_joined(&[a], GENEROUS);
    talk(a, b, "greeting", Instant::now());
}

/// Sends from both sides, again and again, until each has heard a line that the other sent after `since`. How
/// long that took each way: what a heard, what b heard.
fn talk(a: &Peer, b: &Peer, what: &str, since: Instant) -> (Duration, Duration) {
    let heard = |listener: &Peer, author: &Peer, tries: u32| {
        let lines = listener.lines_of(author);
        (0..tries).any(|n| lines.contains(&format!("{what} {n}"))).then(|| since.elapsed())
    };
    let (mut by_a, mut by_b) = (None, None);
    for n in 1.. {
        a.send(&format!("{what} {}", n - 1));
        b.send(&format!("{what} {}", n - 1));
        std::thread::sleep(Duration::from_millis(50));
        by_a = by_a.or_else(|| heard(a, b, n));
        by_b = by_b.or_else(|| heard(b, a, n));
        if let (Some(by_a), Some(by_b)) = (by_a, by_b) {
            return (by_a, by_b);
        }
        assert!(since.elapsed() < 2 * GENEROUS, "{what}: {} heard {by_a:?}, {} heard {by_b:?}", a.name, b.name);
    }
    unreachable!("the loop ends by itself")
}

fn assert_at_once(what: &str, (by_a, by_b): (Duration, Duration)) {
    println!("{what}: the one that stayed heard after {by_a:.2?}, the one that came back after {by_b:.2?}");
    assert!(by_a <= AT_ONCE && by_b <= AT_ONCE, "{what}: {by_a:.2?} and {by_b:.2?}, within {AT_ONCE:?} was wanted");
}

#[test]
fn two_hosts_see_each_other_at_once() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let (host_a, host_b) = (world.host("a", &lan), world.host("b", &lan));
    let mut figures = Vec::new();
    for _ in 0..3 {
        let (dir_a, dir_b) = (directory(), directory());
        let a = Peer::run(&host_a, "a", dir_a.path(), &[]);
        // The first is there for a while; what it did at its start cannot help the second.
        std::thread::sleep(Duration::from_secs(2));
        let b = Peer::run(&host_b, "b", dir_b.path(), &[]);
        let at = b.wait_connected(&[&a], GENEROUS).max(a.wait_connected(&[&b], GENEROUS));
        a.wait_event(
            "b is connected",
            GENEROUS,
            |event| matches!(event, stonechat::node::event::Event::Connected { peer, .. } if *peer == b.id),
        );
        figures.push(at - b.started);
    }
    println!("seconds from the start of the later process until both are connected: {figures:.2?}");
    let best = figures.iter().min().expect("three tries");
    assert!(*best <= AT_ONCE, "{figures:.2?}");
    assert!(figures.iter().all(|figure| *figure <= 5 * AT_ONCE), "{figures:.2?}");
}

#[test]
fn two_hosts_that_start_together_see_each_other_at_once() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let (host_a, host_b) = (world.host("a", &lan), world.host("b", &lan));
    let (dir_a, dir_b) = (directory(), directory());
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| Peer::run(&host_a, "a", dir_a.path(), &[]));
        let b = Peer::run(&host_b, "b", dir_b.path(), &[]);
        (a.join().expect("a starts"), b)
    });
    let at = b.wait_joined(&[&a], GENEROUS).max(a.wait_joined(&[&b], GENEROUS));
    let took = at - a.started.max(b.started);
    println!("two that start together share their room after {took:.2?}");
    assert!(took <= 2 * AT_ONCE, "{took:.2?}");
    talk(&a, &b, "hello", Instant::now());
}

fn hundred_lines(args: &[&str]) {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let (dir_a, dir_b) = (directory(), directory());
    let a = Peer::run(&world.host("a", &lan), "a", dir_a.path(), args);
    let b = Peer::run(&world.host("b", &lan), "b", dir_b.path(), args);
    a.wait_joined(&[&b], GENEROUS);
    b.wait_joined(&[&a], GENEROUS);
    let lines: Vec<_> = (0..100).map(|n| format!("line {n}")).collect();
    for line in &lines {
        a.send(line);
        b.send(line);
    }
    a.wait_line(&b, "line 99", GENEROUS);
    b.wait_line(&a, "line 99", GENEROUS);
    // Whatever was still under way, a second copy say, comes before an answer to a later line.
    talk(&a, &b, "the end", Instant::now());
    for (listener, author) in [(&a, &b), (&b, &a)] {
        let mut heard = listener.lines_of(author);
        heard.retain(|line| line.starts_with("line "));
        assert_eq!(heard, lines, "{} heard {} of {}", listener.name, heard.len(), author.name);
    }
}

#[test]
fn a_hundred_lines_each_way_arrive_once_each_in_order() {
    hundred_lines(&[]);
}

#[test]
fn a_hundred_lines_between_the_smallest_boards() {
    hundred_lines(&["--board", "tiny"]);
}

/// A conversation between two hosts: what a return starts from.
struct Talk {
    a: Peer,
    b: Peer,
    dir_b: tempfile::TempDir,
    _dir_a: tempfile::TempDir,
    host_b: Host,
    lan: Subnet,
    world: World,
}

fn conversation() -> Option<Talk> {
    let world = World::new()?;
    let lan = world.subnet();
    let (host_a, host_b) = (world.host("a", &lan), world.host("b", &lan));
    let (dir_a, dir_b) = (directory(), directory());
    let a = Peer::run(&host_a, "a", dir_a.path(), &[]);
    let b = Peer::run(&host_b, "b", dir_b.path(), &[]);
    greet(&a, &b);
    // Long enough that both are at rest: a return must not profit from what was busy anyway.
    std::thread::sleep(Duration::from_secs(8));
    Some(Talk { a, b, dir_b, _dir_a: dir_a, host_b, lan, world })
}

/// The cable is out for a while; the host gets another address.
fn lose_link(host: &Host, lan: &Subnet) {
    host.unplug();
    std::thread::sleep(Duration::from_secs(3));
    host.take_address(lan);
}

// "Back" is the moment from which packets can flow again: the cable is in and the address is set, and, where the
// process was replaced, the new one was started.

#[test]
fn a_host_that_comes_back_with_another_address_is_heard_at_once() {
    let Some(start) = conversation() else { return };
    let Talk { lan, host_b, a, b, .. } = &start;
    lose_link(host_b, lan);
    host_b.plug();
    assert_at_once("another address, process alive", talk(a, b, "back", Instant::now()));
}

#[test]
fn a_peer_that_was_killed_and_comes_back_with_another_address_is_heard_at_once() {
    let Some(start) = conversation() else { return };
    let Talk { lan, host_b, dir_b, a, b, .. } = &start;
    host_b.unplug();
    b.kill();
    lose_link(host_b, lan);
    host_b.plug();
    let again = Peer::run(host_b, "b again", dir_b.path(), &[]);
    assert_eq!(again.id, b.id);
    assert_at_once("another address, process killed", talk(a, &again, "back", again.started));
}

#[test]
fn a_peer_that_was_killed_and_restarted_where_it_was_is_heard_at_once() {
    let Some(start) = conversation() else { return };
    let Talk { host_b, dir_b, a, b, .. } = &start;
    // Without its cable its kernel cannot tell the other side that the connection is gone.
    host_b.unplug();
    b.kill();
    host_b.plug();
    let again = Peer::run(host_b, "b again", dir_b.path(), &[]);
    assert_at_once("same address, process killed", talk(a, &again, "back", again.started));
}

#[test]
fn a_frozen_peer_that_is_replaced_after_another_address_is_heard_at_once() {
    let Some(start) = conversation() else { return };
    let Talk { lan, host_b, dir_b, a, b, .. } = &start;
    b.freeze();
    lose_link(host_b, lan);
    host_b.plug();
    let dir = directory();
    copy_identity(dir_b.path(), dir.path());
    // The frozen one still holds the port.
    let again = Peer::run(host_b, "b again", dir.path(), &[]);
    assert_eq!(again.id, b.id);
    assert_at_once("another address, process frozen and replaced", talk(a, &again, "back", again.started));
}

#[test]
fn a_frozen_peer_that_is_replaced_on_another_host_is_heard_at_once() {
    let Some(start) = conversation() else { return };
    let Talk { world, lan, dir_b, a, b, .. } = &start;
    // The worst case: its kernel goes on answering, so nothing tells the other side that it is gone.
    b.freeze();
    let dir = directory();
    copy_identity(dir_b.path(), dir.path());
    let again = Peer::run(&world.host("c", lan), "b again", dir.path(), &[]);
    assert_eq!(again.id, b.id);
    assert_at_once("another host, process frozen and replaced", talk(a, &again, "back", again.started));
}

#[test]
fn a_peer_leaves_politely_and_quickly() {
    let Some(start) = conversation() else { return };
    let Talk { a, b, .. } = &start;
    let (status, took) = b.terminate();
    assert!(status.success() && took <= AT_ONCE, "{status} after {took:.2?}");
    let (at, _) = a.wait_event(
        "b is gone",
        GENEROUS,
        |event| matches!(event, stonechat::node::event::Event::Disconnected { peer } if *peer == b.id),
    );
    assert!(at.elapsed() < GENEROUS);
    assert!(!b.dir.join("control.sock").exists(), "the socket goes with the peer");
}
