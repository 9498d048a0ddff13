//! One host: a namespace with a cable into the switch that can be pulled, an address that can change, a link
//! that can be bad.

use super::{insist, ip};
use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A subnet 10.77.N.0/24; its router, if it has one, is at .254.
#[derive(Debug)]
pub struct Subnet {
    number: u8,
    taken: AtomicU8,
}

impl Subnet {
    pub(super) fn new(number: u8) -> Self {
        Self { number, taken: AtomicU8::new(0) }
    }

    pub(super) fn bridge(&self) -> String {
        format!("bridge{}", self.number)
    }

    pub fn router(&self) -> String {
        format!("10.77.{}.254", self.number)
    }

    fn next(&self) -> String {
        format!("10.77.{}.{}", self.number, self.taken.fetch_add(1, Relaxed) + 1)
    }
}

fn held(text: &Mutex<String>) -> MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sum of the counters in a listing of nftables.
fn dropped(listing: &str) -> u64 {
    let counters = listing.split("counter packets ").skip(1);
    counters.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum()
}

/// A host, as its namespace.
#[derive(Debug)]
pub struct Host {
    pub name: String,
    pub namespace: String,
    switch: String,
    port: Mutex<String>,
    address: Mutex<String>,
}

impl Host {
    pub(super) fn new(name: &str, namespace: String, switch: String) -> Self {
        Self { name: name.into(), namespace, switch, port: Mutex::default(), address: Mutex::default() }
    }

    pub(super) fn loopback_up(&self) {
        self.ip(&["link", "set", "lo", "up"]);
    }

    pub(super) fn cable(&self, device: &str, port: &str, subnet: &Subnet) {
        let (here, switch) = (self.namespace.as_str(), self.switch.as_str());
        ip(&["link", "add", device, "netns", here, "type", "veth", "peer", "name", port, "netns", switch]);
        ip(&["-n", switch, "link", "set", port, "master", &subnet.bridge(), "up"]);
        self.ip(&["link", "set", device, "up"]);
        *held(&self.port) = port.into();
    }

    /// The address it has now, without the length of the prefix.
    pub fn address(&self) -> String {
        held(&self.address).clone()
    }

    /// Leaves its address for a new one in `subnet`, as after another lease.
    pub fn take_address(&self, subnet: &Subnet) {
        let address = subnet.next();
        self.ip(&["-4", "addr", "flush", "dev", "eth0"]);
        self.ip(&["addr", "add", &format!("{address}/24"), "dev", "eth0"]);
        self.ip(&["route", "replace", "default", "via", &subnet.router(), "dev", "eth0", "onlink"]);
        *held(&self.address) = address;
    }

    /// Pulls the cable at the switch: the host sees its carrier go.
    pub fn unplug(&self) {
        self.set_port("down");
    }

    /// Puts it back.
    pub fn plug(&self) {
        self.set_port("up");
    }

    fn set_port(&self, state: &str) {
        ip(&["-n", &self.switch, "link", "set", &held(&self.port), state]);
    }

    /// Drops this share (0 to 99 percent) of the packets on its cable, each way.
    pub fn lose(&self, percent: u32) {
        self.run("nft", &["add table inet loss"]);
        for (hook, device) in [("input", "iifname"), ("output", "oifname")] {
            self.run("nft", &[&format!("add chain inet loss {hook} {{ type filter hook {hook} priority 0 ; }}")]);
            let rule = format!("{device} eth0 numgen random mod 100 < {percent} counter drop");
            self.run("nft", &[&format!("add rule inet loss {hook} {rule}")]);
        }
    }

    /// Packets that [`Host::lose`] has dropped.
    pub fn lost(&self) -> u64 {
        let output = self.run("nft", &["list table inet loss"]);
        dropped(&String::from_utf8_lossy(&output.stdout))
    }

    /// Drops every frame on its cable, each way, at the switch: nothing here sees it but by what does not come.
    pub fn silence(&self) {
        self.at_switch("silence", "drop");
    }

    /// Ends what [`Host::silence`] began.
    pub fn end_silence(&self) {
        self.forget_at_switch("silence");
    }

    /// Drops IPv4 packets longer than this on its cable, each way, and tells nobody: a tunnel without path MTU discovery.
    pub fn swallow_above(&self, bytes: u32) {
        // Or one packet here would stand for many on the cable.
        self.ip(&["link", "set", "eth0", "gso_max_segs", "1"]);
        self.at_switch("narrow", &format!("ip length > {bytes} counter drop"));
    }

    /// Packets that [`Host::swallow_above`] has dropped.
    pub fn swallowed(&self) -> u64 {
        let table = self.table("narrow");
        let output = self.nft(&format!("list table bridge {table}"));
        dropped(&String::from_utf8_lossy(&output.stdout))
    }

    fn table(&self, what: &str) -> String {
        format!("{what}_{}", held(&self.port))
    }

    /// A rule on what the switch forwards of its cable, each way.
    fn at_switch(&self, what: &str, rule: &str) {
        let (table, port) = (self.table(what), held(&self.port).clone());
        self.nft(&format!("add table bridge {table}"));
        self.nft(&format!("add chain bridge {table} forward {{ type filter hook forward priority 0 ; }}"));
        for way in ["iifname", "oifname"] {
            self.nft(&format!("add rule bridge {table} forward {way} {port} {rule}"));
        }
    }

    fn forget_at_switch(&self, what: &str) {
        self.nft(&format!("delete table bridge {}", self.table(what)));
    }

    fn nft(&self, command: &str) -> Output {
        insist("ip", &["netns", "exec", &self.switch, "nft", command])
    }

    /// Sends no faster than `rate`, such as `256kbit`.
    pub fn slow(&self, rate: &str) {
        self.run("tc", &["qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "16kb", "latency", "1s"]);
    }

    /// `ip` in this host.
    pub fn ip(&self, args: &[&str]) -> Output {
        ip(&[&["-n", self.namespace.as_str()], args].concat())
    }

    /// A program in this host that must succeed.
    pub fn run(&self, program: &str, args: &[&str]) -> Output {
        insist("ip", &[&["netns", "exec", self.namespace.as_str(), program], args].concat())
    }

    /// A command to be started in this host.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.namespace.as_str(), program]);
        command
    }

    /// Runs `work` on a thread of this test that lives in this host: its sockets are this host's.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.namespace)).expect("the namespace is there");
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                rustix::thread::move_into_link_name_space(
                    namespace.as_fd(),
                    Some(rustix::thread::LinkNameSpaceType::Network),
                )
                .expect("root may enter a namespace");
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
