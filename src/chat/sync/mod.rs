//! Floor 2. Stands on: base, wire.
//!
//! Catch-up: finding out which messages of a room two peers do not share, with whom and when, and how much of it. It
//! moves no message itself: it says which to fetch and which to give. `wire::sync` is what travels.

pub mod view;

pub mod sorted;

pub mod page;

pub mod compare;

pub mod session;

pub mod quota;

pub mod library;

pub mod serve;

pub mod exchange;

pub mod sessions;

pub mod policy;
