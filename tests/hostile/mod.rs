//! Attackers: each takes one thing that a peer may do and does it without end, on connections that are real up to Noise.

mod attack;
mod crowd;
mod line;
mod wire;

pub use crowd::{Campaign, nuisance, storm};
