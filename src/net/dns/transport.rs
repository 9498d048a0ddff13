//! The transport: resolves, then dials.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::{
    FutureExt, TryFutureExt,
    future::{BoxFuture, Either, MapErr},
};
use libp2p::{
    Multiaddr,
    core::transport::{DialOpts, ListenerId, TransportError, TransportEvent},
    multiaddr::Protocol,
};

use super::{
    config::{Config, DIAL_ATTEMPTS_MAX, FAILURES_MAX, LOOKUPS_PER_DIAL_MAX, NESTING_MAX},
    error::{Error, Failure},
    resolver::{Lookups, Question},
};
use crate::net::executor::Executor;

/// A transport that resolves names before it dials with `T`. See the [module](crate::net::dns).
///
/// The resolver's tasks run on the executor given, from the first lookup on, one for each name server; they wait
/// without waking up. It starts no thread.
pub struct Transport<T> {
    inner: Arc<Mutex<T>>,
    lookups: Arc<Lookups>,
    /// For the lookups, which hold it only weakly.
    _executor: Arc<Executor>,
}

impl<T> Transport<T> {
    /// Resolves as the system does, by `/etc/hosts` and `/etc/resolv.conf`. Neither is read before the first lookup.
    pub fn system(inner: T, executor: &Executor) -> Self {
        Self::new(inner, Config::default(), executor)
    }

    /// Resolves as `config` says.
    pub fn new(inner: T, config: Config, executor: &Executor) -> Self {
        let executor = Arc::new(executor.clone());
        let lookups = Arc::new(Lookups::new(config, Arc::downgrade(&executor)));
        Transport { inner: Arc::new(Mutex::new(inner)), lookups, _executor: executor }
    }
}

impl<T: fmt::Debug> fmt::Debug for Transport<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Only a dial under way shares the transport inside, and only while it starts the next one.
fn lock<T>(inner: &Mutex<T>) -> MutexGuard<'_, T> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> libp2p::core::Transport for Transport<T>
where
    T: libp2p::core::Transport + Send + Unpin + 'static,
    T::Error: Send,
    T::Dial: Send,
{
    type Output = T::Output;
    type Error = Error<T::Error>;
    type ListenerUpgrade = MapErr<T::ListenerUpgrade, fn(T::Error) -> Self::Error>;
    type Dial =
        Either<MapErr<T::Dial, fn(T::Error) -> Self::Error>, BoxFuture<'static, Result<T::Output, Self::Error>>>;

    fn listen_on(&mut self, id: ListenerId, addr: Multiaddr) -> Result<(), TransportError<Self::Error>> {
        if first_name(&addr).is_some() {
            return Err(TransportError::MultiaddrNotSupported(addr));
        }
        lock(&self.inner).listen_on(id, addr).map_err(|error| error.map(Error::Transport))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        lock(&self.inner).remove_listener(id)
    }

    fn dial(&mut self, addr: Multiaddr, opts: DialOpts) -> Result<Self::Dial, TransportError<Self::Error>> {
        if first_name(&addr).is_some() {
            let dial = Dial::new(addr, opts, self.inner.clone(), self.lookups.clone());
            return Ok(dial.run().boxed().right_future());
        }
        let dial = lock(&self.inner).dial(addr, opts).map_err(|error| error.map(Error::Transport))?;
        Ok(dial.map_err(Error::Transport as fn(_) -> _).left_future())
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut *lock(&self.inner)).poll(cx).map(|event| {
            event.map_upgrade(|upgrade| upgrade.map_err(Error::Transport as fn(_) -> _)).map_err(Error::Transport)
        })
    }
}

/// The first name in an address, and how many parts stand before it.
fn first_name(address: &Multiaddr) -> Option<(usize, Protocol<'_>)> {
    address.iter().enumerate().find(|(_, part)| {
        matches!(part, Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) | Protocol::Dnsaddr(_))
    })
}

/// An address still to be resolved or dialed.
struct Candidate {
    address: Multiaddr,
    /// How many `dnsaddr` led here.
    nesting: usize,
}

/// One dial of an address with a name in it.
struct Dial<T: libp2p::core::Transport> {
    address: Multiaddr,
    opts: DialOpts,
    inner: Arc<Mutex<T>>,
    lookups: Arc<Lookups>,
    /// The next one is the last: at most [`LOOKUPS_PER_DIAL_MAX`] answers of addresses.
    candidates: Vec<Candidate>,
    lookups_left: usize,
    time_left: Duration,
    attempts: usize,
    failures: Vec<Failure<T::Error>>,
    more: usize,
}

impl<T> Dial<T>
where
    T: libp2p::core::Transport + Send + Unpin + 'static,
    T::Error: Send,
    T::Dial: Send,
{
    fn new(address: Multiaddr, opts: DialOpts, inner: Arc<Mutex<T>>, lookups: Arc<Lookups>) -> Self {
        Dial {
            candidates: vec![Candidate { address: address.clone(), nesting: 0 }],
            time_left: lookups.timeout(),
            lookups_left: LOOKUPS_PER_DIAL_MAX,
            attempts: 0,
            failures: Vec::new(),
            more: 0,
            address,
            opts,
            inner,
            lookups,
        }
    }

    async fn run(mut self) -> Result<T::Output, Error<T::Error>> {
        while let Some(candidate) = self.candidates.pop() {
            if first_name(&candidate.address).is_some() {
                self.resolve(candidate).await;
            } else if self.attempts == DIAL_ATTEMPTS_MAX {
                self.fail(Failure::TooManyAttempts);
                break;
            } else if let Some(output) = self.attempt(candidate.address).await {
                return Ok(output);
            }
        }
        Err(Error::Dial { address: self.address, failures: self.failures, more: self.more })
    }

    /// Replaces the candidate by what its first name stands for, the first answer on top.
    async fn resolve(&mut self, Candidate { address, nesting }: Candidate) {
        let Some((at, part)) = first_name(&address) else { return };
        let replaced = |part: Protocol<'_>| {
            let part = part.acquire();
            address.replace(at, |_| Some(part)).map(|address| Candidate { address, nesting })
        };
        let (name, ipv6) = match part {
            Protocol::Dns4(name) => (name, false),
            Protocol::Dns6(name) => (name, true),
            Protocol::Dns(name) => {
                // IPv4 first: in a home it works more often, and a wrong guess costs the time of a dial.
                self.candidates.extend(replaced(Protocol::Dns6(name.clone())));
                self.candidates.extend(replaced(Protocol::Dns4(name)));
                return;
            }
            Protocol::Dnsaddr(name) => {
                let prefix: Multiaddr = address.iter().take(at).collect();
                let suffix: Multiaddr = address.iter().skip(at + 1).collect();
                return self.resolve_dnsaddr(&name, prefix, suffix, nesting).await;
            }
            _ => return,
        };
        let Some(question) = self.question(&name, nesting) else { return };
        let since = Instant::now();
        let answer = self.lookups.ips(question, ipv6).await;
        self.time_left = self.time_left.saturating_sub(since.elapsed());
        match answer {
            Ok(ips) => self.candidates.extend(ips.into_iter().rev().filter_map(|ip| replaced(ip.into()))),
            Err(error) => self.fail(Failure::Lookup(error)),
        }
    }

    async fn resolve_dnsaddr(&mut self, name: &str, prefix: Multiaddr, suffix: Multiaddr, nesting: usize) {
        if nesting > NESTING_MAX {
            return self.fail(Failure::TooDeep);
        }
        let Some(question) = self.question(name, nesting) else { return };
        let since = Instant::now();
        let answer = self.lookups.dnsaddrs(question, &suffix).await;
        self.time_left = self.time_left.saturating_sub(since.elapsed());
        match answer {
            Ok(found) if found.is_empty() => self.fail(Failure::NoMatch { name: name.into(), suffix }),
            Ok(found) => self.candidates.extend(found.into_iter().rev().map(|found| {
                let address = prefix.iter().chain(found.iter()).collect();
                Candidate { address, nesting: nesting + 1 }
            })),
            Err(error) => self.fail(Failure::Lookup(error)),
        }
    }

    fn question<'a>(&mut self, name: &'a str, nesting: usize) -> Option<Question<'a>> {
        let Some(left) = self.lookups_left.checked_sub(1) else {
            self.fail(Failure::TooManyLookups);
            return None;
        };
        self.lookups_left = left;
        Some(Question { name, absolute: nesting > 0, timeout: self.time_left })
    }

    async fn attempt(&mut self, address: Multiaddr) -> Option<T::Output> {
        let dial = lock(&self.inner).dial(address.clone(), self.opts);
        match dial {
            Ok(dial) => {
                self.attempts += 1;
                match dial.await {
                    Ok(output) => return Some(output),
                    Err(source) => self.fail(Failure::Attempt { address, source }),
                }
            }
            Err(TransportError::Other(source)) => self.fail(Failure::Attempt { address, source }),
            Err(TransportError::MultiaddrNotSupported(address)) => {
                let earlier = self.failures.iter_mut().find_map(|it| match it {
                    Failure::Unsupported { count, .. } => Some(count),
                    _ => None,
                });
                match earlier {
                    Some(count) => *count += 1,
                    None => self.fail(Failure::Unsupported { first: address, count: 1 }),
                }
            }
        }
        None
    }

    fn fail(&mut self, failure: Failure<T::Error>) {
        if self.failures.iter().any(|earlier| earlier.says_the_same(&failure)) {
            return;
        }
        if self.failures.len() < FAILURES_MAX {
            self.failures.push(failure);
        } else {
            self.more += 1;
        }
    }
}
