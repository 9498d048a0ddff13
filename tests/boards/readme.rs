//! The table of boards in the README is made from their files. `STONECHAT_WRITE=1 cargo test --test boards` writes it.

use super::{folder, memory, table};
use crate::schema::BoardFile;
use std::fs;

const BEGIN: &str = "<!-- boards: STONECHAT_WRITE=1 cargo test --test boards -->\n";
const END: &str = "<!-- end of boards -->\n";

/// One line for each board: those with a name of their own first.
fn markdown(boards: &[BoardFile]) -> String {
    let mut lines = vec![
        "| board | what it is | CPU | RAM, MiB | its limits add up to at most, MiB | target |".to_string(),
        "| --- | --- | --- | ---: | ---: | --- |".to_string(),
    ];
    let (named, nameless): (Vec<_>, Vec<_>) = boards.iter().partition(|board| !board.models.is_empty());
    for board in named.into_iter().chain(nameless) {
        let [title, cpu, target] = ["title", "cpu", "target"].map(|fact| &board.facts[fact]);
        let sum = memory::total(board).div_ceil(1 << 20);
        let (name, ram, budget) = (&board.name, board.ram_mib, board.memory_mib_max);
        lines.push(format!("| `{name}` | {title} | {cpu} | {ram} | {sum} of {budget} | {target} |"));
    }
    lines.join("\n") + "\n"
}

#[test]
fn the_table_in_the_readme_is_that_of_the_files() {
    let path = folder().join("../README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the line where the table begins");
    let (shown, after) = rest.split_once(END).expect("the line where the table ends");
    let table = markdown(&table::read(&folder()).unwrap());
    if std::env::var_os("STONECHAT_WRITE").is_some() {
        fs::write(&path, [before, BEGIN, &table, END, after].concat()).unwrap();
        return;
    }
    assert_eq!(shown, table, "the table is not current: STONECHAT_WRITE=1 cargo test --test boards");
}
