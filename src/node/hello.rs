//! What carries hellos and refusals (`wire/hello.rs`): libp2p's request and answer, with our bounds.

use super::framed::{self, Codec};
use crate::wire::{bounds::HELLO_BYTES_MAX, hello::HELLO_PROTOCOL};
use libp2p::{
    StreamProtocol,
    request_response::{self, ProtocolSupport},
};
use std::time::Duration;

/// The protocol's name, as libp2p has it.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new(HELLO_PROTOCOL);
/// Seconds after which an answer is not waited for any more. Guess: a link that loses much.
pub const HELLO_ANSWER_S: u64 = 10;
/// Hellos and refusals of one connection that are under way at once. A peer of ours has one of each.
pub const HELLO_STREAMS_MAX: usize = 4;

/// The protocol, on every connection.
pub fn behaviour() -> framed::Behaviour {
    let config = request_response::Config::default()
        .with_request_timeout(Duration::from_secs(HELLO_ANSWER_S))
        .with_max_concurrent_streams(HELLO_STREAMS_MAX);
    let codec = Codec { bytes_max: HELLO_BYTES_MAX };
    request_response::Behaviour::with_codec(codec, [(PROTOCOL, ProtocolSupport::Full)], config)
}
