//! What strangers may bring about: whoever names peers can have us dial so often, and what failed is remembered over its
//! announcements.

use super::{
    crowd::TooMany,
    peers::{
        address::{Network, Topic, ip_of},
        allowance::Allowance,
        misses::Misses,
        source::Announcer,
    },
};
use crate::base::random::Random;
use libp2p::{Multiaddr, PeerId, TransportError, swarm::DialError};
use std::{collections::BTreeMap, net::IpAddr, time::Instant};

/// Addresses that a peer is taken to have of which the DHT alone knows some (count).
const UNKNOWN_ADDRESSES: usize = 4;

/// Whether a dial was not made for a reason of our own: that says nothing of the other.
pub(super) fn is_ours(error: &DialError) -> bool {
    match error {
        DialError::DialPeerConditionFalse(_) | DialError::Aborted => true,
        DialError::Denied { cause } => cause.downcast_ref::<TooMany>().is_some(),
        _ => false,
    }
}

/// Who named a peer.
#[derive(Debug, Clone, Copy)]
pub(super) enum NamedBy {
    /// A host of a link.
    Host(IpAddr),
    /// Answers of the DHT.
    LookUp,
    /// It itself, when it was connected.
    Itself,
}

/// What is left to them.
#[derive(Debug)]
pub(super) struct Strangers {
    allowance: Allowance,
    misses: Misses,
    /// Dials under way: on whose account, and for how many addresses.
    dials: BTreeMap<PeerId, (Announcer, usize)>,
}

impl Strangers {
    /// Nobody was dialled yet.
    pub fn new(seed: u64, now: Instant) -> Self {
        Strangers { allowance: Allowance::new(now), misses: Misses::new(Random::new(seed)), dials: BTreeMap::new() }
    }

    /// At which of its addresses a peer may be dialled now that somebody named; else from when on.
    pub fn may_dial(
        &mut self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        named_by: NamedBy,
        now: Instant,
    ) -> Result<Vec<Multiaddr>, Instant> {
        let until = |address: &Multiaddr| self.misses.until(address).filter(|until| *until > now);
        let (missed, left): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| until(address).is_some());
        if let Some(soonest) = missed.iter().filter_map(until).min().filter(|_| left.is_empty()) {
            return Err(soonest);
        }
        let announcer = match named_by {
            NamedBy::Host(ip) => Announcer::Host(Network::of(ip)),
            NamedBy::LookUp => Announcer::LookUp(Topic(0)),
            NamedBy::Itself => Announcer::Peer(peer),
        };
        let count = if left.is_empty() { UNKNOWN_ADDRESSES } else { left.len() };
        self.allowance.take(announcer, count, now).map_err(|wait| now + wait)?;
        self.dials.insert(peer, (announcer, count));
        Ok(left)
    }

    /// A peer answered: whoever named it spoke the truth.
    pub fn on_connected(&mut self, peer: &PeerId, address: &Multiaddr) {
        self.misses.forget(address);
        if let Some((announcer, count)) = self.dials.remove(peer) {
            self.allowance.give_back(announcer, count);
        }
    }

    /// A dial failed.
    pub fn on_failed(&mut self, peer: Option<&PeerId>, error: &DialError, now: Instant) {
        let dial = peer.and_then(|peer| self.dials.remove(peer));
        match (error, dial) {
            (error, Some((announcer, count))) if is_ours(error) => self.allowance.give_back(announcer, count),
            (DialError::Transport(failures), _) => {
                // Somebody answered there, and it was not the peer: that address is not dead.
                let is_miss = |error: &TransportError<_>| matches!(error, TransportError::Other(_));
                let missed = failures.iter().filter(|(_, error)| is_miss(error));
                missed.for_each(|(address, _)| self.misses.on_missed(address, now));
            }
            _ => {}
        }
    }

    /// Where there is a new chance: a peer started afresh.
    pub fn forgive(&mut self, addresses: &[Multiaddr]) {
        addresses.iter().for_each(|address| self.misses.forget(address));
    }

    /// We are in another network.
    pub fn forgive_all(&mut self) {
        self.misses.forget_all();
    }

    /// How often somebody had to wait.
    pub fn held_back(&self) -> u64 {
        self.allowance.refused()
    }
}

/// The host of an address, where nobody is known who named it.
pub(super) fn host_of(addresses: &[Multiaddr]) -> Option<IpAddr> {
    addresses.iter().find_map(ip_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io, time::Duration};

    fn address(host: u8, port: u16) -> Multiaddr {
        format!("/ip4/10.9.0.{host}/tcp/{port}").parse().unwrap()
    }

    fn nobody_at(address: &Multiaddr) -> DialError {
        let error = TransportError::Other(io::Error::from(io::ErrorKind::HostUnreachable));
        DialError::Transport(vec![(address.clone(), error)])
    }

    /// 64 hosts, or one that speaks as 64, name peers without end; each is dialled as soon as that is allowed.
    fn attempts(hosts: u8, seconds: u64) -> usize {
        let start = Instant::now();
        let mut strangers = Strangers::new(1, start);
        let mut dialled = 0;
        for ms in (0..1_000 * seconds).step_by(5) {
            let (now, host) = (start + Duration::from_millis(ms), (ms / 5 % u64::from(hosts)) as u8 + 1);
            let (peer, at) = (PeerId::random(), address(host, ms as u16 | 1));
            let named_by = NamedBy::Host([10, 9, 0, host].into());
            if let Ok(left) = strangers.may_dial(peer, vec![at.clone()], named_by, now) {
                dialled += left.len();
                strangers.on_failed(Some(&peer), &nobody_at(&at), now);
            }
        }
        dialled
    }

    #[test]
    fn who_names_peers_without_end_has_few_of_them_dialled() {
        let (one, many) = (attempts(1, 75), attempts(64, 75));
        println!("{one} attempts in 75 s for one host, {many} for 64");
        assert!((8..=23).contains(&one) && (32..=107).contains(&many), "{one}, {many}");
    }

    #[test]
    fn what_failed_is_left_alone_whoever_names_it_again_and_for_whichever_peer() {
        let now = Instant::now();
        let mut strangers = Strangers::new(1, now);
        let (dead, alive) = (address(7, 1), address(8, 1));
        let by = |host: u8| NamedBy::Host([10, 9, 0, host].into());
        let peer = PeerId::random();
        assert!(strangers.may_dial(peer, vec![dead.clone()], by(1), now).is_ok());
        strangers.on_failed(Some(&peer), &nobody_at(&dead), now);
        for host in 2..100 {
            let until = strangers.may_dial(PeerId::random(), vec![dead.clone()], by(host), now).unwrap_err();
            assert!(until > now + Duration::from_secs(1));
        }
        let both = vec![dead.clone(), alive.clone()];
        assert_eq!(strangers.may_dial(peer, both, by(3), now), Ok(vec![alive]), "what did not fail is dialled");
        strangers.forgive(std::slice::from_ref(&dead));
        assert!(strangers.may_dial(peer, vec![dead], by(4), now).is_ok(), "it started afresh");
    }

    #[test]
    fn who_speaks_the_truth_is_not_held_up_and_our_own_limits_are_nobodys_fault() {
        let now = Instant::now();
        let mut strangers = Strangers::new(1, now);
        for n in 0..500 {
            let (peer, at) = (PeerId::random(), address(9, 4_000 + n));
            assert!(strangers.may_dial(peer, vec![at.clone()], NamedBy::Host([10, 9, 0, 9].into()), now).is_ok());
            match n % 2 {
                0 => strangers.on_connected(&peer, &at),
                _ => strangers.on_failed(Some(&peer), &DialError::Aborted, now),
            }
        }
        assert_eq!(strangers.held_back(), 0);
        assert!(strangers.misses.is_empty());
    }
}
