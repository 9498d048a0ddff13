//! Hosts, cables and routers of network namespaces, and peers that run in them as real processes.
//!
//! A world is a switch (one namespace with a bridge a subnet) and hosts with one cable each. Nothing of it is in
//! the namespace of the machine, so that names never collide; everything is gone when the world is dropped.

pub mod foreign;
pub mod host;
pub mod peer;

// Not every test has strangers.
#[allow(unused_imports)]
pub use foreign::Foreign;
pub use host::{Host, Subnet};
// Nor peers that are processes.
#[allow(unused_imports)]
pub use peer::Peer;

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long anything may take that must come: far above what it takes, also on a busy machine.
pub const GENEROUS: Duration = Duration::from_secs(30);

/// Worlds of one program come one after another: some tests measure, and two cores are soon full.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub struct World {
    tag: String,
    namespaces: Mutex<Vec<String>>,
    subnets: AtomicU8,
    ports: AtomicU32,
    _turn: MutexGuard<'static, ()>,
}

impl World {
    /// A world, or nothing (and a line that says so) without the rights to make one. Where the variable
    /// `STONECHAT_TEST_NETNS` is `must`, a test that would be skipped fails.
    pub fn new() -> Option<Self> {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let root = rustix::process::geteuid().is_root();
        if !root || Command::new("ip").arg("-V").output().is_err() {
            assert!(std::env::var_os("STONECHAT_TEST_NETNS").is_none_or(|v| v != "must"), "no root, or no `ip`");
            println!("skipped: needs root: network namespaces (`ip netns`)");
            return None;
        }
        sweep();
        static COUNT: Mutex<u32> = Mutex::new(0);
        let mut count = COUNT.lock().unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        let world = Self {
            tag: format!("stonechat-{}-{count}", std::process::id()),
            namespaces: Mutex::default(),
            subnets: AtomicU8::new(0),
            ports: AtomicU32::new(0),
            _turn: turn,
        };
        world.namespace("switch");
        Some(world)
    }

    /// A subnet 10.77.N.0/24 on a bridge of its own.
    pub fn subnet(&self) -> Subnet {
        let subnet = Subnet::new(self.subnets.fetch_add(1, Relaxed));
        let (switch, bridge) = (self.switch(), subnet.bridge());
        ip(&["-n", &switch, "link", "add", &bridge, "type", "bridge", "mcast_snooping", "0"]);
        ip(&["-n", &switch, "link", "set", &bridge, "up"]);
        subnet
    }

    /// A host with one cable, `eth0`, in `subnet`, an address there and a route out by its router.
    pub fn host(&self, name: &str, subnet: &Subnet) -> Host {
        let host = Host::new(name, self.namespace(name), self.switch());
        host.loopback_up();
        host.cable("eth0", &self.port(), subnet);
        host.take_address(subnet);
        host
    }

    /// Joins subnets: forwards what is addressed, and no multicast.
    pub fn router(&self, name: &str, subnets: &[&Subnet]) -> Host {
        let host = Host::new(name, self.namespace(name), self.switch());
        host.loopback_up();
        for (at, subnet) in subnets.iter().enumerate() {
            let device = format!("eth{at}");
            host.cable(&device, &self.port(), subnet);
            host.ip(&["addr", "add", &format!("{}/24", subnet.router()), "dev", &device]);
        }
        host.run("sysctl", &["-qw", "net.ipv4.ip_forward=1"]);
        host
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.tag)
    }

    fn port(&self) -> String {
        format!("port{}", self.ports.fetch_add(1, Relaxed) + 1)
    }

    fn namespace(&self, name: &str) -> String {
        let full = format!("{}-{name}", self.tag);
        ip(&["netns", "add", &full]);
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).push(full.clone());
        full
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for name in self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            remove(name);
        }
    }
}

/// Removes what a killed run of these tests left behind.
fn sweep() {
    let Ok(output) = Command::new("ip").args(["netns", "list"]).output() else { return };
    for name in String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.split(' ').next()) {
        let pid = name.strip_prefix("stonechat-").and_then(|rest| rest.split('-').next()).map(str::parse::<u32>);
        if let Some(Ok(pid)) = pid
            && !std::path::Path::new(&format!("/proc/{pid}")).exists()
        {
            remove(name);
        }
    }
}

fn remove(namespace: &str) {
    if let Ok(output) = Command::new("ip").args(["netns", "pids", namespace]).output() {
        for pid in String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.trim().parse().ok()) {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
    let _ = Command::new("ip").args(["netns", "del", namespace]).output();
}

/// Runs `ip` and insists on its success.
pub fn ip(args: &[&str]) -> Output {
    insist("ip", args)
}

/// Runs a program and insists on its success.
pub fn insist(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program).args(args).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Asks again until `ready` gives something. For what has no event to wait on; panics after `limit`.
pub fn until<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
