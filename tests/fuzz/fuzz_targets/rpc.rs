//! For cargo-fuzz: `cargo +nightly fuzz run --fuzz-dir tests/fuzz rpc`.
#![no_main]

#[path = "../targets/rpc.rs"]
mod rpc;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rpc::run(bytes));
