//! The addresses that this host has at this moment.

use std::{
    collections::HashMap,
    fs, io,
    net::{IpAddr, Ipv6Addr},
};

use super::{
    interface::Interface,
    rank::{Routes, choose},
};

/// How many addresses a picture of the host holds at most (addresses). Of more the best are kept, and of each interface one.
///
/// A board has fewer than ten; a host of containers can have hundreds, which nobody would dial. Costs about 100 bytes
/// each. Source: guess.
pub const INTERFACES_MAX: usize = 128;

/// `IFF_LOOPBACK`, from Linux's `if.h`.
const FLAG_LOOPBACK: u32 = 0x8;
/// `IFF_MULTICAST`, from Linux's `if.h`.
const FLAG_MULTICAST: u32 = 0x1000;
/// `IFA_F_OPTIMISTIC`, from Linux's `if_addr.h`: usable although its duplicate address detection still runs (RFC 4429).
const FLAG_OPTIMISTIC: u32 = 0x04;
/// `IFA_F_DADFAILED`, from Linux's `if_addr.h`: another host has this address.
const FLAG_DUPLICATE: u32 = 0x08;
/// `IFA_F_TENTATIVE`, from Linux's `if_addr.h`: duplicate address detection still runs (RFC 4862 §5.4).
const FLAG_TENTATIVE: u32 = 0x40;

/// The addresses of this host at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// Those that are kept.
    pub interfaces: Vec<Interface>,
    /// How many addresses found no place.
    pub left_out: usize,
}

/// The addresses of this host that can be used now: interfaces up and with a carrier, IPv6 addresses past their
/// duplicate address detection. Those that lead to others come first: of interfaces with a default route, of pieces of
/// hardware, of bridges and the like, of tunnels, of loopback. Of more than [`INTERFACES_MAX`] the first ones, but of
/// each interface one before any has a second.
///
/// # Errors
///
/// The system's, when it cannot tell (out of file descriptors, no permission).
pub fn list() -> io::Result<Vec<Interface>> {
    picture().map(|picture| picture.interfaces)
}

/// As [`list`], and how many were left out.
///
/// # Errors
///
/// The same.
pub fn picture() -> io::Result<Picture> {
    let routes = Routes::read();
    let (interfaces, left_out) = choose(all()?, |it| routes.rank(it), INTERFACES_MAX);
    Ok(Picture { interfaces, left_out })
}

fn all() -> io::Result<Vec<Interface>> {
    // `thread-self`, because a thread may live in a network namespace of its own.
    let unusable = fs::read_to_string("/proc/thread-self/net/if_inet6").map(|s| unusable_v6(&s)).unwrap_or_default();
    let mut flags_by_name = HashMap::new();
    let mut found = Vec::new();
    for it in if_addrs::get_if_addrs()? {
        let ip = it.ip();
        let Some(index) = it.index else { continue };
        if !it.is_oper_up() || unusable.iter().any(|(i, v6)| *i == index && IpAddr::V6(*v6) == ip) {
            continue;
        }
        let flags = match flags_by_name.get(&it.name) {
            Some(flags) => *flags,
            None => {
                let flags = interface_flags(&it.name);
                flags_by_name.insert(it.name.clone(), flags);
                flags
            }
        };
        let is_loopback = ip.is_loopback() || flags.is_some_and(|f| f & FLAG_LOOPBACK != 0);
        let prefix_len = match &it.addr {
            if_addrs::IfAddr::V4(v4) => v4.prefixlen,
            if_addrs::IfAddr::V6(v6) => v6.prefixlen,
        };
        found.push(Interface {
            index,
            ip,
            prefix_len,
            is_loopback,
            is_point_to_point: it.is_p2p,
            is_multicast: flags.map_or(!is_loopback && !it.is_p2p, |f| f & FLAG_MULTICAST != 0),
            name: it.name,
        });
    }
    Ok(found)
}

fn interface_flags(name: &str) -> Option<u32> {
    let text = fs::read_to_string(format!("/sys/class/net/{name}/flags")).ok()?;
    u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

/// The (interface index, address) pairs of `/proc/net/if_inet6` that cannot be used yet or any more.
/// A line is: address, index, prefix length, scope, flags (all hexadecimal), name.
fn unusable_v6(table: &str) -> Vec<(u32, Ipv6Addr)> {
    let entry = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let address = u128::from_str_radix(words.next()?, 16).ok()?;
        let index = u32::from_str_radix(words.next()?, 16).ok()?;
        let flags = u32::from_str_radix(words.nth(2)?, 16).ok()?;
        let tentative = flags & FLAG_TENTATIVE != 0 && flags & FLAG_OPTIMISTIC == 0;
        (tentative || flags & FLAG_DUPLICATE != 0).then_some((index, Ipv6Addr::from(address)))
    };
    table.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_listed_once_per_address() {
        let all = list().unwrap();
        let v4: Vec<_> = all.iter().filter(|i| i.ip == IpAddr::from([127, 0, 0, 1])).collect();
        assert_eq!(v4.len(), 1, "{all:?}");
        assert!(v4[0].is_loopback && !v4[0].is_multicast && v4[0].index > 0);
        assert_eq!(v4[0].prefix_len, 8);
    }

    #[test]
    fn addresses_under_detection_are_found() {
        let table = "00000000000000000000000000000001 01 80 10 80       lo\n\
                     fe800000000000000000000000000001 02 40 20 c0     eth0\n\
                     fe800000000000000000000000000002 02 40 20 44     eth0\n\
                     fe800000000000000000000000000003 0a 40 20 88     eth1\n\
                     garbage\n\nfe80 1\n";
        let v6 = |last| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last);
        assert_eq!(unusable_v6(table), [(2, v6(1)), (10, v6(3))]);
    }
}
