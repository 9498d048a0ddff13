//! Floor 3. Stands on: base.
//!
//! The addresses of this host's network interfaces, and their comings and goings.
//!
//! [`list`] takes a picture, [`Watcher`] tells what changed since. Both speak of *addresses that can be used now*:
//! an interface that is down or has no carrier is absent, and so is an IPv6 address whose duplicate address
//! detection has not finished, because binding to it or sending from it would fail.
//!
//! ```no_run
//! use stonechat::net::interfaces::{Change, Watcher};
//!
//! smol::block_on(async {
//!     let mut watcher = Watcher::new();
//!     loop {
//!         match watcher.next().await {
//!             Change::Up(it) => println!("+ {} {}/{}", it.name, it.ip, it.prefix_len),
//!             Change::Down(it) => println!("- {} {}", it.name, it.ip),
//!         }
//!     }
//! });
//! ```

mod interface;

mod rank;

mod list;
mod watcher;

pub use interface::Interface;
pub use list::{INTERFACES_MAX, Picture, list, picture};
pub use rank::leads_out;
pub use watcher::{Change, Watcher};
