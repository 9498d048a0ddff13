//! Messages as they are kept and sent: encoded once, shared by all who wait for them.

use crate::wire::rpc::{EncodeError, Message, Part, Strict, encode_frame, frame_len};
use alloc::vec;

/// Bytes that several hold. Where a processor has no atomic operations there are no threads to share them between.
#[cfg(target_has_atomic = "ptr")]
pub type Shared = alloc::sync::Arc<[u8]>;
/// Bytes that several hold.
#[cfg(not(target_has_atomic = "ptr"))]
pub type Shared = alloc::rc::Rc<[u8]>;

/// What stands for a message id inside: a keyed hash of it, so that nobody can make two that are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub(super) u64);

/// Why a message cannot be handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Its author, its number of eight bytes, its topic or its signature is missing.
    #[error("the message does not say all that a signed message must")]
    Incomplete,
    /// A part of it is over a bound.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// A whole signed message, encoded as it stands on a stream: an RPC of its own, with its length. Cloning copies nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    frame: Shared,
    /// Where the message begins in it.
    start: u8,
}

impl Signed {
    /// Encodes a message. Its signature is not looked at: the driver did.
    pub fn new(message: &Message<'_>) -> Result<Self, Unfit> {
        message.strict().ok_or(Unfit::Incomplete)?;
        let parts = [Part::Message(*message)];
        let mut frame = vec![0; frame_len(&parts)];
        encode_frame(&parts, &mut frame)?;
        let start = frame.len() - message.encoded_len();
        Ok(Self { frame: frame.into(), start: u8::try_from(start).unwrap_or_default() })
    }

    /// The message.
    pub fn message(&self) -> Message<'_> {
        Message::decode(self.bytes()).unwrap_or_default()
    }

    /// What it says, and what proves it.
    pub fn strict(&self) -> Strict<'_> {
        let empty = Strict { from: &[], data: &[], seqno: 0, topic: &[], signature: &[], key: &[] };
        self.message().strict().unwrap_or(empty)
    }

    /// The encoded message alone.
    pub fn bytes(&self) -> &[u8] {
        self.frame.get(usize::from(self.start)..).unwrap_or_default()
    }

    /// The RPC that holds it, as it stands on a stream.
    pub fn frame(&self) -> &Shared {
        &self.frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_encoded_once_and_says_what_it_said() {
        let message = Message {
            from: Some(b"author"),
            data: Some(&[7; 300]),
            seqno: Some(&[0, 0, 0, 0, 0, 0, 0, 9]),
            topic: Some(b"lobby"),
            signature: Some(&[1; 64]),
            key: None,
        };
        let signed = Signed::new(&message).unwrap();
        assert_eq!(signed.message(), message);
        assert_eq!((signed.strict().seqno, signed.strict().topic), (9, &b"lobby"[..]));
        assert_eq!(signed.frame().len(), signed.bytes().len() + 2 + 1 + 2);
        for lacks in [
            Message { from: None, ..message },
            Message { seqno: Some(&[1; 7]), ..message },
            Message { topic: None, ..message },
            Message { signature: None, ..message },
        ] {
            assert_eq!(Signed::new(&lacks), Err(Unfit::Incomplete));
        }
        assert!(Signed::new(&Message { data: None, ..message }).is_ok(), "nothing may be said");
    }
}
