//! Floor 3. Stands on: base.
//!
//! smol under libp2p: what rust-libp2p dropped in 0.56. It never mentions chat and could leave as a crate of
//! its own.
//!
//! | module | what it is | where libp2p takes it |
//! | --- | --- | --- |
//! | [`executor`] | one thread for all tasks, counted by name | `swarm::Config::with_executor` |
//! | [`tcp`] | TCP, with limits on what may come in | `core::Transport` |
//! | [`yamux`] | streams over one connection, bounded | `multiplex` |
//! | [`dns`] | names in addresses, by hickory's resolver | around a `core::Transport` |
//! | [`mdns`] | peers on the local network | `swarm::NetworkBehaviour` |
//! | [`ping`] | whether a link is alive, by ping | `swarm::NetworkBehaviour` |
//! | [`interfaces`] | this host's addresses, and their changes | used by the others |
//! | [`rate`] | token buckets | used by the others |
//! | [`holder`] | who has a port | used by who tells why it cannot be had |
//!
//! [`transport`] puts tcp, Noise and yamux together; [`upgrade`](upgrade()) does so over a transport of your own making.
//! No limit is hidden here: all come in by `Config` structs, and what they turned away is counted.
//!
//! A peer that answers pings, in full:
//!
//! ```no_run
//! use futures::StreamExt;
//! use libp2p::{identity, swarm::{self, Swarm, SwarmEvent}};
//! use stonechat::net::{self, executor::Executor, ping, tcp, yamux};
//!
//! let executor = Executor::new();
//! let key = identity::Keypair::generate_ed25519();
//! let transport = net::transport(&key, tcp::Config::default(), yamux::Config::default()).unwrap();
//! let config = swarm::Config::with_executor(executor.clone());
//! let mut swarm = Swarm::new(transport, ping::Behaviour::default(), key.public().to_peer_id(), config);
//! swarm.listen_on("/ip4/0.0.0.0/tcp/0".parse().unwrap()).unwrap();
//! executor.block_on(async {
//!     loop {
//!         if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
//!             println!("listening on {address}");
//!         }
//!     }
//! })
//! ```
//!
//! `examples/ping.rs` is this with both sides.

pub mod executor;
pub mod holder;
pub mod interfaces;
pub mod rate;
pub mod tcp;
pub mod yamux;

pub mod dns;
pub mod mdns;
pub mod ping;

mod crossing;

mod upgrade;

pub use upgrade::{HANDSHAKE_TIMEOUT_MS_MAX, system_error, transport, upgrade};
