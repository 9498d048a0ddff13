//! Floor 3. Stands on: base.
//!
//! Many streams over one connection: `/yamux/1.0.0`, with a bound on their number and on the bytes they may hold.
//!
//! libp2p's own upgrade leaves the receive window of a connection at 1 GiB. Here [`Config::window_bytes_max`] bounds
//! what a remote can make us hold in streams that nobody reads; beyond it the remote has to wait, or is disconnected
//! if it does not. What nobody reads takes memory on all connections together, and small frames far more than their
//! bytes: [`Config::unread_bytes_max`] bounds that memory.
//!
//! Streams that we open wait, rather than break the connection, when too many are open: at most half of
//! [`Config::streams_max`] are ours, so that the remote always finds room for its own.
//!
//! A connection that is closed ends within [`CLOSE_MS_MAX`], read or not.
//!
//! [`Config`] is given to [`net::upgrade`](crate::net::upgrade()), or to any
//! [`multiplex`](libp2p::core::transport::upgrade::Authenticated::multiplex).
//!
//! The `yamux` crate logs a remote's misbehaviour as an error. A log that people read should silence it
//! (`RUST_LOG=yamux=off`).

mod config;
mod unread;

mod watched;

mod gauge;

mod muxer;

mod upgrade;

pub use config::{Config, STREAM_WINDOW_BYTES};
pub use gauge::Stream;
pub use muxer::{CLOSE_MS_MAX, Error, Muxer};
pub use upgrade::Shared;
