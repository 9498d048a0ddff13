//! The watcher against a real kernel, in a network namespace of its own where the test needs one.

use std::{
    net::IpAddr,
    process::Command,
    time::{Duration, Instant},
};

use super::*;

/// Generous: a loaded machine may take seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// Set for the process in which the test marked as ignored is to run as the child of another.
const CHILD: &str = "STONECHAT_TEST_CHILD";

fn next(watcher: &mut Watcher) -> Option<Change> {
    smol::block_on(smol::future::or(async { Some(watcher.next().await) }, async {
        Timer::after(LIMIT).await;
        None
    }))
}

#[test]
fn the_addresses_already_there_come_first() {
    for mut watcher in [Watcher::new(), Watcher::polling()] {
        let mut seen = Vec::new();
        while !seen.contains(&IpAddr::from([127, 0, 0, 1])) {
            match next(&mut watcher).expect("loopback within the limit") {
                Change::Up(it) => seen.push(it.ip),
                Change::Down(it) => panic!("{it:?} was never up"),
            }
        }
        assert!(watcher.interfaces().iter().any(|it| it.ip.is_loopback()));
    }
    assert!(!Watcher::polling().is_event_driven());
}

/// The child's side of the test below: a watcher that prints what it sees until its standard input closes.
#[test]
#[ignore = "run by addresses_that_come_and_go_are_told in a namespace"]
fn child_prints_changes() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let started = Instant::now();
    let mut watcher = Watcher::new();
    while started.elapsed() < LIMIT {
        match smol::block_on(smol::future::or(async { Some(watcher.next().await) }, async {
            Timer::after(LIMIT).await;
            None
        })) {
            Some(Change::Up(it)) => println!("up {} {}/{} {}", it.name, it.ip, it.prefix_len, it.is_multicast),
            Some(Change::Down(it)) => println!("down {} {}/{} {}", it.name, it.ip, it.prefix_len, it.is_multicast),
            None => return,
        }
    }
}

struct Namespace(String);

impl Namespace {
    /// `None` when not root.
    fn create(purpose: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: needs root: a network namespace");
            return None;
        }
        let name = format!("sc{purpose}{}", std::process::id());
        let namespace = Namespace(name);
        namespace.host(&["netns", "add", &namespace.0]);
        Some(namespace)
    }

    fn host(&self, args: &[&str]) {
        assert!(Command::new("ip").args(args).status().expect("ip").success(), "ip {args:?}");
    }

    fn ip(&self, args: &str) {
        let mut all = vec!["-n", &self.0];
        all.extend(args.split(' '));
        self.host(&all);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

#[test]
fn addresses_that_come_and_go_are_told() {
    use std::io::{BufRead, BufReader};

    let Some(namespace) = Namespace::create("ifw") else { return };
    let mut child = Command::new("ip")
        .args(["netns", "exec", &namespace.0])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "net::interfaces::watcher::tests::child_prints_changes"])
        .env(CHILD, "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut expect = |wanted: &[&str]| {
        let mut missing = wanted.to_vec();
        while !missing.is_empty() {
            // Ends with the child, which ends by its own limit.
            let line = lines.next().unwrap_or_else(|| panic!("never told: {missing:?}"));
            missing.retain(|it| !line.ends_with(it));
        }
    };
    // The loopback interface of a new namespace is down: nothing is there until it is brought up.
    namespace.ip("link set lo up");
    expect(&["up lo 127.0.0.1/8 false"]);
    namespace.ip("link add one type veth peer name two");
    namespace.ip("link set two up");
    namespace.ip("addr add 10.1.2.3/24 dev one");
    namespace.ip("link set one up");
    expect(&["up one 10.1.2.3/24 true"]);
    namespace.ip("addr add 10.1.2.4/16 dev one");
    namespace.ip("addr add fd00::7/64 dev one nodad");
    expect(&["up one 10.1.2.4/16 true", "up one fd00::7/64 true"]);
    namespace.ip("addr del 10.1.2.4/16 dev one");
    expect(&["down one 10.1.2.4/16 true"]);
    // Without a carrier an address is of no use, although it is still configured.
    namespace.ip("link set two down");
    expect(&["down one 10.1.2.3/24 true"]);
    namespace.ip("link set two up");
    expect(&["up one 10.1.2.3/24 true"]);
    namespace.ip("link del one");
    expect(&["down one 10.1.2.3/24 true"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn without_the_kernels_word_it_polls_and_asks_again() {
    let mut watcher = Watcher::new();
    next(&mut watcher).expect("loopback within the limit");
    while smol::block_on(smol::future::poll_once(watcher.next())).is_some() {}
    assert!(watcher.is_event_driven());
    // While nothing is told, a poll reads nothing.
    assert!(!watcher.is_readable);

    assert!(watcher.lose_kernel(&io::Error::other("on purpose")).is_pending());
    assert!(!watcher.is_event_driven());
    // Not at once: a socket that fails each time must not become a loop.
    assert!(smol::block_on(smol::future::poll_once(watcher.next())).is_none());
    assert!(!watcher.is_event_driven());
    assert!(watcher.timer.as_ref().is_some_and(Timer::will_fire));

    // The time is over.
    watcher.timer = Some(Timer::after(Duration::ZERO));
    assert!(smol::block_on(smol::future::poll_once(watcher.next())).is_none(), "nothing changed meanwhile");
    assert!(watcher.is_event_driven());
}

#[test]
fn the_pauses_grow_while_nothing_changes_and_stay_within_their_bounds() {
    let mut watcher = Watcher::polling();
    watcher.refresh();
    watcher.pending.clear();
    assert_eq!(watcher.poll_ms, POLL_MS_MIN);
    for _ in 0..20 {
        let before = watcher.poll_ms;
        watcher.refresh();
        assert!(watcher.poll_ms > before || watcher.poll_ms == POLL_MS_MAX || !watcher.pending.is_empty());
        watcher.pending.clear();
    }
    assert!(watcher.settle_ms <= SETTLE_MS_MAX);
    // Something changes: it went away, as far as it knows, and came back.
    watcher.known.clear();
    watcher.refresh();
    assert_eq!((watcher.poll_ms, watcher.settle_ms), (POLL_MS_MIN, SETTLE_MS_MIN));
}
