//! Nodes whose clocks are wrong, or that start again and again: whom they hear, what they are told, which ids they give.

mod peer;

use peer::{PATIENCE, Peer, config};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use stonechat::{
    base::time::Wall,
    node::{
        Config, WallClock,
        command::{Answer, Command},
        event::{Event, MessageEvent},
    },
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis() as u64
}

/// A clock that is off by so much, or unknown; and whether somebody vouches for it.
fn clock(off_ms: Option<i64>, vouched: bool) -> WallClock {
    WallClock::Other(Arc::new(move || match off_ms.map(|off_ms| unix_ms().saturating_add_signed(off_ms)) {
        None => Wall::Unknown,
        Some(ms) if vouched => Wall::Synchronised(ms),
        Some(ms) => Wall::Guess(ms),
    }))
}

fn named(nick: &str, clock: WallClock, bootstrap: &[&Peer]) -> Peer {
    let bootstrap = bootstrap.iter().map(|peer| peer.address()).collect();
    Peer::start(Config { nick: nick.into(), clock, bootstrap, ..config() })
}

fn history(peer: &Peer) -> Vec<MessageEvent> {
    let Ok(Answer::History { history }) = peer.ask(Command::History { room: None, count: 1_000 }) else {
        panic!("no history")
    };
    history.into_iter().filter_map(|event| if let Event::Message(line) = event { Some(line) } else { None }).collect()
}

/// Asks again until `ready` is true.
fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// How many are in its room with it.
fn in_room(peer: &Peer) -> u32 {
    match peer.ask(Command::Rooms {}) {
        Ok(Answer::Rooms { rooms }) => rooms[0].peers,
        other => panic!("no rooms: {other:?}"),
    }
}

/// What is wrong there, of one sort.
fn trouble(peer: &Peer, code: &str) -> Option<String> {
    peer.status().troubles.into_iter().find(|trouble| trouble.code == code).map(|trouble| trouble.sentence)
}

/// Waits until somebody hears that something of theirs was refused, and gives what is said of it.
fn wait_refused(peer: &mut Peer) -> String {
    peer.wait("word that it is refused", |event| match event {
        Event::Trouble(trouble) if trouble.code == "clock_refused" => Some(trouble.sentence.clone()),
        _ => None,
    })
}

/// Each says a line after it heard the one before, and all order them alike.
fn talk(peers: &mut [Peer], what: &str) {
    for round in 0..2 {
        for at in 0..peers.len() {
            let text = format!("{what}: {round} of {at}");
            peers[at].say(&text);
            for (_, other) in peers.iter_mut().enumerate().filter(|(other, _)| *other != at) {
                other.wait_line(&text);
            }
        }
    }
    let texts: Vec<Vec<String>> =
        peers.iter().map(|peer| history(peer).into_iter().map(|line| line.text).collect()).collect();
    let said: Vec<String> = (0..2)
        .flat_map(|round| (0..peers.len()).map(move |at| (round, at)))
        .map(|(r, at)| format!("{what}: {r} of {at}"))
        .collect();
    assert!(texts.iter().all(|texts| *texts == said), "{texts:#?}");
}

#[test]
fn one_wrong_clock_in_a_chain_of_three_costs_no_line_and_no_order() {
    let wrong =
        [Some(-20 * MINUTE), Some(-2 * HOUR), Some(11 * MINUTE), Some(2 * HOUR), Some(5 * 365 * 24 * HOUR), None];
    for off_ms in wrong {
        for place in [0, 1, 2] {
            for vouched in [false, true] {
                let clocks =
                    [0, 1, 2].map(|at| if at == place { clock(off_ms, false) } else { clock(Some(0), vouched) });
                let [first, second, third] = clocks;
                let first = named("first", first, &[]);
                let second = named("second", second, &[&first]);
                let third = named("third", third, &[&second]);
                let mut peers = [first, second, third];
                peers.iter_mut().for_each(Peer::wait_joined);
                // The chain is whole when the one in the middle has both in its room.
                until("both are there", || in_room(&peers[1]) == 2);
                talk(&mut peers, &format!("{off_ms:?} at {place}, others vouched for: {vouched}"));
                let time = peers[place].status().clock;
                assert_eq!((time.source.as_str(), time.refused), (if vouched { "peers" } else { &*time.source }, 0));
            }
        }
    }
}

#[test]
fn a_liar_is_not_shown_and_knows_it_and_moves_nobody() {
    let sun = named("sun", clock(Some(0), true), &[]);
    let moon = named("moon", clock(Some(20), true), &[&sun]);
    let board = named("board", clock(Some(-20 * MINUTE), false), &[&sun, &moon]);
    let mut liar = named("liar", clock(Some(2 * HOUR), true), &[&sun, &moon, &board]);
    until("all are there", || [&sun, &moon, &board, &liar].iter().all(|peer| in_room(peer) == 3));
    liar.say("it is late");
    let told = wait_refused(&mut liar);
    assert!(told.contains("2 h ahead") && (told.contains("sun") || told.contains("moon")), "{told}");
    let status = liar.status();
    assert!(status.clock.refused > 0 && status.clock.synchronised, "{:?}", status.clock);
    assert!(trouble(&liar, "clock_refused").is_some_and(|sentence| sentence.contains("not shown by")));
    let says = |sentence: String| sentence.contains("say that it is 2 h ahead");
    until("the liar is told what time it is", || trouble(&liar, "clock_doubted").is_some_and(says));

    let mut heard = [sun, moon, board];
    heard[0].say("it is not");
    for peer in &mut heard[1..] {
        let line = peer.wait_line("it is not");
        assert!(line.stamp.abs_diff(unix_ms()) < PATIENCE.as_millis() as u64);
    }
    heard[2].say("I think so, too");
    let line = heard[0].wait_line("I think so, too");
    assert!(line.stamp.abs_diff(unix_ms()) < PATIENCE.as_millis() as u64, "the median of three tells the time");
    for peer in &heard[..2] {
        assert!(history(peer).iter().all(|line| line.text != "it is late"), "{:?}", history(peer));
        assert!(peer.counter("messages dropped: stamp too far ahead") > 0);
        assert_eq!(peer.status().troubles, []);
    }
    let clock = heard[2].status().clock;
    assert_eq!((clock.level, clock.source.as_str(), clock.vouchers), (2, "peers", 3));
    let says = |sentence: String| sentence.contains("20 min behind");
    until("its user is told", || trouble(&heard[2], "clock_doubted").is_some_and(says));
}

#[test]
fn word_of_a_refusal_comes_by_way_of_who_brought_it() {
    // Nobody leads these two to each other: neither is in the DHT, and the one between them names no addresses.
    let sun = named("sun", clock(Some(0), true), &[]);
    let between = named("between", clock(Some(0), false), &[&sun]);
    let mut liar = named("liar", clock(Some(2 * HOUR), true), &[&between]);
    until("both are there", || in_room(&between) == 2 && in_room(&liar) > 0);
    liar.say("it is late");
    wait_refused(&mut liar);
    assert!(sun.counter("messages refused for their stamp: authors told") > 0);
}

#[test]
fn a_peer_is_known_by_name_before_it_says_anything_and_its_new_name_is_told() {
    let mut first = named("first", clock(Some(0), false), &[]);
    let mut second = named("second", clock(Some(0), false), &[&first]);
    let nick = |peer: &Peer| match peer.ask(Command::Peers {}) {
        Ok(Answer::Peers { peers }) => peers.first().map(|peer| peer.nick.clone()).unwrap_or_default(),
        other => panic!("no peers: {other:?}"),
    };
    first.wait_joined();
    second.wait_joined();
    assert_eq!((nick(&first), nick(&second)), ("second".into(), "first".into()));
    second.ask(Command::Nick { nick: "2nd".into() }).expect("a good name");
    until("the new name is told", || nick(&first) == "2nd");
}

#[test]
fn a_clock_that_becomes_synchronised_is_told_to_all() {
    let (known, set) = std::sync::mpsc::channel::<()>();
    let (set, is_set) = (std::sync::Mutex::new(set), std::sync::atomic::AtomicBool::new(false));
    let late = WallClock::Other(Arc::new(move || {
        if set.lock().expect("nobody panics with it").try_recv().is_ok() {
            is_set.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        match is_set.load(std::sync::atomic::Ordering::Relaxed) {
            true => Wall::Synchronised(unix_ms()),
            false => Wall::Guess(unix_ms() - 2 * HOUR as u64),
        }
    }));
    let mut first = named("first", late, &[]);
    let mut second = named("second", clock(None, false), &[&first]);
    first.wait_joined();
    second.wait_joined();
    assert_eq!(second.status().clock.level, 0);
    known.send(()).expect("the node runs");
    // It looks at its clock when something is said, at the latest.
    until("the time is told", || {
        first.say("what time is it?");
        second.status().clock.level == 2
    });
    let line = second.say("now I know");
    let line = history(&second).into_iter().find(|said| said.id == line.id).expect("it is kept");
    assert!(line.stamp.abs_diff(unix_ms()) < PATIENCE.as_millis() as u64);
}

/// A node that lives in a directory, for as long as the test wants.
fn in_dir(dir: &Path, base: &Config) -> Peer {
    Peer::start(Config { remembered: Some(dir.into()), clock: clock(Some(0), false), ..base.clone() })
}

#[test]
fn many_restarts_move_no_stamp_ahead_and_give_no_id_twice() {
    let (dir, base) = (tempfile::tempdir().expect("a directory"), config());
    let mut ids = BTreeSet::new();
    for run in 0..75 {
        let peer = in_dir(dir.path(), &base);
        for line in 0..3 {
            assert!(ids.insert(peer.say(&format!("{run}.{line}")).id), "an id is given twice");
        }
        let (newest, now) = (history(&peer).last().expect("it is kept").stamp, unix_ms());
        assert!(newest <= now + 4, "after {run} restarts stamps lead by {} ms", newest.saturating_sub(now));
        smol::block_on(peer.handle.shutdown());
    }
}

#[test]
fn a_disk_that_takes_no_writes_stops_nobody_and_is_told() {
    let (dir, base) = (tempfile::tempdir().expect("a directory"), config());
    let obstacle = dir.path().join(".stamp.new");
    std::fs::create_dir(&obstacle).expect("a directory in the way");
    let peer = in_dir(dir.path(), &base);
    let mut ids = BTreeSet::new();
    (0..50).for_each(|line| assert!(ids.insert(peer.say(&line.to_string()).id)));
    until("it is told", || trouble(&peer, "disk_refuses").is_some());
    let told = trouble(&peer, "disk_refuses").expect("it lasts");
    assert!(told.contains("stamp: ") && told.contains("after a crash"), "{told}");
    std::fs::remove_dir(&obstacle).expect("it is out of the way");
    until("the disk is well", || {
        // The outbox is full by now, but each line asks for a stamp.
        let _ = peer.ask(Command::Send { room: None, text: "again".into() });
        trouble(&peer, "disk_refuses").is_none()
    });
}

#[test]
fn what_waits_gets_its_right_time_before_anybody_has_it() {
    for off_ms in [Some(2 * HOUR), Some(-2 * HOUR), Some(5 * 365 * 24 * HOUR), None] {
        for kept in [false, true] {
            let dir = tempfile::tempdir().expect("a directory");
            let remembered = kept.then(|| dir.path().to_owned());
            let mut board = Peer::start(Config { clock: clock(off_ms, false), remembered, ..config() });
            let former: Vec<String> = ["one", "two", "three"].map(|text| board.say(text).id).into();
            let listen = vec![board.address()];
            let mut sun = Peer::start(Config { clock: clock(Some(0), true), bootstrap: listen, ..config() });
            let lines = ["one", "two", "three"].map(|text| sun.wait_line(text));
            for (former, line) in former.iter().zip(&lines) {
                assert!(line.stamp.abs_diff(unix_ms()) < PATIENCE.as_millis() as u64, "{off_ms:?}: {line:?}");
                let id = board.wait("word of the new id", |event| match event {
                    Event::Restamped { former: told, id, .. } if told == former => Some(id.clone()),
                    _ => None,
                });
                assert_eq!(id, line.id, "{off_ms:?}");
            }
            assert!(lines.is_sorted_by_key(|line| line.stamp));
            assert_eq!(history(&board), lines, "{off_ms:?}: the history has them once, with the new ids");
            let rooms = board.ask(Command::Rooms {});
            assert!(matches!(&rooms, Ok(Answer::Rooms { rooms }) if rooms[0].messages == 3), "{rooms:?}");
        }
    }
}
