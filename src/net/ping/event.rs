//! What the behaviour is told, and what it tells.

use std::time::{Duration, Instant};

use libp2p::{PeerId, swarm::ConnectionId};
use thiserror::Error;

/// When pings are sent, and how long they may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// From the end of one ping to the beginning of the next. The first is sent at once.
    pub interval: Duration,
    /// How long a ping may take, with the opening of its stream.
    pub timeout: Duration,
}

impl Default for Config {
    /// libp2p-ping's: 15 s and 20 s.
    fn default() -> Self {
        Config { interval: Duration::from_secs(15), timeout: Duration::from_secs(20) }
    }
}

/// Why a ping was not answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// Not within [`Config::timeout`].
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The other does not know ping: it says nothing of the link.
    #[error("it does not know ping")]
    Unsupported,
    /// The stream broke, or what came back was something else.
    #[error("{0}")]
    Io(String),
}

/// A ping is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The other.
    pub peer: PeerId,
    /// On which connection.
    pub connection: ConnectionId,
    /// When it began: whatever this side sent on the connection before has arrived if it was answered and is a fence, and what
    /// the other sent before it answered has arrived as well.
    pub begun: Instant,
    /// Whether that is sure: when it was sent, nothing that was sent before waited for the link, or for the other to read.
    pub is_fence: bool,
    /// How long the answer took, from when the system had the ping.
    pub result: Result<Duration, Failure>,
}
