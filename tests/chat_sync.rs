//! Catch-up: comparing two histories until both sides know what each lacks, and bearing with peers that lie.
//!
//! A failure names its seed: `STONECHAT_SEED=… cargo test --test chat_sync` runs that one alone; `STONECHAT_SEEDS=20`
//! tries twenty times as many.

#[path = "chat_sync/compare.rs"]
mod compare;
#[path = "chat_sync/flood.rs"]
mod flood;
#[path = "chat_sync/goals.rs"]
mod goals;
#[path = "chat_sync/hostile.rs"]
mod hostile;
#[path = "chat_sync/network.rs"]
mod network;
#[path = "chat_sync/pair.rs"]
mod pair;
#[allow(dead_code)]
#[path = "chat_sim/random.rs"]
mod random;
#[path = "chat_sync/sessions.rs"]
mod sessions;

/// Runs something for each seed; a panic inside is told apart by its seed.
fn for_seeds(count: u64, run: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let variable = |name| std::env::var(name).ok().map(|number| number.parse::<u64>().expect("a number"));
    let count = count * variable("STONECHAT_SEEDS").unwrap_or(1);
    for seed in variable("STONECHAT_SEED").map_or(0..count, |seed| seed..seed + 1) {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("failed with STONECHAT_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
