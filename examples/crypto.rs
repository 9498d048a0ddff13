//! How fast this computer does what a peer's connections and messages need: signatures, handshakes, encryption.
//!
//! ```text
//! cargo run --release --example crypto                 each for a second
//! boards/build BOARD --example crypto                  the same program for a board
//! crypto sign 100                                      one of sign, verify, handshake and seal, so many times
//! ```
//!
//! It runs what the peer runs: libp2p's Ed25519 and libp2p's Noise (X25519, ChaCha20-Poly1305, SHA-256), two ends in
//! one thread. A handshake is counted with the work of both ends, a sealed KiB with its opening. The second form is for
//! those who count instructions: see boards/README.md.

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{
    core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade},
    identity::Keypair,
    noise,
};
use smol::net::unix::UnixStream;
use std::{
    error::Error,
    process::ExitCode,
    time::{Duration, Instant},
};

/// As much as a gossipsub message with a line of chat, and its signature's prefix.
const MESSAGE_BYTES: usize = 256;
const KIB: usize = 1024;
/// What is written at once: a Yamux frame of a busy stream.
const CHUNK_KIB: usize = 16;

type Failure = Box<dyn Error>;
type Session = noise::Output<UnixStream>;

/// Two ends of one connection, after their handshake.
async fn handshake(keys: &[Keypair; 2]) -> Result<(Session, Session), Failure> {
    let (here, there) = UnixStream::pair()?;
    let [ours, theirs] = keys.each_ref().map(noise::Config::new);
    let (ours, theirs) = (ours?.upgrade_outbound(here, "/noise"), theirs?.upgrade_inbound(there, "/noise"));
    let ((_, ours), (_, theirs)) = futures::future::try_join(ours, theirs).await?;
    Ok((ours, theirs))
}

/// Sends so many chunks from one end to the other.
async fn seal(ends: &mut (Session, Session), chunks: u32) -> Result<(), Failure> {
    let (from, to) = ends;
    let chunk = [7; CHUNK_KIB * KIB];
    let sent = async {
        for _ in 0..chunks {
            from.write_all(&chunk).await?;
            from.flush().await?;
        }
        Ok::<(), std::io::Error>(())
    };
    let received = async {
        let mut buffer = [0; CHUNK_KIB * KIB];
        for _ in 0..chunks {
            to.read_exact(&mut buffer).await?;
        }
        Ok(())
    };
    futures::future::try_join(sent, received).await?;
    Ok(())
}

const NAMES: [&str; 4] = ["sign", "verify", "handshake", "seal"];

/// Does one of the four so many times.
struct Work {
    keys: [Keypair; 2],
    message: Vec<u8>,
    signature: Vec<u8>,
    ends: (Session, Session),
}

impl Work {
    fn new() -> Result<Self, Failure> {
        // The same in every run, so that runs compare.
        let keys = [1, 2].map(|byte| Keypair::ed25519_from_bytes([byte; 32]));
        let [Ok(here), Ok(there)] = keys else { return Err("no key".into()) };
        let (keys, message) = ([here, there], vec![42; MESSAGE_BYTES]);
        let signature = keys[0].sign(&message)?;
        let ends = smol::block_on(handshake(&keys))?;
        Ok(Self { keys, message, signature, ends })
    }

    fn run(&mut self, name: &str, count: u32) -> Result<(), Failure> {
        let [key, _] = &self.keys;
        match name {
            "seal" => return smol::block_on(seal(&mut self.ends, count)),
            "sign" | "verify" | "handshake" => {}
            other => return Err(format!("`{other}` is none of {}", NAMES.join(", ")).into()),
        }
        for _ in 0..count {
            let right = match name {
                "sign" => key.sign(&self.message)? == self.signature,
                "verify" => key.public().verify(&self.message, &self.signature),
                _ => smol::block_on(handshake(&self.keys)).map(|_| true)?,
            };
            if !right {
                return Err(format!("{name} gave something else than before").into());
            }
        }
        Ok(())
    }
}

/// How often a second it is done.
fn rate(work: &mut Work, name: &str) -> Result<f64, Failure> {
    work.run(name, 2)?;
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(1) {
        work.run(name, 4)?;
        done += 4;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

fn run() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut work = Work::new()?;
    match arguments.as_slice() {
        [] => {
            for name in NAMES {
                let rate = rate(&mut work, name)?;
                match name {
                    "seal" => println!("{name:<10} {:>10.1} MiB/s", rate * CHUNK_KIB as f64 / KIB as f64),
                    _ => println!("{name:<10} {rate:>10.1} /s"),
                }
            }
            Ok(())
        }
        [name, count] => work.run(name, count.parse()?),
        _ => Err("crypto, or crypto NAME COUNT".into()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crypto: {error}");
            ExitCode::FAILURE
        }
    }
}
