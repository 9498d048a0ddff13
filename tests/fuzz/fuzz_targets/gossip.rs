//! For cargo-fuzz: `cargo +nightly fuzz run --fuzz-dir tests/fuzz gossip`.
#![no_main]

#[path = "../targets/gossip.rs"]
mod gossip;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gossip::run(bytes));
