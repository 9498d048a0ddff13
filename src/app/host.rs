//! Looks at this host, with or without a peer that runs: its directory, its networks, its ports, its way to others.

use super::config::Settings;
use super::finding::Finding;
use crate::base::board::BUILD_UNIX_SECONDS;
use crate::net::executor::Executor;
use crate::net::holder::{Of, holders};
use crate::net::{self, dns, interfaces, mdns, tcp, yamux};
use crate::node::{DEFAULT_PORT, dialable, words};
use crate::store::identity::{self, IdentityError};
use libp2p::core::Endpoint;
use libp2p::core::transport::{DialOpts, PortUse};
use libp2p::swarm::{NetworkBehaviour, ToSwarm};
use libp2p::{Multiaddr, PeerId, Transport, TransportError, identity::Keypair, multiaddr::Protocol};
use smol::future::FutureExt;
use std::fs;
use std::future::poll_fn;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long is listened for others on this network (milliseconds). They answer within two tenths of a second; the second
/// question goes out after one.
const MDNS_LOOK_MS: u64 = 2_500;
/// How long a bootstrap node may take to answer (milliseconds): a look-up and a handshake.
const BOOTSTRAP_LOOK_MS: u64 = 12_000;
/// Interfaces named in a finding.
const NAMED_MAX: usize = 8;

/// The directory: whether it can be written.
pub(crate) fn directory(dir: &Path) -> Finding {
    let check = "directory";
    let shown = dir.display();
    if !dir.exists() {
        return Finding::note(check, format!("{shown} is not there yet: the first start of a peer makes it"));
    }
    let path = dir.join(format!(".doctor-{}", std::process::id()));
    let written = fs::File::create_new(&path).and_then(|mut file| file.write_all(b"x").and_then(|()| file.sync_all()));
    let removed = fs::remove_file(&path);
    match written.and(removed) {
        Ok(()) => Finding::ok(check, format!("{shown} can be written")),
        Err(error) => {
            let helps = match error.kind() {
                io::ErrorKind::StorageFull => "make space there",
                io::ErrorKind::ReadOnlyFilesystem => "mount it writable",
                io::ErrorKind::PermissionDenied => "run this as its owner, or name another --dir",
                _ => "see whether its disk is well",
            };
            Finding::wrong(check, format!("{shown} cannot be written ({error}): {helps}"))
        }
    }
}

/// The identity: there, whole, and nobody else's to read.
pub(crate) fn identity(dir: &Path) -> Finding {
    match identity::load(dir) {
        Ok(key) => Finding::ok("identity", format!("{}", key.public().to_peer_id())),
        Err(error @ IdentityError::Missing(_)) => Finding::note("identity", error.to_string()),
        Err(error) => Finding::wrong("identity", error.to_string()),
    }
}

/// Interfaces and addresses.
pub(crate) fn networks() -> Finding {
    let check = "interfaces";
    let picture = match interfaces::picture() {
        Ok(picture) => picture,
        Err(error) => return Finding::wrong(check, format!("the system does not tell its addresses ({error})")),
    };
    let others: Vec<_> = picture.interfaces.iter().filter(|it| !it.is_loopback).collect();
    if others.is_empty() {
        return Finding::wrong(check, "none but loopback has an address: see the cable, the Wi-Fi, the router");
    }
    let named: Vec<String> = others.iter().take(NAMED_MAX).map(|it| format!("{} {}", it.name, it.ip)).collect();
    let more = others.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match picture.left_out {
        0 => Finding::ok(check, format!("{}{more}", named.join(", "))),
        count => Finding::note(
            check,
            format!("{}{more}; {count} beyond {} are not looked at", named.join(", "), interfaces::INTERFACES_MAX),
        ),
    }
}

/// The clock: whether it can be right, and who vouches for it, if anybody does.
pub(crate) fn clock(is_known: bool, voucher: Option<&str>) -> Finding {
    match voucher {
        _ if !is_known => Finding::wrong(
            "clock",
            "it is earlier than this program: times are not shown, and a time server (NTP) or the network should set it",
        ),
        Some("trusted") => Finding::ok("clock", "it is set, and counts as right by clock = \"trusted\""),
        Some(_) => Finding::ok("clock", "it is set, and kept synchronised"),
        None => Finding::note(
            "clock",
            "it is set, and nothing keeps it synchronised: the time of peers that know it is used where there are any; \
             NTP would help (see timedatectl), or clock = \"trusted\" if it is right without",
        ),
    }
}

/// The clock, while no peer looks at it.
pub(crate) fn clock_here(settings: &Settings) -> Finding {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    clock(now >= BUILD_UNIX_SECONDS, settings.clock.is_vouched().then(|| settings.clock.name()))
}

/// The TCP port, while no peer has it: whether it is free.
pub(crate) fn port(settings: &Settings) -> Vec<Finding> {
    let check = "port";
    let held = |port: u16| {
        let holders = holders(Of::Tcp, port);
        if holders.is_empty() { "another program".to_string() } else { holders.join(", ") }
    };
    let free = |address: SocketAddr| TcpListener::bind(address).map(drop);
    if settings.listen.is_empty() {
        return vec![match free((Ipv4Addr::UNSPECIFIED, DEFAULT_PORT).into()) {
            Ok(()) => Finding::ok(check, format!("TCP {DEFAULT_PORT} is free")),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::note(
                check,
                format!(
                    "{} has TCP port {DEFAULT_PORT}: a peer takes any free one then, and who dials that port by address \
                     does not find it",
                    held(DEFAULT_PORT)
                ),
            ),
            Err(error) => Finding::wrong(check, format!("TCP port {DEFAULT_PORT} cannot be had ({error})")),
        }];
    }
    let one = |address: &Multiaddr| match socket_address(address) {
        None => Finding::wrong(check, format!("{address} cannot be listened on: only IP and TCP can")),
        Some(socket) => match free(socket) {
            Ok(()) => Finding::ok(check, format!("{address} is free")),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let found = format!("{} has {address}: end it, or give another --listen", held(socket.port()));
                Finding::wrong(check, found)
            }
            Err(error) => Finding::wrong(check, format!("{address} cannot be listened on ({error})")),
        },
    };
    settings.listen.iter().map(one).collect()
}

fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    let Protocol::Tcp(port) = parts.next()? else { return None };
    Some(SocketAddr::new(ip, port))
}

/// Multicast DNS, while no peer speaks it: asks and listens for a while.
pub(crate) async fn multicast() -> Vec<Finding> {
    let check = "mdns";
    let mut mdns = match mdns::Behaviour::new(mdns::Config::default(), PeerId::random()) {
        Ok(mdns) => mdns,
        Err(error) => return vec![Finding::wrong(check, error.to_string())],
    };
    let mut end = smol::Timer::after(Duration::from_millis(MDNS_LOOK_MS));
    poll_fn(|cx| {
        while let Poll::Ready(ToSwarm::GenerateEvent(_)) = mdns.poll(cx) {}
        Pin::new(&mut end).poll(cx).map(drop)
    })
    .await;
    let (state, counters) = (mdns.state(), mdns.counters());
    let mut findings = Vec::new();
    for failing in &state.failing {
        findings.push(Finding::wrong(
            check,
            match failing.kind {
                io::ErrorKind::AddrInUse => {
                    let holders = holders(Of::Udp, mdns::PORT);
                    let who = if holders.is_empty() { "another program".into() } else { holders.join(", ") };
                    format!("{who} keeps UDP port {} for itself: end it, or have it share the port", mdns::PORT)
                }
                _ => format!("it cannot be spoken on {} ({}): see the firewall", failing.interface, failing.error),
            },
        ));
    }
    findings.dedup();
    if findings.is_empty() {
        findings.push(exchanged(counters.packets_sent, counters.packets_of_others, mdns.peers().len()));
    }
    findings
}

/// What was sent and heard by multicast DNS.
pub(crate) fn exchanged(sent: u64, heard: u64, peers: usize) -> Finding {
    let found = format!(
        "sent {}, heard {heard} of other hosts, {} found",
        words::count_of(sent as usize, "packet"),
        words::count_of(peers, "peer")
    );
    match (sent, heard, peers) {
        (0, ..) => Finding::wrong(
            "mdns",
            "nothing could be sent: see whether an interface is up, and whether a firewall holds back UDP port 5353",
        ),
        (_, 0, _) => Finding::note(
            "mdns",
            format!(
                "{found}: nobody else speaks it on this network, or a firewall or the access point (client isolation) \
                 keeps it away"
            ),
        ),
        _ => Finding::ok("mdns", found),
    }
}

/// Each bootstrap node of the settings, while no peer dials them: dialled as a peer would.
pub(crate) async fn bootstrap(settings: &Settings, executor: &Executor) -> Vec<Finding> {
    let looks = settings.bootstrap.iter().map(|address| reach(address, executor));
    futures::future::join_all(looks).await
}

async fn reach(address: &Multiaddr, executor: &Executor) -> Finding {
    let check = "bootstrap";
    if let Err(error) = dialable::check(address) {
        return Finding::wrong(check, error.to_string());
    }
    let late = async {
        smol::Timer::after(Duration::from_millis(BOOTSTRAP_LOOK_MS)).await;
        Err("Timeout: no answer in time".to_string())
    };
    match dial(address, executor).or(late).await {
        Ok(peer) => match address.iter().last() {
            Some(Protocol::P2p(wanted)) if wanted != peer => Finding::wrong(
                check,
                format!("{address}: another peer answered: {peer}; correct what stands behind /p2p/"),
            ),
            _ => Finding::ok(check, format!("{address} answers as {peer}")),
        },
        Err(reason) => {
            Finding::wrong(check, format!("{address} cannot be reached ({reason}): {}", words::helps(&reason)))
        }
    }
}

/// Connects, and says who is there.
async fn dial(address: &Multiaddr, executor: &Executor) -> Result<PeerId, String> {
    let transport = tcp::Transport::new(tcp::Config::default());
    let upgraded = net::upgrade(transport, &Keypair::generate_ed25519(), yamux::Config::default());
    let upgraded = upgraded.map_err(|error| error.to_string())?;
    let mut transport = dns::Transport::system(upgraded, executor).boxed();
    let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
    let dial = transport.dial(address.clone(), options).map_err(|error| match error {
        TransportError::MultiaddrNotSupported(_) => "it is no address that can be dialled".to_string(),
        TransportError::Other(error) => words::root(&error),
    })?;
    dial.await.map(|(peer, _)| peer).map_err(|error| words::root(&error))
}
