//! Streams over one connection, and what a remote cannot do with them.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    os::unix::net::UnixStream,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, FutureExt, StreamExt,
    channel::{mpsc, oneshot},
    future,
};
use libp2p::core::{
    muxing::StreamMuxer,
    upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade},
};
use smol::{Async, LocalExecutor, Timer};
use stonechat::net::yamux::{Config, Error, Muxer, STREAM_WINDOW_BYTES, Stream};

/// Generous: a loaded machine may take seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// More than these tests leave unread.
const PLENTY: u32 = 1 << 30;
const SMALL: Config = Config { streams_max: 8, window_bytes_max: 8 * STREAM_WINDOW_BYTES, unread_bytes_max: PLENTY };

fn run<T>(test: impl AsyncFnOnce(&LocalExecutor<'static>) -> T) -> T {
    let executor = LocalExecutor::new();
    let limit = async {
        Timer::after(LIMIT).await;
        panic!("not within {LIMIT:?}")
    };
    smol::block_on(smol::future::or(executor.run(test(&executor)), limit))
}

trait Io: AsyncRead + AsyncWrite + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Io for T {}

type Asked = oneshot::Sender<Stream>;

/// One end of a connection. A muxer is to be polled by one task only, so that task is asked for streams.
struct End {
    to_open: mpsc::UnboundedSender<Asked>,
    to_accept: mpsc::UnboundedSender<Asked>,
    mux: Rc<RefCell<Muxer<Box<dyn Io>>>>,
    /// Ends with the connection, by its error.
    driver: smol::Task<Error>,
}

impl End {
    fn new(executor: &LocalExecutor<'static>, mux: Muxer<Box<dyn Io>>) -> Self {
        let (to_open, mut opening) = mpsc::unbounded();
        let (to_accept, mut accepting) = mpsc::unbounded();
        let mux = Rc::new(RefCell::new(mux));
        let driven = mux.clone();
        let (mut open, mut accept) = (None::<Asked>, None::<Asked>);
        let driver = executor.spawn(poll_fn(move |cx| {
            let mut mux = driven.borrow_mut();
            loop {
                if let Poll::Ready(event) = Pin::new(&mut *mux).poll(cx) {
                    return Poll::Ready(event.expect_err("no address changes here"));
                }
                let mut more = false;
                if let Poll::Ready(Some(asked)) = next_asked(&mut open, &mut opening, cx) {
                    match Pin::new(&mut *mux).poll_outbound(cx) {
                        Poll::Ready(Ok(stream)) => more = asked.send(stream).is_ok(),
                        Poll::Ready(Err(error)) => return Poll::Ready(error),
                        Poll::Pending => open = Some(asked),
                    }
                }
                if let Poll::Ready(Some(asked)) = next_asked(&mut accept, &mut accepting, cx) {
                    match Pin::new(&mut *mux).poll_inbound(cx) {
                        Poll::Ready(Ok(stream)) => more = asked.send(stream).is_ok(),
                        Poll::Ready(Err(error)) => return Poll::Ready(error),
                        Poll::Pending => accept = Some(asked),
                    }
                }
                if !more {
                    return Poll::Pending;
                }
            }
        }));
        End { to_open, to_accept, mux, driver }
    }

    fn dialer(executor: &LocalExecutor<'static>, io: impl Io, config: Config) -> Self {
        Self::new(executor, config.upgrade_outbound(Box::new(io) as _, "").now_or_never().unwrap().unwrap())
    }

    fn listener(executor: &LocalExecutor<'static>, io: impl Io, config: Config) -> Self {
        Self::new(executor, config.upgrade_inbound(Box::new(io) as _, "").now_or_never().unwrap().unwrap())
    }

    /// Fails when the connection ends.
    fn open(&self) -> oneshot::Receiver<Stream> {
        let (sender, stream) = oneshot::channel();
        let _ = self.to_open.unbounded_send(sender);
        stream
    }

    /// Fails when the connection ends.
    fn accept(&self) -> oneshot::Receiver<Stream> {
        let (sender, stream) = oneshot::channel();
        let _ = self.to_accept.unbounded_send(sender);
        stream
    }

    fn streams(&self) -> usize {
        self.mux.borrow().streams()
    }
}

fn next_asked(
    kept: &mut Option<Asked>,
    queue: &mut mpsc::UnboundedReceiver<Asked>,
    cx: &mut Context<'_>,
) -> Poll<Option<Asked>> {
    if kept.is_some() { Poll::Ready(kept.take()) } else { queue.poll_next_unpin(cx) }
}

fn pair(executor: &LocalExecutor<'static>, dialer: Config, listener: Config) -> (End, End) {
    let (ours, theirs) = Async::<UnixStream>::pair().unwrap();
    (End::dialer(executor, ours, dialer), End::listener(executor, theirs, listener))
}

/// Lets everything run that can.
async fn settle() {
    for _ in 0..200 {
        smol::future::yield_now().await;
    }
    Timer::after(Duration::from_millis(20)).await;
}

/// Whether a future is still waiting after everything ran that can.
async fn waits<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    smol::future::or(async { drop(future.await) }.map(|()| false), settle().map(|()| true)).await
}

#[test]
fn streams_go_both_ways() {
    run(async |executor| {
        let (ours, theirs) = pair(executor, Config::default(), Config::default());
        for (from, to) in [(&ours, &theirs), (&theirs, &ours)] {
            let mut out = from.open().await.unwrap();
            out.write_all(b"there").await.unwrap();
            let mut back = to.accept().await.unwrap();
            let mut text = [0; 5];
            back.read_exact(&mut text).await.unwrap();
            assert_eq!(&text, b"there");
            back.write_all(b"and back").await.unwrap();
            back.close().await.unwrap();
            let mut all = String::new();
            out.read_to_string(&mut all).await.unwrap();
            assert_eq!(all, "and back");
        }
    });
}

#[test]
fn closing_ends_both_sides() {
    run(async |executor| {
        let (ours, theirs) = pair(executor, SMALL, SMALL);
        let mut stream = ours.open().await.unwrap();
        stream.write_all(b"x").await.unwrap();
        let mut accepted = theirs.accept().await.unwrap();
        poll_fn(|cx| Pin::new(&mut *ours.mux.borrow_mut()).poll_close(cx)).await.unwrap();
        assert_eq!(theirs.driver.await.to_string(), "connection is closed");
        let mut all = Vec::new();
        accepted.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"x");
        assert!(stream.write_all(b"y").await.is_err());
    });
}

#[test]
fn a_remote_that_opens_too_many_is_cut_off() {
    run(async |executor| {
        let greedy = Config { streams_max: 64, window_bytes_max: 64 * STREAM_WINDOW_BYTES, unread_bytes_max: PLENTY };
        let modest = Config { streams_max: 4, ..greedy };
        let (theirs, ours) = pair(executor, greedy, modest);
        let mut opened = Vec::new();
        for _ in 0..5 {
            let Ok(mut stream) = theirs.open().await else { break };
            let _ = stream.write_all(b"x").await;
            opened.push(stream);
        }
        let End { mux, driver, .. } = ours;
        assert!(matches!(driver.await, Error::Misbehaved));
        // Those that were within the bound remain readable, none beyond.
        let mut accepted = 0;
        while let Some(Ok(_)) = poll_fn(|cx| Pin::new(&mut *mux.borrow_mut()).poll_inbound(cx)).now_or_never() {
            accepted += 1;
        }
        assert_eq!(accepted, 4);
    });
}

#[test]
fn our_own_streams_wait_for_room() {
    run(async |executor| {
        let (ours, theirs) = pair(executor, SMALL, SMALL);
        let mut held = Vec::new();
        for _ in 0..4 {
            let mut stream = ours.open().await.unwrap();
            stream.write_all(b"x").await.unwrap();
            held.push((stream, theirs.accept().await.unwrap()));
        }
        let mut fifth = ours.open();
        assert!(waits(&mut fifth).await, "more than half");
        // The remote still has its half.
        for _ in 0..4 {
            let mut stream = theirs.open().await.unwrap();
            stream.write_all(b"y").await.unwrap();
            held.push((stream, ours.accept().await.unwrap()));
        }
        assert_eq!((ours.streams(), theirs.streams()), (8, 8));
        assert!(waits(&mut fifth).await);
        drop(held.remove(0));
        fifth.await.unwrap().write_all(b"z").await.unwrap();
        let mut z = [0];
        theirs.accept().await.unwrap().read_exact(&mut z).await.unwrap();
        assert_eq!(&z, b"z");
    });
}

#[test]
fn many_short_streams_never_break_the_connection() {
    run(async |executor| {
        let tight = Config { streams_max: 2, window_bytes_max: 0, unread_bytes_max: PLENTY };
        let (ours, theirs) = pair(executor, tight, tight);
        let echo = executor.spawn(async move {
            while let Ok(mut stream) = theirs.accept().await {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                stream.write_all(&all).await.unwrap();
                stream.close().await.unwrap();
            }
        });
        for round in 0..500u32 {
            let mut stream = ours.open().await.unwrap();
            stream.write_all(&round.to_be_bytes()).await.unwrap();
            stream.close().await.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, round.to_be_bytes());
        }
        drop(echo);
        assert!(ours.streams() <= 2);
    });
}

#[test]
fn dropped_streams_are_not_forgotten_while_the_connection_is_stalled() {
    run(async |executor| {
        // The other side reads nothing at all, so what is dropped here cannot be announced.
        let (ours, _unread) = Async::<UnixStream>::pair().unwrap();
        let ours = End::dialer(
            executor,
            ours,
            Config { streams_max: 16, window_bytes_max: 16 * STREAM_WINDOW_BYTES, unread_bytes_max: PLENTY },
        );
        let junk = vec![0; STREAM_WINDOW_BYTES as usize];
        for _ in 0..8 {
            let mut stream = ours.open().await.unwrap();
            waits(&mut stream.write_all(&junk)).await;
        }
        let mut ninth = ours.open();
        assert!(waits(&mut ninth).await, "yamux still has the eight");
        assert_eq!(ours.streams(), 8);
    });
}

#[test]
fn a_remote_that_fills_its_windows_stops_there() {
    run(async |executor| {
        let (theirs, ours) =
            pair(executor, Config { streams_max: 64, window_bytes_max: u32::MAX, unread_bytes_max: PLENTY }, SMALL);
        let junk = vec![0; 4 * STREAM_WINDOW_BYTES as usize];
        let mut held = Vec::new();
        let mut sent = 0;
        for _ in 0..SMALL.streams() {
            let mut stream = theirs.open().await.unwrap();
            loop {
                let mut writing = stream.write(&junk);
                match smol::future::or(async { Some((&mut writing).await.unwrap()) }, settle().map(|()| None)).await {
                    Some(count) => sent += count,
                    None => break,
                }
            }
            held.push((stream, ours.accept().await.unwrap()));
        }
        assert_eq!(sent, SMALL.window_bytes(), "neither more nor less");
        // What was read may be sent again, and the connection is well.
        let (out, back) = &mut held[0];
        let mut buffer = vec![0; STREAM_WINDOW_BYTES as usize];
        back.read_exact(&mut buffer).await.unwrap();
        let writing = out.write_all(&junk[..buffer.len()]);
        future::try_join(writing, back.read_exact(&mut buffer)).await.unwrap();
    });
}

#[test]
fn a_remote_that_ignores_its_window_is_cut_off() {
    run(async |executor| {
        let (ours, theirs) = Async::<UnixStream>::pair().unwrap();
        let ours = End::listener(executor, ours, SMALL);
        let (mut reading, mut writing) = theirs.split();
        let drain = executor.spawn(async move { reading.read_to_end(&mut Vec::new()).await });
        // A data frame that opens stream 1 and fills its window, then one byte more.
        let frame = |flags: u16, length: u32| {
            let mut frame = vec![0, 0];
            frame.extend(flags.to_be_bytes());
            frame.extend(1u32.to_be_bytes());
            frame.extend(length.to_be_bytes());
            frame.extend(vec![7; length as usize]);
            frame
        };
        writing.write_all(&frame(1, STREAM_WINDOW_BYTES)).await.unwrap();
        let mut stream = ours.accept().await.unwrap();
        assert!(!ours.driver.is_finished());
        writing.write_all(&frame(0, 1)).await.unwrap();
        let End { mux, driver, .. } = ours;
        assert!(matches!(driver.await, Error::Misbehaved), "although the remote did not hang up");
        drop(mux);
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), STREAM_WINDOW_BYTES as usize);
        drop(drain);
    });
}

/// Passes bytes on, each some milliseconds late: yamux enlarges windows only where there is a delay to bridge.
async fn relay(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        Timer::after(Duration::from_millis(5)).await;
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

#[test]
fn an_enlarged_window_stays_within_its_bound_and_breaks_nothing() {
    /// Less than a stream's first enlargement, which is to twice its size.
    const LENT: u32 = 100_000;
    let config = Config { streams_max: 4, window_bytes_max: 4 * STREAM_WINDOW_BYTES + LENT, unread_bytes_max: PLENTY };
    run(async |executor| {
        let (ours, ours_far) = Async::<UnixStream>::pair().unwrap();
        let (theirs, theirs_far) = Async::<UnixStream>::pair().unwrap();
        let ((a, b), (c, d)) = (ours_far.split(), theirs_far.split());
        executor.spawn(relay(a, d)).detach();
        executor.spawn(relay(c, b)).detach();
        let (ours, theirs) = (End::dialer(executor, ours, config), End::listener(executor, theirs, config));
        let mut out = ours.open().await.unwrap();
        out.write_all(&[0]).await.unwrap();
        let mut back = theirs.accept().await.unwrap();
        back.read_exact(&mut [9]).await.unwrap();

        let bulk = vec![1; 1024 * 1024];
        let mut buffer = vec![0; bulk.len()];
        loop {
            future::try_join(out.write_all(&bulk), back.read_exact(&mut buffer)).await.unwrap();
            assert_eq!(buffer, bulk);
            // Now nobody reads: how much can be sent?
            let mut unread = 0;
            loop {
                let more = out.write(&bulk);
                let none = async {
                    Timer::after(Duration::from_millis(200)).await;
                    None
                };
                match smol::future::or(async { Some(more.await.unwrap()) }, none).await {
                    Some(count) => unread += count,
                    None => break,
                }
            }
            assert!(unread <= (STREAM_WINDOW_BYTES + LENT) as usize, "{unread} bytes");
            back.read_exact(&mut buffer[..unread]).await.unwrap();
            if unread > STREAM_WINDOW_BYTES as usize {
                return;
            }
        }
    });
}
