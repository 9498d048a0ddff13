//! Many attackers on several hosts, and what needs no connection: handshakes that stay half open, and mDNS.

use super::attack::{ALL, Attack};
use super::line::dial;
use crate::world::Host;
use crate::world::peer::PORT;
use futures::future::join_all;
use libp2p::{Multiaddr, PeerId, identity::Keypair};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A pause that nobody waits for: attackers that are refused try again.
const PAUSE: Duration = Duration::from_millis(200);

/// What the attackers got done.
#[derive(Default)]
pub struct Campaign {
    is_over: AtomicBool,
    /// How often each attack had a connection to work on.
    begun: Mutex<BTreeMap<String, u64>>,
    /// Handshakes left half open, packets of mDNS.
    pub half_open: AtomicU64,
    pub packets: AtomicU64,
}

impl Campaign {
    pub fn end(&self) {
        self.is_over.store(true, Relaxed);
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    /// The attacks that had a connection, and how often.
    pub fn begun(&self) -> BTreeMap<String, u64> {
        self.begun.lock().expect("no panic").clone()
    }

    /// The attacks there are.
    pub fn attacks() -> Vec<String> {
        ALL.iter().map(|attack| format!("{attack:?}")).collect()
    }
}

/// From this host, every attack once at the same time, until the campaign ends.
pub fn storm(host: &Host, victim: &str, campaign: &Campaign) {
    let address: Multiaddr = format!("/ip4/{victim}/tcp/{PORT}").parse().expect("a multiaddr");
    host.enter(|| smol::block_on(join_all(ALL.into_iter().map(|attack| again_and_again(attack, &address, campaign)))));
}

/// From this host, what needs no connection.
pub fn nuisance(host: &Host, victim: &str, campaign: &Campaign) {
    std::thread::scope(|scope| {
        scope.spawn(|| host.enter(|| half_open(victim, campaign)));
        scope.spawn(|| host.enter(|| invented_peers(campaign)));
    });
}

async fn again_and_again(attack: Attack, address: &Multiaddr, campaign: &Campaign) {
    while !campaign.is_over() {
        let key = Keypair::generate_ed25519();
        let attacked = async {
            if let Ok(raw) = dial(&key, address).await {
                *campaign.begun.lock().expect("no panic").entry(format!("{attack:?}")).or_default() += 1;
                // However it ends: the next one comes at once.
                let _ = attack.run(&key, raw).await;
            }
        };
        let over = async {
            while !campaign.is_over() {
                smol::Timer::after(PAUSE).await;
            }
        };
        smol::future::or(attacked, over).await;
        smol::Timer::after(PAUSE).await;
    }
}

/// Connections that say a little and then nothing.
fn half_open(victim: &str, campaign: &Campaign) {
    let target = format!("{victim}:{PORT}").parse().expect("an address");
    let mut open = Vec::new();
    while !campaign.is_over() {
        if let Ok(mut stream) = TcpStream::connect_timeout(&target, Duration::from_secs(1)) {
            let said: &[u8] = match open.len() % 3 {
                0 => b"",
                1 => b"\x13/multistream/1.0.0\n",
                // And the largest Noise message there is, all but its end.
                _ => &[&b"\x13/multistream/1.0.0\n\x07/noise\n\xff\xff"[..], &[7; 60_000]].concat(),
            };
            if stream.set_nonblocking(true).is_ok() && (said.is_empty() || stream.write(said).is_ok()) {
                campaign.half_open.fetch_add(1, Relaxed);
                open.push((Instant::now(), stream));
            }
        }
        open.retain(|(since, _)| since.elapsed() < Duration::from_secs(8));
        // They leave the others some of the few places for handshakes.
        std::thread::sleep(Duration::from_millis(700));
    }
}

/// Peers that do not exist, in js-libp2p's form.
fn invented_peers(campaign: &Campaign) {
    let socket = UdpSocket::bind("0.0.0.0:5353").expect("nobody else is on this host");
    let service = b"\x04_p2p\x04_udp\x05local\0";
    while !campaign.is_over() {
        let label: String = (0..32).map(|_| fastrand::lowercase()).collect();
        let instance = [&[32], label.as_bytes(), service].concat();
        let text = format!("dnsaddr=/ip4/10.77.250.9/tcp/{}/p2p/{}", fastrand::u16(1..), PeerId::random());
        let mut bytes = b"\0\0\x84\0\0\0\0\x02\0\0\0\0".to_vec();
        let texts = [&[text.len() as u8], text.as_bytes()].concat();
        for (name, kind, data) in [(&service[..], 12, instance.clone()), (&instance[..], 16, texts)] {
            bytes.extend([name, &[0, kind, 0, 1, 0, 0, 0, 120, 0, data.len() as u8], &data].concat());
        }
        let sent = socket.send_to(&bytes, "224.0.0.251:5353").is_ok();
        campaign.packets.fetch_add(sent.into(), Relaxed);
        std::thread::sleep(Duration::from_millis(2));
    }
}
