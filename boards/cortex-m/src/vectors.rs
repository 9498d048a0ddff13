//! Checks `tests/vectors/` on a bare board, and says how much memory a core takes there.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../../../tests/vectors/notation.rs"]
mod notation;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use board::host::{exit, say};
use board::{heap, start};
use core::panic::PanicInfo;
use notation::{hex, lines, quoted};
use stonechat::base::time::Now;
use stonechat::chat::core::Core;
use stonechat::chat::message::Inbound;
use stonechat::chat::settings::Settings;
use stonechat::compat::profile::{Named, Profile};
use stonechat::compat::room::{Room, Said};
use stonechat::wire::frame::{Body, Frame};
use stonechat::wire::hello;
use stonechat::wire::room::RoomName;

board::entry!(main);

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    say(format_args!("{info}\n"));
    exit(1)
}

/// The files, and what checks a line of each.
const FILES: [(&str, &str, Check); 10] = [
    ("accepted.txt", include_str!("../../../tests/vectors/accepted.txt"), accepted),
    ("refused.txt", include_str!("../../../tests/vectors/refused.txt"), refused),
    ("hellos.txt", include_str!("../../../tests/vectors/hellos.txt"), greeting),
    ("hellos_refused.txt", include_str!("../../../tests/vectors/hellos_refused.txt"), greeting_refused),
    ("rooms.txt", include_str!("../../../tests/vectors/rooms.txt"), room),
    ("rooms_refused.txt", include_str!("../../../tests/vectors/rooms_refused.txt"), room_refused),
    ("others_rooms.txt", include_str!("../../../tests/vectors/others_rooms.txt"), others_room),
    ("others_ids.txt", include_str!("../../../tests/vectors/others_ids.txt"), others_id),
    ("others_lines.txt", include_str!("../../../tests/vectors/others_lines.txt"), others_line),
    ("others_read.txt", include_str!("../../../tests/vectors/others_read.txt"), others_read),
];

/// The authors of those vectors.
const AUTHOR_OF_IDS: &str = "12D3KooW9pP4Seg3kZYhySpuVjn1RPdQBsUFZKiFxGMGQN5MeL6A";
const AUTHOR_OF_LINES: &str = "12D3KooWA1yzq95Mxs6X5NzFwM14vY5evLVbe8R2HzQSJtnuwpsR";

/// Nothing, or what was found instead.
type Check = fn(&[&str]) -> Result<(), String>;

fn equal<T: PartialEq + core::fmt::Debug>(found: T, wanted: T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{found:?} instead of {wanted:?}")) }
}

fn accepted(fields: &[&str]) -> Result<(), String> {
    let [bytes, body, stamp, first, second] = fields else { return Err("not five fields".into()) };
    let bytes = hex(bytes);
    let text = |field: &str| if field.starts_with('"') { quoted(field) } else { String::new() };
    let raw = |field: &str| if field.starts_with('"') { Vec::new() } else { hex(field) };
    let (first_text, second_text) = (text(first), text(second));
    let (first_bytes, second_bytes) = (raw(first), raw(second));
    let body = match *body {
        "text" => Body::Text { nick: &first_text, text: &second_text },
        "sealed" => Body::Sealed { nonce: &first_bytes, ciphertext: &second_bytes },
        "record" => Body::Record { kind: &first_text, bytes: &second_bytes },
        other => return Err(format!("no such body: {other}")),
    };
    let frame = Frame { stamp: stamp.parse().map_err(|_| "no stamp")?, body };
    equal(Frame::decode(&bytes), Ok(frame))?;
    let encoded = frame.to_bytes().map_err(|error| format!("{error:?}"))?;
    equal(encoded.as_slice(), bytes.as_slice())?;
    let short = (0..bytes.len()).find(|cut| Frame::decode(&bytes[..*cut]).is_ok());
    short.map_or(Ok(()), |cut| Err(format!("its first {cut} bytes are a frame too")))
}

fn refused(fields: &[&str]) -> Result<(), String> {
    let [bytes, why] = fields else { return Err("not two fields".into()) };
    equal(format!("{:?}", Frame::decode(&hex(bytes))).as_str(), &format!("Err({why})"))
}

/// What the bytes mean is checked where the tests run; here, that they are read and written as there.
fn greeting(fields: &[&str]) -> Result<(), String> {
    let [bytes, ..] = fields else { return Err("no bytes".into()) };
    let bytes = hex(bytes);
    let said = hello::Said::decode(&bytes).map_err(|error| format!("{error:?}"))?;
    equal(said.encode().map_err(|error| format!("{error:?}"))?.as_slice(), bytes.as_slice())
}

fn greeting_refused(fields: &[&str]) -> Result<(), String> {
    let [bytes, why] = fields else { return Err("not two fields".into()) };
    equal(format!("{:?}", hello::Said::decode(&hex(bytes))).as_str(), &format!("Err({why})"))
}

fn room(fields: &[&str]) -> Result<(), String> {
    let [name, topic, _] = fields else { return Err("not three fields".into()) };
    let room = RoomName::new(name).map_err(|error| format!("{error:?}"))?;
    equal(room.as_str(), name)?;
    equal(room.topic().as_str(), topic)?;
    equal(RoomName::from_topic(topic), Ok(room))
}

fn room_refused(fields: &[&str]) -> Result<(), String> {
    let [name, why] = fields else { return Err("not two fields".into()) };
    equal(format!("{:?}", RoomName::new(&quoted(name))).as_str(), &format!("Err({why})"))
}

fn others(name: &str) -> Result<Room, String> {
    let name = RoomName::of_others(name).map_err(|error| format!("{error:?}"))?;
    Room::of(&name).map_err(|error| format!("{error:?}"))
}

fn others_room(fields: &[&str]) -> Result<(), String> {
    let [name, topic, profile, ..] = fields else { return Err("not three fields".into()) };
    let room = others(name)?;
    equal(room.topic(), topic)?;
    equal(room.profile.name(), profile)
}

/// The hash of `uc-rust` is the one of 64-bit machines, also here.
fn others_id(fields: &[&str]) -> Result<(), String> {
    let [profile, seqno, data, id] = fields else { return Err("not four fields".into()) };
    let from: Vec<u8> = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20].into_iter().chain(0..32).collect();
    let (seqno, data) = (seqno.parse().map_err(|_| "no number")?, quoted(data));
    let named = Named { from: &from, from_text: AUTHOR_OF_IDS, seqno, data: data.as_bytes() };
    equal(Profile::find(profile).ok_or("no such message ids")?.id(named), hex(id))
}

fn others_line(fields: &[&str]) -> Result<(), String> {
    let [name, nick, text, payload] = fields else { return Err("not four fields".into()) };
    let (room, said) = (others(name)?, Said { nick: quoted(nick), text: quoted(text) });
    equal(room.encode(&said.nick, &said.text, AUTHOR_OF_LINES), hex(payload))?;
    equal(room.decode(&hex(payload), AUTHOR_OF_LINES), Ok(said))
}

fn others_read(fields: &[&str]) -> Result<(), String> {
    let [name, payload, wanted] = fields else { return Err("not three fields".into()) };
    let wanted = if wanted.starts_with('"') { quoted(wanted) } else { String::from(*wanted) };
    equal(
        others(name)?.decode(&hex(payload), AUTHOR_OF_LINES).map_or_else(|why| format!("{why:?}"), |said| said.text),
        wanted,
    )
}

/// What a core holds on the heap when it is new and when more came than it keeps.
fn memory() -> Result<(), String> {
    let tiny = stonechat::base::board::find("tiny").ok_or("no board `tiny`")?;
    let (before, _) = heap::held();
    let mut core = Core::new(Settings::new(&tiny.limits, 0, [1, 2]), b"own").map_err(|error| format!("{error:?}"))?;
    let room = RoomName::new("lobby").map_err(|error| format!("{error:?}"))?;
    core.command_join(&room).map_err(|error| format!("{error:?}"))?;
    let new = heap::held().0 - before;
    heap::forget_most();
    let now = Now::new(1_790_000_000_000, true, 1, 0);
    let text = "a line of chat as people write them, neither short nor long";
    let most = 4 * tiny.limits.history_messages_max;
    for stamp in 1..=u64::from(most) {
        let frame = Frame { stamp, body: Body::Text { nick: "ann", text } };
        let frame = frame.to_bytes().map_err(|error| format!("{error:?}"))?;
        core.handle_message(&room, Inbound::new(b"a peer id of about forty bytes, as usual", &frame), now);
    }
    let kept = core.messages(&room);
    let full = heap::held().1 - before;
    say(format_args!("a core with the limits of `tiny`: {new} bytes of heap when new, {full} at most, "));
    say(format_args!("with {kept} messages of {most}; {} bytes of stack in all\n", start::stack_used()));
    if kept == 0 { Err("nothing was kept".into()) } else { Ok(()) }
}

fn main() {
    let (mut passed, mut failed) = (0, 0);
    let mut count = |name: &str, what: &[&str], result: Result<(), String>| match result {
        Ok(()) => passed += 1,
        Err(why) => {
            failed += 1;
            say(format_args!("{name}: {what:?}: {why}\n"));
        }
    };
    for (name, file, check) in FILES {
        lines(file).iter().for_each(|line| count(name, line, check(line)));
    }
    count("memory", &[], memory());
    say(format_args!("{passed} passed, {failed} failed\n"));
    exit(usize::from(failed > 0 || passed < 120));
}
