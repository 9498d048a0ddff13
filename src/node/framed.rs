//! One request and one answer on a stream, each with its length before it: what direct messages and hellos have in common,
//! so that libp2p's part for it is in the program once.

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};
use std::io;

/// The behaviour that carries them.
pub type Behaviour = request_response::Behaviour<Codec>;

/// What the behaviour reports.
pub type Event = request_response::Event<Vec<u8>, Vec<u8>>;

/// Requests and answers of so many bytes at most: the length as a varint, then the bytes.
#[derive(Debug, Clone, Copy)]
pub struct Codec {
    /// Bytes of a request or an answer, below 2^21.
    pub bytes_max: usize,
}

impl Codec {
    async fn read<T: AsyncRead + Unpin + Send>(&self, io: &mut T) -> io::Result<Vec<u8>> {
        let mut length = 0_usize;
        for shift in [0, 7, 14] {
            let mut byte = [0];
            io.read_exact(&mut byte).await?;
            length |= usize::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                if length > self.bytes_max {
                    break;
                }
                let mut bytes = vec![0; length];
                io.read_exact(&mut bytes).await?;
                return Ok(bytes);
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too long"))
    }

    async fn write<T: AsyncWrite + Unpin + Send>(&self, io: &mut T, bytes: Vec<u8>) -> io::Result<()> {
        let (mut framed, mut length) = (Vec::with_capacity(3 + bytes.len()), bytes.len());
        while length > 0x7f {
            framed.push(length as u8 | 0x80);
            length >>= 7;
        }
        framed.push(length as u8);
        framed.extend(bytes);
        io.write_all(&framed).await?;
        io.flush().await
    }
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        self.read(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        self.read(io).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        self.write(io, request).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        self.write(io, response).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::io::Cursor;

    const BYTES_MAX: usize = 8 * 1024;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        smol::block_on(Codec { bytes_max: BYTES_MAX }.read(&mut Cursor::new(bytes.to_vec())))
    }

    #[test]
    fn a_message_is_read_with_its_length_and_not_beyond_the_bound() {
        assert_eq!(read(&[2, 7, 8, 9]).unwrap(), [7, 8]);
        assert!(read(&[0]).unwrap().is_empty());
        assert!(read(&[2, 7]).is_err() && read(&[]).is_err() && read(&[0xff; 9]).is_err());
        let long = [&[0x80, 0x40][..], &[0; BYTES_MAX]].concat();
        assert_eq!(read(&long).unwrap().len(), BYTES_MAX);
        assert!(read(&[&[0x81, 0x40][..], &[0; BYTES_MAX + 1]].concat()).is_err());
        let short = smol::block_on(Codec { bytes_max: 127 }.read(&mut Cursor::new(long)));
        assert!(short.is_err(), "each protocol has its own bound");
    }

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 127, 128, 300, BYTES_MAX] {
            let mut written = Cursor::new(Vec::new());
            smol::block_on(Codec { bytes_max: BYTES_MAX }.write(&mut written, vec![5; length])).unwrap();
            assert_eq!(read(&written.into_inner()).unwrap(), vec![5; length]);
        }
    }
}
