//! How much of each limit is used, and how often it refused something. Rates, and what every connection has of its own, are
//! counted in no one place, and are left out.

use super::state::Node;

impl Node {
    /// How much of a limit is used now, if that is counted.
    pub(super) fn used(&self, name: &str) -> Option<u64> {
        let connections = self.swarm.network_info();
        let connections = connections.connection_counters();
        let tasks = |wanted: &str| self.executor.tasks().into_iter().find(|(name, _)| *name == wanted);
        let meters = self.core.meters();
        let meter = |name: &str| meters.iter().find(|(it, _)| *it == name).map(|(_, meter)| meter.length as u64);
        Some(match name {
            "rooms_max" => self.rooms.len() as u64,
            "peers_high" | "peers_low" => self.peers.connected_count() as u64,
            "connections_max" => connections.num_established().into(),
            "connections_inbound_max" => connections.num_established_incoming().into(),
            "connections_outbound_max" => connections.num_established_outgoing().into(),
            "connections_pending_max" => self.swarm.behaviour().limits.pending() as u64,
            "outbox_lines_max" => self.rooms.iter().map(|room| self.outbox.kept(room) as u64).max().unwrap_or(0),
            "remembered_peers_max" => self.remembered.list().len() as u64,
            "history_messages_max" | "history_bytes_max" => return meter(name),
            "mdns_peers_max" => self.swarm.behaviour().mdns.as_ref().map_or(0, |mdns| mdns.peers().len() as u64),
            "commands_queue_max" => self.requests.describe().length.into(),
            "events_queue_max" => self.hub.queues().iter().map(|queue| u64::from(queue.length)).max().unwrap_or(0),
            "control_clients_max" => tasks("control").map_or(0, |(_, count)| u64::from(count)),
            "bootstrap_max" => self.bootstrap.peers_given() as u64,
            "known_peers_max" => self.peers.known_count() as u64,
            _ => return None,
        })
    }

    /// How often a limit refused something, or something was dropped for it, if that is counted.
    pub(super) fn hits(&self, name: &str) -> Option<u64> {
        let counted = |name: &str| self.counts.get(name).copied().unwrap_or(0);
        let meters = self.core.meters();
        match name {
            "history_messages_max" | "history_bytes_max" => {
                meters.iter().find(|(it, _)| *it == name).map(|(_, meter)| meter.drops)
            }
            "connections_outbound_max" => Some(counted("dials put off: no place of our own")),
            "commands_queue_max" => Some(self.requests.describe().drops),
            "events_queue_max" => Some(self.hub.queues().iter().map(|queue| queue.drops).sum()),
            _ => {
                let refused = self.refused_counts();
                refused.iter().find(|(limit, _)| limit.name == name).map(|(_, count)| *count)
            }
        }
    }
}
