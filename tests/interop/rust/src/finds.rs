//! What is asked of the DHT.

use crate::lines::{Failure, Tag, answer, cannot, failure};
use libp2p::kad::{self, GetClosestPeersError, GetProvidersOk, QueryId, QueryResult, RecordKey, store::RecordStore};
use libp2p::{Multiaddr, PeerId};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};

type Dht = kad::Behaviour<kad::store::MemoryStore>;
type Addresses = BTreeSet<Multiaddr>;

#[derive(Default)]
pub struct Finds {
    queries: HashMap<QueryId, (Tag, Query)>,
    /// Providers whose addresses are sought: rust's kad gives their ids only.
    providers: HashMap<Tag, BTreeMap<PeerId, Addresses>>,
}

enum Query {
    Provide,
    Find(RecordKey),
    FindPeer(PeerId),
    AddressesOf(PeerId),
}

/// The key of a namespace: of go's kind, or after `raw:` the bytes themselves.
fn key(namespace: &str) -> RecordKey {
    if let Some(raw) = namespace.strip_prefix("raw:") {
        return RecordKey::from(raw.as_bytes().to_vec());
    }
    let mut key = vec![0x12, 0x20];
    key.extend(Sha256::digest(namespace));
    RecordKey::from(key)
}

/// Addresses in the routing table and of provider records kept here.
fn known(dht: &mut Dht, peer: PeerId, record: Option<&RecordKey>) -> Addresses {
    let mut known = Addresses::new();
    if let Some(bucket) = dht.kbucket(peer) {
        let entries = bucket.iter().filter(|entry| *entry.node.key.preimage() == peer);
        known.extend(entries.flat_map(|entry| entry.node.value.iter().cloned().collect::<Vec<_>>()));
    }
    if let Some(record) = record {
        let records = dht.store_mut().providers(record).into_iter().filter(|record| record.provider == peer);
        known.extend(records.flat_map(|record| record.addresses));
    }
    known
}

impl Finds {
    pub fn ask(&mut self, dht: Option<&mut Dht>, tag: Tag, what: &str, of: &str) -> Result<(), Failure> {
        let dht = dht.ok_or_else(|| cannot("started without a DHT"))?;
        let (id, query) = match what {
            "provide" => (dht.start_providing(key(of))?, Query::Provide),
            "find" => (dht.get_providers(key(of)), Query::Find(key(of))),
            _ => {
                let peer: PeerId = of.parse()?;
                (dht.get_closest_peers(peer), Query::FindPeer(peer))
            }
        };
        if matches!(query, Query::Find(_)) {
            self.providers.insert(tag, BTreeMap::new());
        }
        self.queries.insert(id, (tag, query));
        Ok(())
    }

    pub fn hear(&mut self, dht: &mut Dht, event: kad::Event) {
        let kad::Event::OutboundQueryProgressed { id, result, stats, step } = event else { return };
        let Some((tag, query)) = self.queries.get(&id) else { return };
        let tag = *tag;
        match (query, result) {
            (Query::Provide, QueryResult::StartProviding(result)) => {
                let taken = stats.num_successes() > 0;
                answer(
                    tag,
                    result
                        .map_err(Failure::from)
                        .and_then(|_| taken.then_some(Value::Null).ok_or_else(|| failure("no peer took the record"))),
                );
            }
            (Query::Find(record), QueryResult::GetProviders(result)) => {
                let found = self.providers.entry(tag).or_default();
                if let Ok(GetProvidersOk::FoundProviders { providers, .. }) = result {
                    found.extend(providers.into_iter().map(|peer| (peer, known(dht, peer, Some(record)))));
                }
                if step.last {
                    let peers: Vec<_> = found.keys().copied().collect();
                    for peer in peers {
                        self.queries.insert(dht.get_closest_peers(peer), (tag, Query::AddressesOf(peer)));
                    }
                }
            }
            (Query::FindPeer(peer) | Query::AddressesOf(peer), QueryResult::GetClosestPeers(result)) => {
                let (Ok(kad::GetClosestPeersOk { peers, .. }) | Err(GetClosestPeersError::Timeout { peers, .. })) =
                    result;
                let told = peers.into_iter().filter(|info| info.peer_id == *peer).flat_map(|info| info.addrs);
                let mut addresses: Addresses = told.collect();
                if let Query::AddressesOf(peer) = query {
                    self.providers.entry(tag).or_default().entry(*peer).or_default().extend(addresses);
                } else if step.last {
                    addresses.extend(known(dht, *peer, None));
                    let line = (!addresses.is_empty()).then(|| json!({ "addresses": addresses }));
                    answer(tag, line.ok_or_else(|| failure("not found")));
                }
            }
            _ => {}
        }
        if step.last {
            self.queries.remove(&id);
            let open = self.queries.values().any(|(other, _)| *other == tag);
            if let Some(found) = (!open).then(|| self.providers.remove(&tag)).flatten() {
                let peers = found.into_iter();
                let peers: Vec<_> =
                    peers.map(|(peer, at)| json!({ "peer": peer.to_string(), "addresses": at })).collect();
                answer(tag, Ok(json!({ "peers": peers })));
            }
        }
    }
}
