//! Floor 3. Stands on: base.
//!
//! Finds peers on the local network by multicast DNS, as a [`NetworkBehaviour`](libp2p::swarm::NetworkBehaviour).
//!
//! It follows libp2p's mDNS specification and RFC 6762, and says what it says in the form that go-, js-, py- and
//! rust-libp2p all read (`responder`). One socket for each interface and IP version, only that interface's addresses
//! on it. It asks and announces itself at once when it starts, when an interface or an address appears, and then
//! ever more rarely, up to every five minutes; in between it wakes to refresh records before they end and for
//! nothing else.
//!
//! What it deliberately does not do: it never dials, never closes a connection, and needs no privilege.
//! Everything that others can make it hold is bounded by [`Config`]; what is refused is counted ([`Counters`]).
//!
//! ```no_run
//! use libp2p::{PeerId, swarm::NetworkBehaviour};
//! use stonechat::net::mdns::{Behaviour, Config, Event};
//!
//! let config = Config { services: vec!["_p2p._udp".into(), "meetme".into()], ..Config::default() };
//! let mdns = Behaviour::new(config, PeerId::random()).unwrap();
//! // In the swarm's loop:
//! # let event = Event::Expired(vec![]);
//! match event {
//!     Event::Discovered(found) => found.iter().for_each(|(peer, address)| println!("{peer} at {address}")),
//!     Event::Expired(gone) => gone.iter().for_each(|(peer, address)| println!("{peer} no longer at {address}")),
//!     Event::Twin(address) => println!("somebody else is this peer at {address}"),
//!     Event::State => println!("{:?}", mdns.state()),
//! }
//! // Before the program ends: `swarm.behaviour_mut().leave().await`.
//! ```

#[cfg(test)]
mod forms;

mod event;
mod limits;
mod message;

mod responder;

mod place;

mod address;

mod instance;

mod cache;
mod schedule;

mod link;

mod discovery;
mod socket;

mod slot;

mod behaviour;

pub use behaviour::Behaviour;
pub use event::{Event, Failing, State};
pub use limits::{
    Config, ConfigError, Counters, INSTANCES_PER_PEER_MAX, LEAVE_MS_MAX, PORT, RECORDS_PER_PACKET_MAX, SERVICES_MAX,
};
