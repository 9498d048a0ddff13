//! The manual page and the completions, as `man` and the shells take them.

mod app;

use app::{err, out, run};
use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Every command and every option with two dashes that the pages of `--help` name.
fn named() -> (Vec<String>, Vec<String>) {
    let home = tempfile::tempdir().unwrap();
    let help = out(&run(home.path(), &["--help"], ""));
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = commands.lines().map(|line| line.split_whitespace().next().unwrap().to_string()).collect();
    let options = help.split("Options:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let option = |line: &str| line.split_whitespace().find(|word| word.starts_with("--")).map(String::from);
    (commands, options.lines().filter_map(option).collect())
}

/// What a program prints, without a home: neither needs one.
fn printed(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_stonechat")).args(arguments).env_clear().output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {}", err(&output));
    out(&output)
}

/// None where the program is missing, which is said.
fn fed(program: &str, arguments: &[&str], text: &str) -> Option<Output> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: {program} is missing");
        return None;
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[test]
fn the_manual_names_every_command_and_option() {
    let page = printed(&["man"]);
    let (commands, options) = named();
    assert!(commands.len() >= 15 && options.len() >= 18, "{commands:?} {options:?}");
    for command in &commands {
        assert!(page.contains(&format!("\n\\fB{command}\\fR")), "{command}");
    }
    for option in &options {
        let option = option.replace('-', "\\-");
        let line = |line: &str| line.starts_with("\\fB") && line.contains(&option);
        assert!(page.lines().any(line), "{option}");
    }
    assert!(page.starts_with(".TH STONECHAT 1 ") && page.is_ascii());
    for section in ["NAME", "SYNOPSIS", "COMMANDS", "OPTIONS", "EXIT STATUS", "FILES", "ENVIRONMENT"] {
        assert!(page.contains(&format!("\n.SH {section}\n")), "{section}");
    }
    if let Some(shown) = fed("groff", &["-man", "-ww", "-Tutf8"], &page) {
        assert!(shown.status.success() && shown.stderr.is_empty(), "{}", err(&shown));
        assert!(out(&shown).contains("dht-protocol"), "{}", out(&shown));
    }
}

#[test]
fn bash_completes() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("stonechat");
    fs::write(&script, printed(&["completions", "bash"])).unwrap();
    fs::create_dir(dir.path().join("place")).unwrap();
    fs::write(dir.path().join("plain.toml"), "").unwrap();
    let complete = |line: &str| -> Option<Vec<String>> {
        let words: Vec<&str> = line.split(' ').collect();
        let program = r#"
            set -eu
            bash -n "$1"
            . "$1"
            cd "$2"
            shift 2
            [ "$(complete -p stonechat)" = "complete -F _stonechat stonechat" ]
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _stonechat
            printf '%s\n' "${COMPREPLY[@]}"
        "#;
        let mut arguments = vec!["-c", program, "bash", script.to_str()?, dir.path().to_str()?];
        arguments.extend(words);
        let output = fed("bash", &arguments, "")?;
        assert!(output.status.success(), "{line}: {}", err(&output));
        Some(out(&output).split_whitespace().map(String::from).collect())
    };
    if complete("stonechat ").is_none() {
        return;
    }
    let (commands, options) = named();
    let all = complete("stonechat ").unwrap();
    assert!(commands.iter().all(|command| all.contains(command)), "{all:?}");
    assert_eq!(complete("stonechat st").unwrap(), ["status"]);
    assert_eq!(complete("stonechat --ni").unwrap(), ["--nick"]);
    assert_eq!(complete("stonechat status --ta").unwrap(), ["--tasks"]);
    assert_eq!(complete("stonechat peers --ta").unwrap(), [""; 0], "an option of another command");
    assert_eq!(complete("stonechat --nick run ta").unwrap(), ["tail"], "a value is no command");
    assert_eq!(complete("stonechat --dir /x board --sys").unwrap(), ["--systemd"]);
    assert_eq!(complete("stonechat run --board raspberry-pi-zero-").unwrap().len(), 2);
    assert_eq!(complete("stonechat run --clock tr").unwrap(), ["trusted"]);
    assert_eq!(complete("stonechat run --dir p").unwrap(), ["place"]);
    assert_eq!(complete("stonechat run --config p").unwrap().len(), 2);
    assert_eq!(complete("stonechat completions f").unwrap(), ["fish"]);
    assert_eq!(complete("stonechat run --nick x").unwrap(), [""; 0]);
    for option in options {
        let known = |start: String| complete(&format!("{start} {option}")).unwrap().contains(&option);
        let after = |command: &String| known(format!("stonechat {command}"));
        assert!(known("stonechat".into()) || commands.iter().any(after), "{option}");
    }
}

#[test]
fn zsh_and_fish_take_theirs() {
    let (commands, options) = named();
    let zsh = printed(&["completions", "zsh"]);
    if let Some(read) = fed("zsh", &["-n"], &zsh) {
        assert!(read.status.success() && read.stderr.is_empty(), "{}", err(&read));
    }
    assert!(commands.iter().all(|command| zsh.contains(&format!("\n        {command}) _arguments"))));
    assert!(options.iter().all(|option| zsh.contains(&format!("{option}["))));

    let fish = printed(&["completions", "fish"]);
    assert!(commands.iter().all(|command| fish.contains(&format!(" -a {command} -d "))));
    assert!(options.iter().all(|option| fish.contains(&format!(" -l {} ", &option[2..]))));
    let asked = format!("{fish}\ncomplete -C 'stonechat st'; complete -C 'stonechat status --ta'\n");
    if let Some(answer) = fed("fish", &["--no-config"], &asked) {
        assert!(answer.stderr.is_empty(), "{}", err(&answer));
        let names: Vec<String> =
            out(&answer).lines().filter_map(|line| line.split('\t').next().map(String::from)).collect();
        assert_eq!(names, ["status", "--tasks"]);
    }
}

#[test]
fn an_unknown_shell_is_named() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, sentence) in [
        (vec!["completions"], "stonechat: completions needs the name of one shell: bash, zsh, fish\n"),
        (vec!["completions", "bash", "zsh"], "stonechat: completions needs the name of one shell: bash, zsh, fish\n"),
        (vec!["completions", "bsh"], "stonechat: there is no completion for `bsh`: did you mean `bash`?\n"),
        (vec!["man", "run"], "stonechat: `run` is too much: `man` takes no further words, see stonechat man --help\n"),
    ] {
        let output = run(home.path(), &arguments, "");
        assert_eq!((output.status.code(), err(&output).as_str()), (Some(2), sentence), "{arguments:?}");
    }
}
