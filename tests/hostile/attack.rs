//! One attacker each.

use super::line::{Raw, halves};
use super::wire::{self, DATA, SYN, WINDOW_BYTES, header, hello, sized};
use futures::AsyncWriteExt;
use libp2p::identity::Keypair;
use std::future::pending;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stonechat::wire::bounds::{RECORD_BYTES_MAX, TEXT_BYTES_MAX};
use stonechat::wire::frame::{Body, Frame};

/// What an attacker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Opens every stream and fills its window, and reads nothing.
    Windows,
    /// The same in frames of one byte.
    Crumbs,
    /// The same with questions to the DHT, which would be answered if anybody read the answers.
    Questions,
    /// Begins the longest message there is on each protocol, and never ends it.
    Halves,
    /// Asks and offers all that gossipsub knows, of things nobody has heard of.
    Gossip,
    /// Says the longest there is in a room, well signed.
    Talk,
    /// Tells the DHT of things and peers that are not.
    Providers,
    /// Sends direct messages and reads no answer.
    Letters,
}

/// Every attack; two of some, so that they fill the places of a small board.
pub const ALL: [Attack; 8] = [
    Attack::Windows,
    Attack::Crumbs,
    Attack::Questions,
    Attack::Halves,
    Attack::Gossip,
    Attack::Talk,
    Attack::Providers,
    Attack::Letters,
];

const GOSSIP: &str = "/meshsub/1.2.0";
const DHT: &str = "/ipfs/kad/1.0.0";
const LETTERS: &str = "/universal-connectivity/dm/1.0.0";
const LOBBY: &str = "stonechat/1/lobby";
const OTHERS: &str = "universal-connectivity";
/// Streams an attacker opens: as many as the board lets a connection have, without those that the victim opens itself.
const STREAMS: u32 = 12;
/// Long messages a second of each attacker that are taken: who listens to the victim has to hear them all.
const TALK_PER_S: u64 = 60;

fn streams() -> impl Iterator<Item = u32> {
    (0..STREAMS).map(|number| 2 * number + 1)
}

/// Something new each time.
fn novel(count: usize, length: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| std::iter::repeat_with(|| fastrand::u8(..)).take(length).collect()).collect()
}

impl Attack {
    /// Does it until the connection ends.
    pub async fn run(self, key: &Keypair, raw: Raw) -> io::Result<()> {
        match self {
            Attack::Windows => windows(raw, WINDOW_BYTES, &proposals()).await,
            Attack::Crumbs => windows(raw, 1, &proposals()).await,
            Attack::Questions => {
                let question = wire::find_node(&[7; 32]);
                windows(raw, 16 * 1024, &[hello(DHT), question.repeat(WINDOW_BYTES / question.len())].concat()).await
            }
            Attack::Halves => halves_of_messages(raw).await,
            Attack::Gossip => gossip(raw).await,
            Attack::Talk => talk(key, raw).await,
            Attack::Providers => repeated(raw, DHT, providers).await,
            Attack::Letters => repeated(raw, LETTERS, || wire::direct(&"x".repeat(8_000))).await,
        }
    }
}

/// Protocols that nobody speaks, one after the other.
fn proposals() -> Vec<u8> {
    let proposal = sized(b"/there/is/no/such/protocol/1.0.0\n");
    [sized(b"/multistream/1.0.0\n"), proposal.repeat(WINDOW_BYTES / proposal.len())].concat()
}

/// Fills every window in frames of this size, then holds still.
async fn windows(raw: Raw, frame: usize, bytes: &[u8]) -> io::Result<()> {
    let mut io = raw.0;
    for stream in streams() {
        io.write_all(&header(DATA, SYN, stream, 0)).await?;
    }
    let bytes = &bytes[..bytes.len().min(WINDOW_BYTES)];
    for part in bytes.chunks(frame) {
        for stream in streams() {
            io.write_all(&wire::data(0, stream, part)).await?;
        }
    }
    // A frame that says it is the largest there may be, and that never ends.
    io.write_all(&header(DATA, 0, 1, WINDOW_BYTES as u32)).await?;
    io.write_all(&vec![0; WINDOW_BYTES - 1]).await?;
    io.flush().await?;
    pending().await
}

async fn halves_of_messages(raw: Raw) -> io::Result<()> {
    let (reader, mut writer) = halves(raw);
    let writing = async {
        let begun = |protocol: &str, length: usize| {
            let whole = sized(&vec![0x0a; length]);
            [hello(protocol), whole[..whole.len() - 1].to_vec()].concat()
        };
        let longest = [(GOSSIP, 24 * 1024), (LETTERS, 8 * 1024), ("/ipfs/id/push/1.0.0", 4096)];
        let longest = longest.into_iter().chain(std::iter::repeat((DHT, 32 * 1024 - 1)));
        for (stream, (protocol, length)) in streams().zip(longest) {
            writer.open(stream, &[]).await?;
            writer.send(stream, &begun(protocol, length), 16 * 1024).await?;
        }
        writer.flush().await?;
        pending().await
    };
    smol::future::or(reader.read(), writing).await
}

async fn gossip(raw: Raw) -> io::Result<()> {
    let (reader, mut writer) = halves(raw);
    let writing = async {
        writer.open(1, &hello(GOSSIP)).await?;
        writer
            .send(1, &sized(&[wire::subscribe(LOBBY, true), wire::subscribe(OTHERS, true)].concat()), 16 * 1024)
            .await?;
        for round in 0_u64.. {
            let ids = novel(300, 46);
            let topic = format!("{round}-{}", "t".repeat(100));
            let rpc: Vec<Vec<u8>> = match round % 10 {
                0 => (0..30).map(|n| wire::subscribe(&format!("{n}{topic}"), round % 20 == 0)).collect(),
                1 => vec![wire::ihave(LOBBY, &ids)],
                2 => vec![wire::ihave(OTHERS, &novel(4, 4_000))],
                3 => vec![wire::iwant(&ids)],
                4 => vec![wire::idontwant(&ids)],
                5 => vec![wire::idontwant(&novel(3, 5_000))],
                6 => (0..200).map(|_| wire::graft(LOBBY)).collect(),
                7 => (0..80).map(|_| wire::prune(LOBBY, 1 << 40)).collect(),
                8 => (0..80).map(|n| wire::graft(&format!("{n}{topic}"))).collect(),
                // Two bytes each, and a hundred times as much once they are read.
                _ => vec![wire::field(3, &wire::field(3, &[]).repeat(8_000))],
            };
            writer.send(1, &sized(&rpc.concat()), 16 * 1024).await?;
            writer.flush().await?;
        }
        Ok(())
    };
    smol::future::or(reader.read(), writing).await
}

async fn talk(key: &Keypair, raw: Raw) -> io::Result<()> {
    let (reader, mut writer) = halves(raw);
    let writing = async {
        writer.open(1, &hello(GOSSIP)).await?;
        writer
            .send(1, &sized(&[wire::subscribe(LOBBY, true), wire::subscribe(OTHERS, true)].concat()), 16 * 1024)
            .await?;
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_millis() as u64;
        let start = std::time::Instant::now();
        let mut taken = 0;
        for seqno in 0_u64.. {
            let is_due = u128::from(taken) < start.elapsed().as_millis() * u128::from(TALK_PER_S) / 1_000;
            taken += u64::from(is_due);
            // What is too far ahead is looked at like any other, and not taken.
            let stamp = unix_ms - 60_000 + seqno + if is_due { 0 } else { 1 << 34 };
            let record = Body::Record { kind: "flood", bytes: &[7; RECORD_BYTES_MAX] };
            let frame = Frame { stamp, body: record }.to_bytes().expect("it fits");
            let message = match seqno % 8 {
                0 if is_due => wire::publish(key, OTHERS, seqno, "y".repeat(TEXT_BYTES_MAX).as_bytes()),
                _ => wire::publish(key, LOBBY, seqno, &frame),
            };
            writer.send(1, &sized(&message), 16 * 1024).await?;
            writer.flush().await?;
        }
        Ok(())
    };
    smol::future::or(reader.read(), writing).await
}

fn providers() -> Vec<u8> {
    let peer = Keypair::generate_ed25519().public().to_peer_id().to_bytes();
    let key = [&[0x12, 0x20][..], &novel(1, 32)[0]].concat();
    let address = |port: u16| [&[4, 10, 77, 0, 1, 6][..], &port.to_be_bytes()].concat();
    [wire::add_provider(&key, &peer, &(0..800).map(address).collect::<Vec<_>>()), wire::find_node(&key)].concat()
}

/// The same again and again on every stream it may have.
async fn repeated(raw: Raw, protocol: &str, what: impl Fn() -> Vec<u8>) -> io::Result<()> {
    let (reader, mut writer) = halves(raw);
    let writing = async {
        let mut streams = streams();
        for stream in streams.by_ref().take(7) {
            writer.open(stream, &hello(protocol)).await?;
        }
        loop {
            for stream in (0..7).map(|number| 2 * number + 1) {
                let sent = async { writer.send(stream, &what(), 16 * 1024).await.map(|()| true) };
                let late = async {
                    smol::Timer::after(Duration::from_millis(50)).await;
                    Ok(false)
                };
                // Who reads no answers gets no credit either, in the end.
                smol::future::or(sent, late).await?;
            }
            writer.flush().await?;
        }
    };
    smol::future::or(reader.read(), writing).await
}
