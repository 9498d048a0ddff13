//! Programs whose clocks are wrong, as on boards that restore the time of their last shutdown.

mod app;

use app::{PATIENCE, Peer, faketime, out, until};
use serde_json::{Value, json};
use std::time::Instant;

/// How wrong a clock is, in seconds; `None` for one that starts in 1970.
const WRONG: [Option<i64>; 6] = [Some(-1_200), Some(-7_200), Some(660), Some(7_200), Some(157_680_000), None];
/// Everybody lives a month after this program was built, in seconds: clocks before that count as unknown.
const LATER: i64 = 30 * 86_400;

/// A clock that is off by so many seconds, as libfaketime has it.
fn off_by(seconds: Option<i64>) -> String {
    seconds.map_or("@1970-01-01 00:10:00".into(), |seconds| format!("+{}", LATER + seconds))
}

fn start(library: &str, off: Option<i64>, clock: &str, bootstrap: Option<&Peer>) -> Peer {
    let mut arguments = vec!["--clock", clock];
    if let Some(peer) = bootstrap {
        arguments.extend(["--bootstrap", &peer.address]);
    }
    Peer::start_at(tempfile::tempdir().expect("a directory"), Some((library, &off_by(off))), &arguments)
}

/// The last lines of its room, as they stand in its history.
fn texts(peer: &Peer) -> Vec<String> {
    let answer = peer.connect().ask(r#"{"command":"history","count":100}"#);
    let lines = answer["history"].as_array().expect("a history");
    lines.iter().map(|line| line["text"].as_str().expect("a text").to_string()).collect()
}

/// What its status says of the clock.
fn clock_of(peer: &Peer) -> Value {
    peer.connect().ask(r#"{"command":"status"}"#)["clock"].take()
}

#[test]
fn a_wrong_clock_in_a_chain_of_processes_costs_no_line_and_no_order() {
    let Some(library) = faketime("wrong clocks in processes") else { return };
    for wrong in WRONG {
        for (place, others) in [(0, "untrusted"), (1, "untrusted"), (0, "trusted"), (1, "trusted")] {
            let off = |at: usize| if at == place { wrong } else { Some(0) };
            let clock = |at: usize| if at == place { "untrusted" } else { others };
            let first = start(&library, off(0), clock(0), None);
            let second = start(&library, off(1), clock(1), Some(&first));
            let third = start(&library, off(2), clock(2), Some(&second));
            second.wait_for_company(2);
            first.wait_for_company(1);
            third.wait_for_company(1);
            let peers = [first, second, third];
            let mut said = Vec::new();
            for at in [0, 1, 2, 1, 0, 2] {
                said.push(format!("{} of {at}", said.len()));
                let send = json!({"command": "send", "text": said.last()});
                let answer = peers[at].connect().ask(&send.to_string());
                assert_eq!(answer["ok"], true, "{answer}");
                for (other, peer) in peers.iter().enumerate() {
                    let what = format!("{wrong:?} at {place}, others {others}: {:?} at {other}", said.last());
                    until(&what, || (texts(peer) == said).then_some(()));
                }
            }
            let clock = clock_of(&peers[place]);
            if others == "trusted" {
                assert_eq!((&clock["source"], &clock["level"]), (&json!("peers"), &json!(2)), "{wrong:?}: {clock}");
                assert_eq!(clock["known"], wrong.is_some(), "{wrong:?}: {clock}");
                let off = clock["offset_ms"].as_i64().map(|ms| (ms as f64 / 1_000.0).round() as i64);
                assert!(off == wrong || off.zip(wrong).is_some_and(|(off, wrong)| off.abs_diff(wrong) < 5), "{clock}");
            }
            assert_eq!(clock["refused"], 0, "{wrong:?}: {clock}");
        }
    }
}

#[test]
fn a_person_is_told_whose_time_it_is_and_what_helps() {
    let Some(library) = faketime("what is said of a wrong clock") else { return };
    let sun = start(&library, Some(0), "trusted", None);
    let mut arguments = vec!["chat", "--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns", "--clock", "untrusted"];
    arguments.extend(["--bootstrap", &sun.address]);
    let home = tempfile::tempdir().expect("a directory");
    let mut command = app::program(home.path());
    app::fake_time(command.args(&arguments), &library, &off_by(Some(-7_200)));
    let mut chat = app::Process::spawn(&mut command);
    let told = chat.stderr.wait("* the clock of this machine is 2 h behind");
    assert!(told.contains("NTP or a battery-backed clock would help"), "{told}");
    let said = chat.stderr.text().lines().filter(|line| line.contains("2 h behind")).count();
    assert_eq!(said, 1, "{}", chat.stderr.text());
    chat.type_in("/status\n");
    chat.stderr.wait("the time of 1 peer that knows it; that of this machine is 2 h behind");
    chat.type_in("hello\n");
    let sun_hears = || texts(&sun) == ["hello"];
    let start = Instant::now();
    while !sun_hears() {
        assert!(start.elapsed() < PATIENCE, "{}", chat.stderr.text());
    }
    let tail = out(&sun.run(&["status"], ""));
    assert!(tail.contains("\nclock      trusted"), "{tail}");
}

#[test]
fn who_is_ahead_is_told_that_and_by_how_much_in_log_status_and_chat() {
    let Some(library) = faketime("what is said of a clock that is ahead") else { return };
    let sun = start(&library, Some(0), "trusted", None);
    let ahead = start(&library, Some(7_200), "trusted", Some(&sun));
    ahead.wait_for_company(1);
    sun.wait_for_company(1);
    let attached = app::Process::start(ahead.home(), &["chat"]);
    attached.stderr.wait("attached to the peer that runs on ");
    assert_eq!(ahead.run(&["send", "it is late"], "").status.code(), Some(0));
    let told = "for its time was 2 h ahead: ";
    attached.stderr.wait(told);
    let logged = ahead.process.stderr.wait(told);
    assert!(logged.starts_with("warn "), "{logged}");
    let status = out(&ahead.run(&["status"], ""));
    let line = status.lines().find(|line| line.starts_with("trouble ") && line.contains("clock_refused"));
    assert!(line.is_some_and(|line| line.contains(told) && line.contains("not shown by")), "{status}");
    // Another line that is refused is no news.
    assert_eq!(ahead.run(&["send", "it is later"], "").status.code(), Some(0));
    let refused = || clock_of(&ahead)["refused"].as_u64();
    until("a chat that comes later is told, too", || {
        let mut late = app::Process::start(ahead.home(), &["chat"]);
        late.stderr.wait(told);
        late.end_of_input();
        (late.wait().code() == Some(0)).then_some(())
    });
    assert!(refused() >= Some(1), "{refused:?}", refused = refused());
    let count = |text: String| text.lines().filter(|line| line.contains("not shown by")).count();
    assert_eq!((count(ahead.process.stderr.text()), count(attached.stderr.text())), (1, 1));
    assert_eq!(texts(&sun), Vec::<String>::new());
}
