//! A peer that is killed again and again while it talks as fast as it can, its clock going back in between: it gives no id
//! twice, and nothing that it said was said is dropped for another.

mod app;

use app::{Client, Peer, Process, fake_time, faketime, program, until};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Kills in a row.
const KILLS: u32 = 100;

/// What the listener heard: the text of each id.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(String, String)>>>);

impl Heard {
    fn listen(mut client: Client) -> Self {
        let heard = Self::default();
        assert_eq!(client.ask(r#"{"command":"subscribe"}"#)["ok"], true);
        let filled = heard.clone();
        std::thread::spawn(move || {
            let mut line = String::new();
            while client.reader.read_line(&mut line).is_ok_and(|count| count > 0) {
                let event: Value = serde_json::from_str(&line).expect("an event");
                if event["event"] == "message" {
                    filled.0.lock().expect("it is whole").push((text(&event["id"]), text(&event["text"])));
                }
                line.clear();
            }
        });
        heard
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_string()
}

/// Sends without waiting for answers until the peer is killed; the id of each text that was answered.
fn flood(stream: UnixStream, run: u32) -> BTreeMap<String, String> {
    let mut writer = stream.try_clone().expect("a second handle");
    let sender = std::thread::spawn(move || {
        for line in 0.. {
            let request = format!("{{\"command\":\"send\",\"text\":\"{run}.{line}\",\"tag\":\"{run}.{line}\"}}\n");
            if writer.write_all(request.as_bytes()).is_err() {
                return;
            }
        }
    });
    let mut given = BTreeMap::new();
    for line in BufReader::new(stream).lines() {
        // Killed in the middle of one, its end is missing.
        let Ok(answer) = line.map_err(drop).and_then(|line| serde_json::from_str::<Value>(&line).map_err(drop)) else {
            break;
        };
        if answer["ok"] == true {
            let twice = given.insert(text(&answer["id"]), text(&answer["tag"]));
            assert_eq!(twice, None, "an id is given twice: {answer}");
        }
    }
    sender.join().expect("the sender ends");
    given
}

#[test]
fn a_hundred_kills_at_full_speed_give_no_id_twice() {
    let faketime = faketime("the clock going back");
    let listener = Peer::start(&["--clock", "untrusted"]);
    let heard = Heard::listen(listener.connect());
    let home = tempfile::tempdir().expect("a directory");
    let socket = home.path().join("data/stonechat/control.sock");
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    let mut random = 7_u64;
    for run in 0..KILLS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut command = program(home.path());
        command.args(["run", "--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns", "--clock", "untrusted", "-q"]);
        command.args(["--bootstrap", &listener.address]);
        // Up to twenty seconds back, and forth again: more and less than what passed in between.
        if let Some(library) = &faketime {
            fake_time(&mut command, library, &format!("-{}", (random >> 40) % 20));
        }
        let mut process = Process::spawn(&mut command);
        let mut client = until("it answers", || UnixStream::connect(&socket).ok().map(Client::new));
        until("the listener is there", || {
            let answer = client.ask(r#"{"command":"rooms"}"#);
            (answer["rooms"][0]["peers"].as_u64() >= Some(1)).then_some(())
        });
        // Connected before the clock of the kill runs: the thread may start late.
        let stream = UnixStream::connect(&socket).expect("the socket answers");
        let flooding = std::thread::spawn(move || flood(stream, run));
        std::thread::sleep(Duration::from_millis(20 + (random >> 33) % 200));
        process.signal(Signal::KILL);
        for (id, said) in flooding.join().expect("the flood ends") {
            if let Some(other) = given.insert(id.clone(), said.clone()) {
                panic!("the id {id} was given to {other} and to {said}");
            }
        }
        process.wait();
    }
    let status = listener.connect().ask(r#"{"command":"status"}"#);
    let counters = status["counters"].as_array().expect("counters").iter();
    let mut dropped = counters.filter(|counter| counter["name"] == "messages dropped: duplicate");
    assert_eq!(dropped.next().expect("it is counted")["count"], 0, "nobody says anything twice here");
    let heard = heard.0.lock().expect("it is whole").clone();
    let mut lines = BTreeMap::new();
    for (id, said) in &heard {
        assert!(lines.insert(said, id).is_none(), "{said} is heard twice");
        assert!(given.get(id).is_none_or(|other| other == said), "{id} is {said} and was given to {:?}", given[id]);
    }
    println!("{} lines were answered, {} heard", given.len(), heard.len());
    assert!(given.len() > 20 * KILLS as usize && heard.len() > 10 * KILLS as usize, "the flood was a trickle");
}
