//! Peers of earlier runs, so that a reboot depends on nobody's bootstrap.
//!
//! The file is text, one peer a line, best first, and may be edited by hand while no peer runs:
//!
//! ```text
//! PEER-ID SCORE LAST-SEEN ADDRESS [ADDRESS…]
//! ```
//!
//! It is replaced as a whole. What a failing card made of it is judged line by line: a line that cannot be read,
//! or is not ended, is skipped with a warning and costs one peer.

use super::replace::read_bounded;
use libp2p::{Multiaddr, PeerId};
use std::fs::File;
use std::io;
use std::path::Path;

/// The list's file in the peer's directory.
pub const REMEMBERED_FILE: &str = "peers";

/// Score of a peer that always answered. Low, so that a few failures are enough to prefer another (guess).
pub const SCORE_MAX: u8 = 16;

/// Bytes of one address in the file. The longest in use, through a relay with two peer ids, have about 180.
const ADDRESS_BYTES_MAX: usize = 256;

/// Bytes of a line beside its addresses: peer id, score, stamp, spaces, with room.
const LINE_BYTES_MAX: usize = 160;

/// A peer of an earlier connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RememberedPeer {
    /// Whose.
    pub peer: PeerId,
    /// Where it was reached, the last one that worked first.
    pub addresses: Vec<Multiaddr>,
    /// When it was last connected, in ms since 1970; 0 where the clock was not known.
    pub last_seen: u64,
    /// Up to [`SCORE_MAX`]: one more for each connection, half for each that failed.
    pub score: u8,
}

/// A bounded list of peers to dial first after a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Best first: by score, then the one connected last.
    peers: Vec<RememberedPeer>,
    peers_max: usize,
    addresses_max: usize,
    changed: bool,
}

impl Remembered {
    /// An empty list for at most `peers_max` peers with `addresses_max` addresses each.
    pub fn new(peers_max: usize, addresses_max: usize) -> Self {
        Self { peers: Vec::new(), peers_max, addresses_max, changed: false }
    }

    /// Reads the list of `dir`. None there is an empty list, and so is a damaged one (which is logged).
    pub fn load(dir: &Path, peers_max: usize, addresses_max: usize) -> Self {
        let path = dir.join(REMEMBERED_FILE);
        // A file of a larger board is read too, up to what four times as many peers could fill.
        let bytes_max = 4 * peers_max.max(1) * (LINE_BYTES_MAX + addresses_max * ADDRESS_BYTES_MAX);
        let mut list = Self::new(peers_max, addresses_max);
        match File::open(&path).and_then(|file| read_bounded(file, bytes_max)) {
            Ok(bytes) => {
                let skipped = list.replay(&bytes);
                if skipped > 0 {
                    log::warn!("{}: skipped {skipped} damaged lines", path.display());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => log::warn!("ignoring {}: {error}", path.display()),
        }
        list
    }

    /// Best first.
    pub fn list(&self) -> &[RememberedPeer] {
        &self.peers
    }

    /// Takes note that `peer` was reached at `address` at `now` (ms since 1970, 0 if unknown). A full list lets its
    /// worst peer go for it; the addresses kept of one peer are the last ones that worked.
    pub fn note(&mut self, peer: PeerId, address: Multiaddr, now: u64) {
        if self.peers_max == 0 || self.addresses_max == 0 || address.to_string().len() > ADDRESS_BYTES_MAX {
            return;
        }
        let mut entry = match self.peers.iter().position(|known| known.peer == peer) {
            Some(at) => self.peers.remove(at),
            None => RememberedPeer { peer, addresses: Vec::new(), last_seen: now, score: 0 },
        };
        entry.addresses.retain(|known| *known != address);
        entry.addresses.insert(0, address);
        entry.addresses.truncate(self.addresses_max);
        entry.score = entry.score.saturating_add(1).min(SCORE_MAX);
        // A clock that went back or is unknown takes nothing from what is known.
        entry.last_seen = entry.last_seen.max(now);
        while self.peers.len() >= self.peers_max {
            self.peers.pop();
        }
        self.place(entry);
    }

    /// Takes note that `peer` could not be reached.
    pub fn miss(&mut self, peer: &PeerId) {
        if let Some(at) = self.peers.iter().position(|known| known.peer == *peer) {
            let mut entry = self.peers.remove(at);
            entry.score /= 2;
            self.place(entry);
        }
    }

    /// Removes `peer`; whether it was there.
    pub fn forget(&mut self, peer: &PeerId) -> bool {
        let before = self.peers.len();
        self.peers.retain(|known| known.peer != *peer);
        self.changed |= self.peers.len() < before;
        self.peers.len() < before
    }

    /// Whether the list differs from what [`Remembered::to_bytes`] last returned.
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// The file's bytes, to be written as [`REMEMBERED_FILE`].
    pub fn to_bytes(&mut self) -> Vec<u8> {
        use std::fmt::Write;
        self.changed = false;
        let mut text = String::new();
        for entry in &self.peers {
            // Writing to a string cannot fail.
            let _ = write!(text, "{} {} {}", entry.peer, entry.score, entry.last_seen);
            for address in &entry.addresses {
                let _ = write!(text, " {address}");
            }
            text.push('\n');
        }
        text.into_bytes()
    }

    /// Before the others of its score: it is the one last heard of.
    fn place(&mut self, entry: RememberedPeer) {
        let at = self.peers.iter().position(|other| other.score <= entry.score).unwrap_or(self.peers.len());
        self.peers.insert(at, entry);
        self.changed = true;
    }

    fn replay(&mut self, bytes: &[u8]) -> usize {
        let mut skipped = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n").and_then(|line| parse(line, self.addresses_max)) {
                Some(entry) if self.peers.iter().all(|known| known.peer != entry.peer) => {
                    let at = self.peers.iter().position(|other| other.score < entry.score);
                    self.peers.insert(at.unwrap_or(self.peers.len()), entry);
                }
                _ => skipped += 1,
            }
        }
        self.changed = skipped > 0 || self.peers.len() > self.peers_max;
        self.peers.truncate(self.peers_max);
        skipped
    }
}

fn parse(line: &[u8], addresses_max: usize) -> Option<RememberedPeer> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let peer = words.next()?.parse().ok()?;
    let score = words.next()?.parse::<u8>().ok()?.min(SCORE_MAX);
    let last_seen = words.next()?.parse().ok()?;
    let mut addresses = Vec::new();
    for word in words {
        let address = (word.len() <= ADDRESS_BYTES_MAX).then(|| word.parse::<Multiaddr>().ok())??;
        addresses.push(address);
    }
    addresses.truncate(addresses_max);
    (!addresses.is_empty()).then_some(RememberedPeer { peer, addresses, last_seen, score })
}

#[cfg(test)]
mod tests;
