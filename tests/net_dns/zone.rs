//! A network namespace with a real name server in it.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::fd::AsFd,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where Debian and its relatives have it.
const DNSMASQ: &str = "/usr/sbin/dnsmasq";

/// The addresses of the one host in there.
pub const ADDRESSES: [&str; 4] = ["10.53.0.1/32", "10.53.0.2/32", "fd53::1/128", "fd53::2/128"];

/// Generous: a loaded machine may take seconds.
const LIMIT: Duration = Duration::from_secs(20);

fn ip(args: &str) {
    let output = Command::new("ip").args(args.split(' ')).output().expect("ip");
    assert!(output.status.success(), "ip {args}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A host alone in the world, with [`ADDRESSES`], and on `cable0` the link-local address `fe80::53`.
pub struct Zone {
    name: String,
}

impl Zone {
    /// `None`, and a line that says why, where this cannot be had.
    pub fn new(test: &str) -> Option<Zone> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: needs root: a network namespace");
            return None;
        }
        if !Path::new(DNSMASQ).exists() {
            println!("skipped: needs {DNSMASQ}");
            return None;
        }
        let name = format!("stonechat-{}-dns-{test}", std::process::id());
        ip(&format!("netns add {name}"));
        let zone = Zone { name };
        let name = &zone.name;
        ip(&format!("-n {name} link set lo up"));
        for address in ADDRESSES {
            ip(&format!("-n {name} addr add {address} dev lo"));
        }
        ip(&format!("-n {name} link add cable0 type veth peer name cable1"));
        ip(&format!("-n {name} link set cable1 up"));
        ip(&format!("-n {name} link set cable0 up"));
        ip(&format!("-n {name} addr add fe80::53/64 dev cable0 nodad"));
        Some(zone)
    }

    /// `ip` in there.
    pub fn ip(&self, args: &str) {
        ip(&format!("-n {} {args}", self.name));
    }

    /// Runs `work` on a thread whose sockets are this host's.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.name)).expect("the namespace is there");
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("root may enter a namespace");
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts dnsmasq on this address or interface with these options, and waits until it answers.
    pub fn serve(&self, address: &str, options: &[String]) -> Server {
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.name, DNSMASQ, "--keep-in-foreground", "--conf-file=/dev/null"])
            .args(["--log-facility=-", "--log-queries", "--user=root", "--no-resolv", "--no-hosts", "--pid-file="])
            .args(["--bind-interfaces", "--local=/#/", "--host-record=dns.test,10.53.0.1"])
            .arg(format!("--{}", if address.contains('.') { "listen-address" } else { "interface" }) + "=" + address)
            .args(options)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("dnsmasq");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (tell, started) = mpsc::channel();
        let reader = thread::spawn({
            let log = log.clone();
            move || {
                for line in lines.map_while(Result::ok) {
                    if line.contains(": started, version") {
                        let _ = tell.send(());
                    }
                    log.lock().unwrap().push(line);
                }
            }
        });
        let server = Server { child, reader: Some(reader), log };
        if started.recv_timeout(LIMIT).is_err() {
            panic!("dnsmasq did not start: {:?}", server.log.lock().unwrap());
        }
        server
    }
}

impl Drop for Zone {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// A running dnsmasq.
pub struct Server {
    child: Child,
    reader: Option<thread::JoinHandle<()>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Ends it, and tells how many questions of this kind, such as `TXT`, it was asked.
    pub fn questions(mut self, kind: &str) -> usize {
        self.end();
        let asked = format!(": query[{kind}] ");
        self.log.lock().unwrap().iter().filter(|line| line.contains(&asked)).count()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// The option for a TXT record of `_dnsaddr.NAME`.
pub fn dnsaddr(name: &str, address: &str) -> String {
    format!("--txt-record=_dnsaddr.{name},dnsaddr={address}")
}

/// The option for an A or AAAA record.
pub fn host(name: &str, ip: &str) -> String {
    format!("--host-record={name},{ip}")
}
