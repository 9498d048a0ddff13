//! What can go wrong, in sentences.

use std::{error, fmt, net::SocketAddr, path::PathBuf};

use libp2p::Multiaddr;

use super::config::{DIAL_ATTEMPTS_MAX, LOOKUPS_PER_DIAL_MAX, NESTING_MAX};

/// Why a dial, a listener or an accepted connection failed.
#[derive(Debug)]
pub enum Error<E> {
    /// The transport inside failed; the address had no name in it.
    Transport(E),
    /// An address with a name in it cannot be dialed. The [source](error::Error::source) is the first error of the
    /// transport inside, or else of a lookup.
    Dial {
        /// The address as it was given.
        address: Multiaddr,
        /// All that was tried, in its order; never empty, and at most [`FAILURES_MAX`](super::FAILURES_MAX).
        failures: Vec<Failure<E>>,
        /// Failures that found no place in the list.
        more: usize,
    },
}

/// One of the things that went wrong in a dial.
#[derive(Debug)]
pub enum Failure<E> {
    /// A name could not be resolved.
    Lookup(LookupError),
    /// An address was found and dialed in vain.
    Attempt {
        /// The address.
        address: Multiaddr,
        /// The error of the transport inside.
        source: E,
    },
    /// Addresses were found that the transport inside does not know how to dial.
    Unsupported {
        /// The first of them.
        first: Multiaddr,
        /// How many there were.
        count: usize,
    },
    /// No `dnsaddr` record of this name ends as the dialed address does.
    NoMatch {
        /// The name.
        name: String,
        /// What was asked for.
        suffix: Multiaddr,
    },
    /// A `dnsaddr` leads to another too often: [`NESTING_MAX`].
    TooDeep,
    /// Too many lookups: [`LOOKUPS_PER_DIAL_MAX`].
    TooManyLookups,
    /// Too many addresses were dialed in vain: [`DIAL_ATTEMPTS_MAX`]. There were more.
    TooManyAttempts,
}

/// Why a name could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// There is no name server to ask.
    #[error("no name server is configured in {}: {reason}; use an /ip4 or /ip6 address", path.display())]
    NoServer {
        /// The file that should name one.
        path: PathBuf,
        /// Why it does not.
        reason: String,
    },
    /// Not a name in DNS: too long, or an empty part.
    #[error("{0:?} is no name in DNS")]
    BadName(String),
    /// The name server says that there is no such name.
    #[error("{} does not exist", Shown(.0))]
    NoName(String),
    /// No neighbour answers for a name under `.local`, and no name server knows it.
    #[error(
        "no neighbour answers for {}: see whether it is on, on this network, and announces its name (by avahi, say); \
         nor does a name server help ({server})",
        Shown(name)
    )]
    NoNeighbour {
        /// The name.
        name: String,
        /// Why the name server does not help.
        server: Box<LookupError>,
    },
    /// The name exists and has nothing that can be dialed.
    #[error("{} has no {wanted}", Shown(name))]
    NoRecord {
        /// The name.
        name: String,
        /// What was looked for, such as "A record".
        wanted: &'static str,
    },
    /// No name server answered within the time of all lookups of a dial.
    #[error("no answer about {} from the name server {}", Shown(name), Listed(servers))]
    TimedOut {
        /// The name.
        name: String,
        /// The servers asked.
        servers: Vec<SocketAddr>,
    },
    /// The name servers could not be asked, or refused, or their answer made no sense.
    #[error("cannot ask the name server {} about {}: {reason}", Listed(servers), Shown(name))]
    Failed {
        /// The name.
        name: String,
        /// The servers asked.
        servers: Vec<SocketAddr>,
        /// What happened.
        reason: String,
    },
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Transport(error) => error.fmt(f),
            Error::Dial { address, failures, more } => {
                write!(f, "cannot dial {}: ", Shown(address))?;
                for (index, failure) in failures.iter().enumerate() {
                    write!(f, "{}{failure}", if index == 0 { "" } else { "; " })?;
                }
                if *more > 0 {
                    write!(f, "; and {more} more")?;
                }
                Ok(())
            }
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Lookup(error) => error.fmt(f),
            Failure::Attempt { address, source } => write!(f, "{}: {source}", Shown(address)),
            Failure::Unsupported { first, count: 1 } => {
                write!(f, "{} is not an address that can be dialed here", Shown(first))
            }
            Failure::Unsupported { first, count } => {
                write!(f, "{count} addresses that cannot be dialed here, such as {}", Shown(first))
            }
            Failure::NoMatch { name, suffix } => {
                write!(f, "no dnsaddr record of {} ends in {}", Shown(name), Shown(suffix))
            }
            Failure::TooDeep => write!(f, "a dnsaddr leads to another more than {NESTING_MAX} times"),
            Failure::TooManyLookups => write!(f, "more than {LOOKUPS_PER_DIAL_MAX} lookups"),
            Failure::TooManyAttempts => write!(f, "not tried further after {DIAL_ATTEMPTS_MAX} addresses"),
        }
    }
}

impl<E> Failure<E> {
    /// Whether both make the same sentence. A server that does not answer, or records that lead in circles, would fill
    /// the list with it.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Failure::Lookup(a), Failure::Lookup(b)) => a == b,
            (Failure::NoMatch { name, .. }, Failure::NoMatch { name: other, .. }) => name == other,
            (Failure::TooDeep, Failure::TooDeep) | (Failure::TooManyLookups, Failure::TooManyLookups) => true,
            _ => false,
        }
    }
}

impl<E: error::Error + 'static> error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Transport(error) => Some(error),
            Error::Dial { failures, .. } => {
                let attempt = failures.iter().find(|it| matches!(it, Failure::Attempt { .. }));
                attempt.into_iter().chain(failures).find_map(error::Error::source)
            }
        }
    }
}

impl<E: error::Error + 'static> error::Error for Failure<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Failure::Lookup(error) => Some(error),
            Failure::Attempt { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Names and addresses come from strangers, and the sentence may end on a terminal.
struct Shown<T>(T);

impl<T: fmt::Display> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_string().escape_debug().fmt(f)
    }
}

struct Listed<'a>(&'a [SocketAddr]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, server) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match server.port() {
                53 => server.ip().fmt(f)?,
                _ => server.fmt(f)?,
            }
        }
        Ok(())
    }
}
