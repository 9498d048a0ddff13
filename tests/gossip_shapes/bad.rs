//! Beside peers that hand nothing on, and beside peers that never stop talking.

use super::line::{Raw, dial, halves};
use super::many::{Many, board, deliver, dialling, lines, until};
use super::wire::{self, hello, sized};
use futures::future::join_all;
use libp2p::{Multiaddr, identity::Keypair, multiaddr::Protocol};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use stonechat::wire::frame::{Body, Frame};

const GOSSIP: &str = "/meshsub/1.2.0";
const LOBBY: &str = "stonechat/1/lobby";
/// Identities that are in the room and do nothing.
const IDLE: usize = 45;
/// Those who never stop, and messages a second of each.
const FLOODERS: usize = 4;
const FLOOD_PER_S: u64 = 1_500;

/// Three of ours in a row: the first and the last know the one in the middle.
struct Row {
    middle: Many,
    ends: Many,
}

impl Row {
    fn new() -> Self {
        let middle = Many::start(vec![dialling(vec![], board("generic"))], None);
        let address = middle.address(0);
        let ends = Many::start((0..2).map(|_| dialling(vec![address.clone()], board("generic"))).collect(), None);
        ends.wait_in_room(|_| 1);
        middle.wait_in_room(|_| 2);
        Self { middle, ends }
    }

    /// Where strangers dial the one in the middle.
    fn address(&self) -> Multiaddr {
        self.middle.address(0).iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()
    }
}

/// Strangers in a thread, until they are dropped.
struct Strangers {
    is_over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Strangers {
    fn start<F>(
        count: usize,
        address: Multiaddr,
        act: impl Fn(usize, Keypair, Raw) -> F + Send + Clone + 'static,
    ) -> Self
    where
        F: Future<Output = std::io::Result<()>>,
    {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let thread = std::thread::spawn(move || {
            let all = (0..count).map(|number| {
                let (act, address) = (act.clone(), address.clone());
                async move {
                    let key = Keypair::generate_ed25519();
                    // A hub takes so many a second from one address.
                    smol::Timer::after(Duration::from_millis(20 * number as u64)).await;
                    let raw = dial(&key, &address).await.expect("it listens");
                    let _ = act(number, key, raw).await;
                }
            });
            let end = async {
                while !over.load(Relaxed) {
                    smol::Timer::after(Duration::from_millis(50)).await;
                }
            };
            smol::block_on(smol::future::or(end, async {
                join_all(all).await;
                std::future::pending().await
            }));
        });
        Self { is_over, thread: Some(thread) }
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Joins the room and its mesh, reads, and that is all.
async fn idle(raw: Raw) -> std::io::Result<()> {
    let (reader, mut writer) = halves(raw);
    let joining = async {
        writer.open(1, &hello(GOSSIP)).await?;
        let joins = [wire::subscribe(LOBBY, true), wire::graft(LOBBY)].concat();
        writer.send(1, &sized(&joins), 16 * 1024).await?;
        loop {
            writer.flush().await?;
            smol::Timer::after(Duration::from_millis(100)).await;
        }
    };
    smol::future::or(reader.read(), joining).await
}

/// Joins the room, and says lines of its own, well signed and each another, without end.
async fn flood(key: Keypair, raw: Raw, said: Arc<AtomicU64>) -> std::io::Result<()> {
    let (reader, mut writer) = halves(raw);
    let talking = async {
        writer.open(1, &hello(GOSSIP)).await?;
        let joins = [wire::subscribe(LOBBY, true), wire::graft(LOBBY)].concat();
        writer.send(1, &sized(&joins), 16 * 1024).await?;
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_millis() as u64;
        let start = Instant::now();
        for seqno in 1_u64.. {
            let text = format!("flood {seqno}");
            let body = Body::Text { nick: "flooder", text: &text };
            let frame = Frame { stamp: unix_ms - 600_000 + seqno, body }.to_bytes().expect("it fits");
            writer.send(1, &sized(&wire::publish(&key, LOBBY, seqno, &frame)), 16 * 1024).await?;
            said.fetch_add(1, Relaxed);
            let due = Duration::from_micros(seqno * 1_000_000 / FLOOD_PER_S);
            if let Some(early) = due.checked_sub(start.elapsed()) {
                writer.flush().await?;
                smol::Timer::after(early).await;
            } else if seqno.is_multiple_of(16) {
                writer.flush().await?;
                smol::future::yield_now().await;
            }
        }
        Ok(())
    };
    smol::future::or(reader.read(), talking).await
}

#[test]
fn beside_many_who_hand_nothing_on_every_line_arrives_and_they_lose_their_places() {
    let row = Row::new();
    let _idle = Strangers::start(IDLE, row.address(), |_, _, raw| idle(raw));
    row.middle.wait_in_room(|_| 2 + IDLE as u32);
    let found = deliver((&row.ends, 0), &[&row.middle, &row.ends], lines(200, 30), Duration::from_millis(250));
    println!("{IDLE} idle identities: {found}");
    assert!(found.is_whole(), "{found}");
    let number = std::cell::Cell::new(0);
    until("those who do nothing have no place", || {
        number.set(number.get() + 1);
        row.ends.say(1, &format!("and another one: {}", number.get()));
        (row.middle.room(0).mesh <= 2).then_some(())
    });
    println!("in the mesh: {} of {}", row.middle.room(0).mesh, row.middle.room(0).peers);
}

#[test]
fn beside_a_flood_every_line_of_the_others_arrives() {
    let row = Row::new();
    let said = Arc::new(AtomicU64::new(0));
    let counted = said.clone();
    let flooders = Strangers::start(FLOODERS, row.address(), move |_, key, raw| flood(key, raw, counted.clone()));
    row.middle.wait_in_room(|_| 2 + FLOODERS as u32);
    until("they talk", || (said.load(Relaxed) > 1_000).then_some(()));
    let (before, start) = (said.load(Relaxed), Instant::now());
    let found = deliver((&row.ends, 0), &[&row.middle, &row.ends], lines(200, 40), Duration::from_millis(250));
    let rate = (said.load(Relaxed) - before) as f64 / start.elapsed().as_secs_f64();
    println!("{FLOODERS} flooders, {rate:.0} messages a second in all: {found}");
    println!(
        "taken in the middle: {}; given way in queues: {}",
        row.middle.counter(0, "messages accepted"),
        row.middle.counter(0, "gossip: messages dropped, a peer reads too slowly")
    );
    drop(flooders);
    assert!(found.is_whole(), "{found}");
}
