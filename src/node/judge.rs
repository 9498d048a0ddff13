//! Judging: those for whom there is no place are let go.

use super::{peers::connections::LetGo, state::Node};
use std::time::Instant;

impl Node {
    /// Lets those go for whom there is no place.
    pub(super) fn judge(&mut self, now: Instant) {
        for peer in self.swarm.behaviour_mut().dht.take_served() {
            self.admission.on_served(&peer, now);
        }
        if !self.admission.is_due(now) {
            return;
        }
        for (peer, why) in self.admission.judge(now) {
            self.count(match why {
                LetGo::FullInbound => "peers let go: every place for those who come is taken",
                LetGo::Full => "peers let go: every place is taken",
                LetGo::NoRoom | LetGo::Mixed => "peers let go: no room in common",
            });
            self.count("peers let go");
            log::debug!("{peer} is let go: {why:?}");
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let crowd = &mut self.swarm.behaviour_mut().limits;
        self.admission.settled().for_each(|peer| crowd.settle(peer));
    }

    /// Who holds many of the places, in words, if somebody does.
    pub(super) fn crowding(&self) -> String {
        match self.admission.crowding() {
            Some((ip, count, most)) => {
                format!("; {ip} alone holds {count} of {most} with peers that share no room: keep it out by a firewall")
            }
            None => String::new(),
        }
    }
}
