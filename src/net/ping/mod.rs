//! Floor 3. Stands on: base.
//!
//! `/ipfs/ping/1.0.0`: whether a link is alive, and how fast, as a
//! [`NetworkBehaviour`](libp2p::swarm::NetworkBehaviour).
//!
//! It differs from libp2p's own in what it does beside that:
//!
//! - It answers the other's pings whatever the other answers. libp2p-ping 0.48 stops answering once its own pings are
//!   refused, and js-libp2p closes a connection that does not answer.
//! - A peer without ping is no failure and no measurement: [`Failure::Unsupported`] is told once, and again to who asks.
//! - A stream that the other has ended since the last ping is replaced by another without a word; py and js end theirs.
//! - [`Behaviour::ping_now`] asks between the intervals, and each [`Event`] says when its ping began.
//!
//! What it deliberately does not do: it never closes a connection, and keeps none open.

mod event;

mod protocol;

mod handler;

mod behaviour;

pub use behaviour::Behaviour;
pub use event::{Config, Event, Failure};
pub use protocol::PROTOCOL;
