//! Boards: what the schema takes and refuses, the boards that there are, how one is found, and their table in the README.

#[path = "../boards/memory.rs"]
mod memory;
#[path = "../boards/schema.rs"]
mod schema;
#[path = "../boards/table.rs"]
mod table;

#[path = "boards/budgets.rs"]
mod budgets;
#[path = "boards/found.rs"]
mod found;
#[path = "boards/readme.rs"]
mod readme;

use schema::{BoardFile, FACTS, LIMITS, NUMBERS, parse};
use std::{fs, path::Path};
use stonechat::{
    base::board::{self, BOARDS, Board, ceilings},
    swarm::gossip,
    wire::{bounds, rpc::bounds::RPC_BYTES_MAX},
};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("boards")
}

fn text(name: &str) -> String {
    fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap()
}

/// The smallest board's text with one line of it changed, or with that line left out.
fn changed(key: &str, line: Option<&str>) -> String {
    let tiny = text("tiny");
    let is_key = |l: &&str| l.split(" = ").next() == Some(key) || *l == key;
    assert_eq!(tiny.lines().filter(is_key).count(), 1, "{key}");
    let lines: Vec<&str> = tiny.lines().filter_map(|l| if is_key(&l) { line } else { Some(l) }).collect();
    lines.join("\n")
}

fn refusal(text: &str) -> String {
    parse("b", text).expect_err("refused")
}

#[track_caller]
fn refuses(text: &str, parts: &[&str]) {
    let sentence = refusal(text);
    for part in ["boards/b.toml: "].iter().chain(parts) {
        assert!(sentence.contains(part), "no {part:?} in: {sentence}");
    }
}

/// The boards that this build holds: all, or with the variable STONECHAT_BOARD some of them.
fn built() -> (Vec<BoardFile>, String) {
    table::select(table::read(&folder()).unwrap(), option_env!("STONECHAT_BOARD")).unwrap()
}

#[test]
fn every_board_of_the_folder_is_in_the_program() {
    let (files, default) = built();
    assert!(files.len() >= if option_env!("STONECHAT_BOARD").is_none() { 20 } else { 1 });
    for file in &files {
        let board = board::find(&file.name).unwrap_or_else(|| panic!("{} is missing", file.name));
        let listed: Vec<u64> = board.limits_list().map(|(_, value, _)| value).collect();
        assert_eq!(listed, file.limits, "{}", file.name);
        let facts = [board.title, board.target, board.cpu, board.storage, board.wifi];
        let given = ["title", "target", "cpu", "storage", "wifi"].map(|fact| file.facts[fact].as_str());
        assert_eq!(facts, given);
        assert_eq!(board.models, file.models);
        assert_eq!(u64::from(board.ram_mib), file.ram_mib);
        assert_eq!(u64::from(board.memory_mib_max), file.memory_mib_max);
        assert_eq!(board.memory_bytes, memory::total(file));
    }
    assert_eq!(BOARDS.len(), files.len());
    assert!(board::find("tiny").is_some(), "it fits into every other");
    assert_eq!(board::find("Tiny"), None);
    assert_eq!(board::DEFAULT, default);
    assert!(board::find(board::DEFAULT).is_some());
}

#[test]
fn tiny_holds_the_smallest_of_everything() {
    let tiny = board::find("tiny").unwrap();
    for (key, (name, value, what)) in LIMITS.iter().zip(tiny.limits_list()) {
        assert_eq!((key.name, key.min, key.what), (name, value, what));
    }
}

#[test]
fn ceilings_hold_every_board() {
    for board in BOARDS {
        assert!(usize::from(board.limits.rooms_max) <= ceilings::ROOMS_MAX);
        assert!(board.limits.history_bytes_max as usize <= ceilings::HISTORY_BYTES_MAX);
        assert!(usize::from(board.limits.events_queue_max) <= ceilings::EVENTS_QUEUE_MAX);
    }
    let (files, default) = built();
    let source = table::source(&files, &default, 7);
    for (at, key) in LIMITS.iter().enumerate() {
        let most = BOARDS.iter().filter_map(|b| b.limits_list().nth(at)).map(|(_, value, _)| value).max().unwrap();
        let line = format!("pub const {}: usize = {most};", key.name.to_uppercase());
        assert!(source.contains(&line), "{line}");
    }
}

#[test]
fn the_limits_are_documented_in_the_words_of_the_schema() {
    let source = fs::read_to_string(folder().join("../src/base/board.rs")).unwrap();
    let (_, body) = source.split_once("pub struct Limits {").unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let lines: Vec<&str> = body.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 2 * LIMITS.len(), "one line of words and one field for each limit");
    for (key, pair) in LIMITS.iter().zip(lines.chunks(2)) {
        let words = pair[0].trim_start_matches("/// ").trim_end_matches('.');
        let field = pair[1].trim_start_matches("pub ").split(':').next().unwrap();
        assert_eq!((field, words.to_lowercase()), (key.name, key.what.to_lowercase()));
    }
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    let legal = "Legal: title, target, cpu, storage, wifi, ram_mib, memory_mib_max, models, limits";
    let text = text("tiny");
    refuses(&format!("titel = 'x'\n{text}"), &["a board has no key \"titel\"; did you mean \"title\"?", legal]);
    refuses(&format!("frequency = 1\n{text}"), &["no key \"frequency\". Legal", legal]);
    let all = LIMITS.iter().map(|k| k.name).collect::<Vec<_>>().join(", ");
    let legal = format!("Legal: {all}");
    refuses(&format!("{text}room_max = 4"), &["[limits] has no key \"room_max\"; did you mean \"rooms_max\"?", &legal]);
    refuses(&format!("{text}x = 4"), &["[limits] has no key \"x\". Legal", &legal]);
}

#[test]
fn every_missing_key_is_named_with_all_that_are_needed() {
    for fact in FACTS.into_iter().chain(NUMBERS.map(|k| k.name)).chain(["models"]) {
        refuses(&changed(fact, None), &[&format!("a board lacks {fact}. It needs: title, target")]);
    }
    for key in LIMITS {
        refuses(&changed(key.name, None), &[&format!("[limits] lacks {}. It needs: rooms_max, ", key.name)]);
    }
    refuses("", &["lacks title, target, cpu, storage, wifi, ram_mib, memory_mib_max, models, limits. It needs"]);
}

#[test]
fn every_number_has_its_least_and_its_most() {
    for key in LIMITS.iter().chain(&NUMBERS) {
        assert!(key.min < key.max, "{}", key.name);
        let legal = format!("is not a number from {} to {} ({})", key.min, key.max, key.what);
        for wrong in [(key.min - 1).to_string(), (key.max + 1).to_string(), "-1".into(), "'8'".into(), "1.5".into()] {
            let text = changed(key.name, Some(&format!("{} = {wrong}", key.name)));
            refuses(&text, &[&format!("{} = ", key.name), &legal]);
        }
    }
}

#[test]
fn facts_are_texts_and_the_target_is_one_that_is_built() {
    refuses(&changed("title", Some("title = 5")), &["title must be a text"]);
    refuses(&changed("wifi", Some("wifi = ''")), &["wifi must be a text"]);
    refuses(&changed("models", Some("models = [1]")), &["models must be a list of texts"]);
    refuses(&changed("models", Some("models = ['']")), &["models must be a list of texts"]);
    let target = "target = 'aarch64-unknown-linux-gnu'";
    let parts = ["did you mean \"aarch64-unknown-linux-musl\"?", "Legal: x86_64-unknown-linux-musl, "];
    refuses(&changed("target", Some(target)), &parts);
    refuses("title = ", &["TOML parse error"]);
    refuses(&text("tiny").replace("[limits]", "[[limits]]"), &["limits must be a table"]);
    assert!(parse("No Name", &text("tiny")).unwrap_err().contains("lower-case letters, digits and hyphens"));
    assert!(parse("b", &text("tiny")).is_ok());
}

/// The generic board's text with some values replaced.
fn generic(values: &[(&str, &str)]) -> String {
    let line = |line: &str| match values.iter().find(|(key, _)| line.split(" = ").next() == Some(key)) {
        Some((key, value)) => format!("{key} = {value}"),
        None => line.to_owned(),
    };
    text("generic").lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn numbers_that_contradict_each_other_are_refused() {
    let cases: [(&[(&str, &str)], &str); 10] = [
        (&[("peers_low", "49")], "peers_low = 49 must not be above peers_high = 48"),
        (&[("peers_high", "65")], "peers_high = 65 must not be above connections_max = 64"),
        (&[("connections_inbound_max", "65")], "connections_inbound_max = 65 must not be above connections_max = 64"),
        (&[("connections_outbound_max", "65")], "connections_outbound_max = 65 must not be above connections_max"),
        (
            &[("connections_inbound_max", "30"), ("connections_outbound_max", "30")],
            "connections_inbound_max + connections_outbound_max = 60 can never reach connections_max = 64",
        ),
        (
            &[("accepts_per_address_per_second_max", "129")],
            "accepts_per_address_per_second_max = 129 must not be above accepts_per_second_max = 128",
        ),
        (
            &[("yamux_streams_max", "33")],
            "yamux_window_bytes_max must be at least yamux_streams_max x 262144 = 8650752",
        ),
        (
            &[("unread_bytes_max", "25_165_823")],
            "unread_bytes_max must be at least connections_max x 393216 = 25165824",
        ),
        (
            &[("history_bytes_max", "65_536"), ("rooms_max", "64")],
            "history_bytes_max / rooms_max = 1024 leaves a room no place for one message",
        ),
        (
            &[("connections_max", "50"), ("connections_pending_max", "51")],
            "connections_pending_max = 51 must not be above connections_max = 50",
        ),
    ];
    for (values, sentence) in cases {
        refuses(&generic(values), &[sentence]);
    }
}

#[test]
fn limits_that_need_too_much_memory_are_refused_with_the_sum() {
    refuses(&generic(&[("memory_mib_max", "257")]), &["memory_mib_max = 257 is more than 1/8 of ram_mib (256)"]);
    refuses(
        &generic(&[("memory_mib_max", "190")]),
        &["the limits add up to ", " MiB, more than memory_mib_max = 190: the program 8.0, connections "],
    );
    for key in ["history_messages_max", "history_bytes_max", "gossip_queue_messages_max", "unread_bytes_max"] {
        let most = LIMITS.iter().find(|k| k.name == key).unwrap().max;
        // With as much as the others need, and no more.
        let values = [(key, most.to_string()), ("memory_mib_max", "196".to_owned())];
        refuses(&generic(&values.each_ref().map(|(key, value)| (*key, value.as_str()))), &["the limits add up to "]);
    }
    let zero_w = parse("raspberry-pi-zero-w", &text("raspberry-pi-zero-w")).unwrap();
    assert_eq!(zero_w.memory_mib_max, 48, "the budget under hostile peers");
    for Board { name, ram_mib, memory_mib_max, memory_bytes, .. } in BOARDS {
        assert!(*memory_bytes <= u64::from(*memory_mib_max) << 20 && memory_mib_max * 8 <= *ram_mib, "{name}");
    }
}

#[test]
fn what_the_estimate_assumes_is_what_travels() {
    assert!(memory::MESSAGE_BYTES >= bounds::FRAME_BYTES_MAX as u64 + 200, "a frame, and what signs it");
    assert_eq!(memory::STREAM_BYTES, u64::from(stonechat::net::yamux::STREAM_WINDOW_BYTES));
    assert_eq!(memory::KEPT, (gossip::KEPT_SHARE as u64, gossip::KEPT_BYTES as u64));
    assert_eq!((memory::IDS.0, memory::MESSAGE_BYTES), (gossip::SEEN_MAX as u64, gossip::QUEUED_BYTES as u64));
    assert_eq!(memory::HELD.0, stonechat::node::holdback::HELD_MAX as u64);
    for board in BOARDS {
        let most = board.limits.connections_max;
        let places = stonechat::node::peers::places::admission_places(most);
        assert_eq!(memory::newcomers(most.into()), u64::from(places), "{}", board.name);
    }
    assert!(memory::UNHANDLED_BYTES >= (gossip::UNHANDLED_BYTES_MAX + RPC_BYTES_MAX + 2_048) as u64);
}

fn named(name: &str, models: &[&str], rooms_max: u64) -> BoardFile {
    let mut board = parse(name, &text("tiny")).unwrap();
    board.models = models.iter().map(|model| model.to_string()).collect();
    board.limits[0] = rooms_max;
    board
}

#[test]
fn no_two_boards_claim_a_model() {
    let boards = [named("a", &["One", "Two"], 4), named("b", &["Three", "Two"], 4)];
    let sentence = table::distinct(&boards).unwrap_err();
    assert_eq!(sentence, "boards/b.toml: the model \"Two\" is in a.toml already");
    assert_eq!(table::distinct(&boards[..1]), Ok(()));
}

#[test]
fn a_build_for_one_board_holds_it_and_what_fits_in_it() {
    let boards =
        || vec![named("generic", &[], 9), named("large", &[], 12), named("small", &[], 5), named("tiny", &[], 4)];
    let names = |only| {
        let (boards, default) = table::select(boards(), only).unwrap();
        (boards.into_iter().map(|b| b.name).collect::<Vec<_>>().join(" "), default)
    };
    assert_eq!(names(None), ("generic large small tiny".into(), "generic".into()));
    assert_eq!(names(Some("small")), ("small tiny".into(), "small".into()));
    assert_eq!(names(Some("generic")), ("generic small tiny".into(), "generic".into()));
    let sentence = table::select(boards(), Some("smal")).unwrap_err();
    assert_eq!(sentence, "STONECHAT_BOARD: there is no board \"smal\". Legal: generic, large, small, tiny");
    let (small, default) = table::select(boards(), Some("small")).unwrap();
    let source = table::source(&small, &default, 1_700_000_000);
    for line in [
        "ROOMS_MAX: usize = 5;",
        "DEFAULT: &str = \"small\";",
        "BUILD_UNIX_SECONDS: u64 = 1700000000;",
        "name: \"tiny\"",
    ] {
        assert!(source.contains(line), "{line}");
    }
    assert!(!source.contains("name: \"large\""));
}

#[test]
fn a_build_is_dated_now_or_as_told() {
    assert_eq!(table::built(None, 5), Ok(5));
    assert_eq!(table::built(Some("1700000000"), 5), Ok(1_700_000_000));
    let sentence = table::built(Some("yesterday"), 5).unwrap_err();
    assert_eq!(sentence, "SOURCE_DATE_EPOCH=yesterday is not a number of seconds since 1970");
    const { assert!(board::BUILD_UNIX_SECONDS > 1_700_000_000) };
}
