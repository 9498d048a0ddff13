//! The budgets: each is read by the script of that name, says why it is there, and agrees with the boards.

use super::folder;
use std::{collections::BTreeSet, fs};
use stonechat::base::board::{self, BOARDS};

struct Budget {
    name: String,
    bound: f64,
    how: String,
    why: String,
}

fn budgets() -> Vec<Budget> {
    let text = fs::read_to_string(folder().join("budgets.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, bound, _unit, how, why @ ..] = words.as_slice() else { panic!("too few words: {line}") };
            let bound = bound.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            Budget { name: name.to_string(), bound, how: how.to_string(), why: why.join(" ") }
        })
        .collect()
}

#[test]
fn every_budget_is_held_by_the_script_and_says_why() {
    let script = fs::read_to_string(folder().join("budgets")).unwrap();
    for Budget { name, bound, how, why } in budgets() {
        let read = if name.starts_with("size/") { "size/".to_string() } else { format!(" {name} %") };
        assert!(script.contains(&read), "boards/budgets has no row for {name}");
        assert!(
            bound > 0.0 && ["fail", "tell"].contains(&how.as_str()) && why.len() > 20,
            "{name} {bound} {how} {why}"
        );
        let broken = ["size/", "memory-", "threads"].iter().any(|kind| name.starts_with(kind));
        assert_eq!(how == "fail", broken, "sizes, memory and threads must hold, times cannot: {name}");
    }
}

#[test]
fn every_target_of_the_boards_has_a_size() {
    let targets: BTreeSet<String> = BOARDS.iter().map(|board| format!("size/{}", board.target)).collect();
    let sizes = budgets().into_iter().map(|budget| budget.name).filter(|name| name.starts_with("size/"));
    assert_eq!(sizes.collect::<BTreeSet<_>>(), targets);
}

#[test]
fn hostile_peers_get_what_the_board_states() {
    let budgets = budgets();
    let hostile = budgets.iter().find(|budget| budget.name == "memory-hostile").unwrap();
    let board = board::find("raspberry-pi-zero-w").unwrap();
    assert_eq!(hostile.bound, f64::from(board.memory_mib_max));
}
