//! The conversation: piped, attached to a running peer, and on a terminal.

mod app;

use app::{Client, PATIENCE, Peer, Process, err, run, until};
use rustix::process::Signal;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LOOPBACK: [&str; 4] = ["chat", "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"];

fn chat(home: &Path, more: &[&str]) -> Process {
    Process::start(home, &[LOOPBACK.as_slice(), more].concat())
}

#[test]
fn piped_lines_go_out_and_come_in() {
    let (home_a, home_b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut ann = chat(home_a.path(), &["--nick", "ann"]);
    let address = ann.stderr.wait("listening on ").trim_start_matches("listening on ").to_string();
    let mut bob = chat(home_b.path(), &["--nick", "bob", "--bootstrap", &address]);
    ann.stderr.wait(" is in lobby");
    bob.stderr.wait(" is in lobby");
    ann.type_in("hello bob\n//slash\n");
    let line = bob.stdout.wait("hello bob");
    assert_eq!(&line[5..], " lobby <ann> hello bob");
    assert!(bob.stdout.wait("/slash").ends_with(" lobby <ann> /slash"));
    bob.type_in("/nick robert\n/join attic\nanybody\n/leave\nback here\n");
    assert!(ann.stdout.wait("back here").ends_with(" lobby <robert> back here"));
    bob.stderr.wait("nobody is here yet; your line waits for somebody to come to attic");
    bob.type_in("/peers\n/rooms\n/status\n/help\n/qiut\n");
    bob.stderr.wait("did you mean /quit?");
    for part in ["dialled by", "messages kept", "exchange: 1 peer in lobby", "/leave [ROOM]"] {
        assert!(bob.stderr.text().contains(part), "{part} is not in\n{}", bob.stderr.text());
    }
    // What is written last is sent before the end.
    ann.type_in("last words");
    ann.end_of_input();
    assert_eq!(ann.wait().code(), Some(0), "{}", ann.stderr.text());
    assert!(bob.stdout.wait("last words").ends_with("<ann> last words"));
    bob.stderr.wait(" left lobby");
    bob.type_in("/quit\n");
    assert_eq!(bob.wait().code(), Some(0));
    assert_eq!(bob.stdout.all().lines().count(), 3, "own lines are not shown again:\n{}", bob.stdout.text());
}

#[test]
fn a_line_for_nobody_waits_for_somebody() {
    let home = tempfile::tempdir().unwrap();
    let alone = run(home.path(), &[LOOPBACK.as_slice(), &["--guest"]].concat(), "is anybody there?\n/quit\n");
    assert_eq!(alone.status.code(), Some(0), "{}", err(&alone));
    assert!(err(&alone).contains("* nobody is here yet; your line waits for somebody"), "{}", err(&alone));

    let peer = Peer::start(&[]);
    // Its only line is typed, and its input ended, before it can have met anybody.
    let sent = run(
        home.path(),
        &[LOOPBACK.as_slice(), &["--guest", "--nick", "carl", "--bootstrap", &peer.address]].concat(),
        "quick\n",
    );
    assert_eq!(sent.status.code(), Some(0), "{}", err(&sent));
    let mut client = peer.connect();
    until("the line arrives", || {
        let history = client.ask(r#"{"command":"history","count":1}"#);
        (history["history"][0]["text"] == "quick").then_some(())
    });
}

#[test]
fn a_file_piped_in_before_anybody_was_found_is_not_refused() {
    let peer = Peer::start(&[]);
    let home = tempfile::tempdir().unwrap();
    let input: String = (0..200).map(|number| format!("{number}\n")).collect();
    let sent = run(home.path(), &[LOOPBACK.as_slice(), &["--guest", "--bootstrap", &peer.address]].concat(), &input);
    assert_eq!(sent.status.code(), Some(0), "{}", err(&sent));
    let mut client = peer.connect();
    until("all of it arrives, in its order", || {
        let history = client.ask(r#"{"command":"history","count":300}"#);
        let texts: Vec<&str> = history["history"].as_array()?.iter().filter_map(|line| line["text"].as_str()).collect();
        texts.iter().map(|text| text.parse()).eq((0..200).map(Ok)).then_some(())
    });
}

#[test]
fn a_line_too_long_for_the_room_is_refused_aloud() {
    let home = tempfile::tempdir().unwrap();
    let input = format!("{}\n{}\n/quit\n", "x".repeat(1025), "y".repeat(20_000));
    let said = err(&run(home.path(), &[LOOPBACK.as_slice(), &["--guest"]].concat(), &input));
    assert!(said.contains("* not done: ") && said.contains("1024"), "{said}");
    assert!(said.contains("* not done: a line of more than 16384 bytes"), "{said}");
}

#[test]
fn a_chat_attaches_to_the_peer_that_runs() {
    let mut peer = Peer::start(&["--nick", "ann"]);
    let mut first = Process::start(peer.home(), &["chat", "--nick", "ignored"]);
    first.stderr.wait("attached to the peer that runs on ");
    first.stderr.wait("without effect, for it runs already: --nick");
    let mut second = Process::start(peer.home(), &["--room", "attic"]);
    second.stderr.wait("attached");
    let mut client = peer.connect();
    until("it joined", || client.ask(r#"{"command":"status"}"#)["rooms"].as_array()?.get(1).map(drop));
    first.type_in("from the first\n");
    second.type_in("/join lobby\nfrom the second\n/status\n");
    assert!(first.stdout.wait("from the second").ends_with(" lobby <ann> from the second"));
    second.stderr.wait("stage ");
    second.end_of_input();
    assert_eq!(second.wait().code(), Some(0));
    peer.process.signal(Signal::TERM);
    peer.process.wait();
    assert_eq!(first.wait().code(), Some(3));
    first.stderr.wait("the peer has ended");
}

#[test]
fn a_signal_or_a_reader_that_goes_ends_it_politely() {
    let home = tempfile::tempdir().unwrap();
    let mut piped = chat(home.path(), &["--guest"]);
    piped.stderr.wait("listening on ");
    let start = Instant::now();
    piped.signal(Signal::TERM);
    assert_eq!(piped.wait().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);

    let peer = Peer::start(&[]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = app::program(peer.home());
    command.arg("chat").stdin(Stdio::piped()).stdout(writer).stderr(Stdio::null());
    let mut deaf = command.spawn().unwrap();
    let mut client = peer.connect();
    // One of its lines comes once it listens; it cannot write it, and goes.
    let status = until("it ends", || {
        client.ask(r#"{"command":"send","text":"is this heard?"}"#);
        deaf.try_wait().unwrap()
    });
    assert_eq!(status.code(), Some(0));
}

/// A terminal that draws as a real one does, and what stands on it.
struct Screen {
    server: String,
}

impl Screen {
    /// None, with a word why, where there is no tmux.
    fn start(name: &str, command: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            println!("skipped: needs tmux: a terminal to look at");
            return None;
        }
        let screen = Self { server: format!("stonechat-{}-{name}", std::process::id()) };
        // The shell tells how it ended and in which mode it left the terminal.
        let script = format!("{command}; echo ended with $?; stty -a | grep -o ' .\\?icanon'; cat");
        screen.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "60", "-y", "24", &script]);
        Some(screen)
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux").args(["-L", &self.server]).args(arguments).output().expect("tmux runs");
        assert!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn shown(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen is as wanted.
    fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let shown = self.shown();
            if wanted(&shown) {
                return shown;
            }
            assert!(start.elapsed() < PATIENCE, "{what} is not to be seen on\n{shown}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.server, "kill-server"]).output();
    }
}

fn last_line(shown: &str) -> &str {
    shown.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("")
}

#[test]
fn a_line_that_comes_in_does_not_break_the_line_being_typed() {
    let peer = Peer::start(&["--nick", "ann"]);
    let home = tempfile::tempdir().unwrap();
    let command = format!(
        "env HOME={} TZ=UTC {} --dir {} --nick bob --no-mdns --listen /ip4/127.0.0.1/tcp/0 --bootstrap {}",
        home.path().display(),
        env!("CARGO_BIN_EXE_stonechat"),
        home.path().display(),
        peer.address
    );
    let Some(screen) = Screen::start("typed", &command) else { return };
    screen.wait("somebody in the room", |shown| shown.contains(" is in lobby") && last_line(shown) == "lobby>");
    peer.wait_for_company(1);
    screen.keys(&["-l", "a half-typed li"]);
    screen.wait("what was typed", |shown| last_line(shown) == "lobby> a half-typed li");
    let mut client = peer.connect();
    for text in ["one", "two", "three"] {
        assert_eq!(client.ask(&format!(r#"{{"command":"send","text":"{text}"}}"#))["ok"], true);
    }
    let shown = screen.wait("the line that came in above the one being typed", |shown| {
        shown.contains(" lobby <ann> three") && last_line(shown) == "lobby> a half-typed li"
    });
    assert_eq!(shown.matches("a half-typed").count(), 1, "{shown}");
    screen.keys(&["-l", "ne"]);
    screen.keys(&["Enter"]);
    until("the typed line is whole", || {
        let history = client.ask(r#"{"command":"history","count":1}"#);
        (history["history"][0]["text"] == "a half-typed line").then_some(())
    });
    // A search in the history shows nothing and waits for a key; the peer must not wait with it.
    screen.keys(&["C-r"]);
    screen.wait("the search", |shown| last_line(shown).starts_with("(reverse-i-search)"));
    for number in 0..20 {
        assert_eq!(client.ask(&format!(r#"{{"command":"send","text":"meanwhile {number}"}}"#))["ok"], true);
    }
    // It answers, and heard everything.
    let mut bob = Client::new(UnixStream::connect(home.path().join("control.sock")).unwrap());
    until("bob heard everything", || {
        let history = bob.ask(r#"{"command":"history","count":1}"#);
        (history["history"][0]["text"] == "meanwhile 19").then_some(())
    });
    screen.keys(&["C-g"]);
    screen.wait("all that was said meanwhile", |shown| {
        shown.contains("<ann> meanwhile 19") && last_line(shown).starts_with("lobby>")
    });
    // What is pasted with line ends is as many lines.
    screen.tmux(&["set-buffer", "first\nsecond"]);
    screen.keys(&["C-u"]);
    screen.tmux(&["paste-buffer", "-p"]);
    screen.keys(&["Enter"]);
    until("both lines arrive", || {
        let history = client.ask(r#"{"command":"history","count":2}"#);
        (history["history"][0]["text"] == "first" && history["history"][1]["text"] == "second").then_some(())
    });
    // Ended by a signal in the middle of a line, it gives the terminal back as it was.
    screen.keys(&["C-u"]);
    screen.keys(&["-l", "never sent"]);
    screen.wait("what was typed", |shown| last_line(shown) == "lobby> never sent");
    screen.keys(&["C-c"]);
    screen.wait("the end", |shown| shown.contains("ended with 0") && shown.contains(" icanon"));
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let home = tempfile::tempdir().unwrap();
    let command = format!(
        "env HOME={home} XDG_DATA_HOME={home}/data {} --no-mdns --listen /ip4/127.0.0.1/tcp/0",
        env!("CARGO_BIN_EXE_stonechat"),
        home = home.path().display(),
    );
    let Some(screen) = Screen::start("signal", &command) else { return };
    screen.wait("a prompt", |shown| last_line(shown) == "lobby>");
    screen.keys(&["-l", "hello"]);
    screen.keys(&["Enter"]);
    screen.wait("nobody there", |shown| shown.contains("nobody is here yet"));
    screen.keys(&["-l", "/sta\t"]);
    screen.keys(&["Enter"]);
    screen.wait("the status", |shown| shown.contains("  stage      join"));
    // Its threads: the documented four at most, and one for the line being typed.
    let status = run(home.path(), &["status", "--tasks"], "");
    let status = app::out(&status);
    assert!(status.contains("line-editor ─typed→ chat") && status.contains("chat ─screen→ line-editor"), "{status}");
    let pid = process_of(home.path());
    let mut threads: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap().trim().to_string())
        .collect();
    threads.sort();
    assert!(threads.len() <= 5 && threads.contains(&"line-editor".to_string()), "{threads:?}");
    screen.keys(&["-l", "half a li"]);
    screen.wait("what was typed", |shown| last_line(shown) == "lobby> half a li");
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    screen.wait("the end", |shown| shown.contains("ended with 0") && shown.contains(" icanon"));
}

/// The process that runs with this home.
fn process_of(home: &Path) -> i32 {
    let needle = format!("HOME={}", home.display());
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let ours = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == needle.as_bytes())
            && program == Path::new(env!("CARGO_BIN_EXE_stonechat"))
    };
    all.into_iter().find(ours).expect("the chat runs")
}
