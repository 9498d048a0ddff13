//! What this behaviour may use, and what it counts.

use std::time::Duration;

use thiserror::Error;

/// The UDP port of multicast DNS. Source: RFC 6762 §3.
pub const PORT: u16 = 5353;

/// The largest payload that we send (bytes): with 48 bytes of IPv6 and UDP header it fits a link of 1,448 bytes,
/// which leaves room for a tunnel inside Ethernet's 1,500. Source: RFC 6762 §17 asks for one MTU.
pub const SENT_BYTES_MAX: usize = 1_400;

/// The largest payload that we read (bytes); the rest of a longer one is cut off and the packet then refused.
/// Source: RFC 6762 §17.
pub const RECEIVED_BYTES_MAX: usize = 9_000;

/// Records and questions read from one packet (count); a packet that claims more is refused unread, so a packet of
/// 9,000 bytes cannot claim 65,535. A peer with 32 addresses in one TXT record each needs 67. Source: guess.
pub const RECORDS_PER_PACKET_MAX: usize = 128;

/// Names whose records are read from one packet (names): each is compared with every record, and all known
/// implementations speak of one. Source: guess.
pub const INSTANCES_PER_PACKET_MAX: usize = 16;

/// Addresses of our own advertised on one interface (addresses), the best first. They fill four packets.
/// Source: guess, a board has two to five.
pub const OWN_ADDRESSES_MAX: usize = 32;

/// Service names side by side (names): each costs a query, an answer and three probes at every start.
/// Source: the four programs of the libp2p family that differ.
pub const SERVICES_MAX: usize = 8;

/// Instances (running services, seen on one interface) remembered of one peer (instances): four service names on
/// four interfaces. Source: guess.
pub const INSTANCES_PER_PEER_MAX: usize = 16;

/// Packets handled in one turn of the loop (packets), so that others have their turn. Source: guess.
pub const PACKETS_PER_POLL_MAX: usize = 16;

/// How long a socket is left alone once its packets of a second are used up (ms). Source: guess, ten wake-ups a second.
pub const BUCKET_PAUSE_MS: u64 = 100;

/// Answers a second to single hosts on one interface (answers). Source: guess; a host asks so once, at its start.
pub const UNICAST_PER_SECOND_MAX: u32 = 20;

/// Packets that wait to be handed to the sockets (packets), dropped and counted beyond. Eight service names on eight
/// interfaces make 192 at a start; they stay there for no longer than a turn. Source: guess.
pub const OUTGOING_PACKETS_MAX: usize = 256;

/// Packets that wait in one socket because the system's queue is full (packets); further ones are dropped and
/// counted. Four service names need 24 at a start. Source: guess.
pub const BACKLOG_PACKETS_MAX: usize = 32;

/// Received bytes that the system may hold for one socket (bytes); Linux doubles it for its own needs.
/// Source: guess, two dozen full packets.
pub const SOCKET_BYTES_MAX: usize = 64 * 1024;

/// How long a record of ours is believed without being heard again (s). Source: RFC 6762 §10 for names of hosts,
/// js-libp2p's value.
pub const OWN_TTL_S: u32 = 120;

/// How long after it was last sent to all a record of ours is sent again unasked (s): 80 % of its time.
/// Source: rust-libp2p asks every five minutes only and would forget us in between.
pub const OWN_REFRESH_S: u64 = 96;

/// The TTL in an answer to a plain DNS client (s). Source: RFC 6762 §6.7.
pub const LEGACY_TTL_S_MAX: u32 = 10;

/// Found records live at least so long (s). Source: RFC 6762 §10.1, whose goodbye leaves a record one second.
pub const FOUND_TTL_S_MIN: u32 = 1;

/// Found records live at most so long (s), whatever their sender asks: who may claim 136 years could fill the
/// table for ever. go-libp2p asks for 3,200. Source: guess.
pub const FOUND_TTL_S_MAX: u32 = 600;

/// Records with a shorter TTL are not asked for again before they end (s): they would set the pace of our queries.
/// Source: guess.
pub const REFRESHED_TTL_S_MIN: u32 = 30;

/// How long a record stays after its sender took leave (ms), lest an announcement that overtakes the goodbye is
/// lost. Source: RFC 6762 §10.1.
pub const GOODBYE_MS: u64 = 1_000;

/// How long the addresses of a peer's earlier name stay once it shows up under a new one, unless heard again (ms):
/// the peer has most likely started afresh. Source: RFC 6762 §10.4.
pub const RECONFIRM_MS: u64 = 10_000;

/// The shortest time between two multicasts of the same record on an interface (ms). RFC 6762 §6 asks for 1,000
/// except in defence, where it is 250; with 1,000 a peer that starts just after another's answer would wait a
/// second to see it.
pub const ANSWER_SPACING_MS: u64 = 250;

/// Delay before an answer that other hosts may give at the same time (ms), shortest. Source: RFC 6762 §6.
pub const JITTER_MS_MIN: u64 = 20;

/// Delay before an answer that other hosts may give at the same time (ms), longest: RFC 6762 §6 has 120, and a
/// person waits.
pub const JITTER_MS_MAX: u64 = 100;

/// Delay before an answer to a query that says that more known answers follow (ms). Source: RFC 6762 §7.2.
pub const TRUNCATED_MS: std::ops::Range<u64> = 400..500;

/// The shortest time between two queries on an interface (ms), whatever asks for them. Source: half of the
/// announcements' distance, so that an address that comes while we start is asked for at once.
pub const QUERY_SPACING_MS: u64 = 500;

/// The time between the first two queries (ms). Source: RFC 6762 §5.2.
pub const QUERY_INTERVAL_MS_MIN: u64 = 1_000;

/// The longest time between two queries (ms). Source: rust-libp2p's mDNS (five minutes); RFC 6762 §5.2 allows an hour.
pub const QUERY_INTERVAL_MS_MAX: u64 = 300_000;

/// Each interval between two queries is so many times the last. Source: RFC 6762 §5.2 asks for at least two.
pub const QUERY_INTERVAL_GROWTH: u32 = 3;

/// Probes for our names (packets). Source: RFC 6762 §8.1.
pub const PROBES: u32 = 3;

/// Time between two probes (ms). Source: RFC 6762 §8.1.
pub const PROBE_SPACING_MS: u64 = 250;

/// Announcements at a start and after each change (packets). Source: RFC 6762 §8.3.
pub const ANNOUNCEMENTS: u32 = 2;

/// Time between two announcements (ms). Source: RFC 6762 §8.3.
pub const ANNOUNCEMENT_SPACING_MS: u64 = 1_000;

/// How long a change of our addresses is gathered before it is announced (ms): a link brings several at once.
/// Source: guess.
pub const CHANGE_SETTLE_MS: u64 = 20;

/// First pause before a socket that failed is opened again (ms). Source: guess.
pub const RETRY_MS_MIN: u64 = 1_000;

/// Longest such pause (ms); it doubles each time. Source: guess, a minute of a person's patience.
pub const RETRY_MS_MAX: u64 = 60_000;

/// Longest such pause while another program keeps the port for itself (ms): a person who ends that one waits for it.
/// Source: guess.
pub const HELD_RETRY_MS_MAX: u64 = 10_000;

/// How often a socket must have failed in a row before it is told (times); a held port is told at once. While an
/// interface comes or goes, one failure is nothing. Source: guess, 7 s.
pub const TOLD_FAILURES_MIN: u32 = 3;

/// Failures in a row that a socket is allowed before it is closed (failures). Source: guess, one lost packet is
/// nothing.
pub const FAILURES_MAX: u32 = 3;

/// How long leaving waits for a socket that does not take the goodbye (ms). Source: the half of a polite program's
/// second.
pub const LEAVE_MS_MAX: u64 = 500;

const _: () = assert!(JITTER_MS_MIN < JITTER_MS_MAX && QUERY_INTERVAL_MS_MIN < QUERY_INTERVAL_MS_MAX);
const _: () = assert!(RETRY_MS_MIN < HELD_RETRY_MS_MAX && HELD_RETRY_MS_MAX < RETRY_MS_MAX);
const _: () = assert!(FOUND_TTL_S_MIN < FOUND_TTL_S_MAX);
const _: () = assert!(SENT_BYTES_MAX < RECEIVED_BYTES_MAX);

/// What a program chooses. [`Default`] suits a board with 64 MiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Service names, each announced and looked for; 1 to [`SERVICES_MAX`]. `_p2p._udp` and `_p2p._udp.local` are the
    /// same; go-libp2p's programs use names of one label, such as `meetme`.
    pub services: Vec<String>,
    /// Peers remembered (peers). A new peer that finds the table full takes the place of one of the host that speaks of
    /// most, which is counted; those we are connected with keep theirs.
    pub peers_max: usize,
    /// Addresses remembered of one peer (addresses). A new one that finds no place drives out what the peer said
    /// under a name that was not heard for ten seconds (it restarted), otherwise it is refused and counted.
    pub addresses_per_peer_max: usize,
    /// Memory of all found records (bytes), refused and counted beyond.
    pub found_bytes_max: usize,
    /// Packets read from one interface in a second (packets), and as many at once after a pause. Beyond, its sockets
    /// are left alone until the next ones are due, and the system drops what it cannot hold.
    pub packets_per_second_max: u32,
    /// Network interfaces used side by side (interfaces); the first ones.
    pub interfaces_max: usize,
    /// Whether IPv6 is used beside IPv4.
    pub ipv6: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            services: vec!["_p2p._udp".into()],
            peers_max: 64,
            addresses_per_peer_max: 8,
            found_bytes_max: 128 * 1024,
            packets_per_second_max: 200,
            interfaces_max: 8,
            ipv6: true,
        }
    }
}

/// Why a [`Config`] is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// Not a name in DNS.
    #[error("`{0}` is no service name: dot-separated labels of 1 to 63 letters, digits, `-` and `_`")]
    Service(String),
    /// No service name, or too many.
    #[error("{0} service names: 1 to {SERVICES_MAX} are possible")]
    ServiceCount(usize),
    /// A limit is zero.
    #[error("{0} must not be zero")]
    Zero(&'static str),
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What happened since the start, counted.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Counters {
            /// Each counter with its name.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }
        }
    };
}

counters! {
    /// Packets read, our own among them.
    packets_received,
    /// Reads that found no packet.
    reads_in_vain,
    /// Packets of other hosts that were read.
    packets_of_others,
    /// Packets sent.
    packets_sent,
    /// Packets that the system did not take.
    packets_unsent,
    /// Packets refused: sent from outside the interface's networks.
    packets_off_link,
    /// Packets refused: no DNS, or more records than [`RECORDS_PER_PACKET_MAX`].
    packets_malformed,
    /// Pauses because more packets came than `packets_per_second_max`.
    pauses,
    /// Queries sent.
    queries_sent,
    /// Answers sent, announcements included.
    answers_sent,
    /// Answers left out because the asker knew them.
    answers_known,
    /// Addresses passed over: not TCP over IP, no peer id, or nowhere (another host's loopback).
    addresses_unusable,
    /// Addresses refused: `addresses_per_peer_max`, [`INSTANCES_PER_PEER_MAX`] or `found_bytes_max` was reached.
    addresses_refused,
    /// Peers forgotten for others, or refused: `peers_max` was reached.
    peers_refused,
    /// Announcements refused: a known name with another peer's id.
    names_refused,
    /// Sockets that could not be opened, or were closed because they failed.
    sockets_failed,
    /// Interfaces left out because of `interfaces_max`.
    interfaces_refused,
}

pub(super) fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
