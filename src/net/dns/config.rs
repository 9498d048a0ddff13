//! What a program may choose, and the limits.

use std::{net::SocketAddr, path::PathBuf};

/// Lookups in one dial (lookups), so that records which point at each other come to an end. A further one is an error
/// of its own; addresses found until then are still tried. Source: libp2p-dns `MAX_DNS_LOOKUPS`.
pub const LOOKUPS_PER_DIAL_MAX: usize = 32;

/// How often a `dnsaddr` may lead to a further `dnsaddr`, one inside the other (steps). Source: `bootstrap.libp2p.io`
/// needs one; libp2p-dns is limited by its lookups alone.
pub const NESTING_MAX: usize = 3;

/// Addresses that one dial tries (dials). Source: libp2p-dns `MAX_DIAL_ATTEMPTS`.
pub const DIAL_ATTEMPTS_MAX: usize = 16;

/// Addresses taken from one answer (addresses), the first that pass the filter. Source: libp2p-dns `MAX_TXT_RECORDS`,
/// there for TXT records only.
pub const ADDRESSES_PER_ANSWER_MAX: usize = 16;

/// Failures that one error lists (failures); the others are only counted. Source: as many as there are dials.
pub const FAILURES_MAX: usize = 16;

/// How long one question to the name servers waits for an answer before it is asked again (ms).
/// Source: resolv.conf(5), the default there, 5 s.
pub const TRY_TIMEOUT_MS_MAX: u64 = 5_000;

/// How often a question is asked again (times). Source: resolv.conf(5), whose default is two tries.
pub(super) const RETRIES_MAX: usize = 1;

/// How long all lookups of one dial take together (ms), waiting for a turn included. Source: guess, what a person
/// waits; three tries.
pub const LOOKUPS_TIMEOUT_MS_MAX: u64 = 15_000;

/// Lookups under way at the same time (lookups); further ones wait. Each costs up to twelve sockets for its time: two
/// servers, three packets each, and search domains. Source: guess.
pub const LOOKUPS_AT_ONCE_MAX: usize = 4;

/// Answers remembered (answers) for as long as their records say, but not longer than [`POSITIVE_TTL_S_MAX`]. An
/// answer is below 64 KiB, most are below 300 bytes. Source: guess.
pub(super) const CACHED_ANSWERS_MAX: u64 = 32;

/// How long an answer is remembered (s). Source: guess; an address at home changes once a day.
pub(super) const POSITIVE_TTL_S_MAX: u64 = 600;

/// How long "there is no such name" is remembered (s), so that a name which was just entered is soon found.
/// Source: guess.
pub(super) const NEGATIVE_TTL_S_MAX: u64 = 30;

/// Name servers used (servers), the first ones. Source: resolv.conf(5), `MAXNS`.
pub const SERVERS_MAX: usize = 3;

/// Search domains used (domains), the first ones. Source: resolv.conf(5), the limit before glibc 2.26.
pub const SEARCH_DOMAINS_MAX: usize = 6;

/// Bytes read from `resolv.conf` (bytes); what follows is ignored. Source: guess, a hundred times the usual.
pub const RESOLV_CONF_BYTES_MAX: u64 = 16 * 1024;

/// Names of which is kept what `hosts` has for them (names), of each family one. A dial of a bootstrap node asks for two.
pub const HOSTS_NAMES_MAX: usize = 16;

/// Bytes read from `hosts` (bytes); what follows is ignored. It is read for each new name, about 3 ms for so many on a
/// small board. Source: guess, half of a large list of advertisers.
pub const HOSTS_BYTES_MAX: u64 = 1024 * 1024;

const _: () = assert!(TRY_TIMEOUT_MS_MAX <= LOOKUPS_TIMEOUT_MS_MAX);
const _: () = assert!(ADDRESSES_PER_ANSWER_MAX <= DIAL_ATTEMPTS_MAX);

/// Where names are looked up. [`Default`] is the system's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file that names the name servers: `/etc/resolv.conf`.
    pub resolv_conf: PathBuf,
    /// The file that is asked before them: `/etc/hosts`.
    pub hosts: PathBuf,
    /// Name servers to be asked instead of those in `resolv_conf`, which is not read then; none by default.
    pub servers: Vec<SocketAddr>,
    /// How long one question waits for an answer (ms); at most, and by default, [`TRY_TIMEOUT_MS_MAX`].
    /// `options timeout:` in `resolv_conf` can shorten it.
    pub try_timeout_ms: u64,
    /// How long all lookups of one dial take together (ms); at most, and by default, [`LOOKUPS_TIMEOUT_MS_MAX`].
    pub lookups_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            resolv_conf: "/etc/resolv.conf".into(),
            hosts: "/etc/hosts".into(),
            servers: Vec::new(),
            try_timeout_ms: TRY_TIMEOUT_MS_MAX,
            lookups_timeout_ms: LOOKUPS_TIMEOUT_MS_MAX,
        }
    }
}
