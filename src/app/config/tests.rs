//! The configuration: what it holds, what wins, what is refused.

use super::*;

fn file(text: &str) -> Result<File, ConfigError> {
    parse(Path::new("/etc/stonechat/config.toml"), text)
}

fn environment() -> Environment {
    Environment { home: Some("/home/ann".into()), ..Environment::default() }
}

fn settings(given: &Given, text: &str) -> Result<Settings, ConfigError> {
    combine(given, file(text)?, &environment())
}

const FULL: &str = r#"
nick = "ann"
rooms = ["lobby", "kitchen"]
listen = ["/ip4/0.0.0.0/tcp/4470"]
bootstrap = ["/dnsaddr/boot.example.org"]
mdns = false
dht-protocol = "/our/kad/1.0.0"
clock = "trusted"
board = "tiny"
dir = "state"
socket = "talk.sock"
verbosity = 1
"#;

#[test]
fn the_file_holds_what_the_flags_hold() {
    let settings = settings(&Given::default(), FULL).unwrap();
    assert_eq!(settings.nick, "ann");
    assert_eq!(settings.rooms, ["lobby", "kitchen"]);
    assert_eq!(settings.listen, ["/ip4/0.0.0.0/tcp/4470".parse().unwrap()]);
    assert_eq!(settings.bootstrap, ["/dnsaddr/boot.example.org".parse().unwrap()]);
    assert!(!settings.mdns);
    assert_eq!(settings.dht_protocol, "/our/kad/1.0.0");
    assert_eq!(settings.clock.name(), "trusted");
    assert_eq!(settings.board.as_deref(), Some("tiny"));
    assert_eq!(settings.dir, Path::new("/etc/stonechat/state"));
    assert_eq!(settings.sockets(), [Path::new("/etc/stonechat/talk.sock")]);
    assert_eq!(settings.verbosity, 1);
}

#[test]
fn a_flag_wins() {
    let given = Given {
        rooms: vec!["attic".into()],
        nick: Some("bob".into()),
        listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
        bootstrap: vec!["/ip4/127.0.0.1/tcp/1".into()],
        dht_protocol: Some("/x".into()),
        board: Some("generic".into()),
        clock: Some("untrusted".into()),
        dir: Some("/x".into()),
        socket: Some("/y".into()),
        verbosity: -2,
        ..Given::default()
    };
    let settings = settings(&given, FULL).unwrap();
    assert_eq!((settings.nick.as_str(), &settings.rooms), ("bob", &vec!["attic".to_string()]));
    assert_eq!(settings.listen, ["/ip4/127.0.0.1/tcp/0".parse().unwrap()]);
    assert_eq!(settings.bootstrap, ["/ip4/127.0.0.1/tcp/1".parse().unwrap()]);
    assert_eq!((settings.dht_protocol.as_str(), settings.board.as_deref()), ("/x", Some("generic")));
    assert_eq!((settings.sockets(), settings.clock.name()), (vec!["/y".into()], "untrusted"));
    assert_eq!((settings.dir, settings.verbosity), ("/x".into(), -1));
    let no_mdns = Given { no_mdns: true, ..Given::default() };
    assert!(!super::combine(&no_mdns, File { mdns: Some(true), ..File::default() }, &environment()).unwrap().mdns);
}

#[test]
fn without_anything_there_are_defaults() {
    let settings = settings(&Given::default(), "").unwrap();
    assert_eq!(settings.rooms, ["lobby"]);
    assert_eq!(settings.dht_protocol, DEFAULT_DHT_PROTOCOL);
    assert_eq!(settings.dir, Path::new("/home/ann/.local/share/stonechat"));
    assert_eq!(settings.clock.name(), "system");
    assert!(settings.mdns && settings.nick.is_empty() && settings.listen.is_empty());
}

#[test]
fn a_client_looks_where_it_was_told_or_at_its_own_and_the_systems() {
    let own = "/home/ann/.local/share/stonechat/control.sock";
    let sockets = settings(&Given::default(), "").unwrap().sockets();
    assert_eq!(sockets, [Path::new(own), Path::new("/run/stonechat/control.sock")]);
    let named = Given { dir: Some("/x".into()), ..Given::default() };
    assert_eq!(settings(&named, "").unwrap().sockets(), [Path::new("/x/control.sock")]);
    assert_eq!(settings(&Given::default(), "dir = '/x'").unwrap().sockets(), [Path::new("/x/control.sock")]);
}

#[test]
fn only_a_guest_needs_no_home() {
    let homeless = Environment::default();
    let refused = combine(&Given::default(), File::default(), &homeless).unwrap_err();
    assert_eq!(refused.to_string(), "there is no home directory: say where with --dir");
    let guest = Given { guest: true, ..Given::default() };
    assert!(combine(&guest, File::default(), &homeless).is_ok());
}

#[test]
fn every_key_is_known_and_no_other() {
    let table: toml::Table = toml::from_str(FULL).unwrap();
    assert_eq!(table.len(), KEYS.len());
    let path = "/etc/stonechat/config.toml";
    for (text, sentence) in [
        ("nik = 'a'", format!("{path} has the unknown key `nik`: did you mean `nick`?")),
        ("dht_protocol = '/x'", format!("{path} has the unknown key `dht_protocol`: did you mean `dht-protocol`?")),
        ("zzz = 1", format!("{path} has the unknown key `zzz`: there are: {}", KEYS.join(", "))),
        ("\n\nnick = 5", format!("{path}, line 3: invalid type: integer `5`, expected a string")),
    ] {
        assert_eq!(file(text).unwrap_err().to_string(), sentence);
    }
    let sentence = file("clock = 5").unwrap_err().to_string();
    assert_eq!(sentence, "the clock cannot be `integer`: there are: system, trusted, untrusted");
    assert!(file("nick = ").unwrap_err().to_string().starts_with("/etc/stonechat/config.toml, line 1: "));
    assert_eq!(file("nick = ").unwrap_err().to_string().lines().count(), 1);
}

#[test]
fn values_out_of_bounds_are_refused_with_the_bound() {
    let long = "x".repeat(65);
    for (given, sentence) in [
        (
            Given { rooms: vec![long.clone()], ..Given::default() },
            "the room `xxxxxxxxxxxxxxxx` has 65 bytes: up to 64 are possible, and at least 1",
        ),
        (
            Given { nick: Some(String::new()), ..Given::default() },
            "the nick `` has 0 bytes: up to 32 are possible, and at least 1",
        ),
        (
            Given { dht_protocol: Some("kad".into()), ..Given::default() },
            "the DHT protocol `kad` must begin with a slash, like /ipfs/kad/1.0.0",
        ),
        (
            Given { clock: Some("trustd".into()), ..Given::default() },
            "the clock cannot be `trustd`: did you mean `trusted`?",
        ),
    ] {
        assert_eq!(settings(&given, "").unwrap_err().to_string(), sentence);
    }
    let address = Given { bootstrap: vec!["localhost:80".into()], ..Given::default() };
    let sentence = settings(&address, "").unwrap_err().to_string();
    assert!(sentence.starts_with("`localhost:80` is no multiaddr ("), "{sentence}");
}

#[test]
fn a_file_that_was_named_must_exist() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    assert!(matches!(read(&path, true), Err(ConfigError::Read(..))));
    assert_eq!(read(&path, false).unwrap(), File::default());
    std::fs::write(&path, "#".repeat(CONFIG_BYTES_MAX as usize + 1)).unwrap();
    assert!(matches!(read(&path, false), Err(ConfigError::TooLong(_))));
}
