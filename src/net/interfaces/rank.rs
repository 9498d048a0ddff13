//! Which interfaces are likely to lead to others, and which addresses are kept of a host that has too many.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Read,
};

use super::interface::Interface;

/// Bytes of a table of routes that are read (bytes): 2,000 routes. A router has more, and its default routes come first.
const ROUTES_BYTES_MAX: u64 = 256 * 1024;

/// `RTF_UP`, from Linux's `route.h`.
const ROUTE_UP: u32 = 0x1;
/// `RTF_REJECT`, from Linux's `route.h`.
const ROUTE_REJECT: u32 = 0x200;

/// What the system says of interfaces beside their addresses.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// Those with a route to everywhere.
    default: BTreeSet<String>,
}

impl Routes {
    /// As they are now; where the system does not tell, none.
    pub(super) fn read() -> Self {
        // `thread-self`, because a thread may live in a network namespace of its own.
        let read = |name: &str| {
            let mut text = Vec::new();
            let file = File::open(format!("/proc/thread-self/net/{name}"));
            let _ = file.and_then(|file| file.take(ROUTES_BYTES_MAX).read_to_end(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        };
        Self::parse(&read("route"), &read("ipv6_route"))
    }

    /// A line of the first table: interface, destination, gateway, flags, …, mask at the eighth place. Of the second:
    /// destination, its prefix, …, flags and interface last. All numbers hexadecimal.
    fn parse(v4: &str, v6: &str) -> Self {
        let is_up = |flags: &str| {
            u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & (ROUTE_UP | ROUTE_REJECT) == ROUTE_UP)
        };
        let is_zero = |number: &str| !number.is_empty() && number.bytes().all(|digit| digit == b'0');
        let of_v4 = v4.lines().filter_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let [name, to, _, flags, _, _, _, mask, ..] = words[..] else { return None };
            (is_zero(to) && is_zero(mask) && is_up(flags)).then(|| name.to_owned())
        });
        let of_v6 = v6.lines().filter_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let [to, prefix, _, _, _, _, _, _, flags, name] = words[..] else { return None };
            (is_zero(to) && is_zero(prefix) && is_up(flags) && name != "lo").then(|| name.to_owned())
        });
        Routes { default: of_v4.chain(of_v6).collect() }
    }

    /// Small is good: what leads out of the house, what is a piece of hardware, what is made up (bridges of containers),
    /// tunnels, the host itself.
    pub(super) fn rank(&self, interface: &Interface) -> u8 {
        match interface {
            it if it.is_loopback => 4,
            it if !it.is_multicast || it.is_point_to_point => 3,
            it if self.default.contains(&it.name) => 0,
            it if is_hardware(&it.name) => 1,
            _ => 2,
        }
    }
}

fn is_hardware(name: &str) -> bool {
    fs::symlink_metadata(format!("/sys/class/net/{name}/device")).is_ok()
}

/// Whether an interface has a default route or is a piece of hardware: one that nobody wants to miss.
pub fn leads_out(name: &str) -> bool {
    Routes::read().default.contains(name) || is_hardware(name)
}

/// The best `most` of these addresses, those of good interfaces first, but of each interface one before any has a second.
/// And how many are left out.
pub(super) fn choose(mut all: Vec<Interface>, rank: impl Fn(&Interface) -> u8, most: usize) -> (Vec<Interface>, usize) {
    let mut ranks: BTreeMap<u32, u8> = BTreeMap::new();
    for it in &all {
        ranks.entry(it.index).or_insert_with(|| rank(it));
    }
    all.sort_by_key(|it| ranks.get(&it.index).copied());
    let left_out = all.len().saturating_sub(most);
    if left_out > 0 {
        let mut seen = BTreeSet::new();
        let (first, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| seen.insert(it.index));
        all = first;
        all.extend(others);
        all.truncate(most);
        all.sort_by_key(|it| ranks.get(&it.index).copied());
    }
    (all, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, index: u32, last: u8) -> Interface {
        Interface {
            name: name.into(),
            index,
            ip: [10, index as u8, 0, last].into(),
            prefix_len: 24,
            is_loopback: name == "lo",
            is_point_to_point: false,
            is_multicast: name != "lo" && name != "wg0",
        }
    }

    #[test]
    fn default_routes_are_found() {
        let v4 = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                  eth7\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                  eth8\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n\
                  eth9\t00000000\t00000000\t0203\t0\t0\t100\t00000000\t0\t0\t0\ngarbage\n";
        let zero = "00000000000000000000000000000000";
        let v6 = format!(
            "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     wlan7\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n\
             fe800000000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001     eth8\n"
        );
        let routes = Routes::parse(v4, &v6);
        assert_eq!(routes.default.iter().collect::<Vec<_>>(), ["eth7", "wlan7"]);
        let ranks: Vec<_> = ["eth7", "br-c0ffee", "wg0", "lo"].map(|name| routes.rank(&interface(name, 1, 1))).to_vec();
        assert_eq!(ranks, [0, 2, 3, 4]);
    }

    #[test]
    fn the_real_interface_is_kept_whatever_its_place_and_each_has_an_address() {
        let rank = |it: &Interface| match it.name.as_str() {
            "eth0" => 0,
            "lo" => 4,
            _ => 2,
        };
        // As the kernel gives them: much of lo, many bridges, and the one that counts last.
        let mut all: Vec<_> = (0..50).map(|n| interface("lo", 1, n)).collect();
        all.extend((2..12).flat_map(|at| (0..5).map(move |n| interface(&format!("br{at}"), at, n))));
        all.extend((0..3).map(|n| interface("eth0", 99, n)));
        let total = all.len();
        let (kept, left_out) = choose(all.clone(), rank, 20);
        assert_eq!((kept.len(), left_out), (20, total - 20));
        assert!(kept[..3].iter().all(|it| it.name == "eth0"), "all of it, and first");
        let names: BTreeSet<_> = kept.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names.len(), 12, "each has one: {names:?}");
        // Where there is room for all, only the order changes.
        let (kept, left_out) = choose(all, rank, total);
        assert_eq!((kept.len(), left_out), (total, 0));
        assert_eq!((kept[0].name.as_str(), kept[total - 1].name.as_str()), ("eth0", "lo"));
        // More interfaces than places: the best.
        let crowd: Vec<_> = (1..=30).map(|at| interface(if at == 30 { "eth0" } else { "br" }, at, 1)).collect();
        let (kept, left_out) = choose(crowd, rank, 10);
        assert_eq!((kept.len(), left_out, kept[0].name.as_str()), (10, 20, "eth0"));
    }
}
