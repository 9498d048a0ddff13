//! Tests of the core's answers.

use super::Core;
use crate::base::time::{Now, Wall};
use crate::chat::clock::{AHEAD_MAX_MS, HORIZON_MS};
use crate::chat::message::{Content, Inbound, Line, MessageId};
use crate::chat::settings::Settings;
use crate::chat::verdict::{Acceptance, Reason, Refused, Verdict};
use crate::wire::frame::{Body, DecodeError, Frame, FrameBytes, Part};
use crate::wire::room::RoomName;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const BUILD: u64 = 1_790_000_000_000;
const WALL: u64 = BUILD + 1_000_001;
const NOW: Now = Now { wall: Wall::Synchronised(WALL), monotonic_ms: 1_000 };
const CLOCKLESS: Now = Now { wall: Wall::Unknown, monotonic_ms: 1_000 };

fn settings() -> Settings {
    Settings {
        rooms_max: 2,
        history_messages_max: 10,
        history_bytes_max: 100_000,
        seen_max: 64,
        build_unix_ms: BUILD,
        seed: [1, 2],
    }
}

fn room(name: &str) -> RoomName {
    RoomName::new(name).unwrap()
}

fn core_in(rooms: &[&str]) -> Core {
    let mut core = Core::new(settings(), b"me").unwrap();
    for name in rooms {
        assert_eq!(core.command_join(&room(name)), Ok(true));
    }
    core
}

fn line(stamp: u64, text: &str) -> FrameBytes {
    Frame { stamp, body: Body::Text { nick: "ann", text } }.to_bytes().unwrap()
}

fn texts(core: &Core, name: &RoomName) -> Vec<String> {
    core.history(name, 100)
        .map(|message| match message.content {
            Content::Text { text, .. } => text.to_string(),
            Content::Record { kind, .. } => kind.to_string(),
        })
        .collect()
}

fn count(core: &Core, name: &str) -> u64 {
    core.counters().iter().find(|(counter, _)| counter.contains(name)).unwrap().1
}

#[test]
fn a_message_is_accepted_once_and_shown_sanitised() {
    let (mut core, lobby) = (core_in(&["lobby"]), room("lobby"));
    let frame = Frame { stamp: WALL, body: Body::Text { nick: "*ann", text: "a\u{1b}b" } }.to_bytes().unwrap();
    let inbound = Inbound { signature: b"signed", key: b"key", ..Inbound::new(b"ann", &frame) };
    let Verdict::Accepted(message) = core.handle_message(&lobby, inbound, NOW) else { panic!("not accepted") };
    assert_eq!((message.id.to_string(), message.unix_ms()), (format!("616e6e{WALL:016x}"), Some(WALL)));
    let Content::Text { nick, text } = &message.content else { panic!("not a text") };
    assert_eq!((nick.as_str(), text.to_string().as_str()), (r"\*ann", r"a\u{1b}b"));
    let kept = core.history(&lobby, 1).next().unwrap();
    assert_eq!((kept.data, kept.signature, kept.key), (frame.as_slice(), b"signed".as_slice(), b"key".as_slice()));
    assert_eq!(core.find(&lobby, &message.id), Some(message));
    let again = core.handle_message(&lobby, inbound, NOW);
    assert_eq!((&again, again.acceptance()), (&Verdict::Duplicate, Acceptance::Ignore));
    assert_eq!((core.messages(&lobby), count(&core, "accepted"), count(&core, "duplicate")), (1, 1, 1));
}

#[test]
fn a_message_that_left_the_history_is_still_known() {
    let (mut core, lobby) = (core_in(&["lobby"]), room("lobby"));
    for seqno in 0..30 {
        let frame = line(WALL + seqno, "x");
        assert!(matches!(core.handle_message(&lobby, Inbound::new(b"ann", &frame), NOW), Verdict::Accepted(_)));
    }
    let frame = line(WALL, "x");
    assert_eq!(core.handle_message(&lobby, Inbound::new(b"ann", &frame), NOW), Verdict::Duplicate);
    assert_eq!(core.messages(&lobby), 10);
}

#[test]
fn bad_messages_are_told_apart() {
    let (mut core, lobby) = (core_in(&["lobby"]), room("lobby"));
    let good = line(WALL, "hi");
    let late = line(WALL + AHEAD_MAX_MS + 1, "hi");
    let mut foreign = good.clone();
    foreign[0] = 2;
    for (from, data, acceptance) in [
        (b"ann".as_slice(), b"".as_slice(), Acceptance::Reject),
        (b"ann", b"\x01garbage", Acceptance::Reject),
        (b"ann", &foreign, Acceptance::Ignore),
        (b"ann", &late, Acceptance::Ignore),
        (b"", &good, Acceptance::Reject),
        (&[9; 65], &good, Acceptance::Reject),
    ] {
        let verdict = core.handle_message(&lobby, Inbound::new(from, data), NOW);
        assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?}");
        assert_eq!(verdict.acceptance(), acceptance, "{verdict:?}");
    }
    let attic = room("attic");
    let elsewhere = core.handle_message(&attic, Inbound::new(b"ann", &good), NOW);
    assert_eq!(elsewhere, Verdict::Refused(Reason::NotJoined));
    assert_eq!(elsewhere.acceptance(), Acceptance::Ignore);
    let counts = ["malformed", "other version", "dropped: stamp too far ahead", "not joined", "accepted"];
    assert_eq!(counts.map(|name| count(&core, name)), [4, 1, 1, 1, 0]);
    assert_eq!(
        core.handle_message(&lobby, Inbound::new(b"ann", &foreign), NOW),
        Verdict::Refused(Reason::Frame(DecodeError::Version(2)))
    );
    assert!(
        matches!(core.handle_message(&lobby, Inbound::new(b"ann", &good), NOW), Verdict::Accepted(_)),
        "what was refused does not count as seen"
    );
}

#[test]
fn a_sealed_message_is_forwarded_once_and_not_kept() {
    let (mut core, lobby) = (core_in(&["lobby"]), room("lobby"));
    let frame = Frame { stamp: WALL, body: Body::Sealed { nonce: &[1; 24], ciphertext: &[2; 99] } }.to_bytes().unwrap();
    let first = core.handle_message(&lobby, Inbound::new(b"ann", &frame), NOW);
    assert_eq!((&first, first.acceptance()), (&Verdict::Sealed, Acceptance::Accept));
    assert_eq!(core.handle_message(&lobby, Inbound::new(b"ann", &frame), NOW), Verdict::Duplicate);
    assert_eq!((core.messages(&lobby), count(&core, "sealed")), (0, 1));
}

#[test]
fn what_we_publish_is_kept_and_answers_come_after() {
    let (mut core, lobby) = (core_in(&["lobby"]), room("lobby"));
    let question = line(WALL + 60_000, "?");
    core.handle_message(&lobby, Inbound::new(b"ann", &question), NOW);
    let (stamp, frame) = core.compose_text(&lobby, "me", "!", NOW).unwrap();
    assert_eq!(stamp, WALL + 60_001);
    let message = core.published(&lobby, &frame, NOW).unwrap();
    assert_eq!(message.id, MessageId::new(b"me", stamp).unwrap());
    assert_eq!(core.published(&lobby, &frame, NOW), None, "once");
    assert_eq!(core.handle_message(&lobby, Inbound::new(b"me", &frame), NOW), Verdict::Duplicate);
    let (_, frame) = core.compose_record(&lobby, "ledger/block", &[0; 2048], NOW).unwrap();
    core.published(&lobby, &frame, NOW).unwrap();
    assert_eq!(texts(&core, &lobby), ["?", "!", "ledger/block"]);
}

#[test]
fn the_user_is_told_which_limit_was_hit() {
    let (mut core, lobby) = (core_in(&["lobby", "attic"]), room("lobby"));
    assert_eq!(core.command_join(&lobby), Ok(false));
    assert_eq!(core.command_join(&room("cellar")), Err(Refused::RoomsMax(2)));
    assert_eq!(core.command_leave(&room("cellar")), Err(Refused::NotJoined));
    let long = "x".repeat(2049);
    for (nick, text, refused) in [
        ("me", "", Refused::EmptyText),
        (&long[..33], "hi", Refused::TooLong(Part::Nick)),
        ("m\u{200b}e", "hi", Refused::HiddenInNick('\u{200b}')),
        ("me", &long[..1025], Refused::TooLong(Part::Text)),
    ] {
        assert_eq!(core.compose_text(&lobby, nick, text, NOW).unwrap_err(), refused);
    }
    assert_eq!(core.compose_text(&room("cellar"), "me", "hi", NOW).unwrap_err(), Refused::NotJoined);
    for (kind, bytes, refused) in [
        ("", 1, Refused::BadKind),
        ("led ger", 1, Refused::BadKind),
        (&long[..33], 1, Refused::TooLong(Part::Kind)),
        ("tx", 2049, Refused::TooLong(Part::Record)),
    ] {
        assert_eq!(core.compose_record(&lobby, kind, &long.as_bytes()[..bytes], NOW).unwrap_err(), refused);
    }
    assert!(matches!(Core::new(settings(), b""), Err(Refused::PeerId)));
    assert_eq!(Refused::TooLong(Part::Text).to_string(), "the text is longer than 1024 bytes");
}

#[test]
fn a_time_before_the_build_is_shown_as_unknown() {
    let (mut core, lobby) = (core_in(&["lobby"]), room("lobby"));
    let frame = line(BUILD - 1, "from a board without a clock");
    let Verdict::Accepted(message) = core.handle_message(&lobby, Inbound::new(b"ann", &frame), NOW) else {
        panic!("not accepted")
    };
    assert_eq!(message.unix_ms(), None);
    assert_eq!(core.history(&lobby, 1).next().unwrap().unix_ms(), None);
}

#[test]
fn what_was_believed_without_a_clock_and_cannot_be_true_is_let_go() {
    let (mut core, lobby) = (core_in(&["lobby"]), room("lobby"));
    let (future, present) = (line(BUILD + HORIZON_MS, "future"), line(WALL, "present"));
    for frame in [&future, &present] {
        let verdict = core.handle_message(&lobby, Inbound::new(b"ann", frame), CLOCKLESS);
        assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}");
    }
    assert_eq!(texts(&core, &lobby), ["present", "future"]);
    let (stamp, _) = core.compose_text(&lobby, "me", "now I know", NOW).unwrap();
    assert_eq!((stamp, texts(&core, &lobby)), (WALL, ["present".to_string()].to_vec()));
    assert_eq!(count(&core, "forgotten"), 1);
}

#[test]
fn leaving_forgets() {
    let (mut core, lobby) = (core_in(&["lobby"]), room("lobby"));
    let frame = line(WALL, "x");
    core.handle_message(&lobby, Inbound::new(b"ann", &frame), NOW);
    core.command_leave(&lobby).unwrap();
    assert!(!core.is_joined(&lobby) && core.rooms().count() == 0);
    assert_eq!(core.meters().map(|(_, meter)| meter.length), [0, 0, 1]);
    core.command_join(&lobby).unwrap();
    assert_eq!(texts(&core, &lobby), [""; 0]);
}

#[test]
fn lines_of_others_are_kept_once_and_in_the_order_they_came() {
    let (mut core, others) = (core_in(&["lobby"]), RoomName::of_others("text:applesauce").unwrap());
    core.command_join(&others).unwrap();
    let inbound = |seqno| Inbound { seqno, signature: b"signed", ..Inbound::new(b"ann", b"hi\n") };
    let line = Line { nick: "* ann", text: "h\u{1b}i" };
    // The higher sequence number first: arrival decides, not what others count.
    for seqno in [9, 5] {
        let verdict = core.handle_line(&others, inbound(seqno), line, NOW);
        let Verdict::Accepted(message) = verdict else { panic!("{verdict:?}") };
        assert_eq!(message.id, MessageId::new(b"ann", seqno).unwrap());
        assert_eq!((message.data, message.seqno, message.signature), (&b"hi\n"[..], seqno, &b"signed"[..]));
        assert!(message.time_known);
    }
    assert_eq!(core.handle_line(&others, inbound(9), line, NOW), Verdict::Duplicate);
    let stamp = core.compose_for_others(&others, "hi", NOW).unwrap();
    assert!(core.published_to_others(&others, stamp, b"hi", Line { nick: "", text: "hi" }, NOW).is_some());
    assert_eq!(texts(&core, &others), ["h\\u{1b}i", "h\\u{1b}i", "hi"]);
    let kept: Vec<_> = core.history(&others, 9).map(|message| (message.id.stamp(), message.seqno)).collect();
    assert_eq!(kept, [(9, 9), (5, 5), (stamp, 0)]);
    assert_eq!(count(&core, "duplicate"), 1);

    let long = "x".repeat(1025);
    assert_eq!(core.compose_for_others(&others, &long, NOW), Err(Refused::TooLong(Part::Text)));
    assert_eq!(core.compose_for_others(&others, "", NOW), Err(Refused::EmptyText));
    core.command_leave(&others).unwrap();
    assert_eq!(core.compose_for_others(&others, "hi", NOW), Err(Refused::NotJoined));
    assert_eq!(core.handle_line(&others, inbound(7), line, NOW), Verdict::Refused(Reason::NotJoined));
}

#[test]
fn a_line_that_nobody_has_is_stamped_anew_in_the_place_of_the_former_one() {
    let (mut core, lobby) = (core_in(&["lobby"]), room("lobby"));
    let ahead = Now { wall: Wall::Guess(WALL + 7_200_000), monotonic_ms: 1_000 };
    let (_, frame) = core.compose_text(&lobby, "me", "hi", ahead).unwrap();
    let said = core.published(&lobby, &frame, ahead).unwrap().id;
    let later = Now { wall: Wall::Guess(WALL + 7_205_000), monotonic_ms: 6_000 };
    assert!(!core.is_off(&frame, 1_000, later), "nobody says so");
    core.clock_mut().on_told(b"sun", Some(WALL + 5_000), 1, later);
    assert!(core.is_off(&frame, 1_000, later));
    let (former, anew) = core.restamp(&lobby, &frame, later).unwrap();
    let kept = core.history(&lobby, 9).next().unwrap();
    assert_eq!((former, core.find(&lobby, &former), kept.data), (said, None, anew.as_slice()));
    assert!(kept.stamp - WALL - 5_000 < 8 && kept.id != said);
    assert!(!core.is_off(&anew, 6_000, later));
    assert_eq!((core.messages(&lobby), texts(&core, &lobby)), (1, ["hi".to_string()].to_vec()));
    assert_eq!(count(&core, "published"), 1, "it is one line");
    assert_eq!(core.restamp(&room("attic"), &frame, later), Err(Refused::NotJoined));
}
