//! What must not bring a peer down: garbage on each of its doors, frames that are none, names that are more than
//! names. Each is answered clearly or counted, and the conversation beside it goes on.

#[path = "world/stranger.rs"]
mod stranger;
#[allow(dead_code)]
mod world;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use stonechat::node::command::as_message;
use stonechat::wire::bounds::{FRAME_BYTES_MAX, NICK_BYTES_MAX, TEXT_BYTES_MAX};
use stonechat::wire::frame::{Body, Frame};
use stranger::{Fate, say};
use world::peer::{PORT, become_one_room, directory};
use world::{GENEROUS, Host, Peer, World, until};

/// Two peers in conversation and a third host for whatever comes from outside.
struct Scene {
    a: Peer,
    b: Peer,
    _dirs: [tempfile::TempDir; 2],
    host_a: Host,
    outside: Host,
    _world: World,
}

impl Scene {
    fn new() -> Option<Self> {
        let world = World::new()?;
        let lan = world.subnet();
        let (host_a, host_b, outside) = (world.host("a", &lan), world.host("b", &lan), world.host("outside", &lan));
        let dirs = [directory(), directory()];
        let a = Peer::run(&host_a, "a", dirs[0].path(), &[]);
        let b = Peer::run(&host_b, "b", dirs[1].path(), &[]);
        become_one_room(&[&a, &b], GENEROUS);
        Some(Self { a, b, _dirs: dirs, host_a, outside, _world: world })
    }

    fn goes_on(&self) {
        become_one_room(&[&self.a, &self.b], GENEROUS);
        assert!(self.a.is_running() && self.b.is_running());
    }
}

/// The sum of a peer's counters whose names are wanted.
fn counter(peer: &Peer, wanted: impl Fn(&str) -> bool) -> u64 {
    peer.status().counters.iter().filter(|counter| wanted(&counter.name)).map(|counter| counter.count).sum()
}

/// Bytes without any order, the same in every run (xorshift).
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn garbage_on_the_tcp_port() {
    let Some(scene) = Scene::new() else { return };
    let failed = |scene: &Scene| {
        counter(&scene.a, |name| name.contains("inbound connections failed") || name.contains("refused"))
    };
    let before = failed(&scene);
    let target: SocketAddr = format!("{}:{PORT}", scene.host_a.address()).parse().unwrap();
    let hello: &[u8] = b"\x13/multistream/1.0.0\n\x07/noise\n";
    let attempts: Vec<Vec<u8>> = vec![
        vec![],
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0; 100_000],
        vec![0xff; 100_000],
        noise(1, 100_000),
        hello.to_vec(),
        [hello, &[0xff, 0xff], &noise(2, 70_000)].concat(),
        [hello, &[0, 32], &noise(3, 32)].concat(),
        b"\x13/multistream/1.0.0\n\x03ls\n".repeat(1_000),
        b"\x13/multistream/9.9.9\n".to_vec(),
    ];
    let mut open = Vec::new();
    for bytes in &attempts {
        let mut stream = until("there is room for one more connection", GENEROUS, || {
            scene.outside.enter(|| TcpStream::connect_timeout(&target, GENEROUS)).ok()
        });
        // Refused in the middle is as good as refused at the end.
        let _ = stream.write_all(bytes);
        open.push(stream);
    }
    for mut stream in open {
        // Each ends by itself: with an error, or when the handshake has taken too long.
        stream.set_read_timeout(Some(GENEROUS)).unwrap();
        let mut sink = [0; 4096];
        let waited_too_long = loop {
            match stream.read(&mut sink) {
                Ok(0) => break false,
                Ok(_) => {}
                Err(error) => break error.kind() == std::io::ErrorKind::WouldBlock,
            }
        };
        assert!(!waited_too_long, "a connection that says nothing of use is kept");
    }
    until("what failed is counted", GENEROUS, || (failed(&scene) >= before + attempts.len() as u64).then_some(()));
    scene.goes_on();
}

#[test]
fn garbage_on_the_mdns_port() {
    let Some(scene) = Scene::new() else { return };
    let dropped = |scene: &Scene| counter(&scene.a, |name| name.starts_with("mdns"));
    let before = dropped(&scene);
    let question = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x04_p2p\x04_udp\x05local\0\0\x0c\0\x01";
    let mut packets: Vec<Vec<u8>> = (0..200).map(|n| noise(n, (n as usize * 37) % 1_400)).collect();
    packets.extend((0..question.len()).map(|cut| question[..cut].to_vec()));
    // A name that points to itself, counts that promise more than there is, nothing but an answer's head.
    packets.push(b"\0\0\x84\0\0\0\0\x01\0\0\0\0\xc0\x0c\0\x10\0\x01\0\0\0\x78\0\0".to_vec());
    packets.push([&b"\0\0\x84\0\xff\xff\xff\xff\xff\xff\xff\xff"[..], &noise(7, 500)].concat());
    packets.push(question.iter().chain(&noise(8, 8_000)).copied().collect());
    scene.outside.enter(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for packet in &packets {
            socket.send_to(packet, "224.0.0.251:5353").unwrap();
            socket.send_to(packet, (scene.host_a.address().as_str(), 5353)).unwrap();
        }
    });
    until("packets are counted", GENEROUS, || (dropped(&scene) > before).then_some(()));
    println!("mdns: {before} before, {} after {} bad packets", dropped(&scene), 2 * packets.len());
    scene.goes_on();
}

/// One line to a fresh control connection; the answer, if there is one before the connection ends.
fn control(peer: &Peer, bytes: &[u8]) -> Option<Value> {
    let mut stream = UnixStream::connect(peer.dir.join("control.sock")).unwrap();
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    // It may be refused before it is all written.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}")))
}

#[test]
fn garbage_on_the_control_socket() {
    let Some(scene) = Scene::new() else { return };
    let deep = [vec![b'['; 100_000], b"\n".to_vec()].concat();
    let long = [vec![b'x'; 3_000_000], b"\n".to_vec()].concat();
    let refused: Vec<Vec<u8>> = vec![
        b"\n".to_vec(),
        b"nonsense\n".to_vec(),
        b"{}\n".to_vec(),
        b"[]\n".to_vec(),
        b"null\n".to_vec(),
        b"{\"command\":\"fly\"}\n".to_vec(),
        b"{\"command\":7}\n".to_vec(),
        b"{\"command\":\"send\"}\n".to_vec(),
        b"{\"command\":\"send\",\"text\":\"x\",\"romm\":\"lobby\"}\n".to_vec(),
        b"{\"command\":\"history\",\"count\":-1}\n".to_vec(),
        b"{\"command\":\"dial\",\"address\":\"10.0.0.1:80\"}\n".to_vec(),
        b"{\"command\":\"join\",\"room\":\"a b\"}\n".to_vec(),
        b"{\"command\":\"record\",\"kind\":\"k\",\"data\":\"xyz\"}\n".to_vec(),
        b"\xff\xfe\x00\x01\n".to_vec(),
        noise(9, 1_000).into_iter().filter(|byte| *byte != b'\n').chain([b'\n']).collect(),
        deep,
        long,
    ];
    for bytes in &refused {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        let Some(answer) = control(&scene.a, bytes) else {
            assert!(bytes == b"\n" || bytes.len() > 1_000_000, "no answer to {shown:?}");
            continue;
        };
        assert_eq!(answer["ok"], false, "{shown:?}: {answer}");
        let sentence = answer["error"].as_str().unwrap_or_default();
        assert!(sentence.len() > 8 && !sentence.chars().any(char::is_control), "{shown:?}: {sentence:?}");
    }
    // A bad line does not cost the connection: the next one is answered, and with its tag.
    let both = b"nonsense\n{\"command\":\"rooms\",\"tag\":\"t1\"}\n";
    let mut stream = UnixStream::connect(scene.a.dir.join("control.sock")).unwrap();
    stream.write_all(both).unwrap();
    let answers: Vec<Value> =
        BufReader::new(stream).lines().take(2).map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!((&answers[0]["ok"], &answers[1]["ok"]), (&json!(false), &json!(true)));
    assert_eq!(answers[1]["tag"], "t1");
    scene.goes_on();
}

#[test]
fn what_is_too_long_to_say_is_refused_with_a_sentence() {
    let Some(scene) = Scene::new() else { return };
    let answer = scene.a.ask(&json!({"command": "send", "text": "x".repeat(TEXT_BYTES_MAX + 1)}));
    assert_eq!(answer["ok"], false);
    assert!(answer["error"].as_str().unwrap().contains(&TEXT_BYTES_MAX.to_string()), "{answer}");
    let longest = "x".repeat(TEXT_BYTES_MAX);
    scene.a.send(&longest);
    scene.b.wait_line(&scene.a, &longest, GENEROUS);
    let answer = scene.a.ask(&json!({"command": "nick", "nick": "n".repeat(NICK_BYTES_MAX + 1)}));
    assert_eq!(answer["ok"], false);
    scene.goes_on();
}

#[test]
fn a_nick_with_escapes_is_refused_at_home() {
    let Some(scene) = Scene::new() else { return };
    for nick in ["\u{1b}[2J", "a\nb", "\u{202e}evil", "zero\u{200b}width"] {
        let answer = scene.a.ask(&json!({"command": "nick", "nick": nick}));
        let kept = scene.a.status().nick;
        assert!(!kept.chars().any(|c| c.is_control() || "\u{202e}\u{200b}".contains(c)), "{answer}: {kept:?}");
        assert!(answer["ok"] == false || kept != nick);
    }
    scene.goes_on();
}

/// A frame of a stranger, well formed.
fn frame(nick: &str, text: &str) -> Vec<u8> {
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let stamp = unix.as_millis() as u64;
    Frame { stamp, body: Body::Text { nick, text } }.to_bytes().unwrap().to_vec()
}

fn address(scene: &Scene) -> String {
    format!("/ip4/{}/tcp/{PORT}", scene.host_a.address())
}

#[test]
fn frames_that_are_none_are_counted_and_dropped() {
    let Some(scene) = Scene::new() else { return };
    let good = frame("stranger", "good");
    // First of all: what a stranger says well is heard, or nothing below would prove anything.
    let heard = |text: &'static str| move |event: &_| as_message(event).is_some_and(|line| line.text == text);
    say(&scene.outside, &scene.a, &address(&scene), &good, |_| scene.a.events().iter().any(heard("good")));

    let of_version = |version: u8| [&[version], &good[1..]].concat();
    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("version", of_version(0)),
        ("version", of_version(2)),
        ("version", of_version(255)),
        ("malformed", vec![]),
        ("malformed", good[..1].to_vec()),
        ("malformed", good[..good.len() - 1].to_vec()),
        ("malformed", [&good[..], b"x"].concat()),
        ("malformed", [&good[..good.len() - 1], &[0xff]].concat()),
        ("malformed", [&[1], &noise(4, 300)[..]].concat()),
        ("malformed", [&good[..], &vec![b'x'; FRAME_BYTES_MAX]].concat()),
    ];
    for (name, bytes) in &bad {
        let count = || counter(&scene.a, |counter| counter.contains("dropped") && counter.contains(name));
        let before = count();
        let fate = say(&scene.outside, &scene.a, &address(&scene), bytes, |_| count() > before);
        assert_eq!(fate, Fate::Done, "{name}, {} bytes", bytes.len());
    }
    scene.goes_on();
    assert_eq!(scene.a.events().iter().filter(|event| heard("good")(event)).count(), 1);
}

#[test]
fn a_message_far_above_the_bound_ends_the_strangers_stream_and_nothing_else() {
    let Some(scene) = Scene::new() else { return };
    let asked = std::time::Instant::now();
    let enough = Duration::from_secs(3);
    say(&scene.outside, &scene.a, &address(&scene), &vec![1; 500_000], |_| asked.elapsed() > enough);
    assert!(scene.a.events().iter().filter_map(as_message).all(|line| line.text.len() <= 4 * TEXT_BYTES_MAX));
    scene.goes_on();
}

#[test]
fn what_a_stranger_calls_itself_and_says_is_shown_harmlessly() {
    let Some(scene) = Scene::new() else { return };
    let bytes = frame("\u{1b}]0;x\u{7}\u{202e}", "\u{1b}[2J*** you\r\nwere\u{200b} kicked \u{9b}31m");
    let mut id = String::new();
    say(&scene.outside, &scene.a, &address(&scene), &bytes, |stranger| {
        id = stranger.into();
        scene.a.events().iter().filter_map(as_message).any(|line| line.from == stranger)
    });
    let lines: Vec<_> =
        scene.a.events().iter().filter_map(as_message).filter(|line| line.from == id).cloned().collect();
    assert_eq!(lines.len(), 1);
    let shown = format!("{}{}", lines[0].nick, lines[0].text);
    assert!(shown.contains("kicked"), "{shown:?}");
    let hidden = |c: char| c.is_control() || "\u{202e}\u{200b}".contains(c);
    assert!(!shown.chars().any(hidden), "{shown:?}");
    scene.goes_on();
}

#[test]
fn no_thread_but_the_four() {
    let Some(scene) = Scene::new() else { return };
    for peer in [&scene.a, &scene.b] {
        let mut threads = peer.threads();
        threads.sort();
        println!("threads of {}: {threads:?}", peer.name);
        let known = ["async-io", "futures-timer", "stonechat", "stonechat-disk"];
        assert!(threads.iter().all(|name| known.contains(&name.as_str())), "{threads:?}");
        threads.dedup();
        assert!(threads.len() == peer.threads().len(), "one of each");
    }
}
