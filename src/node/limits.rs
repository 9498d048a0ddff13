//! Every limit of every libp2p part, set here and nowhere else, from the board. A default left alone is a bug.

use super::{
    config::Role,
    courier, dht,
    direct::{DIRECT_BYTES_MAX, PROTOCOL},
    framed::Codec,
    gate::Gate,
    gossip::GOSSIP_MESH_LOW,
    intake::TAKEN_MS,
    others::Naming,
    paced::{GOSSIP_HEARTBEAT_MS, GOSSIP_HISTORY, TopicBounds},
};
use crate::{base::board::Limits, compat::room::NAMESPACES_MAX, net::ping, wire::bounds};
use libp2p::{
    PeerId, StreamProtocol,
    gossipsub::{self, MessageAuthenticity, MessageId, ValidationMode},
    identify,
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
/// Bytes of one gossipsub RPC: a few frames with the fields that sign them, and control messages beside them. A larger
/// one costs its sender the stream; other implementations put several messages into one.
pub const GOSSIP_RPC_BYTES_MAX: usize = 24 * 1024;
/// Bytes libp2p-gossipsub reads at once (asynchronous-codec 0.7, `INITIAL_CAPACITY`). Its check of an RPC's size looks
/// at everything read and not yet decoded (0.50.1, `validate_rpc_limits`), so that an incomplete RPC and one such
/// read behind it pass for one RPC. Above the limit it closes the stream, the sender does not notice, and nothing
/// of its gossip is heard again until it reconnects. So the limit has to leave room for one read.
pub const GOSSIP_READ_BYTES: usize = 8 * 1024;
/// Bytes of control messages in one RPC. Source: libp2p-gossipsub default; 340 message ids in one IHAVE.
pub const GOSSIP_CONTROL_BYTES_MAX: usize = 16 * 1024;
/// Message ids in one IHAVE of ours, so that it fits a remote's limit for control messages.
pub const GOSSIP_CONTROL_IDS_MAX: usize = 256;
/// Topics one remote may subscribe to. Source: libp2p-gossipsub's handler keeps 100; a board keeps fewer.
pub const GOSSIP_TOPICS_PER_PEER_MAX: usize = 32;
/// How long a message waits for a slow link before it is dropped. A Wi-Fi with 30 % loss stalls for seconds.
pub const GOSSIP_QUEUE_S: u64 = 120;
/// Seconds a peer is not asked into a mesh again that it left, or that was too full. gossipsub forgets one only after as
/// many heartbeats as fit in this time if they run as fast as they may, which is ten times as long. Guess: half of the
/// specification's.
pub const GOSSIP_BACKOFF_S: u64 = 30;
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
/// One part in this many of a board's connections may be such as gave way to a newer one and still carry something.
/// Guess: they are few, and not to keep others out.
pub const LINGERING_SHARE: u16 = 3;
/// Inbound streams of one connection still negotiating their protocol.
pub const NEGOTIATING_STREAMS_MAX: usize = 16;
/// Seconds a direct message may take, with its answer. Source: universal-connectivity's js peer.
pub const DIRECT_TIMEOUT_S: u64 = 5;
/// Direct messages under way at once on one connection, each way.
pub const DIRECT_STREAMS_MAX: usize = 4;
/// Addresses of one peer dialled at once.
pub const DIAL_CONCURRENCY: u8 = 4;

const _: () = assert!(GOSSIP_CONTROL_IDS_MAX * (bounds::PEER_ID_BYTES_MAX - 16 + 8) < GOSSIP_CONTROL_BYTES_MAX);
const _: () = assert!(GOSSIP_RPC_BYTES_MAX > bounds::FRAME_BYTES_MAX + 512);
const _: () = assert!(GOSSIP_HEARTBEAT_MS < super::gossip::HEARTBEAT_BUSY_MS);

/// The message id of the pubsub specification: `from ‖ seqno`.
pub fn message_id(message: &gossipsub::Message) -> MessageId {
    Naming::default().id(message)
}

/// gossipsub: StrictSign, the specification's ids but where a room's are other, queues and caches as the board allows.
/// Without its scoring, which remembers each message for two minutes; `intake.rs` keeps the score.
pub fn gossip(keypair: &Keypair, limits: &Limits, naming: Naming) -> Result<super::gossip::Behaviour, String> {
    let ids = naming.clone();
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .message_id_fn(move |message| ids.id(message))
        .max_transmit_size(GOSSIP_RPC_BYTES_MAX + GOSSIP_READ_BYTES)
        .max_control_message_size(GOSSIP_CONTROL_BYTES_MAX)
        .heartbeat_interval(Duration::from_millis(GOSSIP_HEARTBEAT_MS))
        .heartbeat_initial_delay(Duration::from_millis(100))
        .history_length(GOSSIP_HISTORY)
        .history_gossip(GOSSIP_HISTORY - 1)
        .mesh_n(6)
        .mesh_n_low(GOSSIP_MESH_LOW)
        .mesh_n_high(12)
        .mesh_outbound_min(2)
        .gossip_lazy(6)
        .flood_publish(true)
        .prune_peers(0)
        .prune_backoff(Duration::from_secs(GOSSIP_BACKOFF_S))
        .unsubscribe_backoff(Duration::from_secs(10))
        .duplicate_cache_time(Duration::from_millis(TAKEN_MS))
        .connection_handler_queue_len(usize::from(limits.gossip_queue_messages_max))
        .publish_queue_duration(Duration::from_secs(GOSSIP_QUEUE_S))
        .forward_queue_duration(Duration::from_secs(GOSSIP_QUEUE_S))
        .max_ihave_messages_heartbeat(10)
        .max_control_messages_sent(GOSSIP_CONTROL_IDS_MAX)
        .max_publish_messages(64)
        // Never: such messages wait in a queue of 20,000 for those who do not read, and a frame is small.
        .idontwant_message_size_threshold(GOSSIP_RPC_BYTES_MAX)
        .build()
        .map_err(|e| e.to_string())?;
    let filter = gossipsub::MaxCountSubscriptionFilter {
        filter: TopicBounds { topic_bytes_max: 2 * bounds::ROOM_BYTES_MAX },
        max_subscribed_topics: GOSSIP_TOPICS_PER_PEER_MAX,
        max_subscriptions_per_request: GOSSIP_TOPICS_PER_PEER_MAX,
    };
    let inner = gossipsub::Behaviour::new_with_subscription_filter(
        MessageAuthenticity::Signed(keypair.clone()),
        config,
        filter,
    )
    .map_err(str::to_owned)?;
    let lingering_max = usize::from(limits.connections_max / LINGERING_SHARE);
    Ok(super::gossip::Behaviour::new(inner, keypair.public().to_peer_id(), lingering_max, naming))
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
