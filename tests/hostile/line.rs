//! A connection as an attacker has it: TCP and Noise are real, and above them it writes what it likes.

use super::wire::{ACK, DATA, HEADER_BYTES, PING, SYN, WINDOW_BYTES, WINDOW_UPDATE, data, header};
use futures::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt,
    channel::mpsc,
    future::{Ready, ready},
    io::{ReadHalf, WriteHalf},
};
use libp2p::core::{
    Endpoint, StreamMuxer, Transport as _,
    muxing::StreamMuxerEvent,
    transport::{DialOpts, PortUse},
    upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo, Version},
};
use libp2p::{Multiaddr, identity::Keypair, noise};
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use stonechat::net::tcp;

pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// The bytes under yamux.
pub struct Raw(pub Box<dyn Io>);

/// Claims to be yamux, and hands out the bytes.
#[derive(Clone)]
struct Claim;

impl UpgradeInfo for Claim {
    type Info = &'static str;
    type InfoIter = std::iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once("/yamux/1.0.0")
    }
}

impl<C: Io + 'static> InboundConnectionUpgrade<C> for Claim {
    type Output = Raw;
    type Error = io::Error;
    type Future = Ready<io::Result<Raw>>;

    fn upgrade_inbound(self, io: C, _: &'static str) -> Self::Future {
        ready(Ok(Raw(Box::new(io))))
    }
}

impl<C: Io + 'static> OutboundConnectionUpgrade<C> for Claim {
    type Output = Raw;
    type Error = io::Error;
    type Future = Ready<io::Result<Raw>>;

    fn upgrade_outbound(self, io: C, _: &'static str) -> Self::Future {
        ready(Ok(Raw(Box::new(io))))
    }
}

/// libp2p wants a multiplexer; nobody asks this one for anything.
impl StreamMuxer for Raw {
    type Substream = Box<dyn Io>;
    type Error = io::Error;

    fn poll_inbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<Self::Substream>> {
        Poll::Pending
    }

    fn poll_outbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<Self::Substream>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Poll::Pending
    }
}

/// Connects and proves to be `key`.
pub async fn dial(key: &Keypair, address: &Multiaddr) -> io::Result<Raw> {
    let noise = noise::Config::new(key).map_err(io::Error::other)?;
    let tcp = tcp::Transport::new(tcp::Config::default());
    let mut transport = tcp.upgrade(Version::V1).authenticate(noise).multiplex(Claim);
    let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
    let dialled =
        async { transport.dial(address.clone(), options).map_err(io::Error::other)?.await.map_err(io::Error::other) };
    let late = async {
        smol::Timer::after(Duration::from_secs(5)).await;
        Err(io::Error::from(io::ErrorKind::TimedOut))
    };
    smol::future::or(dialled, late).await.map(|(_, raw)| raw)
}

type Credits = Arc<Mutex<BTreeMap<u32, usize>>>;

/// Writes, and as far as the other side gives credit.
pub struct Writer {
    io: WriteHalf<Box<dyn Io>>,
    credits: Credits,
    changed: mpsc::Receiver<()>,
    answers: mpsc::Receiver<Vec<u8>>,
}

/// Reads what has to be read to go on, and gives no credit for anything.
pub struct Reader {
    io: ReadHalf<Box<dyn Io>>,
    credits: Credits,
    changes: mpsc::Sender<()>,
    answers: mpsc::Sender<Vec<u8>>,
}

/// Both halves of a connection.
pub fn halves(raw: Raw) -> (Reader, Writer) {
    let (read, write) = raw.0.split();
    let credits = Credits::default();
    let ((changes, changed), (answers, queue)) = (mpsc::channel(1), mpsc::channel(64));
    let reader = Reader { io: read, credits: credits.clone(), changes, answers };
    (reader, Writer { io: write, credits, changed, answers: queue })
}

impl Writer {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        while let Ok(answer) = self.answers.try_recv() {
            self.io.write_all(&answer).await?;
        }
        self.io.write_all(bytes).await
    }

    pub async fn flush(&mut self) -> io::Result<()> {
        self.write(&[]).await?;
        self.io.flush().await
    }

    /// Opens a stream of this number with its first bytes.
    pub async fn open(&mut self, stream: u32, first: &[u8]) -> io::Result<()> {
        self.credits.lock().expect("no panic").insert(stream, WINDOW_BYTES - first.len());
        self.write(&data(SYN, stream, first)).await
    }

    /// Sends as soon as there is credit, in frames of this size.
    pub async fn send(&mut self, stream: u32, bytes: &[u8], frame: usize) -> io::Result<()> {
        for part in bytes.chunks(frame) {
            while !self.pay(stream, part.len()) {
                self.flush().await?;
                futures::StreamExt::next(&mut self.changed).await.ok_or(io::ErrorKind::BrokenPipe)?;
            }
            self.write(&data(0, stream, part)).await?;
        }
        Ok(())
    }

    fn pay(&self, stream: u32, count: usize) -> bool {
        let mut credits = self.credits.lock().expect("no panic");
        let Some(credit) = credits.get_mut(&stream).filter(|credit| **credit >= count) else { return false };
        *credit -= count;
        true
    }
}

impl Reader {
    /// Reads until the connection ends: takes credit, answers pings, agrees to every protocol, and is silent otherwise.
    pub async fn read(mut self) -> io::Result<()> {
        loop {
            let mut head = [0; HEADER_BYTES];
            self.io.read_exact(&mut head).await?;
            let [_, kind, f, g, s, t, u, v, a, b, c, d] = head;
            let (flags, stream) = (u16::from_be_bytes([f, g]), u32::from_be_bytes([s, t, u, v]));
            let length = u32::from_be_bytes([a, b, c, d]);
            match kind {
                DATA => {
                    let mut body = vec![0; length as usize];
                    self.io.read_exact(&mut body).await?;
                    // What it says first on a stream of its own is what it wants to speak: so do we.
                    if stream % 2 == 0 && body.starts_with(b"\x13/multistream") {
                        let _ = self.answers.try_send(data(ACK, stream, &body));
                    }
                }
                WINDOW_UPDATE => {
                    if let Some(credit) = self.credits.lock().expect("no panic").get_mut(&stream) {
                        *credit += length as usize;
                    }
                }
                PING if flags & SYN != 0 => drop(self.answers.try_send(header(PING, ACK, 0, length))),
                _ => {}
            }
            let _ = self.changes.try_send(());
        }
    }
}
