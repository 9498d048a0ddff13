//! Parts of an RPC as the vectors write them.

use super::notation::{hex, quoted};
use stonechat::wire::rpc::{List, Message, Part};

/// The owned form of a part.
pub struct Written {
    verb: String,
    topic: Vec<u8>,
    lists: Vec<Option<Vec<u8>>>,
    number: Option<u64>,
}

impl Written {
    pub fn new(text: &str) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        let topic = words.iter().find(|word| word.starts_with('"')).map(|word| quoted(word).into_bytes());
        let is_prune = words[0] == "prune";
        let number = if is_prune { words[2].parse().ok() } else { None };
        let lists = words.iter().skip(if is_prune { 3 } else { 1 }).map(|word| match *word {
            "-" => None,
            "empty" => Some(Vec::new()),
            word if word.starts_with('"') => Some(quoted(word).into_bytes()),
            word => Some(hex(word)),
        });
        Self { verb: words[0].into(), topic: topic.unwrap_or_default(), lists: lists.collect(), number }
    }

    /// Ids: what follows the topic.
    fn ids(&self) -> &'static [&'static [u8]] {
        let named = usize::from(matches!(self.verb.as_str(), "ihave"));
        let ids = self.lists.iter().skip(named).flatten().map(|id| &*id.clone().leak());
        ids.collect::<Vec<&[u8]>>().leak()
    }
}

/// The parts; what they borrow lives as long as the test.
pub fn parts_of(written: &[Written]) -> Vec<Part<'_>> {
    written
        .iter()
        .map(|one| {
            let topic = one.topic.as_slice();
            let field = |at: usize| one.lists[at].as_deref();
            match one.verb.as_str() {
                "in" | "out" => Part::Subscription { is_in: one.verb == "in", topic },
                "message" => Part::Message(Message {
                    from: field(0),
                    data: field(1),
                    seqno: field(2),
                    topic: field(3),
                    signature: field(4),
                    key: field(5),
                }),
                "ihave" => Part::IHave { topic, ids: List::ids(one.ids()) },
                "iwant" => Part::IWant { ids: List::ids(one.ids()) },
                "idontwant" => Part::IDontWant { ids: List::ids(one.ids()) },
                "graft" => Part::Graft { topic },
                "prune" => Part::Prune { topic, peers: List::peers(one.ids()), backoff_s: one.number },
                other => panic!("no such part: {other}"),
            }
        })
        .collect()
}
