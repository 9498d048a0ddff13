//! The wire format, byte for byte: what `tests/vectors/` says holds in both directions.

#[path = "vectors/notation.rs"]
mod notation;

use notation::{hex, lines, quoted};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use stonechat::wire::bounds::{FRAME_BYTES_MAX, STAMP_MAX};
use stonechat::wire::frame::{Body, DecodeError, EncodeError, Frame, Part};
use stonechat::wire::room::{RoomError, RoomName};

#[test]
fn accepted_frames_hold_both_ways() {
    let lines = lines(include_str!("vectors/accepted.txt"));
    assert!(lines.len() >= 15);
    for line in &lines {
        let [bytes, body, stamp, first, second] = line.as_slice() else { panic!("five fields: {line:?}") };
        let bytes = hex(bytes);
        let (nick, text, first_bytes, second_bytes);
        let body = match *body {
            "text" => {
                (nick, text) = (quoted(first), quoted(second));
                Body::Text { nick: &nick, text: &text }
            }
            "sealed" => {
                (first_bytes, second_bytes) = (hex(first), hex(second));
                Body::Sealed { nonce: &first_bytes, ciphertext: &second_bytes }
            }
            "record" => {
                (nick, second_bytes) = (quoted(first), hex(second));
                Body::Record { kind: &nick, bytes: &second_bytes }
            }
            other => panic!("no such body: {other}"),
        };
        let frame = Frame { stamp: stamp.parse().unwrap(), body };
        assert_eq!(Frame::decode(&bytes), Ok(frame), "{line:?}");
        assert_eq!(frame.to_bytes().unwrap().as_slice(), bytes, "{line:?}");
        for cut in 0..bytes.len() {
            assert!(Frame::decode(&bytes[..cut]).is_err(), "a frame has no frame at its start: {line:?}");
        }
    }
}

#[test]
fn refused_frames_name_the_rule() {
    let lines = lines(include_str!("vectors/refused.txt"));
    assert!(lines.len() >= 30);
    for line in &lines {
        let [bytes, why] = line.as_slice() else { panic!("two fields: {line:?}") };
        let error = Frame::decode(&hex(bytes)).unwrap_err();
        assert_eq!(format!("{error:?}"), *why, "{line:?}");
    }
}

#[test]
fn what_would_be_refused_cannot_be_written() {
    let long = "x".repeat(4096);
    let bytes = long.as_bytes();
    for (stamp, body, error) in [
        (0, Body::Text { nick: &long[..33], text: "" }, EncodeError::TooLong(Part::Nick)),
        (0, Body::Text { nick: "", text: &long[..1025] }, EncodeError::TooLong(Part::Text)),
        (0, Body::Sealed { nonce: &bytes[..25], ciphertext: b"" }, EncodeError::TooLong(Part::Nonce)),
        (0, Body::Sealed { nonce: b"", ciphertext: &bytes[..2113] }, EncodeError::TooLong(Part::Ciphertext)),
        (0, Body::Record { kind: &long[..33], bytes: b"" }, EncodeError::TooLong(Part::Kind)),
        (0, Body::Record { kind: "x", bytes: &bytes[..2049] }, EncodeError::TooLong(Part::Record)),
        (0, Body::Record { kind: "", bytes: b"" }, EncodeError::BadKind),
        (STAMP_MAX + 1, Body::Text { nick: "", text: "" }, EncodeError::StampTooLarge),
    ] {
        assert_eq!(Frame { stamp, body }.to_bytes(), Err(error));
    }
    let frame = Frame { stamp: 0, body: Body::Text { nick: "", text: "hi" } };
    assert_eq!(frame.encode(&mut [0; 6]), Err(EncodeError::NoSpace));
    assert_eq!(frame.encode(&mut []), Err(EncodeError::NoSpace));
    assert_eq!(frame.encode(&mut [0; 7]), Ok(7));
}

#[test]
fn rooms_have_their_topic_namespace_and_key() {
    for line in lines(include_str!("vectors/rooms.txt")) {
        let [name, topic, key] = line.as_slice() else { panic!("three fields: {line:?}") };
        let room = RoomName::new(name).unwrap();
        assert_eq!((room.as_str(), room.topic().as_str()), (*name, *topic));
        assert_eq!(RoomName::from_topic(topic), Ok(room));
        let key_of_topic: Vec<u8> = [0x12, 0x20].into_iter().chain(Sha256::digest(topic.as_bytes())).collect();
        assert_eq!(key_of_topic, hex(key), "{name}");
    }
    assert_eq!(RoomName::from_topic("stonechat/2/lobby"), Err(RoomError::Foreign));
    assert_eq!(RoomName::from_topic("stonechat/1/"), Err(RoomError::Empty));
    let longest = RoomName::new(&"a".repeat(64)).unwrap();
    assert_eq!(longest.topic(), format!("stonechat/1/{longest}").as_str());
}

#[test]
fn refused_rooms_name_the_rule() {
    for line in lines(include_str!("vectors/rooms_refused.txt")) {
        let [name, why] = line.as_slice() else { panic!("two fields: {line:?}") };
        let error = RoomName::new(&quoted(name)).unwrap_err();
        assert_eq!(format!("{error:?}"), *why, "{line:?}");
    }
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
}

/// Changes, adds or removes a few bytes.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        // Near the start is where the structure is.
        let reach = [8, 64, bytes.len() + 1][random.below(3)];
        let at = random.below(reach).min(bytes.len());
        let byte = [0, 1, 2, 0x7f, 0x80, 0xff, random.below(256)][random.below(7)] as u8;
        match random.below(5) {
            0 => bytes.insert(at, byte),
            1 => drop(bytes.drain(at..(at + random.below(4)).min(bytes.len()))),
            2 => bytes.truncate(at.max(1)),
            _ if at < bytes.len() => bytes[at] = byte,
            _ => bytes.push(byte),
        }
    }
}

#[test]
fn no_bytes_do_harm_and_every_frame_has_one_encoding() {
    const ROUNDS: usize = 200_000;
    let originals: Vec<Vec<u8>> = lines(include_str!("vectors/accepted.txt")).iter().map(|line| hex(line[0])).collect();
    let mut random = Random(0x57_0e_c4_a7);
    let (mut frames, mut refusals) = (0_usize, BTreeSet::new());
    for round in 0..ROUNDS {
        let mut bytes: Vec<u8> = if random.below(8) == 0 {
            (0..random.below(40)).map(|_| random.below(256) as u8).collect()
        } else {
            originals[random.below(originals.len())].clone()
        };
        mutate(&mut bytes, &mut random);
        match Frame::decode(&bytes) {
            Ok(frame) => {
                frames += 1;
                assert_eq!(frame.to_bytes().unwrap().as_slice(), bytes, "round {round}: {bytes:02x?}");
            }
            Err(error) => {
                refusals.insert(format!("{error:?}").split('(').next().map(str::to_string));
                let foreign = bytes.first().is_some_and(|first| *first != 1) && bytes.len() <= FRAME_BYTES_MAX;
                assert_eq!(matches!(error, DecodeError::Version(_)), foreign, "round {round}: {bytes:02x?}");
            }
        }
    }
    assert!(frames > ROUNDS / 20, "only {frames} of {ROUNDS} were frames: the test looks at too little");
    assert_eq!(refusals.len(), 9, "each way to be refused is met: {refusals:?}");
}
