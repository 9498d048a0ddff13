//! From a name to addresses, within limits.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use hickory_net::{DnsError, NetError, NoRecords};
use hickory_proto::{
    op::{Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use hickory_resolver::{
    Resolver,
    config::{ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts},
    lookup::Lookup,
};
use libp2p::Multiaddr;
use smol::{Timer, future::or, lock::Semaphore};

use super::{
    config::{
        ADDRESSES_PER_ANSWER_MAX, CACHED_ANSWERS_MAX, Config, LOOKUPS_AT_ONCE_MAX, LOOKUPS_TIMEOUT_MS_MAX,
        NEGATIVE_TTL_S_MAX, POSITIVE_TTL_S_MAX, RETRIES_MAX, SERVERS_MAX, TRY_TIMEOUT_MS_MAX,
    },
    error::LookupError,
    hosts::Hosts,
    neighbours,
    runtime::Runtime,
    system::{self, Stamp, System},
};
use crate::net::executor::Executor;

/// Before a name whose addresses are in TXT records. Source: libp2p's addressing specification.
const DNSADDR_PREFIX: &str = "_dnsaddr.";

/// How such a TXT record begins. Source: as above.
const DNSADDR_KEY: &str = "dnsaddr=";

/// Where name servers listen. Source: RFC 1035 §4.2.
const PORT: u16 = 53;

/// The shortest time for a question (ms): `options timeout:0` would leave none.
const TRY_TIMEOUT_MS_MIN: u64 = 1_000;

/// A name, and where it comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) name: &'a str,
    /// It is complete: not to be tried in the search domains.
    pub(super) absolute: bool,
    /// How long the answer may take.
    pub(super) timeout: Duration,
}

/// Asks the file `hosts` and the name servers.
pub(super) struct Lookups {
    config: Config,
    hosts: Hosts,
    executor: Weak<Executor>,
    servers: Mutex<Option<Known>>,
    turns: Semaphore,
}

/// What the file said, and what it looked like then.
struct Known {
    stamp: Option<Stamp>,
    servers: Result<Servers, LookupError>,
}

/// The name servers in force.
#[derive(Clone)]
struct Servers {
    resolver: Resolver<Runtime>,
    addresses: Vec<SocketAddr>,
    search: Vec<Name>,
    /// Names with fewer dots are first tried in the search domains.
    dots: usize,
}

impl Lookups {
    pub(super) fn new(config: Config, executor: Weak<Executor>) -> Self {
        let hosts = Hosts::new(config.hosts.clone());
        Lookups { config, hosts, executor, servers: Mutex::default(), turns: Semaphore::new(LOOKUPS_AT_ONCE_MAX) }
    }

    /// How long all lookups of a dial may take.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.config.lookups_timeout_ms.min(LOOKUPS_TIMEOUT_MS_MAX))
    }

    /// The IPv4 or IPv6 addresses of a name: at least one, at most [`ADDRESSES_PER_ANSWER_MAX`].
    pub(super) async fn ips(&self, question: Question<'_>, ipv6: bool) -> Result<Vec<IpAddr>, LookupError> {
        let found = self.hosts.lookup(question.name, ipv6);
        if !found.is_empty() {
            return Ok(found);
        }
        let (kind, wanted) = match ipv6 {
            false => (RecordType::A, "IPv4 address"),
            true => (RecordType::AAAA, "IPv6 address"),
        };
        let missing = || LookupError::NoRecord { name: question.name.into(), wanted };
        if question.name.parse::<IpAddr>().is_ok() {
            return Err(missing());
        }
        let is_local = neighbours::is_local(question.name);
        if is_local {
            let _turn = self.turns.acquire().await;
            let found = neighbours::lookup(question.name, ipv6).await;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let lookup = self.ask(question, kind, missing).await.map_err(|error| match is_local {
            true => LookupError::NoNeighbour { name: question.name.into(), server: Box::new(error) },
            false => error,
        })?;
        let ips = lookup.answers().iter().filter_map(|record| match record.data {
            RData::A(a) if !ipv6 => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) if ipv6 => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        });
        let ips: Vec<_> = ips.take(ADDRESSES_PER_ANSWER_MAX).collect();
        if ips.is_empty() { Err(missing()) } else { Ok(ips) }
    }

    /// The `dnsaddr` records of a name that end in `suffix`: at most [`ADDRESSES_PER_ANSWER_MAX`], perhaps none.
    pub(super) async fn dnsaddrs(
        &self,
        question: Question<'_>,
        suffix: &Multiaddr,
    ) -> Result<Vec<Multiaddr>, LookupError> {
        let name = format!("{DNSADDR_PREFIX}{}", question.name);
        let question = Question { name: &name, ..question };
        let missing = || LookupError::NoRecord { name: name.clone(), wanted: "TXT record `dnsaddr=…`" };
        let lookup = self.ask(question, RecordType::TXT, missing).await?;
        let mut any = false;
        let mut addresses = Vec::new();
        for record in lookup.answers() {
            let RData::TXT(txt) = &record.data else { continue };
            // A record is made of strings of up to 255 bytes.
            let Some(address) = dnsaddr(&txt.txt_data.concat()) else { continue };
            any = true;
            if address.ends_with(suffix) && addresses.len() < ADDRESSES_PER_ANSWER_MAX {
                addresses.push(address);
            }
        }
        if any { Ok(addresses) } else { Err(missing()) }
    }

    async fn ask(
        &self,
        question: Question<'_>,
        kind: RecordType,
        missing: impl Fn() -> LookupError,
    ) -> Result<Lookup, LookupError> {
        let servers = self.current()?;
        let Ok(name) = Name::from_str_relaxed(question.name) else {
            return Err(LookupError::BadName(question.name.into()));
        };
        let answer = async {
            let _turn = self.turns.acquire().await;
            let mut failure = NetError::Timeout;
            for name in spelled(name, question.absolute, &servers) {
                match servers.resolver.lookup(name, kind).await {
                    Ok(answer) if !answer.answers().is_empty() => return Ok(answer),
                    Ok(_) => return Err(NoRecords::new(Query::default(), ResponseCode::NoError).into()),
                    // That the name exists says more than that another does not.
                    Err(error) if error.is_nx_domain() && failure.is_no_records_found() => {}
                    Err(error) if error.is_no_records_found() => failure = error,
                    Err(error) => return Err(error),
                }
            }
            Err(failure)
        };
        let expired = async {
            Timer::after(question.timeout).await;
            Err(NetError::Timeout)
        };
        or(answer, expired).await.map_err(|error| {
            let (name, servers) = (question.name.to_string(), servers.addresses.clone());
            let reason = match error {
                NetError::Timeout => return LookupError::TimedOut { name, servers },
                NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => match response_code {
                    ResponseCode::NXDomain => return LookupError::NoName(name),
                    ResponseCode::NoError => return missing(),
                    code => code.to_string(),
                },
                NetError::Dns(DnsError::ResponseCode(code)) => code.to_string(),
                NetError::Io(error) => error.to_string(),
                error => error.to_string(),
            };
            LookupError::Failed { name, servers, reason }
        })
    }

    /// The name servers of this moment.
    fn current(&self) -> Result<Servers, LookupError> {
        let stamp = Stamp::of(&self.config.resolv_conf);
        let mut known = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *known {
            Some(known) if known.stamp == stamp || !self.config.servers.is_empty() => known.servers.clone(),
            changed => changed.insert(Known { stamp, servers: self.servers() }).servers.clone(),
        }
    }

    fn servers(&self) -> Result<Servers, LookupError> {
        let no_server = |reason| LookupError::NoServer { path: self.config.resolv_conf.clone(), reason };
        let System { mut config, mut options, zones } = match &self.config.servers[..] {
            [] => system::read(&self.config.resolv_conf).map_err(no_server)?,
            given => System::of(given.iter().take(SERVERS_MAX).map(|server| named(*server)).collect()),
        };
        let limit = Duration::from_millis(self.config.try_timeout_ms.min(TRY_TIMEOUT_MS_MAX));
        options.timeout = options.timeout.max(Duration::from_millis(TRY_TIMEOUT_MS_MIN)).min(limit);
        options.attempts = options.attempts.min(RETRIES_MAX);
        options.cache_size = CACHED_ANSWERS_MAX;
        options.positive_max_ttl = Some(Duration::from_secs(POSITIVE_TTL_S_MAX));
        options.negative_max_ttl = Some(Duration::from_secs(NEGATIVE_TTL_S_MAX));
        options.use_hosts_file = ResolveHosts::Never;
        let dots = options.ndots;
        let search = std::mem::take(&mut config.search);
        let port = |server: &NameServerConfig| server.connections.first().map_or(PORT, |it| it.port);
        let addresses = config.name_servers.iter().map(|it| SocketAddr::new(it.ip, port(it))).collect();
        let runtime = Runtime { executor: self.executor.clone(), zones: Arc::from(zones) };
        let mut builder = Resolver::builder_with_config(config, runtime);
        *builder.options_mut() = options;
        let resolver = builder.build().map_err(|error| no_server(error.to_string()))?;
        Ok(Servers { resolver, addresses, search, dots })
    }
}

/// The complete names that `name` may stand for, in the order in which they are tried. Source: resolv.conf(5), `ndots`.
fn spelled(mut name: Name, absolute: bool, servers: &Servers) -> Vec<Name> {
    let mut names = Vec::new();
    if !absolute && !name.is_fqdn() {
        names.extend(servers.search.iter().filter_map(|domain| name.clone().append_domain(domain).ok()));
    }
    let is_long = usize::from(name.num_labels()) > servers.dots;
    name.set_fqdn(true);
    names.insert(if is_long { 0 } else { names.len() }, name);
    names
}

fn named(server: SocketAddr) -> NameServerConfig {
    let connection = |protocol| {
        let mut connection = ConnectionConfig::new(protocol);
        connection.port = server.port();
        connection
    };
    NameServerConfig::new(server.ip(), true, vec![connection(ProtocolConfig::Udp), connection(ProtocolConfig::Tcp)])
}

fn dnsaddr(txt: &[u8]) -> Option<Multiaddr> {
    str::from_utf8(txt).ok()?.strip_prefix(DNSADDR_KEY)?.parse().ok()
}
