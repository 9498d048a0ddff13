//! Floor 5. Stands on: base, wire, chat, compat, gossip, net, store, swarm.
//!
//! The peer: swarm, rooms and disk in one loop. One task owns both; everything else reaches it through bounded
//! queues. No lock around state.

pub mod event;

pub mod troubles;

mod address;

pub mod dialable;

pub mod words;

pub mod lonely;

pub mod refusals;

pub mod twin;

pub mod command;
mod kernel;
pub mod wall;

pub mod config;

pub mod known;

pub mod peers;

pub mod crowd;

pub mod rendezvous;

pub mod others;

mod topics;

pub mod bootstrap;
pub mod channel;

pub mod handle;

mod gate;

pub mod framed;

pub mod direct;

pub mod courier;

pub mod doubts;
pub mod hello;

pub mod greetings;

pub mod dht;
pub mod reserve;

pub mod limits;

mod asked;

mod behaviour;

mod authors;

pub mod outbox;

pub mod holdback;

mod admission;
mod alarm;
mod strangers;

mod state;

mod greet;

mod talk;

pub mod deliver;
mod stamps;

mod judge;

mod reach;
mod used;

mod confirm;

mod dialing;

mod tell;

mod dial;

mod watch;

mod abroad;

mod meet;

mod hear;

mod answer;

mod run;

pub use config::{Config, DEFAULT_DHT_PROTOCOL, DEFAULT_PORT, DEFAULT_ROOM, Role};
pub use handle::{Handle, Refused, Subscription};
pub use run::{StartError, start};
pub use state::Node;
pub use wall::{WallClock, build_unix_ms};
