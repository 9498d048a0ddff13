//! The command line, as people and scripts write it.

use super::*;

fn asked(line: &str) -> Result<Asked, ArgumentError> {
    parse(line.split_whitespace().map(OsString::from))
}

fn given(line: &str) -> (Verb, Given) {
    match asked(line) {
        Ok(Asked::Do(verb, given)) => (verb, *given),
        other => panic!("{line}: {other:?}"),
    }
}

fn sentence(line: &str) -> String {
    asked(line).expect_err(line).to_string()
}

#[test]
fn nothing_means_chat() {
    assert_eq!(given(""), (Chat, Given::default()));
    let (verb, chat) = given("--room a --room=b");
    assert_eq!((verb, chat.rooms), (Chat, vec!["a".into(), "b".into()]));
}

#[test]
fn options_stand_before_and_after_the_command() {
    let (verb, run) = given("--dir /x -vv run --listen /ip4/127.0.0.1/tcp/0 --listen /ip6/::/tcp/0 --no-mdns -q");
    assert_eq!(verb, Run);
    assert_eq!(run.dir, Some("/x".into()));
    assert_eq!(run.listen.len(), 2);
    assert!(run.no_mdns);
    assert_eq!(run.verbosity, 1);
}

#[test]
fn send_takes_words_even_those_that_look_like_options() {
    let (verb, send) = given("send --room kitchen hello there -- --room -x");
    assert_eq!(verb, Send);
    assert_eq!(send.rooms, ["kitchen"]);
    assert_eq!(send.text, ["hello", "there", "--room", "-x"]);
    assert_eq!(sentence("send --room a --room b x"), "`send` takes one --room: call it once for each");
}

#[test]
fn tail_counts() {
    let (_, tail) = given("tail --json --history 0 --count 3");
    assert_eq!((tail.json, tail.history, tail.count), (true, Some(0), Some(3)));
    assert_eq!(sentence("tail --count 0"), "--count needs a number from 1 to 4294967295, not `0`");
    assert_eq!(sentence("tail --history -5"), "--history needs a number from 0 to 4294967295, not `-5`");
}

#[test]
fn every_command_takes_the_common_options() {
    for (verb, name, _) in VERBS {
        let line = format!("{name} --dir d --config c --board tiny -v -q");
        if EVERY.contains(verb) {
            let (parsed, common) = given(&line);
            assert_eq!((parsed, common.board.as_deref()), (*verb, Some("tiny")));
        } else {
            assert_eq!(sentence(&line), format!("--dir means nothing to `{name}`: see stonechat {name} --help"));
        }
        assert_eq!(asked(&format!("{name} --help")), Ok(Asked::Help(Some(*verb))));
        assert_eq!(asked(&format!("{name} -h")), Ok(Asked::Help(Some(*verb))));
        assert_eq!(asked(&format!("help {name}")), Ok(Asked::Help(Some(*verb))));
    }
    assert_eq!(asked("--help"), Ok(Asked::Help(None)));
    assert_eq!(asked("help"), Ok(Asked::Help(None)));
    assert_eq!(asked("--version"), Ok(Asked::Version));
}

#[test]
fn what_is_not_understood_names_the_way_out() {
    assert_eq!(sentence("--romo x"), "there is no option --romo: did you mean --room?");
    assert_eq!(sentence("--zzz"), "there is no option --zzz: see stonechat --help");
    assert_eq!(sentence("-z"), "there is no option -z: see stonechat --help");
    assert_eq!(sentence("stauts"), "there is no command `stauts`: did you mean `status`?");
    assert_eq!(sentence("peers --nick x"), "--nick means nothing to `peers`: see stonechat peers --help");
    assert_eq!(sentence("run --nick a --nick b"), "--nick is given twice: once is enough");
    assert_eq!(sentence("run --nick"), "--nick needs a value: --nick NAME");
    assert_eq!(sentence("peers --json=yes"), "--json takes no value");
    assert_eq!(sentence("peers all"), "`all` is too much: `peers` takes no further words, see stonechat peers --help");
    assert_eq!(sentence("chat --guest --dir x"), "--guest has a directory of its own: leave --dir away");
}

#[test]
fn every_flag_is_known_to_some_command_and_named_once() {
    for (at, flag) in FLAGS.iter().enumerate() {
        assert!(!flag.verbs.is_empty(), "{}", flag.long);
        assert!(FLAGS.iter().skip(at + 1).all(|other| other.long != flag.long), "{}", flag.long);
    }
}
