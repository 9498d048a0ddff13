//! Floor 2. Stands on: base, wire.
//!
//! gossipsub 1.0, 1.1 and 1.2 and floodsub as a state machine: who is in which room, and how what is said there reaches
//! everybody. It reads no clock, draws no global randomness, logs nothing, awaits nothing and holds no socket. It checks no
//! signature and makes no message id: the driver does, and hands both in. Every container is bounded
//! ([`Core::meters`]); a full one is an ordinary answer.
//!
//! # The seam
//!
//! [`Core::handle`] takes an [`Input`], [`Core::poll_output`] gives [`Output`]s until there is none, after each input.
//! [`Core::poll_timeout`] says when [`Core::handle_timeout`] is to be called; afterwards it is later, or nothing. Times are
//! milliseconds since any fixed moment of the run.
//!
//! Peers and joined topics have small numbers ([`PeerIndex`], [`TopicIndex`]) that the driver gives. A peer is connected
//! once, however many connections it has:
//!
//! ```text
//! Connected ── Speaks ──┬── Part / Message / End … ──── Disconnected
//!                       ├── Reset: our stream was replaced, or another connection is the one in use
//!                       └── Opened: the peer opened another stream; topics it does not name there it has left
//! ```
//!
//! What comes on a stream is read with [`wire::rpc::Parts`](crate::wire::rpc::Parts) and handed over part by part, then
//! [`Input::End`]. A message goes another way, so that nobody is made to check signatures for nothing:
//!
//! ```text
//! topic_of(name) ── id as the room's messages are named ── wants(peer, topic, id)? ── signature good?
//!       │ None: drop                                          │ no: drop              │ no: Input::Invalid
//!       │                                                     │                       └ yes: Input::Message
//!       └ Output::Deliver ── the room's verdict ── Input::Judged{Accept} ── it is handed on
//! ```
//!
//! [`Core::wants`] is the one check whether a message was here before; a copy still counts for who brought it.
//!
//! What is to be written comes as a [`Frame`]: the bytes of one RPC as they stand on a stream, encoded once and shared by
//! all who get them. The driver puts it into the peer's [`SendQueue`], which outlives connections and holds control and
//! our own lines before others' messages; what has no place in it comes back as [`Input::Dropped`] and is offered at the
//! next heartbeat. Whoever connects is asked for with [`Core::admits`]; [`Output::Ban`] closes a peer's connections.
//!
//! # How everybody hears everything
//!
//! - Up to twelve peers in a room are all in its mesh; of more some are asked in, and everybody who asks is taken in up to
//!   what the board allows ([`Mesh::of_board`]). Our own lines go to everybody in the room.
//! - Whoever is beside the mesh is told of each message at once (five times a second at most) and at the next three
//!   heartbeats, until it shows that it has it. Whoever has it already says so, where it knows how (IDONTWANT).
//! - A newcomer, and a peer whose stream was replaced, is told of what the last minute, or half of it, brought.
//! - A place in a mesh is earned. Eight messages without a sign of life (a message, a request, an offer), and the next ones
//!   are offered and not sent; three offers without one, and the place is lost until there is one. In a full mesh
//!   whoever has brought more first, or asked for more, takes the place of whoever did least.
//! - A message that was asked for and does not come is asked for again, of another one who offered it if there is one.
//! - What is full makes room at the cost of whoever filled it: queues and the store of messages are shared by author.
//!
//! A heartbeat runs when something needs it, each second at most: something to be told, a mesh below its mark with
//! somebody to ask, a place to be taken away. In a quiet room there is none. `tests/gossip_sim.rs` runs a thousand of
//! these cores in virtual time.
//!
//! Not here: fanout (a message is published in joined topics only), signed peer records in peer exchange, and the
//! extensions of 1.3, which are skipped.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]

pub mod settings;

pub mod peer;

mod level;
mod shares;

pub mod message;
pub mod topic;

pub mod queue;

mod asked;
mod offenders;
mod peers;
mod seen;
mod store;

pub mod input;
pub mod output;

mod context;

mod mesh;

mod membership;
mod messages;

mod offers;

pub mod core;

pub use self::core::Core;
pub use input::{Input, Verdict};
pub use message::{Key, Signed};
pub use messages::{Recovery, Refusals};
pub use output::{Output, PublishError};
pub use peer::{PeerIndex, Protocol};
pub use queue::{Frame, Kind, SendQueue};
pub use settings::{Mesh, Settings};
pub use topic::TopicIndex;
