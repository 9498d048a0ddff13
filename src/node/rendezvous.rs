//! Rooms in the DHT: each joined room is a namespace under which its peers provide themselves and find others.
//!
//! The key is go-libp2p's: the multihash `0x12 0x20 ‖ sha256(namespace)` (`routing.nsToCid`, then the CID's hash).

use super::peers::backoff;
use libp2p::kad;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Pause after a new DHT server came into the table, so that several cost one round of queries.
pub const SETTLE_MS: u64 = 200;
/// First wait before a room with too few peers is looked up again. It doubles each time.
pub const FIND_BACKOFF_MS: u64 = 2_000;
/// Longest wait between look-ups of a room with too few peers. Source: libp2p-kad's bootstrap interval.
pub const FIND_BACKOFF_MAX_MS: u64 = 300_000;
/// After this the room is announced again even if the DHT's table did not change. Source: go-libp2p, 7/8 of 3 h.
pub const PROVIDE_AGAIN_MS: u64 = 9_450_000;

/// Peers taken from one look-up of a room over the answers of all servers. Source: go-libp2p discovery's limit of 100; a board
/// needs fewer.
pub const PROVIDERS_PER_LOOKUP_MAX: usize = 32;

/// The DHT key of a namespace.
pub fn key(namespace: &str) -> kad::RecordKey {
    let mut bytes = vec![0x12, 0x20];
    bytes.extend_from_slice(&Sha256::digest(namespace.as_bytes()));
    kad::RecordKey::new(&bytes)
}

#[derive(Debug)]
struct Namespace {
    key: kad::RecordKey,
    provide_at: Instant,
    find_at: Instant,
    finds: u32,
    /// Peers taken from the look-up under way.
    taken: usize,
}

/// What is due for a namespace.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// Provide ourselves under it.
    Provide(String),
    /// Look up who else does.
    Find(String),
}

/// The namespaces of the joined rooms.
#[derive(Debug, Default)]
pub struct Rendezvous {
    namespaces: BTreeMap<String, Namespace>,
    /// Whether the DHT's table has anyone to ask.
    reachable: bool,
}

impl Rendezvous {
    /// A room was joined: its people are found by this key.
    pub fn join(&mut self, namespace: &str, key: kad::RecordKey, now: Instant) {
        let fresh = Namespace { key, provide_at: now, find_at: now, finds: 0, taken: 0 };
        self.namespaces.insert(namespace.to_owned(), fresh);
    }

    /// The key of a namespace that was joined.
    pub fn key_of(&self, namespace: &str) -> Option<kad::RecordKey> {
        self.namespaces.get(namespace).map(|namespace| namespace.key.clone())
    }

    /// How many are taken of so many peers that one server named for a key.
    pub fn take(&mut self, key: &kad::RecordKey, count: usize) -> usize {
        let Some(namespace) = self.namespaces.values_mut().find(|namespace| namespace.key == *key) else { return 0 };
        let taken = count.min(PROVIDERS_PER_LOOKUP_MAX.saturating_sub(namespace.taken));
        namespace.taken += taken;
        taken
    }

    /// A room was left.
    pub fn leave(&mut self, namespace: &str) {
        self.namespaces.remove(namespace);
    }

    /// A DHT server came into the table: provide and look up anew, for it may know what others did not.
    pub fn on_server(&mut self, now: Instant) {
        self.reachable = true;
        let soon = now + Duration::from_millis(SETTLE_MS);
        for namespace in self.namespaces.values_mut() {
            (namespace.provide_at, namespace.find_at, namespace.finds) = (soon, soon, 0);
        }
    }

    /// The DHT's table is empty: nothing is due until a server comes.
    pub fn on_table_empty(&mut self) {
        self.reachable = false;
    }

    /// What is due now; `wants_peers` tells whether a room still lacks peers.
    pub fn due(&mut self, now: Instant, wants_peers: bool) -> Vec<Due> {
        let mut due = Vec::new();
        if !self.reachable {
            return due;
        }
        for (name, namespace) in &mut self.namespaces {
            if namespace.provide_at <= now {
                namespace.provide_at = now + Duration::from_millis(PROVIDE_AGAIN_MS);
                due.push(Due::Provide(name.clone()));
            }
            if namespace.find_at <= now {
                let wait = backoff(FIND_BACKOFF_MS, FIND_BACKOFF_MAX_MS, namespace.finds);
                namespace.find_at = now + wait;
                if wants_peers || namespace.finds == 0 {
                    namespace.taken = 0;
                    due.push(Due::Find(name.clone()));
                }
                namespace.finds = namespace.finds.saturating_add(1);
            }
        }
        due
    }

    /// The next time something is due.
    pub fn next_due(&self) -> Option<Instant> {
        if !self.reachable {
            return None;
        }
        self.namespaces.values().map(|n| n.provide_at.min(n.find_at)).min()
    }

    /// A room lost its peers: look again at once.
    pub fn hurry(&mut self, now: Instant) {
        for namespace in self.namespaces.values_mut() {
            namespace.find_at = namespace.find_at.min(now + Duration::from_millis(SETTLE_MS));
            namespace.finds = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of go-libp2p's routing discovery.
    #[test]
    fn keys_are_those_of_go() {
        let vectors = [
            ("universal-connectivity", "1220bc586c5f9661414cea43ec0e5c515d0ed988ea1b10a77db8142acd1956c0c419"),
            ("meet me here", "12207d9d8f9eec0539ff6fef5658b65a61e24888701b555bd1784c86111305746196"),
            ("applesauce", "12206384e40c6c803bddae9d9348f39747a503cfe2edcc2eb1cbdfd87e065cfb5bfc"),
        ];
        for (namespace, hex) in vectors {
            let got: String = key(namespace).to_vec().iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(got, hex, "{namespace}");
        }
    }

    #[test]
    fn a_look_up_is_bounded_over_the_answers_of_all_servers() {
        let start = Instant::now();
        let mut rendezvous = Rendezvous::default();
        rendezvous.join("a", key("a"), start);
        rendezvous.on_server(start);
        let soon = start + Duration::from_millis(SETTLE_MS);
        assert_eq!(rendezvous.due(soon, true).len(), 2);
        let taken: usize = (0..20).map(|_| rendezvous.take(&key("a"), 20)).sum();
        assert_eq!(taken, PROVIDERS_PER_LOOKUP_MAX);
        assert_eq!(rendezvous.take(&key("b"), 20), 0, "nobody looked that up");
        let later = soon + Duration::from_millis(2 * FIND_BACKOFF_MS);
        assert_eq!(rendezvous.due(later, true), [Due::Find("a".into())]);
        assert_eq!(rendezvous.take(&key("a"), 3), 3, "the next one has its own");
    }

    #[test]
    fn nothing_is_due_without_a_server_and_all_is_when_one_comes() {
        let start = Instant::now();
        let mut rendezvous = Rendezvous::default();
        rendezvous.join("a", key("a"), start);
        assert!(rendezvous.due(start, true).is_empty());
        rendezvous.on_server(start);
        let soon = start + Duration::from_millis(SETTLE_MS);
        assert_eq!(rendezvous.due(soon, true), [Due::Provide("a".into()), Due::Find("a".into())]);
        assert!(rendezvous.due(soon, true).is_empty());
        let later = soon + Duration::from_millis(2 * FIND_BACKOFF_MS);
        assert_eq!(rendezvous.due(later, true), [Due::Find("a".into())]);
        rendezvous.on_table_empty();
        assert!(rendezvous.due(later + Duration::from_secs(3600), true).is_empty());
    }
}
