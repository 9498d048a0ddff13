//! The command line as a script meets it: what it prints, where, and how it exits.

mod app;

use app::{err, out, program, run};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use stonechat::base::board::DEFAULT;

const COMMANDS: [&str; 13] =
    ["chat", "run", "bootstrap", "send", "dm", "tail", "peers", "rooms", "status", "limits", "doctor", "id", "board"];

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// It exits with this code and says one sentence on stderr, nothing on stdout.
fn refused(home: &std::path::Path, arguments: &[&str], code: i32) -> String {
    let output = run(home, arguments, "");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", err(&output));
    assert_eq!(out(&output), "", "{arguments:?}");
    let sentence = err(&output);
    assert_eq!(sentence.lines().count(), 1, "{arguments:?}: {sentence}");
    assert!(sentence.starts_with("stonechat: "), "{arguments:?}: {sentence}");
    sentence
}

#[test]
fn help_and_version_go_to_stdout() {
    let home = home();
    let help = run(home.path(), &["--help"], "");
    assert_eq!(help.status.code(), Some(0));
    assert!(COMMANDS.iter().all(|command| out(&help).contains(command)), "{}", out(&help));
    for command in COMMANDS {
        let page = run(home.path(), &[command, "--help"], "");
        assert_eq!(page.status.code(), Some(0));
        assert!(out(&page).contains(&format!("Usage: stonechat {command}")) && out(&page).contains("--dir DIR"));
        assert_eq!(err(&page), "");
    }
    let version = run(home.path(), &["--version"], "");
    assert_eq!(out(&version), format!("stonechat {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_is_not_understood_exits_with_2() {
    let home = home();
    for (arguments, part) in [
        (vec!["--romo", "x"], "did you mean --room?"),
        (vec!["stauts"], "did you mean `status`?"),
        (vec!["peers", "--guest"], "--guest means nothing to `peers`"),
        (vec!["run", "--listen", "localhost:1"], "`localhost:1` is no multiaddr"),
        (vec!["run", "--board", "tini"], "did you mean `tiny`?"),
        (vec!["board", "--board", "tini"], "did you mean `tiny`?"),
        (vec!["chat", "--nick", "a-nickname-of-more-than-32-bytes-is-too-long"], "32"),
        (vec!["run", "--dht-protocol", "kad"], "must begin with a slash"),
        (vec!["run", "--config", "/nowhere/config.toml"], "/nowhere/config.toml"),
    ] {
        let sentence = refused(home.path(), &arguments, 2);
        assert!(sentence.contains(part), "{arguments:?}: {sentence}");
    }
}

#[test]
fn the_configuration_is_read_and_a_flag_wins() {
    let home = home();
    let dir = home.path().join("config/stonechat");
    fs::create_dir_all(&dir).unwrap();
    let name = |arguments: &[&str]| {
        let output = run(home.path(), arguments, "");
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        serde_json::from_str::<Value>(&out(&output)).unwrap()["name"].as_str().unwrap().to_string()
    };
    fs::write(dir.join("config.toml"), "board = 'tiny'\n").unwrap();
    assert_eq!(name(&["board", "--json"]), "tiny");
    assert_eq!(name(&["board", "--json", "--board", DEFAULT]), DEFAULT);
    let other = home.path().join("other.toml");
    fs::write(&other, format!("board = '{DEFAULT}'\n")).unwrap();
    assert_eq!(name(&["board", "--json", "--config", other.to_str().unwrap()]), DEFAULT);

    fs::write(dir.join("config.toml"), "bord = 'tiny'\n").unwrap();
    let sentence = refused(home.path(), &["board"], 2);
    assert!(sentence.contains("config.toml has the unknown key `bord`: did you mean `board`?"), "{sentence}");
    fs::write(dir.join("config.toml"), "nick = 'a'\nrooms = 5\n").unwrap();
    let sentence = refused(home.path(), &["status"], 2);
    assert!(sentence.contains("config.toml, line 2: "), "{sentence}");
}

#[test]
fn without_a_running_peer_there_is_3() {
    let home = home();
    for command in ["send", "tail", "peers", "rooms", "status", "limits"] {
        let words: &[&str] = if command == "send" { &["send", "hello"] } else { &[command] };
        let sentence = refused(home.path(), words, 3);
        assert!(sentence.contains("no peer runs on ") && sentence.contains("stonechat run"), "{sentence}");
    }
    // A socket nobody answers on is a dead peer's.
    let dir = home.path().join("data/stonechat");
    fs::create_dir_all(&dir).unwrap();
    drop(std::os::unix::net::UnixListener::bind(dir.join("control.sock")).unwrap());
    refused(home.path(), &["peers"], 3);
}

#[test]
fn the_identity_is_made_once_and_guarded() {
    let home = home();
    let first = run(home.path(), &["id"], "");
    assert_eq!(first.status.code(), Some(0), "{}", err(&first));
    assert!(out(&first).starts_with("12D3KooW"), "{}", out(&first));
    assert_eq!(out(&run(home.path(), &["id"], "")), out(&first));
    let json: Value = serde_json::from_str(&out(&run(home.path(), &["id", "--json"], ""))).unwrap();
    assert_eq!(json["peer"], out(&first).trim());
    let elsewhere = home.path().join("elsewhere");
    let other = run(home.path(), &["id", "--dir", elsewhere.to_str().unwrap()], "");
    assert_ne!(out(&other), out(&first));

    let key = elsewhere.join("identity.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let sentence = refused(home.path(), &["id", "--dir", elsewhere.to_str().unwrap()], 1);
    assert!(sentence.contains("chmod 600"), "{sentence}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "garbage").unwrap();
    let sentence = refused(home.path(), &["run", "--dir", elsewhere.to_str().unwrap()], 1);
    assert!(sentence.contains("damaged"), "{sentence}");
}

#[test]
fn the_board_is_told() {
    let home = home();
    let table = out(&run(home.path(), &["board", "--board", "tiny"], ""));
    assert!(table.contains("(tiny)") && table.contains("control_clients_max"), "{table}");
    let json: Value =
        serde_json::from_str(&out(&run(home.path(), &["board", "--json", "--board", "tiny"], ""))).unwrap();
    assert_eq!(json["name"], "tiny");
    assert!(json["limits"]["rooms_max"].as_u64() > Some(0), "{json}");
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let home = home();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child =
        program(home.path()).arg("board").stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(err(&output), "");
}
