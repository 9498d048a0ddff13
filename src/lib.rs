//! stonechat: a chat peer small enough for any Raspberry-Pi-class board.
//!
//! This page is the map of the house. Each floor is a folder; a file imports only floors with a smaller
//! number, never a sibling folder of its own floor, and inside a folder only files declared above it.
//! `tests/tidy.rs` checks that.
//!
//! | floor | folder | what it is |
//! | --- | --- | --- |
//! | 6 | `app` | arguments, interactive chat, daemon and control socket |
//! | 5 | `node` | the peer: swarm, rooms and disk in one loop; discovery, lifecycle, every libp2p limit |
//! | 4 | `swarm` | the pure floors on libp2p's swarm: gossip on connections |
//! | 3 | `net` | smol under libp2p: executor, tcp, yamux, dns, mdns |
//! | 3 | `store` | identity, remembered peers and the log of messages on an SD card |
//! | 2 | `chat` | the sans-io core of a room |
//! | 2 | `gossip` | gossipsub as a state machine: who is in a room, and how what is said there reaches everybody |
//! | 2 | `compat` | the rooms of other programs: what they are called, what travels in them |
//! | 1 | `wire` | bytes to values and back; the protocol's own bounds |
//! | 0 | `base` | boards and limits, time, numbers given once, bounded queues, meters, a token bucket |
//!
//! Floors 0 and 1 need neither an operating system nor an allocator, floor 2 needs `alloc`:
//! `cargo build --no-default-features --lib` builds exactly these three.

#![cfg_attr(not(feature = "peer"), no_std)]
#![deny(missing_docs)]
// But for one system call, in node/kernel.rs.
#![deny(unsafe_code)]

extern crate alloc;

pub mod base;
pub mod chat;
pub mod compat;
pub mod gossip;
pub mod wire;

#[cfg(feature = "peer")]
pub mod app;
#[cfg(feature = "peer")]
pub mod net;
#[cfg(feature = "peer")]
pub mod node;
#[cfg(feature = "peer")]
pub mod store;
#[cfg(feature = "peer")]
pub mod swarm;

/// Running inside an async-std program: who spawns changes, nothing else.
///
/// async-std and smol share one reactor thread. async-std is discontinued (RUSTSEC-2025-0052), hence off by default.
#[cfg(feature = "async-std")]
pub mod async_std {
    pub use super::async_std_executor as executor;
}

/// An executor whose tasks are spawned by `async_std::task::spawn`.
///
/// ```
/// let executor = stonechat::async_std::executor();
/// let three = executor.spawn("adder", async { 1 + 2 });
/// assert_eq!(::async_std::task::block_on(three), 3);
/// ```
#[cfg(feature = "async-std")]
#[doc(hidden)]
pub fn async_std_executor() -> net::executor::Executor {
    net::executor::Executor::from_spawner(|future| {
        ::async_std::task::spawn(future);
    })
}
