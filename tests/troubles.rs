//! Troubles that are told, through the library: by event, in the status, once when they begin and once when they end.

mod peer;

use libp2p::multiaddr::Protocol;
use peer::{PATIENCE, Peer, config};
use std::time::{Duration, Instant};
use stonechat::base::board::{self, Board, Limits};
use stonechat::node::{
    Config,
    command::{Answer, Command, DialState, Dialled},
    event::{Event, FoundBy, TroubleEvent, TroubleState},
};

/// The event of a trouble that begins or ends. The node is asked again and again, as by a person.
fn wait_trouble(peer: &mut Peer, code: &str, state: TroubleState) -> TroubleEvent {
    let start = Instant::now();
    while (peer.status().troubles.iter().any(|it| it.code == code)) != (state == TroubleState::Began) {
        assert!(start.elapsed() < PATIENCE, "{code} never {state:?}: {:?}", peer.status().troubles);
        std::thread::sleep(Duration::from_millis(20));
    }
    peer.wait(code, |event| match event {
        Event::Trouble(trouble) if trouble.code == code && trouble.state == state => Some(trouble.clone()),
        _ => None,
    })
}

#[test]
fn a_disk_that_takes_no_writes_is_told_and_tried_until_it_does() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("peer");
    std::fs::create_dir(&dir).unwrap();
    let mut peer = Peer::start(Config { remembered: Some(dir.clone()), ..config() });
    std::fs::remove_dir(&dir).unwrap();
    peer.say("a line, whose stamp is to be kept");
    let began = wait_trouble(&mut peer, "disk_refuses", TroubleState::Began);
    assert!(began.sentence.contains("make space") && began.since.is_some(), "{began:?}");
    assert_eq!(peer.status().troubles[0].sentence, began.sentence);
    std::fs::create_dir(&dir).unwrap();
    let ended = wait_trouble(&mut peer, "disk_refuses", TroubleState::Ended);
    assert_eq!(ended.sentence, "the disk takes writes again");
    assert!(dir.join("stamp").exists());
    assert!(peer.status().troubles.is_empty());
}

/// Asks for a dial; the answer, and the event with its number.
fn dial(peer: &mut Peer, address: &str) -> Result<Dialled, String> {
    match peer.ask(Command::Dial { address: address.into() }) {
        Ok(Answer::Dialled(dialled)) => Ok(dialled),
        Ok(other) => panic!("{other:?}"),
        Err(no) => Err(no.to_string()),
    }
}

#[test]
fn a_dial_is_answered_with_its_outcome_and_told_as_an_event() {
    let (mut a, mut b) = (Peer::start(config()), Peer::start(config()));
    let there = b.address().to_string();
    let (bare, id) = there.split_once("/p2p/").unwrap();
    let dialled = dial(&mut a, bare).unwrap();
    assert_eq!((dialled.state, dialled.peer.as_deref()), (DialState::Connected, Some(id)));
    let number = dialled.dial;
    let told = |event: &Event| match event {
        Event::Dialled { dial, peer, error, .. } if *dial == number => Some((peer.clone(), error.clone())),
        _ => None,
    };
    assert_eq!(a.wait("the event of the dial", told), (Some(id.into()), None));
    // Connected already: so be it.
    let again = dial(&mut a, &there).unwrap();
    assert_eq!((again.state, again.dial), (DialState::Connected, number + 1));
    assert_eq!((found(&a), found(&b)), (Some(FoundBy::Dialled), Some(FoundBy::Inbound)));
    // Nobody is there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = dial(&mut b, &format!("/ip4/127.0.0.1/tcp/{}", closed.port())).unwrap_err();
    assert!(error.contains("refused") && error.contains("see whether it runs"), "{error}");
    let told = |event: &Event| match event {
        Event::Dialled { error: Some(error), .. } => Some(error.clone()),
        _ => None,
    };
    assert_eq!(b.wait("the event of the dial", told), error);
    let gone = format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", closed.port(), libp2p::PeerId::random());
    assert!(dial(&mut b, &gone).unwrap_err().ends_with("it is dialled again"));
    // Somebody else is there.
    let wrong = format!("{bare}/p2p/{}", libp2p::PeerId::random());
    let error = dial(&mut Peer::start(config()), &wrong).unwrap_err();
    assert!(error.contains("another peer answered") && error.contains(id), "{error}");
}

#[test]
fn what_cannot_be_dialled_is_refused_with_a_sentence() {
    let mut peer = Peer::start(config());
    let own = peer.address().to_string();
    for (address, part) in [
        ("", "the address is missing"),
        ("/unix/x", "only TCP can"),
        ("/ip4/127.0.0.1/tcp/0", "has port 0"),
        ("/ip4/127.0.0.1/udp/1/quic-v1", "only TCP can"),
        ("127.0.0.1:1", "not a multiaddr"),
        (own.as_str(), "that is this peer itself"),
    ] {
        let error = dial(&mut peer, address).unwrap_err();
        assert!(error.contains(part), "{address}: {error}");
    }
    // By an address that does not say so, too.
    let error = dial(&mut peer, own.split_once("/p2p/").unwrap().0).unwrap_err();
    assert!(error.contains("that is this peer itself"), "{error}");
}

#[test]
fn a_bootstrap_node_that_cannot_be_dialled_at_all_is_refused_at_the_start() {
    let bad = Config { bootstrap: vec!["/unix/x".parse().unwrap()], ..config() };
    let refused = match stonechat::node::start(bad, &stonechat::net::executor::Executor::new()) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it started"),
    };
    assert!(refused.contains("a bootstrap node") && refused.contains("only TCP can"), "{refused}");
}

#[test]
fn a_bootstrap_node_out_of_reach_is_told_with_why_until_it_is_there() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address: libp2p::Multiaddr =
        format!("/ip4/127.0.0.1/tcp/{}", socket.local_addr().unwrap().port()).parse().unwrap();
    drop(socket);
    let mut peer = Peer::start(Config { bootstrap: vec![address.clone()], ..config() });
    let began = wait_trouble(&mut peer, "bootstrap_unreachable", TroubleState::Began);
    assert_eq!(began.subject, address.to_string());
    assert!(began.sentence.contains("refused") && began.sentence.contains("see whether it runs"), "{began:?}");
    let there = Peer::start(Config { listen: vec![address.clone()], ..config() });
    there.address();
    let ended = wait_trouble(&mut peer, "bootstrap_unreachable", TroubleState::Ended);
    assert_eq!(ended.sentence, format!("{address}: connected"));
}

/// A board of which one can have fewer connections than of any real one.
fn narrow() -> &'static Board {
    let board = board::find(board::DEFAULT).expect("the board of this build");
    let limits = Limits {
        connections_inbound_max: 1,
        connections_pending_max: 4,
        accepts_per_second_max: 1_000,
        accepts_per_address_per_second_max: 1_000,
        ..board.limits
    };
    Box::leak(Box::new(Board { limits, ..*board }))
}

#[test]
fn a_limit_that_keeps_refusing_is_told() {
    // Nobody is there: what is said waits, until there are too many lines, or too many bytes of them.
    let full = [("outbox_lines_max", 5), ("outbox_bytes_max", 1_000)].map(|(name, length)| {
        let peer = Peer::start(config());
        let Ok(Answer::Limits { limits }) = peer.ask(Command::Limits {}) else { panic!("no limits") };
        let value = |name: &str| limits.iter().find(|limit| limit.name == name).unwrap().value;
        let say = || peer.ask(Command::Send { room: None, text: "x".repeat(length) });
        let (most, lines_max) = (value(name), value("outbox_lines_max"));
        let taken = (0..=lines_max).take_while(|_| say().is_ok()).count() as u64;
        assert_eq!(taken < lines_max, name == "outbox_bytes_max", "{name}: {taken} lines were taken");
        for _ in 1..36 {
            let error = say().unwrap_err().to_string();
            assert!(error.contains(&format!("wait already ({name})")), "{error}");
        }
        (peer, name, most)
    });
    for (mut peer, name, most) in full {
        let began = wait_trouble(&mut peer, "limit_refuses", TroubleState::Began);
        assert_eq!(began.subject, name);
        let refused = format!("{name} ({most}) refused 36 times");
        assert!(began.sentence.contains(&refused) && began.sentence.contains("nobody takes the lines"), "{began:?}");
        let Ok(Answer::Limits { limits }) = peer.ask(Command::Limits {}) else { panic!("no limits") };
        let hits = |name: &str| limits.iter().find(|limit| limit.name == name).unwrap().hits;
        assert_eq!((hits(name), hits("connections_inbound_max"), hits("rooms_max")), (Some(36), Some(0), None));
    }
}

#[test]
fn places_that_keep_refusing_are_told() {
    let peer = Peer::start(Config { board: narrow(), ..config() });
    let address = peer.address();
    // There is one place, and four want it again and again.
    let others = [(); 4].map(|()| Peer::start(Config { bootstrap: vec![address.clone()], ..config() }));
    // Strangers who say nothing hold all places for handshakes.
    let port = address.iter().find_map(|part| if let Protocol::Tcp(port) = part { Some(port) } else { None }).unwrap();
    let strangers: Vec<_> = (0..20).map(|_| std::net::TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let wanted = [
        ("connections_inbound_max", "(1) refused", "more peers than this board has places for"),
        ("connections_pending_max", "(4) refused", "keep strangers out by a firewall"),
    ];
    let start = Instant::now();
    for (subject, refused, helps) in wanted {
        let sentence = loop {
            let troubles = peer.status().troubles;
            if let Some(it) = troubles.iter().find(|it| it.code == "limit_refuses" && it.subject == subject) {
                break it.sentence.clone();
            }
            // They are looked for twice a minute.
            assert!(start.elapsed() < 3 * PATIENCE, "{subject} is not among {troubles:#?}");
            std::thread::sleep(Duration::from_millis(100));
        };
        assert!(sentence.contains(refused) && sentence.contains(helps), "{sentence}");
    }
    let Ok(Answer::Limits { limits }) = peer.ask(Command::Limits {}) else { panic!("no limits") };
    let hits = |name: &str| limits.iter().find(|limit| limit.name == name).unwrap().hits;
    assert!(hits("connections_inbound_max") > Some(0) && hits("connections_pending_max") >= Some(10));
    assert_eq!(hits("peers_high"), Some(0), "the mark is not reached");
    drop((others, strangers));
}

/// How the first peer that it is connected with was found.
fn found(peer: &Peer) -> Option<FoundBy> {
    match peer.ask(Command::Peers {}) {
        Ok(Answer::Peers { peers }) => peers.first()?.found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_peer_says_how_it_was_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Peer::start(config());
    let given = Config { remembered: Some(dir.path().into()), ..config() };
    let mut peer = Peer::start(Config { bootstrap: vec![hub.address()], ..given.clone() });
    peer.wait_joined();
    hub.wait_joined();
    assert_eq!((found(&peer), found(&hub)), (Some(FoundBy::Bootstrap), Some(FoundBy::Inbound)));
    smol::block_on(peer.handle.shutdown());
    drop(peer);
    let mut again = Peer::start(given);
    again.wait_joined();
    assert_eq!(found(&again), Some(FoundBy::Remembered));
}
