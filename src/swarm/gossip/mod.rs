//! Floor 4. Stands on: base, wire, compat, gossip.
//!
//! gossip between peers that are connected by libp2p: [`Behaviour`] has a handler on each connection and a
//! [`Core`](crate::gossip::Core) that decides.
//!
//! ```text
//! handler ── Said: whole RPCs ──> behaviour: parts, ids, signatures ──> core
//!    ^                                                                    │ Output::Send
//!    └────────── the peer's SendQueue, popped where we speak <────────────┘
//! ```
//!
//! A peer's connections may be many: on which of them we speak is decided in `connections.rs`, and it is read on all.
//! Our stream on a connection is opened while we speak there and closed afterwards; what waits goes out on the next.
//! An event for each message comes to whoever polls the swarm, and waits for [`Behaviour::judge`]. Whoever calls a method
//! polls the swarm afterwards.
//!
//! Memory: one queue a peer ([`Config`]); of what is read [`UNHANDLED_BYTES_MAX`] and one RPC more a connection, and one
//! for each of its four streams at most. An RPC that is longer than any is read past.

mod connection;
mod event;
mod line;
mod reader;
mod upgrade;

mod inbound;
mod outbound;

mod handler;

mod lingering;

mod connections;

mod peers;
mod signature;
mod topics;

mod exchange;

mod behaviour;

pub use behaviour::Behaviour;
pub use connections::{CROSSED_DIALS_MS, RACED_DIALS_MS, SETTLE_MS, Voice};
pub use event::{
    Config, Counts, Event, KEPT_BYTES, KEPT_SHARE, PublishError, QUEUED_BYTES, SEEN_MAX, Speech, Superfluous, Waiting,
};
pub use line::UNHANDLED_BYTES_MAX;
pub use lingering::{LINGERING_PING_MS, REPLACED_LINGER_MAX_MS, REPLACED_LINGER_MS};
pub use signature::SignError;
pub use upgrade::is_gossip;
