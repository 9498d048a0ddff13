//! How connections end when the other side does not help.

use std::{
    future::poll_fn,
    io,
    task::Poll,
    time::{Duration, Instant},
};

use futures::{AsyncReadExt, AsyncWrite, AsyncWriteExt, join};
use libp2p::core::{muxing::StreamMuxer, upgrade::OutboundConnectionUpgrade};
use socket2::SockRef;
use stonechat::net::{
    tcp::{SEGMENT_BYTES_MAX, Stream, UNACKNOWLEDGED_MS_MAX},
    yamux,
};

use crate::drive::{LIMIT, accept, dial, listen, run, transport};

/// A connection, from the side that dialed it and from the other.
async fn pair() -> (Stream, Stream) {
    let (mut ours, mut theirs) = (transport(), transport());
    let (_, to) = listen(&mut theirs, "/ip4/127.0.0.1/tcp/0").await;
    let (dialed, accepted) = join!(dial(&mut ours, &to), accept(&mut theirs));
    (dialed.unwrap(), accepted.0)
}

/// Writes until nothing more is taken.
async fn fill(stream: &mut (impl AsyncWrite + Unpin)) -> usize {
    let mut written = 0;
    loop {
        let write = async { Some(stream.write(&[7; 65_536]).await.expect("nobody ended it")) };
        let stuck = async {
            smol::Timer::after(Duration::from_millis(300)).await;
            None
        };
        match smol::future::or(write, stuck).await {
            Some(count) => written += count,
            None => return written,
        }
    }
}

/// Reads to the end, however that comes.
async fn drain(stream: &mut Stream) -> (usize, io::Result<()>) {
    let (mut read, mut buffer) = (0, vec![0; 65_536]);
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return (read, Ok(())),
            Ok(count) => read += count,
            Err(error) => return (read, Err(error)),
        }
    }
}

#[test]
fn both_sides_give_up_in_time_and_send_short_packets() {
    run(async {
        let (dialed, accepted) = pair().await;
        for stream in [&dialed, &accepted] {
            let socket = SockRef::from(stream);
            let limit = Duration::from_millis(UNACKNOWLEDGED_MS_MAX.into());
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(limit));
            let segment = socket.tcp_mss().unwrap();
            assert!(segment <= SEGMENT_BYTES_MAX, "segments of {segment} bytes");
        }
    });
}

#[test]
fn what_was_written_before_a_drop_arrives() {
    run(async {
        let (mut dialed, mut accepted) = pair().await;
        dialed.write_all(&[7; 10_000]).await.unwrap();
        drop(dialed);
        let (read, end) = drain(&mut accepted).await;
        assert_eq!(read, 10_000);
        end.expect("an end, and no reset");
    });
}

#[test]
fn dropped_while_a_write_waits_it_is_reset() {
    run(async {
        let (mut dialed, mut accepted) = pair().await;
        let written = fill(&mut dialed).await;
        drop(dialed);
        let (read, end) = drain(&mut accepted).await;
        let error = end.expect_err("it is to be a reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(read < written, "{read} bytes arrived of {written} that nobody waited for");
    });
}

#[test]
fn a_multiplexed_connection_that_nobody_reads_is_closed_soon() {
    run(async {
        let (dialed, mut accepted) = pair().await;
        let muxer = yamux::Config::default().upgrade_outbound(dialed, "/yamux/1.0.0").await.unwrap();
        let mut muxer = Box::pin(muxer);
        // More than one stream's window, or it would be that which is full.
        let mut streams = Vec::new();
        for _ in 0..8 {
            streams.push(poll_fn(|cx| muxer.as_mut().poll_outbound(cx)).await.unwrap());
        }
        let filling = async {
            for stream in &mut streams {
                fill(stream).await;
            }
        };
        let driving = async {
            let error = poll_fn(|cx| match muxer.as_mut().poll(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(error),
                _ => Poll::Pending,
            });
            panic!("ended: {}", error.await);
        };
        smol::future::or(filling, driving).await;
        let start = Instant::now();
        poll_fn(|cx| muxer.as_mut().poll_close(cx)).await.unwrap();
        assert!(start.elapsed() < LIMIT / 4, "closed after {:?}", start.elapsed());
        drop((muxer, streams));
        let (_, end) = drain(&mut accepted).await;
        assert_eq!(end.expect_err("it is to be a reset").kind(), io::ErrorKind::ConnectionReset);
    });
}
