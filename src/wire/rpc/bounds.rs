//! What an RPC may hold. The same on every board: whoever sends more is not a peer of ours, or not a careful one.

use crate::wire::bounds::{FRAME_BYTES_MAX, PEER_ID_BYTES_MAX};

/// Bytes of one RPC: a few frames with the fields that sign them, and control messages beside them. Others put several
/// messages into one.
pub const RPC_BYTES_MAX: usize = 24 * 1024;
/// Bytes of a topic. Twice a room's name: others name theirs more freely.
pub const TOPIC_BYTES_MAX: usize = 128;
/// Bytes of a message id: a peer id in base58 and a number in decimal are shorter.
pub const ID_BYTES_MAX: usize = 128;
/// Bytes of a message's payload: the largest frame of ours. What is longer in a room of others is not handed on.
pub const DATA_BYTES_MAX: usize = FRAME_BYTES_MAX;
/// Bytes of a sequence number. Source: pubsub specification.
pub const SEQNO_BYTES: usize = 8;
/// Bytes of a signature: RSA with 4,096 bits.
pub const SIGNATURE_BYTES_MAX: usize = 512;
/// Bytes of a public key as protobuf: RSA with 4,096 bits takes 558.
pub const KEY_BYTES_MAX: usize = 608;
/// Bytes of one message with all its fields.
pub const MESSAGE_BYTES_MAX: usize = 4096;
/// Messages in one RPC. Guess: as many short ones as fit in half of it.
pub const MESSAGES_MAX: usize = 64;
/// Subscriptions in one RPC. Guess: twice the rooms of the largest board.
pub const SUBSCRIPTIONS_MAX: usize = 128;
/// Control messages in one RPC, of all sorts together. Guess: each sort for every room of the largest board, and some.
pub const CONTROLS_MAX: usize = 256;
/// Ids in one control message: what fits in an RPC with the specification's ids.
pub const IDS_MAX: usize = 512;
/// Peers that a PRUNE may recommend. Source: go-libp2p-pubsub sends 16.
pub const PX_PEERS_MAX: usize = 32;

/// What stands around the fields of a message: six tags, and six lengths of at most two bytes.
const MESSAGE_OVERHEAD_BYTES: usize = 6 + 2 * 6;

const _: () = assert!(
    MESSAGE_BYTES_MAX
        >= PEER_ID_BYTES_MAX
            + DATA_BYTES_MAX
            + SEQNO_BYTES
            + TOPIC_BYTES_MAX
            + SIGNATURE_BYTES_MAX
            + KEY_BYTES_MAX
            + MESSAGE_OVERHEAD_BYTES
);
const _: () = assert!(RPC_BYTES_MAX > 4 * MESSAGE_BYTES_MAX);
