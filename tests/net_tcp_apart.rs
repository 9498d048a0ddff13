//! The TCP transport in processes of its own: out of file descriptors, and in a network namespace.
//!
//! Apart from `net_tcp`, because a process that is being started holds the sockets of this one for a moment: a port
//! just closed would still be in use.

#[path = "net_tcp_apart/crossing.rs"]
mod crossing;
#[path = "net_tcp/drive.rs"]
#[allow(dead_code)]
mod drive;
#[path = "net_tcp_apart/exhaustion.rs"]
mod exhaustion;
#[path = "net_tcp_apart/namespace.rs"]
mod namespace;
#[path = "net_tcp_apart/netns.rs"]
mod netns;

/// Set for the process in which a test marked as ignored is to run as the child of another.
const CHILD: &str = "STONECHAT_TEST_CHILD";

/// The address that such a process is to dial.
const TO: &str = "STONECHAT_TEST_TO";
