//! Reading gossipsub's control messages, whose fields libp2p-gossipsub keeps to itself.
//!
//! Its types are not exported and their fields not public, but they can be hashed, and what is hashed are the fields in
//! their order. So this is a hasher that looks on. Source: libp2p-gossipsub 0.50.1, `types.rs`; `tests/gossip.rs` sends
//! each sort of message over the wire and fails should the form ever change.

use std::hash::{Hash, Hasher};

/// A control message, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Offers messages of a topic.
    IHave {
        /// Their ids.
        ids: Vec<Vec<u8>>,
    },
    /// Asks for messages.
    IWant {
        /// Their ids.
        ids: Vec<Vec<u8>>,
    },
    /// Wants to be in the mesh.
    Graft,
    /// Leaves the mesh.
    Prune {
        /// For how many seconds it does not want to be asked.
        backoff_s: Option<u64>,
    },
    /// Has messages already.
    IDontWant {
        /// Their ids.
        ids: Vec<Vec<u8>>,
    },
    /// Something else.
    Other,
}

/// What a value hashes, in its order.
#[derive(Default)]
struct Reader {
    kind: Option<isize>,
    texts: Vec<Vec<u8>>,
    numbers: Vec<u64>,
}

impl Hasher for Reader {
    fn write(&mut self, bytes: &[u8]) {
        self.texts.push(bytes.to_vec());
    }

    fn write_isize(&mut self, variant: isize) {
        self.kind.get_or_insert(variant);
    }

    fn write_u64(&mut self, number: u64) {
        self.numbers.push(number);
    }

    // Lengths of lists, ends of texts: what is in between tells enough.
    fn write_usize(&mut self, _: usize) {}

    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        0
    }
}

impl Control {
    /// Reads a control message.
    pub fn read(message: &impl Hash) -> Self {
        let mut reader = Reader::default();
        message.hash(&mut reader);
        let Reader { kind, texts: ids, numbers } = reader;
        match kind {
            // The topic is hashed first.
            Some(0) => Self::IHave { ids: ids.into_iter().skip(1).collect() },
            Some(1) => Self::IWant { ids },
            Some(2) => Self::Graft,
            Some(3) => Self::Prune { backoff_s: numbers.last().copied() },
            Some(4) => Self::IDontWant { ids },
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types of the same form as gossipsub's.
    #[derive(Hash)]
    struct Topic {
        hash: String,
    }

    #[derive(Hash)]
    struct Id(Vec<u8>);

    #[derive(Hash)]
    struct Offer {
        topic: Topic,
        ids: Vec<Id>,
    }

    #[derive(Hash)]
    struct Leave {
        topic: Topic,
        peers: Vec<Option<u8>>,
        backoff: Option<u64>,
    }

    #[derive(Hash)]
    enum Message {
        IHave(Offer),
        IWant(Vec<Id>),
        Graft(Topic),
        Prune(Leave),
        IDontWant(Vec<Id>),
        Extensions(Option<bool>),
    }

    fn topic() -> Topic {
        Topic { hash: "stonechat/1/lobby".into() }
    }

    fn ids(texts: &[&str]) -> Vec<Id> {
        texts.iter().map(|text| Id(text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn each_sort_is_read() {
        let of = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
        let offer = Message::IHave(Offer { topic: topic(), ids: ids(&["one", "", "three"]) });
        assert_eq!(Control::read(&offer), Control::IHave { ids: of(&["one", "", "three"]) });
        assert_eq!(Control::read(&Message::IWant(ids(&["a", "b"]))), Control::IWant { ids: of(&["a", "b"]) });
        assert_eq!(Control::read(&Message::IDontWant(ids(&["c"]))), Control::IDontWant { ids: of(&["c"]) });
        assert_eq!(Control::read(&Message::Graft(topic())), Control::Graft);
        let leave = |backoff| Message::Prune(Leave { topic: topic(), peers: vec![Some(1), None], backoff });
        assert_eq!(Control::read(&leave(Some(60))), Control::Prune { backoff_s: Some(60) });
        assert_eq!(Control::read(&leave(None)), Control::Prune { backoff_s: None });
        assert_eq!(Control::read(&Message::Extensions(Some(true))), Control::Other);
    }
}
