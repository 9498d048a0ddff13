//! The examples do what they say.

use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

/// An example's program, which `cargo test` builds beside the tests. `None` where it did not: a test run by hand with
/// `--test examples` builds no examples, and one example wants a feature that is off by default.
fn example(name: &str) -> Option<PathBuf> {
    let test = env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    if !path.exists() {
        println!("skipped: needs {}: cargo build --examples --all-features", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn ping_in_one_process() {
    let Some(ping) = example("ping") else { return };
    let output = Command::new(ping).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains(" answered in "));
}

#[test]
fn ping_between_two_processes() {
    let Some(ping) = example("ping") else { return };
    let start = |arguments: &[&str]| {
        let mut child = Command::new(&ping).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        (child, lines)
    };
    let (mut listener, mut heard) = start(&["listen", "/ip4/127.0.0.1/tcp/0"]);
    let address = heard.find_map(|line| Some(line.strip_prefix("listening on ")?.to_owned())).unwrap();
    let (mut dialer, mut answers) = start(&["dial", &address]);
    assert!(answers.any(|line| line.contains(" answered in ")));
    assert!(heard.any(|line| line.contains(" answered in ")));
    // Gone without a word: the other ends by itself.
    listener.kill().unwrap();
    listener.wait().unwrap();
    assert!(dialer.wait().unwrap().success());

    let refused = Command::new(&ping).args(["dial", &address]).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8(refused.stderr).unwrap().contains("nobody listens there"));
}

/// Runs an example to its end and gives what it printed.
fn printed(example: PathBuf) -> String {
    let output = Command::new(example).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn three_ledgers_end_with_one_head() {
    let Some(ledger) = example("ledger") else { return };
    let printed = printed(ledger);
    let heads: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.split_once(": head ")?.1.split_once(" at height 4;"))
        .map(|(h, _)| h)
        .collect();
    assert_eq!(heads.len(), 3, "{printed}");
    assert!(heads.iter().all(|head| *head == heads[0] && *head != "00000000"), "{printed}");
    assert_eq!(printed.lines().last(), Some("all 3 hold the same head"));
}

#[test]
fn a_peer_talks_inside_an_async_std_program() {
    let Some(example) = example("async_std") else { return };
    assert_eq!(printed(example), "bob hears hello from async-std\nann hears and back\n");
}

#[test]
fn crypto_does_each_of_its_works() {
    let Some(crypto) = example("crypto") else { return };
    for work in ["sign", "verify", "handshake", "seal"] {
        let output = Command::new(&crypto).args([work, "2"]).output().unwrap();
        assert!(output.status.success(), "{work}: {output:?}");
    }
    let output = Command::new(&crypto).args(["sing", "2"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("`sing` is none of sign, verify"));
}
