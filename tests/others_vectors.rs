//! Rooms of other programs, byte for byte: what `tests/vectors/` says of them holds, and no bytes do harm.

#[path = "vectors/notation.rs"]
mod notation;

use notation::{hex, lines, quoted};
use std::collections::BTreeSet;
use stonechat::{
    compat::{
        bounds::DATA_BYTES_MAX,
        profile::{Named, Profile},
        room::{Room, Unread},
    },
    node::{
        direct::{CLIENT_VERSION, DIRECT_BYTES_MAX, Refusal, Request, Response, STATUS_ERROR, STATUS_OK},
        others,
    },
    wire::{
        bounds::{NICK_BYTES_MAX, TEXT_BYTES_MAX},
        room::RoomName,
    },
};

const AUTHOR: &str = "12D3KooWA1yzq95Mxs6X5NzFwM14vY5evLVbe8R2HzQSJtnuwpsR";

fn room(name: &str) -> Room {
    Room::of(&RoomName::of_others(name).expect(name)).expect(name)
}

#[test]
fn rooms_have_their_topic_ids_and_places_to_meet() {
    let lines = lines(include_str!("vectors/others_rooms.txt"));
    assert!(lines.len() >= 15);
    for line in lines {
        let [name, topic, profile, service, namespaces @ ..] = line.as_slice() else { panic!("{line:?}") };
        let read = room(name);
        assert_eq!((read.topic(), read.profile.name(), read.service().unwrap_or("-")), (*topic, *profile, *service));
        let name = others::room_name(name).unwrap();
        assert_eq!(others::topic(&name).0, *topic);
        let found = others::namespaces(&name);
        assert_eq!(found.len(), namespaces.len(), "{name}");
        for (namespace, (found, key)) in namespaces.iter().zip(found) {
            let (text, wanted) = namespace.split_once(" = ").unwrap();
            assert_eq!(found.trim_end_matches(" (as bytes)"), text);
            assert_eq!(key.to_vec(), hex(wanted.trim_start_matches("raw ")), "{namespace}");
        }
    }
}

#[test]
fn refused_names_say_the_rule() {
    for line in lines(include_str!("vectors/others_refused.txt")) {
        let [name, why] = line.as_slice() else { panic!("{line:?}") };
        let error = Room::of(&RoomName::of_others(&quoted(name)).unwrap()).unwrap_err();
        assert_eq!(format!("{error:?}"), *why, "{line:?}");
    }
    assert!(RoomName::of_others("text:two words").is_err() && RoomName::of_others("text:\u{1b}").is_err());
    assert!(RoomName::of_others(&format!("text:{}", "a".repeat(60))).is_err());
}

#[test]
fn messages_are_called_what_others_call_them() {
    let lines = lines(include_str!("vectors/others_ids.txt"));
    let from = hex("00 24 08 01 12 20").into_iter().chain(0..32).collect::<Vec<u8>>();
    let from_text = "12D3KooW9pP4Seg3kZYhySpuVjn1RPdQBsUFZKiFxGMGQN5MeL6A";
    assert_eq!(libp2p::PeerId::from_bytes(&from).unwrap().to_base58(), from_text);
    let mut profiles = BTreeSet::new();
    for line in lines {
        let [profile, seqno, data, id] = line.as_slice() else { panic!("{line:?}") };
        let data = quoted(data);
        let named = Named { from: &from, from_text, seqno: seqno.parse().unwrap(), data: data.as_bytes() };
        assert_eq!(Profile::find(profile).unwrap().id(named), hex(id), "{line:?}");
        profiles.insert(profile.to_string());
    }
    assert_eq!(profiles.len(), Profile::ALL.len(), "{profiles:?}");
}

#[test]
fn lines_hold_both_ways() {
    let lines = lines(include_str!("vectors/others_lines.txt"));
    assert!(lines.len() >= 10);
    for line in lines {
        let [name, nick, text, payload] = line.as_slice() else { panic!("{line:?}") };
        let (room, nick, text) = (room(name), quoted(nick), quoted(text));
        assert_eq!(room.encode(&nick, &text, AUTHOR), hex(payload), "{line:?}");
        let said = room.decode(&hex(payload), AUTHOR).unwrap();
        assert_eq!((said.nick, said.text), (nick, text), "{line:?}");
    }
    let unnamed = room("go-chat:x").encode("", "hi", AUTHOR);
    assert_eq!(room("go-chat:x").decode(&unnamed, AUTHOR).unwrap().nick, "JtnuwpsR");
}

#[test]
fn payloads_are_read_as_their_program_reads_them() {
    for line in lines(include_str!("vectors/others_read.txt")) {
        let [name, payload, result] = line.as_slice() else { panic!("{line:?}") };
        match room(name).decode(&hex(payload), AUTHOR) {
            Ok(said) => assert_eq!(said.text, quoted(result), "{line:?}"),
            Err(why) => assert_eq!(format!("{why:?}"), *result, "{line:?}"),
        }
    }
}

#[test]
fn direct_messages_hold_both_ways() {
    const TIME: u64 = 1_790_000_000_000;
    for line in lines(include_str!("vectors/direct.txt")) {
        let [what, text, bytes] = line.as_slice() else { panic!("{line:?}") };
        let bytes = hex(bytes);
        match *what {
            "request" => {
                let request = Request::text(&quoted(text), TIME);
                assert_eq!(request.encode(), bytes, "{line:?}");
                assert_eq!(Request::decode(&bytes), Some(request.clone()));
                assert_eq!(request.read(), Ok(quoted(text)));
            }
            "response" => {
                let taken = if *text == "ok" { Ok(()) } else { Err(Refusal::Empty) };
                let response = Response::new(taken.clone(), TIME);
                assert_eq!(response.encode(), bytes, "{line:?}");
                assert_eq!(Response::decode(&bytes), Some(response.clone()));
                assert_eq!(response.metadata.clone().unwrap().client_version, CLIENT_VERSION);
                assert_eq!(response.status, if taken.is_ok() { STATUS_OK } else { STATUS_ERROR });
                assert_eq!(response.read(), taken.map_err(|refusal| refusal.to_string()));
            }
            other => panic!("no such message: {other}"),
        }
    }
    let bare = Response { metadata: None, status: STATUS_OK, status_text: None };
    assert!(bare.read().is_err(), "their program takes an answer without metadata for an error");
    assert_eq!(Request { kind: "image/png".into(), ..Request::text("hi", 0) }.read(), Err(Refusal::Type));
    assert_eq!(Request::text("", 0).read(), Err(Refusal::Empty));
    assert!(Request::text(&"x".repeat(5_000), 0).read().unwrap().len() <= TEXT_BYTES_MAX);
    assert_eq!(Request::decode(&vec![0; DIRECT_BYTES_MAX + 1]), None);
}

/// Numbers that look random and are the same for the same seed (splitmix64, Steele and others 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    /// Bytes: of a good message with a few changed, or any.
    fn payload(&mut self, good: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = match self.below(4) {
            0 => (0..self.below(60)).map(|_| self.below(256) as u8).collect(),
            _ => good[self.below(good.len())].clone(),
        };
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len() + 1);
            let byte = b"\"\\{}[]:,u0\n\xff\x00\x80\x0a\x12"[self.below(16)];
            match self.below(4) {
                0 => bytes.insert(at, byte),
                1 => bytes.truncate(at),
                _ if at < bytes.len() => bytes[at] = byte,
                _ => bytes.push(byte),
            }
        }
        bytes
    }
}

#[test]
fn no_bytes_do_harm() {
    const ROUNDS: usize = 100_000;
    let of = |file: &str, column: usize| -> Vec<Vec<u8>> { lines(file).iter().map(|line| hex(line[column])).collect() };
    let lines = of(include_str!("vectors/others_lines.txt"), 3);
    let direct = of(include_str!("vectors/direct.txt"), 2);
    let rooms = [room("uc:"), room("go-chat:x"), room("text:applesauce")];
    let mut random = Random(0x57_0e_c4_a7);
    let (mut shown, mut unread, mut letters) = (0_usize, BTreeSet::new(), 0_usize);
    for round in 0..ROUNDS {
        let payload = random.payload(&lines);
        match rooms[round % rooms.len()].decode(&payload, AUTHOR) {
            Ok(said) => {
                assert!(
                    !said.text.is_empty() && said.text.len() <= TEXT_BYTES_MAX && said.nick.len() <= NICK_BYTES_MAX
                );
                shown += 1;
            }
            Err(why) => drop(unread.insert(format!("{why:?}"))),
        }
        let payload = random.payload(&direct);
        letters += usize::from(Request::decode(&payload).is_some_and(|request| request.read().is_ok()));
        let _ = Response::decode(&payload).map(Response::read);
        let name: String = String::from_utf8_lossy(&random.payload(&[b"text+py:topic".to_vec()])).into_owned();
        let _ = others::room_name(&name).map(|room| others::namespaces(&room));
    }
    assert!(shown > ROUNDS / 4 && letters > ROUNDS / 20, "{shown} and {letters}: the test looks at too little");
    assert_eq!(unread.len(), 2, "each way to be unread but length: {unread:?}");
    assert_eq!(rooms[0].decode(&vec![b'x'; DATA_BYTES_MAX + 1], AUTHOR), Err(Unread::TooLong));
}
