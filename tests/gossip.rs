//! What a stranger's control messages do, sent over the wire as they are.

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
use stonechat::{
    gossip::settings::MESH_CHANGES_MAX,
    wire::rpc::bounds::{ID_BYTES_MAX, RPC_BYTES_MAX},
};
use wire::{hello, sized};

const GOSSIP: &str = "/meshsub/1.2.0";
const LOBBY: &str = "stonechat/1/lobby";
const TOO_OFTEN: &str = "gossip: control messages dropped";
const TOO_LONG: &str = "gossip: dropped, malformed or too long";

/// Sends these RPCs in one connection; how many of their parts were dropped for this reason, as soon as it is `most`.
fn dropped(messages: &[Vec<u8>], reason: &str, most: u64) -> u64 {
    let victim = Peer::start(config());
    let address: Multiaddr = victim.address();
    let address: Multiaddr =
        address.iter().filter(|part| !matches!(part, libp2p::multiaddr::Protocol::P2p(_))).collect();
    let before = victim.counter(reason);
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
            while victim.counter(reason) < before + most {
                assert!(start.elapsed() < PATIENCE, "{} of {most} dropped", victim.counter(reason) - before);
                smol::Timer::after(std::time::Duration::from_millis(10)).await;
            }
            std::io::Result::Ok(())
        };
        smol::future::or(sending, reader.read()).await.expect("it stays connected");
    });
    victim.counter(reason) - before
}

#[test]
fn ids_that_are_too_long_are_seen_in_each_sort_that_has_ids() {
    let long = [vec![7; ID_BYTES_MAX + 1]];
    let short = [vec![7; ID_BYTES_MAX]];
    let good = [wire::ihave(LOBBY, &short), wire::iwant(&short), wire::idontwant(&short)];
    let bad = [wire::ihave(LOBBY, &long), wire::iwant(&long), wire::idontwant(&long)];
    assert_eq!(dropped(&[good, bad].concat(), TOO_LONG, 3), 3);
}

#[test]
fn grafts_are_counted() {
    let grafts: Vec<u8> = (0..MESH_CHANGES_MAX + 3).flat_map(|_| wire::graft(LOBBY)).collect();
    assert_eq!(dropped(&[grafts], TOO_OFTEN, 3), 3);
}

#[test]
fn an_rpc_that_is_longer_than_any_is_read_past_and_the_next_one_is_heard() {
    let long = wire::field(7, &vec![7; 3 * RPC_BYTES_MAX]);
    let bad = wire::ihave(LOBBY, &[vec![7; ID_BYTES_MAX + 1]]);
    assert_eq!(dropped(&[long.clone(), bad.clone(), long, bad], TOO_LONG, 4), 4);
}
