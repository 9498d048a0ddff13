//! Troubles that are told, through the library: by event, in the status, once when they begin and once when they end.

mod peer;

use peer::{PATIENCE, Peer, config};
use std::time::{Duration, Instant};
use stonechat::node::{
    Config,
    event::{Event, TroubleEvent, TroubleState},
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
