//! A program that uses all of the core that a chat needs and nothing else: its size is the core's.

#![no_std]
#![no_main]

use core::fmt::{self, Write};
use core::hint::black_box;
use core::panic::PanicInfo;
use stonechat::base::board as boards;
use stonechat::base::time::Now;
use stonechat::chat::core::Core;
use stonechat::chat::message::{Content, Inbound};
use stonechat::chat::settings::Settings;
use stonechat::chat::verdict::Verdict;
use stonechat::wire::room::RoomName;

board::entry!(main);

#[panic_handler]
fn on_panic(_: &PanicInfo<'_>) -> ! {
    board::host::exit(1)
}

/// Looks at every character.
struct Screen;

impl Write for Screen {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        black_box(text);
        Ok(())
    }
}

fn show(message: &stonechat::chat::message::Message<'_>) {
    match &message.content {
        Content::Text { nick, text } => drop(write!(Screen, "{}: {text}", nick.as_str())),
        Content::Record { kind, bytes } => drop(black_box((kind, bytes))),
    }
}

fn main() {
    let Some(tiny) = boards::find(black_box("tiny")) else { return };
    let Ok(mut core) = Core::new(Settings::new(&tiny.limits, 0, black_box([1, 2])), black_box(b"own")) else { return };
    let Ok(room) = RoomName::from_topic(black_box("stonechat/1/lobby")) else { return };
    black_box(core.command_join(&room).is_ok());
    let now = black_box(Now::new(1_790_000_000_000, true, 1, 0));
    core.clock_mut().resume(black_box(Default::default()), now);
    black_box(core.clock_mut().reserve(now));
    core.clock_mut().on_written();
    if let Ok((_, frame)) = core.compose_text(&room, black_box("ann"), black_box("hi"), now) {
        core.published(&room, &frame, now).iter().for_each(show);
    }
    if let Ok((_, frame)) = core.compose_record(&room, black_box("ledger/block"), black_box(&[1, 2]), now) {
        core.published(&room, &frame, now).iter().for_each(show);
    }
    let data: &[u8] = black_box(&[1, 1, 0, 0, 1, 97]);
    if let Verdict::Accepted(message) = core.handle_message(&room, Inbound::new(black_box(b"other"), data), now) {
        show(&message);
    }
    core.history(&room, black_box(10)).for_each(|message| show(&message));
    black_box((core.counters(), core.clock().given()));
    black_box(core.command_leave(&room).is_ok());
}
