//! Nobody is found: since when, what was looked at, and what helps.

use super::words::count_of;
use std::time::{Duration, Instant};

/// How long nobody may be connected before it is told (milliseconds). Finding each other on one network takes one second,
/// by way of a bootstrap node that answers a few.
pub const LONELY_MS: u64 = 20_000;
/// Names of interfaces in the sentence; a host of containers has hundreds.
const NAMES_MAX: usize = 4;

/// Since when nobody is connected.
#[derive(Debug, Default)]
pub struct Lonely {
    since: Option<Instant>,
    is_told: bool,
}

impl Lonely {
    /// There are so many neighbours. Whether company came, after it was told that there is none.
    pub fn on_neighbours(&mut self, count: usize, now: Instant) -> bool {
        if count == 0 {
            self.since.get_or_insert(now);
            return false;
        }
        self.since = None;
        std::mem::take(&mut self.is_told)
    }

    /// When it is to be told next.
    pub fn next_due(&self) -> Option<Instant> {
        self.since.filter(|_| !self.is_told).map(|since| since + Duration::from_millis(LONELY_MS))
    }

    /// Whether it is to be told now; from then on it is.
    pub fn due(&mut self, now: Instant) -> bool {
        let is_due = self.next_due().is_some_and(|at| at <= now);
        self.is_told |= is_due;
        is_due
    }

    /// Seconds since when nobody is connected.
    pub fn seconds(&self, now: Instant) -> u64 {
        self.since.map_or(0, |since| now.saturating_duration_since(since).as_secs())
    }

    /// Whether it was told and still is so.
    pub fn is_told(&self) -> bool {
        self.is_told
    }
}

/// What was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// Seconds since when nobody is connected.
    pub seconds: u64,
    /// Whether there is an address but loopback's.
    pub has_network: bool,
    /// Interfaces that mDNS speaks on; none where it is off.
    pub interfaces: Option<Vec<String>>,
    /// Packets of mDNS sent.
    pub sent: u64,
    /// Packets of mDNS heard from other hosts.
    pub heard: u64,
    /// Bootstrap nodes given.
    pub bootstrap: usize,
    /// Peers whose addresses are known, which do not answer there.
    pub known: usize,
}

impl Looked {
    /// In a sentence, with what helps.
    pub fn sentence(&self) -> String {
        let by_bootstrap = match self.bootstrap {
            0 => "no bootstrap node is given".into(),
            count => format!("{} not reached", count_of(count, "bootstrap node")),
        };
        let by_mdns = match &self.interfaces {
            None => "multicast DNS is off".into(),
            Some(names) if names.is_empty() => "multicast DNS has no interface to speak on".into(),
            Some(names) => {
                let more = names.len().saturating_sub(NAMES_MAX);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let names: Vec<&str> = names.iter().take(NAMES_MAX).map(String::as_str).collect();
                let (sent, heard) = (count_of(self.sent as usize, "packet"), self.heard);
                format!("multicast DNS sent {sent} on {}{more} and heard {heard} of other hosts", names.join(", "))
            }
        };
        let helps = match self {
            it if !it.has_network => "this host has no network: see its cable, its Wi-Fi, its address",
            it if it.known > 0 => {
                "peers are known and do not answer: see whether they run, and whether a firewall keeps TCP out"
            }
            it if it.bootstrap > 0 => "see what `stonechat status` says of each bootstrap node",
            it if it.interfaces.is_none() => "name a peer with --bootstrap, or leave --no-mdns away",
            it if it.heard == 0 => {
                "start another peer on this network; if one runs, a firewall may hold back UDP port 5353, or the access \
                 point keeps its clients apart: then name one with --bootstrap"
            }
            _ => "start another peer on this network, or name one elsewhere with --bootstrap",
        };
        format!("nobody is connected for {} s: {by_mdns}; {by_bootstrap}; {helps}", self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_after_a_while_and_over_with_company() {
        let (mut lonely, start) = (Lonely::default(), Instant::now());
        let later = start + Duration::from_millis(LONELY_MS);
        assert_eq!(lonely.next_due(), None, "nobody has looked");
        assert!(!lonely.on_neighbours(0, start));
        assert!(!lonely.on_neighbours(0, later));
        assert_eq!(lonely.next_due(), Some(later));
        assert!(!lonely.due(later - Duration::from_millis(1)) && lonely.due(later) && !lonely.due(later));
        assert!(lonely.is_told() && lonely.next_due().is_none());
        assert!(lonely.on_neighbours(1, later) && !lonely.on_neighbours(2, later));
        assert!(!lonely.on_neighbours(0, later) && !lonely.due(later));
        assert!(!lonely.on_neighbours(1, later), "company came before it was told");
    }

    #[test]
    fn the_sentence_says_what_was_looked_at_and_what_helps() {
        let names = |count: usize| Some((0..count).map(|n| format!("eth{n}")).collect::<Vec<_>>());
        let lan = Looked { seconds: 20, has_network: true, interfaces: names(1), sent: 7, ..Looked::default() };
        assert_eq!(
            lan.sentence(),
            "nobody is connected for 20 s: multicast DNS sent 7 packets on eth0 and heard 0 of other hosts; no bootstrap \
             node is given; start another peer on this network; if one runs, a firewall may hold back UDP port 5353, or \
             the access point keeps its clients apart: then name one with --bootstrap"
        );
        for (looked, part) in [
            (Looked { interfaces: names(9), ..lan.clone() }, "on eth0, eth1, eth2, eth3 and 5 more and heard"),
            (
                Looked { interfaces: None, ..lan.clone() },
                "multicast DNS is off; no bootstrap node is given; name a peer",
            ),
            (Looked { bootstrap: 2, ..lan.clone() }, "2 bootstrap nodes not reached; see what `stonechat status` says"),
            (Looked { has_network: false, ..lan.clone() }, "this host has no network"),
            (Looked { known: 1, ..lan.clone() }, "whether a firewall keeps TCP out"),
            (Looked { heard: 3, ..lan.clone() }, "heard 3 of other hosts; no bootstrap node is given; start another"),
        ] {
            assert!(looked.sentence().contains(part), "{}", looked.sentence());
        }
    }
}
