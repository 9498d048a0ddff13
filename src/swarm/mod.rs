//! Floor 4. Stands on: base, wire, compat, gossip.
//!
//! The pure floors on libp2p's swarm: events to inputs, outputs to calls. What is to be done is decided below.

pub mod gossip;
