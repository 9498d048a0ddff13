//! A local network of namespaces on a bridge, and peers that run in them: this test program once more.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, PeerId};

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Prints why and says true when namespaces cannot be had.
pub fn lacks_root() -> bool {
    let is_root = rustix::process::geteuid().is_root() && Command::new("ip").arg("-V").output().is_ok();
    if !is_root {
        println!("skipped: needs root: network namespaces");
    }
    !is_root
}

pub fn ip(arguments: &str) {
    let out = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    assert!(out.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A bridge in a namespace of its own, and hosts that each have `eth0` on it.
pub struct Lan {
    name: String,
    hosts: Vec<String>,
}

impl Lan {
    /// Hosts 0, 1, … with 10.9.0.1/24, 10.9.0.2/24, …, up, IPv6 with its link-local addresses only.
    pub fn new(hosts: usize) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("md{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut lan = Lan { name, hosts: Vec::new() };
        ip(&format!("netns add {}", lan.name));
        lan.switch("link add br0 type bridge mcast_snooping 0");
        lan.switch("link set br0 up");
        for _ in 0..hosts {
            let at = lan.hosts.len();
            let host = format!("{}h{at}", lan.name);
            ip(&format!("netns add {host}"));
            lan.hosts.push(host);
            lan.host(at, "link set lo up");
            lan.plug(at);
            lan.host(at, &format!("addr add 10.9.0.{}/24 dev eth0", at + 1));
        }
        lan
    }

    /// What the names of its namespaces begin with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `ip` in the switch's namespace.
    pub fn switch(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.name));
    }

    /// `ip` in a host's namespace.
    pub fn host(&self, at: usize, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.hosts[at]));
    }

    /// Gives a host its `eth0`, up but without an address.
    pub fn plug(&self, at: usize) {
        self.switch(&format!("link add p{at} type veth peer name eth0 netns {}", self.hosts[at]));
        self.switch(&format!("link set p{at} master br0 up"));
        self.host(at, "link set eth0 up");
    }

    /// Takes a host's `eth0` away.
    pub fn unplug(&self, at: usize) {
        self.switch(&format!("link del p{at}"));
    }

    /// A program in a host's namespace.
    pub fn command(&self, at: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.hosts[at], program]);
        command
    }

    /// A peer on a host that listens on all its addresses.
    pub fn peer(&self, at: usize, port: u16) -> Remote {
        self.peer_with(at, port, PeerId::random(), "_p2p._udp")
    }

    pub fn peer_with(&self, at: usize, port: u16, id: PeerId, services: &str) -> Remote {
        let program = std::env::current_exe().unwrap();
        let command = self.command(at, program.to_str().unwrap());
        Remote::start(command, format!("{port} {id} {services}"), port, id)
    }

    /// A peer whose process is started as told: by a program that starts another one, from a file of its own.
    pub fn peer_by(&self, at: usize, port: u16, starter: &[&str], program: &str) -> Remote {
        let mut command = self.command(at, starter[0]);
        command.args(&starter[1..]).arg(program);
        let id = PeerId::random();
        Remote::start(command, format!("{port} {id} _p2p._udp"), port, id)
    }

    /// Who disturbs: `squat` or `flood`.
    pub fn nuisance(&self, at: usize, what: &str) -> Remote {
        let program = std::env::current_exe().unwrap();
        Remote::start(self.command(at, program.to_str().unwrap()), what.to_owned(), 0, PeerId::random())
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for name in self.hosts.iter().chain([&self.name]) {
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}

/// A peer in another process.
pub struct Remote {
    pub id: PeerId,
    pub port: u16,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<(Instant, String)>,
    /// When it began to run.
    pub started: Instant,
}

impl Remote {
    fn start(mut command: Command, what: String, port: u16, id: PeerId) -> Self {
        command.args(["--exact", "a_peer_in_a_namespace", "--nocapture"]).env("STONECHAT_TEST_MDNS", what);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // The test runner's own words may stand before ours.
                if let Some((_, line)) = line.split_once("@ ") {
                    let _ = sender.send((Instant::now(), line.to_owned()));
                }
            }
        });
        let input = child.stdin.take();
        let mut remote = Remote { id, port, child, input, lines, started: Instant::now() };
        remote.started = remote.wait_for("started").0;
        remote
    }

    /// The next line that begins so; fails after [`PATIENCE`].
    pub fn wait_for(&self, beginning: &str) -> (Instant, String) {
        self.wait_within(PATIENCE, beginning).unwrap_or_else(|| panic!("peer {} never said `{beginning}`", self.id))
    }

    /// The next line that begins so, if it comes in time.
    pub fn wait_within(&self, limit: Duration, beginning: &str) -> Option<(Instant, String)> {
        let by = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(by.saturating_duration_since(Instant::now())) {
                Ok((at, line)) if line.starts_with(beginning) => return Some((at, line)),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => panic!("peer {} ended, no `{beginning}`", self.id),
            }
        }
    }

    /// Waits until it found another peer at an address.
    pub fn wait_found(&self, other: &Remote, ip: &str) -> Instant {
        self.wait_for(&format!("found {} {}", other.id, address(ip, other.port))).0
    }

    /// Waits until it found all of these, in any order.
    pub fn wait_found_all(&self, others: &[(&Remote, &str)]) {
        let line = |(other, ip): &(&Remote, &str)| format!("found {} {}", other.id, address(ip, other.port));
        let mut missing: Vec<String> = others.iter().map(line).collect();
        while !missing.is_empty() {
            let (_, line) = self.wait_for("found ");
            missing.retain(|it| *it != line);
        }
    }

    /// Waits until it no longer finds another peer at an address.
    pub fn wait_gone(&self, other: &Remote, ip: &str) -> Instant {
        self.wait_for(&format!("gone {} {}", other.id, address(ip, other.port))).0
    }

    /// Tells it something.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Ends its input; it then ends by itself, without taking leave in so many words.
    pub fn hang_up(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }

    /// One of its counters, or `polls` or `cpu_ms`.
    pub fn count(&mut self, name: &str) -> u64 {
        self.tell("count");
        let (_, line) = self.wait_for("count ");
        let mut words = line.split(' ').skip_while(|word| *word != name);
        words.nth(1).unwrap_or_else(|| panic!("no {name} in {line}")).parse().unwrap()
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.kill();
    }
}

fn address(ip: &str, port: u16) -> Multiaddr {
    let version = if ip.contains(':') { "ip6" } else { "ip4" };
    format!("/{version}/{ip}/tcp/{port}").parse().unwrap()
}
