//! Limits that keep refusing: what is refused once is a counter, what is refused again and again is a trouble.

use std::collections::BTreeMap;

/// Refusals between two looks that are no accident any more, whatever came before. Guess.
pub const REFUSALS_AT_ONCE_MAX: u64 = 10;
/// Looks in a row with a refusal, and without one, after which it goes on, or is over. Guess: a minute.
pub const REFUSING_LOOKS_MIN: u32 = 2;

/// A limit that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit {
    /// Its name, as `stonechat limits` has it.
    pub name: &'static str,
    /// What it means when it refuses, and what helps.
    pub helps: &'static str,
}

const PLACES: &str =
    "there are more peers than this board has places for: choose a larger --board, or let some start from another peer";
const HURRY: &str =
    "others connect faster than this board takes them: choose a larger --board, or keep strangers out by a firewall";
const WAITING: &str =
    "nobody takes the lines that wait: see with `stonechat peers` who is there, or send them more slowly";

/// Handshakes under way.
pub const PENDING: Limit = Limit {
    name: "connections_pending_max",
    helps: "others hold all places for handshakes and newcomers have to try again: choose a larger --board, or keep \
            strangers out by a firewall",
};
/// Connections that others made.
pub const INBOUND: Limit = Limit { name: "connections_inbound_max", helps: PLACES };
/// All connections.
pub const CONNECTIONS: Limit = Limit { name: "connections_max", helps: PLACES };
/// Connected peers.
pub const PEERS: Limit = Limit { name: "peers_high", helps: PLACES };
/// Connections accepted in a second.
pub const ACCEPTS: Limit = Limit { name: "accepts_per_second_max", helps: HURRY };
/// The same from one address.
pub const ACCEPTS_OF_ADDRESS: Limit = Limit { name: "accepts_per_address_per_second_max", helps: HURRY };
/// Lines that wait.
pub const OUTBOX_LINES: Limit = Limit { name: "outbox_lines_max", helps: WAITING };
/// Their bytes.
pub const OUTBOX_SIZE: Limit = Limit { name: "outbox_bytes_max", helps: WAITING };
/// Clients of the control socket.
pub const CONTROL: Limit = Limit {
    name: "control_clients_max",
    helps: "too many programs talk to this peer at once: end one; each `stonechat tail` and each attached chat is one",
};
/// Provider records.
pub const RECORDS: Limit = Limit {
    name: "dht_records_max",
    helps: "others announce more rooms here than are kept, and some will not be found: choose a larger --board",
};
/// Peers found by mDNS.
pub const FOUND: Limit = Limit {
    name: "mdns_peers_max",
    helps: "there are more peers on this network than are remembered: choose a larger --board",
};

/// What became of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It keeps refusing; so many times since the last look.
    Refuses(u64),
    /// It has not refused anything for a while.
    Over,
    /// Nothing to tell.
    None,
}

#[derive(Debug, Default)]
struct Seen {
    count: u64,
    refusing_looks: u32,
    quiet_looks: u32,
    is_told: bool,
}

/// What was seen of each limit.
#[derive(Debug, Default)]
pub struct Refusals {
    limits: BTreeMap<&'static str, Seen>,
}

impl Refusals {
    /// A limit has refused `count` times since the start. To be asked at even distances.
    pub fn look(&mut self, limit: &Limit, count: u64) -> Change {
        let seen = self.limits.entry(limit.name).or_default();
        let new = count.saturating_sub(std::mem::replace(&mut seen.count, count));
        match new {
            0 => (seen.refusing_looks, seen.quiet_looks) = (0, seen.quiet_looks.saturating_add(1)),
            _ => (seen.refusing_looks, seen.quiet_looks) = (seen.refusing_looks.saturating_add(1), 0),
        }
        if new >= REFUSALS_AT_ONCE_MAX || seen.refusing_looks >= REFUSING_LOOKS_MIN {
            seen.is_told = true;
            return Change::Refuses(new);
        }
        match seen.is_told && seen.quiet_looks >= REFUSING_LOOKS_MIN {
            true => {
                seen.is_told = false;
                Change::Over
            }
            false => Change::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_and_then_is_none_of_it_and_again_and_again_is() {
        let mut refusals = Refusals::default();
        let mut look =
            |counts: &[u64]| counts.iter().map(|count| refusals.look(&OUTBOX_LINES, *count)).collect::<Vec<_>>();
        assert_eq!(look(&[0, 0, 1, 1, 4, 4]), [Change::None; 6], "now and then");
        assert_eq!(look(&[5, 6, 8]), [Change::None, Change::Refuses(1), Change::Refuses(2)]);
        assert_eq!(look(&[8, 8, 8, 8]), [Change::None, Change::Over, Change::None, Change::None]);
        assert_eq!(look(&[18, 18, 19]), [Change::Refuses(10), Change::None, Change::None], "many at once");
        assert_eq!(look(&[19, 19]), [Change::None, Change::Over]);
        assert_eq!(refusals.look(&CONTROL, 100), Change::Refuses(100), "each limit by itself");
    }
}
