//! One core against a model so simple that it is surely right: a sorted list.

use super::random::Random;
use std::collections::BTreeSet;
use stonechat::base::time::{Now, Wall};
use stonechat::chat::core::Core;
use stonechat::chat::message::{Inbound, MessageId};
use stonechat::chat::settings::Settings;
use stonechat::chat::verdict::{Refused, Verdict};
use stonechat::wire::frame::{Body, Frame};
use stonechat::wire::room::RoomName;

const BUILD: u64 = 1_790_000_000_000;
const ROOMS: usize = 3;
const ROOMS_MAX: usize = 2;
const HISTORY_MAX: usize = 12;

/// Joins, leaves, says and hears at random; after each call the core and the model agree.
pub fn run(seed: u64) {
    let mut random = Random::new(seed);
    let settings = Settings {
        rooms_max: ROOMS_MAX,
        history_messages_max: HISTORY_MAX,
        history_bytes_max: 1 << 20,
        seen_max: 1 << 12,
        build_unix_ms: BUILD,
        seed: [seed, 0],
    };
    let mut core = Core::new(settings, b"me").unwrap();
    let rooms: Vec<RoomName> = (0..ROOMS).map(|n| RoomName::new(&n.to_string()).unwrap()).collect();
    let mut joined = [false; ROOMS];
    let mut kept: [BTreeSet<(u64, MessageId)>; ROOMS] = Default::default();
    let mut seen = BTreeSet::new();
    let mut wall = BUILD;
    for _ in 0..300 {
        wall += random.below(5);
        let now = Now { wall: Wall::Synchronised(wall), monotonic_ms: wall - BUILD };
        let at = random.index(ROOMS);
        let room = &rooms[at];
        match random.below(12) {
            0 | 1 => {
                let full = joined.iter().filter(|joined| **joined).count() == ROOMS_MAX;
                let expected = match (joined[at], full) {
                    (true, _) => Ok(false),
                    (false, true) => Err(Refused::RoomsMax(ROOMS_MAX)),
                    (false, false) => Ok(true),
                };
                assert_eq!(core.command_join(room), expected);
                joined[at] |= expected.is_ok();
            }
            2 => {
                assert_eq!(core.command_leave(room), if joined[at] { Ok(()) } else { Err(Refused::NotJoined) });
                joined[at] = false;
                kept[at].clear();
            }
            3..6 => {
                let composed = core.compose_text(room, "me", "hi", now);
                assert_eq!(composed.is_ok(), joined[at]);
                if let Ok((stamp, frame)) = composed {
                    let message = core.published(room, &frame, now).unwrap();
                    assert_eq!(message.stamp, stamp);
                    seen.insert(message.id);
                    kept[at].insert((stamp, message.id));
                }
            }
            _ => {
                let author = [b'a' + random.index(4) as u8];
                // The same id always comes with the same frame, as an honest author signs it.
                let stamp = BUILD + random.below(200) * 3;
                let frame = Frame { stamp, body: Body::Record { kind: "n", bytes: &author } }.to_bytes().unwrap();
                let verdict = core.handle_message(room, Inbound::new(&author, &frame), now);
                let id = MessageId::new(&author, stamp).unwrap();
                assert_eq!(matches!(verdict, Verdict::Accepted(_)), joined[at] && !seen.contains(&id));
                if let Verdict::Accepted(message) = verdict {
                    seen.insert(id);
                    kept[at].insert((message.stamp, message.id));
                }
            }
        }
        while kept.iter().map(BTreeSet::len).sum::<usize>() > HISTORY_MAX {
            let share = HISTORY_MAX / 2 / ROOMS_MAX;
            let fullest = kept.iter_mut().filter(|room| room.len() > share);
            fullest.min_by_key(|room| room.first().cloned()).unwrap().pop_first();
        }
        for (at, room) in rooms.iter().enumerate() {
            let history: Vec<_> = core.history(room, 5).map(|message| (message.stamp, message.id)).collect();
            let last: Vec<_> = kept[at].iter().rev().take(5).rev().cloned().collect();
            assert_eq!((history, core.messages(room), core.is_joined(room)), (last, kept[at].len(), joined[at]));
            for (_, id) in &kept[at] {
                assert_eq!(core.find(room, id).map(|message| message.id).as_ref(), Some(id));
            }
        }
    }
}
