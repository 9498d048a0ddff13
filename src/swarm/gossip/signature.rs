//! Who said it: messages of ours are signed, messages of others are checked (StrictSign).
//!
//! A check is what a message costs: some 100 µs on a fast machine, ten times as much on a small board. So it comes after
//! everything else that may refuse a message, and once.

use crate::gossip::Signed;
use crate::gossip::message::Unfit;
use crate::wire::rpc::{Message, SIGNED_PREFIX, bounds::MESSAGE_BYTES_MAX};
use libp2p::{
    PeerId,
    identity::{Keypair, PublicKey, SigningError},
};

/// Why a message of ours cannot be said.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// It does not fit.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The key does not sign.
    #[error(transparent)]
    Key(#[from] SigningError),
}

/// What our messages are signed with.
pub(super) struct Signer {
    keypair: Keypair,
    from: Vec<u8>,
    /// Where the peer id does not hold the key.
    key: Option<Vec<u8>>,
    bytes: Box<[u8; SIGNED_BYTES_MAX]>,
}

/// Bytes of what is signed: prefix and message.
const SIGNED_BYTES_MAX: usize = SIGNED_PREFIX.len() + MESSAGE_BYTES_MAX;

impl Signer {
    pub fn new(keypair: Keypair) -> Self {
        let public = keypair.public();
        let from = public.to_peer_id().to_bytes();
        let key = inlined(&from).is_none().then(|| public.encode_protobuf());
        Self { keypair, from, key, bytes: Box::new([0; SIGNED_BYTES_MAX]) }
    }

    /// Signs a message of ours.
    pub fn sign(&mut self, topic: &[u8], seqno: u64, data: &[u8]) -> Result<Signed, SignError> {
        let seqno = seqno.to_be_bytes();
        let unsigned = Message {
            from: Some(&self.from),
            data: Some(data),
            seqno: Some(&seqno),
            topic: Some(topic),
            signature: None,
            key: None,
        };
        let signature = self.keypair.sign(signed(&unsigned, &mut self.bytes[..]).map_err(Unfit::from)?)?;
        Ok(Signed::new(&Message { signature: Some(&signature), key: self.key.as_deref(), ..unsigned })?)
    }

    /// Whether a message is signed by its author.
    pub fn is_signed(&mut self, message: &Message<'_>) -> bool {
        let (Some(from), Some(signature)) = (message.from, message.signature) else { return false };
        let Ok(author) = PeerId::from_bytes(from) else { return false };
        let given = message.key.and_then(|key| PublicKey::try_decode_protobuf(key).ok());
        let Some(key) = given.or_else(|| PublicKey::try_decode_protobuf(inlined(from)?).ok()) else { return false };
        key.to_peer_id() == author
            && signed(message, &mut self.bytes[..]).is_ok_and(|bytes| key.verify(bytes, signature))
    }
}

/// The key in a peer id, if it is short enough to be in there: behind the identity's code and a length.
fn inlined(from: &[u8]) -> Option<&[u8]> {
    from.strip_prefix(&[0]).and_then(|rest| rest.get(1..))
}

/// What is signed of a message.
fn signed<'a>(message: &Message<'_>, bytes: &'a mut [u8]) -> Result<&'a [u8], crate::wire::rpc::EncodeError> {
    let length = message.encode_signed(bytes)?;
    Ok(bytes.get(..length).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An RSA key of 2,048 bits (PKCS #8), made for this test.
    const RSA: &[u8] = include_bytes!("../../../tests/vectors/rsa.pk8");

    fn signers() -> [Signer; 2] {
        let rsa = Keypair::rsa_from_pkcs8(&mut RSA.to_vec()).unwrap();
        [Keypair::generate_ed25519(), rsa].map(Signer::new)
    }

    #[test]
    fn what_is_signed_is_good_and_nothing_else_is() {
        let [mut ours, mut theirs] = signers();
        for _ in 0..2 {
            let message = ours.sign(b"lobby", 7, b"hello").unwrap();
            let good = message.message();
            assert_eq!(good.key.is_some(), inlined(&ours.from).is_none(), "only a long key travels");
            assert!(theirs.is_signed(&good));
            let other = Signer::new(Keypair::generate_ed25519());
            let (seven, key) = (8_u64.to_be_bytes(), other.keypair.public().encode_protobuf());
            for bad in [
                Message { from: None, ..good },
                Message { from: Some(&other.from), ..good },
                Message { from: Some(b"nobody"), ..good },
                Message { from: Some(&[]), ..good },
                Message { from: Some(&[0]), ..good },
                Message { data: Some(b"hallo"), ..good },
                Message { data: None, ..good },
                Message { seqno: Some(&seven), ..good },
                Message { topic: Some(b"attic"), ..good },
                Message { signature: None, ..good },
                Message { signature: Some(&[0; 64]), ..good },
                Message { key: Some(&key), ..good },
            ] {
                assert!(!theirs.is_signed(&bad), "{bad:?}");
            }
            // A key that is none is passed over where the peer id holds one.
            assert_eq!(theirs.is_signed(&Message { key: Some(b"key"), ..good }), good.key.is_none());
            let long = ours.keypair.public().encode_protobuf();
            assert!(theirs.is_signed(&Message { key: Some(&long), ..good }), "some send it always");
            std::mem::swap(&mut ours, &mut theirs);
        }
    }

    #[test]
    fn what_is_too_long_is_not_signed() {
        let [mut ours, _] = signers();
        assert!(ours.sign(b"lobby", 1, &[0; MESSAGE_BYTES_MAX]).is_err());
        assert!(ours.sign(&[b'x'; 129], 1, b"hello").is_err());
    }
}
