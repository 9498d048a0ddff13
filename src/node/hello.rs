//! What carries hellos and refusals (`wire/hello.rs`): libp2p's request and answer, with our bounds.

use crate::wire::{
    bounds::HELLO_BYTES_MAX,
    hello::{HELLO_PROTOCOL, HelloBytes},
};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{
    StreamProtocol,
    request_response::{self, ProtocolSupport},
};
use std::{io, time::Duration};

/// The protocol's name, as libp2p has it.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new(HELLO_PROTOCOL);
/// Seconds after which an answer is not waited for any more. Guess: a link that loses much.
pub const HELLO_ANSWER_S: u64 = 10;
/// Hellos and refusals of one connection that are under way at once. A peer of ours has one of each.
pub const HELLO_STREAMS_MAX: usize = 4;

/// The behaviour.
pub type Behaviour = request_response::Behaviour<Codec>;

/// What the behaviour reports.
pub type Event = request_response::Event<HelloBytes, HelloBytes>;

/// The protocol, on every connection.
pub fn behaviour() -> Behaviour {
    let config = request_response::Config::default()
        .with_request_timeout(Duration::from_secs(HELLO_ANSWER_S))
        .with_max_concurrent_streams(HELLO_STREAMS_MAX);
    Behaviour::with_codec(Codec, [(PROTOCOL, ProtocolSupport::Full)], config)
}

/// One request or answer: its length in one byte, then what it says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Codec;

async fn read<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<HelloBytes> {
    let refuse = || io::Error::new(io::ErrorKind::InvalidData, "it is longer than the protocol allows");
    let mut length = [0];
    io.read_exact(&mut length).await?;
    let mut bytes = HelloBytes::new();
    bytes.resize(usize::from(length[0]), 0).map_err(|_| refuse())?;
    io.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: HelloBytes) -> io::Result<()> {
    let mut framed = heapless::Vec::<u8, { 1 + HELLO_BYTES_MAX }>::new();
    // Both always fit: the capacity is their sum, and the bound is below 128.
    let _ = framed.push(bytes.len() as u8);
    let _ = framed.extend_from_slice(&bytes);
    io.write_all(&framed).await?;
    io.flush().await
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = HelloBytes;
    type Response = HelloBytes;

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<HelloBytes> {
        read(io).await
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<HelloBytes> {
        read(io).await
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: HelloBytes,
    ) -> io::Result<()> {
        write(io, request).await
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        response: HelloBytes,
    ) -> io::Result<()> {
        write(io, response).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::io::Cursor;

    #[test]
    fn what_is_said_is_read_with_its_length_and_not_beyond_the_bound() {
        let of = |bytes: &[u8]| smol::block_on(read(&mut Cursor::new(bytes.to_vec())));
        assert_eq!(of(&[2, 7, 8, 9]).unwrap().as_slice(), [7, 8]);
        assert!(of(&[0]).unwrap().is_empty());
        assert!(of(&[2, 7]).is_err() && of(&[]).is_err());
        let most = [&[HELLO_BYTES_MAX as u8][..], &[5; HELLO_BYTES_MAX]].concat();
        assert_eq!(of(&most).unwrap().len(), HELLO_BYTES_MAX);
        assert!(of(&[128; 256]).is_err() && of(&[255; 256]).is_err());
        let mut written = Cursor::new(Vec::new());
        smol::block_on(write(&mut written, of(&most).unwrap())).unwrap();
        assert_eq!(written.into_inner(), most);
    }
}
