//! Any bytes as an RPC: nothing panics, every bound holds in what is read, and what is read is written the same again.

use stonechat::wire::bounds::PEER_ID_BYTES_MAX;
use stonechat::wire::rpc::bounds::{
    CONTROLS_MAX, DATA_BYTES_MAX, ID_BYTES_MAX, IDS_MAX, MESSAGES_MAX, PX_PEERS_MAX, RPC_BYTES_MAX, SUBSCRIPTIONS_MAX,
    TOPIC_BYTES_MAX,
};
use stonechat::wire::rpc::{List, Message, Part, Parts, encode_frame, frame_len};

/// One case.
pub fn run(bytes: &[u8]) {
    let read: Vec<_> = Parts::new(bytes).collect();
    let parts: Vec<Part<'_>> = read.iter().filter_map(|part| part.ok()).collect();
    check_counts(&parts);
    parts.iter().for_each(check_bounds);
    let mut space = vec![0; 4 * RPC_BYTES_MAX];
    let mut length = 0;
    for part in &parts {
        let written = part.encode(&mut space[length..]).expect("what was read can be written");
        assert_eq!(written, part.encoded_len());
        length += written;
    }
    // Lists are written without what is empty in them, so it may have become shorter, and never longer than it may be.
    if length <= RPC_BYTES_MAX {
        let again: Result<Vec<Part<'_>>, _> = Parts::new(&space[..length]).collect();
        assert_eq!(again.as_deref(), Ok(parts.as_slice()));
        let mut frame = vec![0; frame_len(&parts)];
        assert_eq!(encode_frame(&parts, &mut frame), Ok(frame.len()));
    }
    if let Ok(message) = Message::decode(bytes) {
        let mut signed = [0; 8_192];
        let length = message.encode_signed(&mut signed).expect("it is within its bounds");
        let unsigned = Message { signature: None, key: None, ..message };
        assert_eq!(Message::decode(&signed[14..length]), Ok(unsigned));
    }
}

fn check_counts(parts: &[Part<'_>]) {
    let count = |of: fn(&Part<'_>) -> bool| parts.iter().filter(|part| of(part)).count();
    let (subscriptions, messages) =
        (count(|part| matches!(part, Part::Subscription { .. })), count(|part| matches!(part, Part::Message(_))));
    assert!(subscriptions <= SUBSCRIPTIONS_MAX && messages <= MESSAGES_MAX);
    assert!(parts.len() - subscriptions - messages <= CONTROLS_MAX);
}

fn check_bounds(part: &Part<'_>) {
    let list = |list: &List<'_>, count_max, bytes_max| {
        assert!(list.count() <= count_max && list.iter().all(|id| !id.is_empty() && id.len() <= bytes_max));
    };
    match part {
        Part::Subscription { topic, .. } | Part::Graft { topic } => assert!(topic.len() <= TOPIC_BYTES_MAX),
        Part::Message(message) => {
            assert!(message.data.is_none_or(|data| data.len() <= DATA_BYTES_MAX));
            assert!(message.from.is_none_or(|from| from.len() <= PEER_ID_BYTES_MAX));
        }
        Part::IHave { topic, ids } => {
            assert!(topic.len() <= TOPIC_BYTES_MAX);
            list(ids, IDS_MAX, ID_BYTES_MAX);
        }
        Part::IWant { ids } | Part::IDontWant { ids } => list(ids, IDS_MAX, ID_BYTES_MAX),
        Part::Prune { topic, peers, .. } => {
            assert!(topic.len() <= TOPIC_BYTES_MAX);
            list(peers, PX_PEERS_MAX, PEER_ID_BYTES_MAX);
        }
    }
}
