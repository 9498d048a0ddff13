//! The fuzz targets on stable: the corpus, and so many cases made of it by chance.
//!
//! A runner of our own and not bolero: that brings some hundred crates and an engine of its own, and without
//! nightly's instrumentation it too would only make inputs by chance. What is here needs `arbitrary` alone, is the same
//! for the same seed, and its targets are cargo-fuzz's (`tests/fuzz/`), which finds more where nightly is at hand.
//!
//! `STONECHAT_FUZZ_CASES=… cargo test --test fuzz` runs as many cases of each. What fails is written to a file whose name
//! is told; put into the corpus it is run for ever after.

#[path = "fuzz/targets/gossip.rs"]
mod gossip;
#[path = "fuzz/targets/rpc.rs"]
mod rpc;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use stonechat::base::random::Random;

/// Cases of each target beside the corpus, unless the environment says otherwise.
const CASES: u64 = 3_000;

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Changes, adds, removes or doubles a part, or puts two cases together.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        let end = (at + random.below(24) as usize).min(bytes.len());
        let byte = [0, 1, 0x7f, 0x80, 0xff, random.number() as u8][random.below(6) as usize];
        match random.below(7) {
            0 => bytes.insert(at, byte),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.extend_from_within(at..end),
            3 => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other[random.below(other.len() as u64 + 1) as usize..]);
            }
            4 => bytes.iter_mut().skip(at).take(end - at).for_each(|one| *one = random.number() as u8),
            _ if at < bytes.len() => bytes[at] = byte,
            _ => bytes.push(byte),
        }
    }
    bytes.truncate(4_096);
}

fn fuzz(name: &str, run: fn(&[u8])) {
    let (corpus, mut random) = (corpus(name), Random::new(0x57_0e_c4));
    assert!(corpus.len() >= 20, "{} files in the corpus", corpus.len());
    let try_one = |bytes: &[u8]| {
        if let Err(panic) = catch_unwind(|| run(bytes)) {
            let file = std::env::temp_dir()
                .join(format!("stonechat-{name}-{:016x}", Random::new(bytes.len() as u64).number()));
            fs::write(&file, bytes).unwrap();
            eprintln!("the {name} target fails with {}", file.display());
            std::panic::resume_unwind(panic);
        }
    };
    corpus.iter().for_each(|bytes| try_one(bytes));
    let cases = std::env::var("STONECHAT_FUZZ_CASES").map_or(CASES, |cases| cases.parse().expect("a number"));
    for _ in 0..cases {
        let [mut bytes, other] = [(); 2].map(|()| corpus[random.below(corpus.len() as u64) as usize].clone());
        mutate(&mut bytes, &other, &mut random);
        try_one(&bytes);
    }
    println!("{name}: {} of the corpus and {cases} made of it", corpus.len());
}

#[test]
fn any_bytes_as_an_rpc() {
    fuzz("rpc", rpc::run);
}

#[test]
fn any_sequence_of_inputs_to_a_gossip_core() {
    fuzz("gossip", gossip::run);
}
