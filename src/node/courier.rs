//! What carries universal-connectivity's direct messages: libp2p's request and answer, with their codec and our bounds.

use super::{
    direct::{DIRECT_BYTES_MAX, Request, Response},
    gate::Gate,
    handle::Reply,
};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{
    PeerId, StreamProtocol,
    request_response::{self, OutboundRequestId},
};
use std::{
    collections::BTreeMap,
    io,
    time::{Duration, Instant},
};

/// Direct messages, offered while a `uc:` room is joined.
pub type Behaviour = Gate<request_response::Behaviour<Codec>>;

/// What the behaviour reports.
pub type Event = request_response::Event<Request, Response>;

/// Direct messages one peer may send in a minute; more are refused. Guess: faster than anybody types.
pub const DIRECT_PER_MINUTE_MAX: u32 = 60;
/// Peers whose direct messages are counted; beyond, those of strangers are refused until a minute is over. A board has
/// fewer connections.
pub const DIRECT_PEERS_MAX: usize = 256;
/// Direct messages of our own that wait for their answer; one more is refused.
pub const DIRECT_OPEN_MAX: usize = 8;

/// One request or answer: its length as a varint, then protobuf.
#[derive(Debug, Clone, Copy, Default)]
pub struct Codec;

/// Reads one message of at most [`DIRECT_BYTES_MAX`] bytes.
async fn read<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<Vec<u8>> {
    let refuse = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut length = 0_usize;
    for shift in [0, 7, 14] {
        let mut byte = [0];
        io.read_exact(&mut byte).await?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            if length > DIRECT_BYTES_MAX {
                break;
            }
            let mut bytes = vec![0; length];
            io.read_exact(&mut bytes).await?;
            return Ok(bytes);
        }
    }
    Err(refuse("the message is too long"))
}

async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: Vec<u8>) -> io::Result<()> {
    io.write_all(&bytes).await?;
    io.flush().await
}

fn no_protobuf() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the message is not what the protocol says")
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Request;
    type Response = Response;

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Request> {
        Request::decode(&read(io).await?).ok_or_else(no_protobuf)
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Response> {
        Response::decode(&read(io).await?).ok_or_else(no_protobuf)
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: Request,
    ) -> io::Result<()> {
        write(io, request.encode()).await
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        response: Response,
    ) -> io::Result<()> {
        write(io, response.encode()).await
    }
}

/// One of ours that waits for its answer.
pub(super) struct Open {
    pub reply: Reply,
    pub text: String,
}

/// What is known of direct messages under way.
#[derive(Default)]
pub(super) struct Directs {
    pub open: BTreeMap<OutboundRequestId, Open>,
    heard: BTreeMap<PeerId, (Instant, u32)>,
}

impl Directs {
    /// Whether one more of this peer may be taken now.
    pub(super) fn may_hear(&mut self, peer: PeerId, now: Instant) -> bool {
        let minute = Duration::from_secs(60);
        self.heard.retain(|_, (since, _)| now.saturating_duration_since(*since) < minute);
        if self.heard.len() >= DIRECT_PEERS_MAX && !self.heard.contains_key(&peer) {
            return false;
        }
        let (_, count) = self.heard.entry(peer).or_insert((now, 0));
        *count += 1;
        *count <= DIRECT_PER_MINUTE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::io::Cursor;

    #[test]
    fn a_message_is_read_with_its_length_and_not_beyond_the_bound() {
        let of = |bytes: &[u8]| smol::block_on(read(&mut Cursor::new(bytes.to_vec())));
        assert_eq!(of(&[2, 7, 8, 9]).unwrap(), [7, 8]);
        assert!(of(&[0]).unwrap().is_empty());
        assert!(of(&[2, 7]).is_err() && of(&[]).is_err() && of(&[0xff; 9]).is_err());
        let long = [&[0x80, 0x40][..], &[0; DIRECT_BYTES_MAX]].concat();
        assert_eq!(of(&long).unwrap().len(), DIRECT_BYTES_MAX);
        assert!(of(&[&[0x81, 0x40][..], &[0; DIRECT_BYTES_MAX + 1]].concat()).is_err());
    }

    #[test]
    fn a_peer_has_so_many_a_minute() {
        let (mut directs, peer, now) = (Directs::default(), PeerId::random(), Instant::now());
        assert!((0..DIRECT_PER_MINUTE_MAX).all(|_| directs.may_hear(peer, now)));
        assert!(!directs.may_hear(peer, now) && directs.may_hear(PeerId::random(), now));
        assert!(directs.may_hear(peer, now + Duration::from_secs(61)));
        for _ in 0..2 * DIRECT_PEERS_MAX {
            directs.may_hear(PeerId::random(), now + Duration::from_secs(61));
        }
        assert!(directs.heard.len() <= DIRECT_PEERS_MAX);
    }
}
