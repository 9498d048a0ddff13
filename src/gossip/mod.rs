//! Floor 2. Stands on: base, wire.
//!
//! gossip.
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
pub use messages::Refusals;
pub use output::{Output, PublishError};
pub use peer::{PeerIndex, Protocol};
pub use queue::{Frame, Kind, SendQueue};
pub use settings::{Mesh, Settings};
pub use topic::TopicIndex;
