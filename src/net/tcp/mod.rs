//! Floor 3. Stands on: base.
//!
//! TCP as a libp2p transport: `/ip4/…/tcp/…` and `/ip6/…/tcp/…`, on smol's reactor.
//!
//! [`Transport`] dials and listens and hands out [`Stream`]s: bytes, neither encrypted nor multiplexed;
//! [`net::upgrade`](crate::net::upgrade()) does that. What it does beyond sockets:
//!
//! - A listener on `0.0.0.0` or `::` reports the address of every interface and follows interfaces that come and go.
//! - Dials leave from the listening port when [`PortUse::Reuse`](libp2p::core::transport::PortUse) asks for it (hole
//!   punching needs that, and a peer that comes back after a power cut: the dead connection it meets at the other end
//!   is then its own, and is reset). If that very connection exists already, a fresh port is taken.
//! - A port listened on is ours alone: a second program, or a second listener here, gets "address in use".
//! - Accepted connections are limited per second, in total and per remote address; those above are reset at once.
//! - Bytes read are limited per second and connection. A sender that is faster is slowed by TCP itself.
//! - A connection whose remote acknowledges nothing any more ends after [`UNACKNOWLEDGED_MS_MAX`], and not when the system
//!   has tried for a quarter of an hour.
//! - No packet is longer than every path carries ([`SEGMENT_BYTES_MAX`]): some swallow longer ones without a word.
//! - Out of file descriptors or memory, a listener pauses and tries again; it neither spins nor closes.
//!
//! The numbers of [`Config`] are for the caller to choose (for a peer of ours, the board's limits); [`Counters`] tell
//! how often each was hit.
//!
//! There is no timeout here: a dial takes as long as the system lets it (about two minutes on Linux).
//! [`net::upgrade`](crate::net::upgrade()) sets one over the whole handshake.
//!
//! Two peers that dial each other from their listening ports at the same time get one connection, of which both are
//! the dialer. [`net::upgrade`](crate::net::upgrade()) deals with that.
//!
//! ```no_run
//! use futures::{AsyncReadExt, StreamExt, future::poll_fn};
//! use libp2p::core::{Transport as _, transport::{ListenerId, TransportEvent}};
//! use std::pin::Pin;
//! use stonechat::net::tcp::{Config, Transport};
//!
//! smol::block_on(async {
//!     let mut tcp = Transport::new(Config::default());
//!     tcp.listen_on(ListenerId::next(), "/ip4/0.0.0.0/tcp/0".parse().unwrap()).unwrap();
//!     loop {
//!         match poll_fn(|cx| Pin::new(&mut tcp).poll(cx)).await {
//!             TransportEvent::NewAddress { listen_addr, .. } => println!("listening on {listen_addr}"),
//!             TransportEvent::Incoming { upgrade, .. } => {
//!                 let mut text = String::new();
//!                 upgrade.await.unwrap().read_to_string(&mut text).await.unwrap();
//!                 println!("received {text}");
//!             }
//!             _ => {}
//!         }
//!     }
//! });
//! ```

mod address;
mod config;
mod error;
mod gate;
mod ports;
mod socket;

mod stream;

mod listener;
mod transport;

pub use config::{Config, Counters, Counts, SEGMENT_BYTES_MAX, UNACKNOWLEDGED_MS_MAX};
pub use error::Error;
pub use stream::Stream;
pub use transport::Transport;
