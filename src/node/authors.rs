//! How authors are written: base58, which costs more than anything else on the way of a short message to its readers.

use libp2p::PeerId;
use std::collections::BTreeMap;

/// Authors whose text is kept; when there are more, all are made anew.
const AUTHORS_MAX: usize = 64;

/// The texts of those who spoke last.
#[derive(Debug, Default)]
pub(super) struct Authors(BTreeMap<Vec<u8>, String>);

impl Authors {
    /// The base58 of a peer id (multihash bytes); empty if it is none.
    pub fn text(&mut self, id: &[u8]) -> String {
        if let Some(text) = self.0.get(id) {
            return text.clone();
        }
        let text = PeerId::from_bytes(id).map(|peer| peer.to_base58()).unwrap_or_default();
        if self.0.len() >= AUTHORS_MAX {
            self.0.clear();
        }
        self.0.insert(id.to_vec(), text.clone());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_that_of_its_author_however_many_there_are() {
        let mut authors = Authors::default();
        let peers: Vec<PeerId> = (0..2 * AUTHORS_MAX + 1).map(|_| PeerId::random()).collect();
        for peer in peers.iter().chain(&peers) {
            assert_eq!(authors.text(&peer.to_bytes()), peer.to_base58());
            assert_eq!(authors.text(&peer.to_bytes()), peer.to_base58());
            assert!(authors.0.len() <= AUTHORS_MAX);
        }
        assert_eq!(authors.text(b"no peer id"), "");
    }
}
