//! What a stranger's control messages do, sent over the wire as they are: that each sort is recognised is all that bounds
//! them (`node/control.rs`).

#[allow(dead_code)]
#[path = "hostile/line.rs"]
mod line;
mod peer;
#[path = "hostile/wire.rs"]
#[allow(dead_code)]
mod wire;

use libp2p::{Multiaddr, identity::Keypair};
use line::{dial, halves};
use peer::{PATIENCE, Peer, config};
use std::time::Instant;
use stonechat::node::intake::{ID_BYTES_MAX, MESH_CHANGES_MAX};
use wire::{hello, sized};

const GOSSIP: &str = "/meshsub/1.2.0";
const LOBBY: &str = "stonechat/1/lobby";
const DROPPED: &str = "gossip: control messages dropped";

/// Sends these control messages in one connection; how many of them were dropped, as soon as it is `most` or all are sent.
fn dropped(messages: &[Vec<u8>], most: u64) -> u64 {
    let victim = Peer::start(config());
    let address: Multiaddr = victim.address();
    let address: Multiaddr =
        address.iter().filter(|part| !matches!(part, libp2p::multiaddr::Protocol::P2p(_))).collect();
    let before = victim.counter(DROPPED);
    smol::block_on(async {
        let raw = dial(&Keypair::generate_ed25519(), &address).await.expect("it listens");
        let (reader, mut writer) = halves(raw);
        let sending = async {
            writer.open(1, &hello(GOSSIP)).await?;
            writer.send(1, &sized(&wire::subscribe(LOBBY, true)), 16 * 1024).await?;
            for message in messages {
                writer.send(1, &sized(message), 16 * 1024).await?;
            }
            writer.flush().await?;
            let start = Instant::now();
            while victim.counter(DROPPED) < before + most {
                assert!(start.elapsed() < PATIENCE, "{} of {most} dropped", victim.counter(DROPPED) - before);
                smol::Timer::after(std::time::Duration::from_millis(10)).await;
            }
            std::io::Result::Ok(())
        };
        smol::future::or(sending, reader.read()).await.expect("it stays connected");
    });
    victim.counter(DROPPED) - before
}

#[test]
fn ids_that_are_too_long_are_seen_in_each_sort_that_has_ids() {
    let long = [vec![7; ID_BYTES_MAX + 1]];
    let short = [vec![7; ID_BYTES_MAX]];
    let good = [wire::ihave(LOBBY, &short), wire::iwant(&short), wire::idontwant(&short), wire::prune(LOBBY, 60)];
    let bad = [wire::ihave(LOBBY, &long), wire::iwant(&long), wire::idontwant(&long), wire::prune(LOBBY, 3_600)];
    assert_eq!(dropped(&[good, bad].concat(), 4), 4);
}

#[test]
fn grafts_are_counted() {
    let grafts: Vec<u8> = (0..MESH_CHANGES_MAX + 3).flat_map(|_| wire::graft(LOBBY)).collect();
    assert_eq!(dropped(&[grafts], 3), 3);
}
