//! The log on disk: what it promises, on a disk that fails in every way a disk can.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `STONECHAT_POWER_CUTS` | random power cuts of long traces; 10,000 is the figure to publish, fewer by default |
//! | `STONECHAT_TORN_STEP` | 1 tries every torn prefix of every last sector; larger steps by default |
//! | `STONECHAT_KILLS` | how often a process that appends is killed; 200 is the figure to publish |
//! | `STONECHAT_SEED` | the seed of what is random |

#[path = "store_log/basics.rs"]
mod basics;
#[path = "store_log/damage.rs"]
mod damage;
#[path = "store_log/disk.rs"]
mod disk;
#[path = "store_log/image.rs"]
mod image;
#[path = "store_log/killed.rs"]
mod killed;
#[path = "store_log/power.rs"]
mod power;
#[allow(dead_code)]
#[path = "chat_sim/random.rs"]
mod random;
#[path = "store_log/rival.rs"]
mod rival;
#[path = "store_log/trace.rs"]
mod trace;
#[path = "store_log/trouble.rs"]
mod trouble;
#[path = "store_log/version.rs"]
mod version;

/// A number from the environment.
fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// What a record of that number holds: its length and every byte follow from the number.
fn body_of(number: u64) -> Vec<u8> {
    let mut random = random::Random::new(number);
    let length = match random.below(10) {
        0 => random.below(4),
        1 => 1_500 + random.below(1_200),
        _ => 200 + random.below(150),
    };
    let mut body: Vec<u8> = number.to_le_bytes().to_vec();
    body.extend((0..length).map(|_| random.next() as u8));
    body
}

/// Whether a body is the one of that number.
fn is_body_of(number: u64, body: &[u8]) -> bool {
    body == body_of(number)
}
