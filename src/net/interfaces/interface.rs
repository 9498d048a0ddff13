//! An address and the interface that has it.

use std::net::IpAddr;

/// One address of one network interface. An interface with three addresses is three of these.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Interface {
    /// The interface's name, such as `wlan0`.
    pub name: String,
    /// The interface's index: the scope of its link-local addresses and the handle for multicast.
    pub index: u32,
    /// The address.
    pub ip: IpAddr,
    /// How many leading bits of the address are the network's.
    pub prefix_len: u8,
    /// The interface, or only the address, is the host talking to itself.
    pub is_loopback: bool,
    /// The interface has one other end (a tunnel).
    pub is_point_to_point: bool,
    /// The interface can send to groups. Where the system does not say (no `/sys`): every interface that is neither
    /// loopback nor point to point.
    pub is_multicast: bool,
}
