//! Every limit of every libp2p part, set here and nowhere else, from the board. A default left alone is a bug.

use super::{
    config::Role,
    courier, dht,
    direct::{DIRECT_BYTES_MAX, PROTOCOL},
    framed::Codec,
    gate::Gate,
};
use crate::{base::board::Limits, compat::room::NAMESPACES_MAX, net::ping, swarm::gossip};
use libp2p::{
    PeerId, StreamProtocol, identify,
    identity::Keypair,
    kad,
    request_response::{self, ProtocolSupport},
    swarm,
};
use std::{
    num::{NonZeroU8, NonZeroUsize},
    time::Duration,
};

/// What identify calls our protocol: who says the same is one of ours.
pub const PROTOCOL_VERSION: &str = "/stonechat/1.0.0";
/// Milliseconds after which a connection without any use is closed; those in a room are kept by the mesh.
pub const IDLE_CONNECTION_S: u64 = 60;
/// Seconds between pings of a quiet connection.
pub const PING_INTERVAL_S: u64 = 20;
/// Seconds a ping may take; then the link is dead. As long as TCP waits for an acknowledgement.
pub const PING_TIMEOUT_S: u64 = 15;
/// Peers in one bucket of the DHT's table, of which 256 are allocated at once, 320 bytes a place. Guess: enough for
/// a peer that others do not start from; Kademlia's k is 20.
pub const DHT_BUCKET_PEERS: usize = 8;
/// The same of a bootstrap node. Source: Kademlia's k.
pub const DHT_BUCKET_PEERS_BOOTSTRAP: usize = 20;
/// Bytes of one DHT packet: 20 peers with a handful of addresses exceed libp2p's 16 KiB.
pub const DHT_PACKET_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a value in the DHT: nobody stores values with us.
pub const DHT_VALUE_BYTES_MAX: usize = 1024;
/// Seconds a provider record lives. Source: go-libp2p-kad-dht, 48 h.
pub const DHT_PROVIDER_TTL_S: u64 = 48 * 3600;
/// Seconds after which provider records are announced again. Source: go-libp2p discovery, 7/8 of 3 h.
pub const DHT_PROVIDE_INTERVAL_S: u64 = 9450;
/// Seconds a DHT query may take. Source: libp2p-kad default.
pub const DHT_QUERY_S: u64 = 60;
/// Inbound streams of one connection still negotiating their protocol.
pub const NEGOTIATING_STREAMS_MAX: usize = 16;
/// Seconds a direct message may take, with its answer. Source: universal-connectivity's js peer.
pub const DIRECT_TIMEOUT_S: u64 = 5;
/// Direct messages under way at once on one connection, each way.
pub const DIRECT_STREAMS_MAX: usize = 4;
/// Addresses of one peer dialled at once.
pub const DIAL_CONCURRENCY: u8 = 4;

/// gossip: queues and what is kept as the board allows.
pub fn gossip(keypair: &Keypair, limits: &Limits) -> gossip::Behaviour {
    let seed = [fastrand::u64(..), fastrand::u64(..)];
    gossip::Behaviour::new(keypair.clone(), gossip::Config::new(limits, seed))
}

/// Kademlia, never seeded by itself: the node feeds it bounded, verified addresses.
pub fn dht(local: PeerId, protocol: StreamProtocol, limits: &Limits, role: Role) -> dht::Behaviour {
    let bucket = if role == Role::Bootstrap { DHT_BUCKET_PEERS_BOOTSTRAP } else { DHT_BUCKET_PEERS };
    let records = usize::from(limits.dht_records_max);
    let store = kad::store::MemoryStoreConfig {
        max_records: records,
        max_value_bytes: DHT_VALUE_BYTES_MAX,
        max_providers_per_key: 20,
        max_provided_keys: usize::from(limits.rooms_max) * NAMESPACES_MAX + records,
    };
    let mut config = kad::Config::new(protocol);
    config
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_periodic_bootstrap_interval(None)
        .set_publication_interval(None)
        .set_replication_interval(None)
        .set_record_ttl(Some(Duration::from_secs(DHT_PROVIDER_TTL_S)))
        .set_provider_record_ttl(Some(Duration::from_secs(DHT_PROVIDER_TTL_S)))
        .set_provider_publication_interval(Some(Duration::from_secs(DHT_PROVIDE_INTERVAL_S)))
        .set_query_timeout(Duration::from_secs(DHT_QUERY_S))
        .set_substreams_timeout(Duration::from_secs(10))
        .set_max_packet_size(DHT_PACKET_BYTES_MAX)
        .set_caching(kad::Caching::Disabled);
    if let Some(size) = NonZeroUsize::new(bucket) {
        config.set_kbucket_size(size);
    }
    let store = kad::store::MemoryStore::with_config(local, store);
    dht::Behaviour::new(kad::Behaviour::with_config(local, store, config), local)
}

/// identify, with our listen addresses pushed when they change: that is how a moved peer is found again.
pub fn identify(keypair: &Keypair) -> identify::Behaviour {
    let config = identify::Config::new(PROTOCOL_VERSION.into(), keypair.public())
        .with_agent_version(concat!("stonechat/", env!("CARGO_PKG_VERSION")).into())
        .with_interval(Duration::from_secs(600))
        .with_push_listen_addr_updates(true)
        // The node keeps what it needs; the cache would dial whatever a stranger names.
        .with_cache_size(0);
    identify::Behaviour::new(config)
}

/// universal-connectivity's direct messages, not offered until a room of theirs is joined.
pub fn direct() -> courier::Behaviour {
    let config = request_response::Config::default()
        .with_request_timeout(Duration::from_secs(DIRECT_TIMEOUT_S))
        .with_max_concurrent_streams(DIRECT_STREAMS_MAX);
    let protocols = [(StreamProtocol::new(PROTOCOL), ProtocolSupport::Full)];
    let codec = Codec { bytes_max: DIRECT_BYTES_MAX };
    Gate::new(request_response::Behaviour::with_codec(codec, protocols, config))
}

/// ping: notice of a link that died in silence, and of what arrived.
pub fn ping() -> ping::Behaviour {
    let (interval, timeout) = (Duration::from_secs(PING_INTERVAL_S), Duration::from_secs(PING_TIMEOUT_S));
    ping::Behaviour::new(ping::Config { interval, timeout })
}

/// The swarm's own buffers and time-outs.
pub fn swarm(executor: impl swarm::Executor + Send + 'static) -> swarm::Config {
    let config = swarm::Config::with_executor(executor)
        .with_per_connection_event_buffer_size(8)
        .with_max_negotiating_inbound_streams(NEGOTIATING_STREAMS_MAX)
        .with_idle_connection_timeout(Duration::from_secs(IDLE_CONNECTION_S));
    let config = match NonZeroUsize::new(16) {
        Some(size) => config.with_notify_handler_buffer_size(size),
        None => config,
    };
    match NonZeroU8::new(DIAL_CONCURRENCY) {
        Some(factor) => config.with_dial_concurrency_factor(factor),
        None => config,
    }
}
