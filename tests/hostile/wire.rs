//! What an attacker writes, byte by byte: frames of yamux, messages of gossipsub, the DHT and the others. No library
//! would send it.

use libp2p::identity::Keypair;

/// Frames of yamux.
pub const DATA: u8 = 0;
pub const WINDOW_UPDATE: u8 = 1;
pub const PING: u8 = 2;
pub const SYN: u16 = 1;
pub const ACK: u16 = 2;
pub const HEADER_BYTES: usize = 12;
/// What may be sent on a new stream.
pub const WINDOW_BYTES: usize = 256 * 1024;

/// A yamux header; `length` is a credit or an id in frames that are no data.
pub fn header(kind: u8, flags: u16, stream: u32, length: u32) -> Vec<u8> {
    [&[0, kind][..], &flags.to_be_bytes(), &stream.to_be_bytes(), &length.to_be_bytes()].concat()
}

/// A yamux frame with data.
pub fn data(flags: u16, stream: u32, body: &[u8]) -> Vec<u8> {
    [&header(DATA, flags, stream, body.len() as u32)[..], body].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// Bytes with their length before them.
pub fn sized(bytes: &[u8]) -> Vec<u8> {
    [&varint(bytes.len() as u64)[..], bytes].concat()
}

/// What opens a stream for a protocol, without waiting for an answer.
pub fn hello(protocol: &str) -> Vec<u8> {
    [sized(b"/multistream/1.0.0\n"), sized(format!("{protocol}\n").as_bytes())].concat()
}

/// A protobuf field with bytes.
pub fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &sized(bytes)].concat()
}

/// A protobuf field with a number.
pub fn numeric(number: u8, value: u64) -> Vec<u8> {
    [&[number << 3][..], &varint(value)].concat()
}

/// gossipsub: this peer is in a topic, or is not.
pub fn subscribe(topic: &str, is_in: bool) -> Vec<u8> {
    field(1, &[numeric(1, is_in.into()), field(2, topic.as_bytes())].concat())
}

/// gossipsub: a message of `author`, well signed.
pub fn publish(author: &Keypair, topic: &str, seqno: u64, payload: &[u8]) -> Vec<u8> {
    let from = author.public().to_peer_id().to_bytes();
    let head =
        [field(1, &from), field(2, payload), field(3, &seqno.to_be_bytes()), field(4, topic.as_bytes())].concat();
    let signature = author.sign(&[b"libp2p-pubsub:", &head[..]].concat()).expect("Ed25519 signs");
    field(2, &[head, field(5, &signature)].concat())
}

/// gossipsub: a control message of one sort.
pub fn control(sort: u8, body: &[u8]) -> Vec<u8> {
    field(3, &field(sort, body))
}

/// gossipsub: has messages of a topic.
pub fn ihave(topic: &str, ids: &[Vec<u8>]) -> Vec<u8> {
    control(1, &[field(1, topic.as_bytes()), ids.iter().flat_map(|id| field(2, id)).collect()].concat())
}

/// gossipsub: wants messages.
pub fn iwant(ids: &[Vec<u8>]) -> Vec<u8> {
    control(2, &ids.iter().flat_map(|id| field(1, id)).collect::<Vec<_>>())
}

/// gossipsub: wants to be in the mesh of a topic.
pub fn graft(topic: &str) -> Vec<u8> {
    control(3, &field(1, topic.as_bytes()))
}

/// gossipsub: leaves the mesh of a topic for so many seconds.
pub fn prune(topic: &str, backoff_s: u64) -> Vec<u8> {
    control(4, &[field(1, topic.as_bytes()), numeric(3, backoff_s)].concat())
}

/// gossipsub: has messages already.
pub fn idontwant(ids: &[Vec<u8>]) -> Vec<u8> {
    control(5, &ids.iter().flat_map(|id| field(1, id)).collect::<Vec<_>>())
}

/// The DHT: who is near this key?
pub fn find_node(key: &[u8]) -> Vec<u8> {
    sized(&[numeric(1, 4), field(2, key)].concat())
}

/// The DHT: this peer has something, and so many addresses.
pub fn add_provider(key: &[u8], peer: &[u8], addresses: &[Vec<u8>]) -> Vec<u8> {
    let peer = [field(1, peer), addresses.iter().flat_map(|address| field(2, address)).collect()].concat();
    sized(&[numeric(1, 2), field(2, key), field(9, &peer)].concat())
}

/// universal-connectivity: a direct message.
pub fn direct(text: &str) -> Vec<u8> {
    let metadata = [field(1, b"0.0.1"), numeric(2, 1_700_000_000_000)].concat();
    sized(&[field(1, &metadata), field(2, text.as_bytes()), field(3, b"text/plain")].concat())
}
