//! The rows of the table.

use super::{
    plan::Group,
    rounds::Pick::{self, *},
};
use Figure::*;

/// Whose figure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// stonechat's.
    Ours,
    /// The bare peer's.
    Bare,
}

/// What a row shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Median time of an echo.
    EchoP50,
    /// The time that 99 of 100 echoes stay below.
    EchoP99,
    /// Round trips a second.
    Rate,
    /// Echoes that never came.
    Lost,
    /// Memory with one peer.
    MemoryOne,
    /// Memory with eight peers.
    MemoryEight,
    /// Memory after many round trips.
    MemoryAfter,
    /// Wake-ups with one peer.
    WakeupsOne,
    /// Wake-ups with eight peers.
    WakeupsEight,
    /// Heartbeats meanwhile.
    HeartbeatsEight,
    /// Wake-ups with eight peers where the bare peer's heartbeats are kept alive too.
    WakeupsAlive,
    /// Heartbeats meanwhile.
    HeartbeatsAlive,
    /// Wake-ups with multicast DNS on.
    WakeupsMdns,
    /// Threads.
    Threads,
    /// From start to having found the other.
    Discovery,
    /// From start to sharing a room with the other.
    Joined,
    /// The program's bytes.
    Size,
}

/// A row of the table.
pub struct Row {
    /// What is measured.
    pub figure: Figure,
    /// With what.
    pub group: Group,
    /// What scripts call it.
    pub name: &'static str,
    /// What people read.
    pub what: &'static str,
    /// How the rounds come to one number.
    pub pick: Pick,
    /// Digits after the point.
    pub digits: usize,
    /// Whether the bare peer has it too.
    pub bare: bool,
}

const fn row(
    figure: Figure,
    group: Group,
    name: &'static str,
    what: &'static str,
    pick: Pick,
    digits: usize,
    bare: bool,
) -> Row {
    Row { figure, group, name, what, pick, digits, bare }
}

/// All of them, in their order.
pub const ROWS: [Row; 17] = [
    row(EchoP50, Group::Echo, "echo-p50", "gossip echo, p50, ms", Least, 2, true),
    row(EchoP99, Group::Echo, "echo-p99", "gossip echo, p99, ms", Least, 2, true),
    row(Rate, Group::Echo, "round-trips", "round trips/s, 32 in flight", Most, 0, true),
    row(Lost, Group::Echo, "lost", "lost of {trips}", Most, 0, true),
    row(MemoryOne, Group::Idle, "memory-1", "resident memory, idle with 1 peer, MiB", Mean, 1, true),
    row(MemoryEight, Group::Idle, "memory-8", "resident memory, idle with 8 peers, MiB", Mean, 1, true),
    row(MemoryAfter, Group::Echo, "memory-after", "resident memory after {trips} round trips, MiB", Mean, 1, true),
    row(WakeupsOne, Group::Idle, "wakeups-1", "wake-ups/s, idle with 1 peer", Mean, 1, true),
    row(WakeupsEight, Group::Idle, "wakeups-8", "wake-ups/s, idle with 8 peers", Mean, 1, true),
    row(HeartbeatsEight, Group::Idle, "heartbeats-8", "gossipsub heartbeats in these {window} s", Mean, 0, true),
    row(
        WakeupsAlive,
        Group::Idle,
        "wakeups-8-alive",
        "wake-ups/s, 8 peers, the bare one ticked each second",
        Mean,
        1,
        true,
    ),
    row(HeartbeatsAlive, Group::Idle, "heartbeats-8-alive", "gossipsub heartbeats in these {window} s", Mean, 0, true),
    row(WakeupsMdns, Group::Idle, "wakeups-8-mdns", "wake-ups/s, 8 peers found by mDNS", Mean, 1, false),
    row(Threads, Group::Idle, "threads", "threads", Most, 0, true),
    row(Discovery, Group::Discovery, "discovery", "from start to having found the other by mDNS, s", Mean, 2, false),
    row(Joined, Group::Discovery, "joined", "from start to having it in the room, s", Mean, 2, false),
    row(Size, Group::Size, "size", "the program, MB", Mean, 2, false),
];
