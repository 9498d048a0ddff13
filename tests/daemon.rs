//! The peer under a service manager: what it tells systemd, its unit, its place for clients, OpenWrt's script.

mod app;

use app::{PATIENCE, Peer, Process, err, out, program, run, until};
use rustix::process::Signal;
use std::fs;
use std::io::{ErrorKind, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const UNIT: &str = include_str!("../boards/systemd/stonechat.service");
const QUIET_PEER: [&str; 6] = ["run", "--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns", "--board", "tiny"];

/// The manager's end of the socket.
struct Manager {
    socket: UnixDatagram,
    /// Every line that came, in order.
    lines: Vec<String>,
}

impl Manager {
    fn new(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, lines: Vec::new() }
    }

    fn read(&mut self) {
        let mut bytes = [0; 4096];
        let count = self.socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{error} after {:?}", self.lines));
        let text = std::str::from_utf8(&bytes[..count]).unwrap();
        self.lines.extend(text.lines().map(String::from));
    }

    fn count(&self, line: &str) -> usize {
        self.lines.iter().filter(|told| *told == line).count()
    }

    /// Reads until this line was told so often.
    fn wait(&mut self, line: &str, count: usize) {
        while self.count(line) < count {
            self.read();
        }
    }
}

#[test]
fn systemd_is_told_when_it_is_ready_what_it_does_that_it_lives_and_that_it_stops() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("notify");
    let mut manager = Manager::new(UnixDatagram::bind(&path).unwrap());
    let mut command = program(home.path());
    command.args(QUIET_PEER).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000000");
    let mut process = Process::spawn(&mut command);
    manager.read();
    assert_eq!(manager.lines, ["READY=1", "STATUS=0 peers, 1 room", "WATCHDOG=1"], "told at once");
    manager.wait("WATCHDOG=1", 3);
    assert_eq!(manager.count("STATUS=0 peers, 1 room"), 1, "told again only when it changes");

    let address = process.stderr.wait("listening on ").trim_start_matches("listening on ").to_string();
    let other = Peer::start(&["--bootstrap", &address]);
    manager.wait("STATUS=1 peer, 1 room", 1);
    drop(other);
    manager.wait("STATUS=0 peers, 1 room", 2);

    // A peer that hangs gives no sign of life, one that goes on does.
    process.signal(Signal::STOP);
    until("it stands still", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", process.child.id())).unwrap();
        stat.rsplit(')').next()?.trim_start().starts_with('T').then_some(())
    });
    manager.socket.set_nonblocking(true).unwrap();
    while manager.socket.recv(&mut [0; 4096]).is_ok() {}
    manager.socket.set_nonblocking(false).unwrap();
    manager.socket.set_read_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
    let silence = manager.socket.recv(&mut [0; 4096]).unwrap_err();
    assert!(matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silence}");
    process.signal(Signal::CONT);
    manager.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let before = manager.count("WATCHDOG=1");
    manager.wait("WATCHDOG=1", before + 1);

    process.signal(Signal::TERM);
    manager.wait("STOPPING=1", 1);
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr.text());
    assert_eq!(manager.count("READY=1"), 1);
    assert_eq!(manager.lines.last().unwrap(), "STOPPING=1", "the last that is told");
}

#[test]
fn a_name_without_a_file_does_as_well_and_no_watchdog_is_fed_unasked() {
    let home = tempfile::tempdir().unwrap();
    for (watchdog, pid) in [(None, None), (Some("1000000"), Some("1"))] {
        let name = format!("stonechat-test-{}-{}", std::process::id(), watchdog.is_some());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let mut manager = Manager::new(UnixDatagram::bind_addr(&address).unwrap());
        let mut command = program(home.path());
        command.args(QUIET_PEER).env("NOTIFY_SOCKET", format!("@{name}"));
        command.envs(watchdog.map(|usec| ("WATCHDOG_USEC", usec))).envs(pid.map(|pid| ("WATCHDOG_PID", pid)));
        let mut process = Process::spawn(&mut command);
        manager.wait("READY=1", 1);
        process.signal(Signal::TERM);
        manager.wait("STOPPING=1", 1);
        assert_eq!(process.wait().code(), Some(0), "{}", process.stderr.text());
        assert_eq!(manager.count("WATCHDOG=1"), 0, "watchdog {watchdog:?} of process {pid:?}");
    }
}

#[test]
fn a_manager_that_is_not_there_is_no_reason_not_to_run() {
    let home = tempfile::tempdir().unwrap();
    for (address, words) in
        [("/nowhere/notify", "the service manager was not reached"), ("nonsense", "NOTIFY_SOCKET cannot be used")]
    {
        let mut command = program(home.path());
        command.args(QUIET_PEER).env("NOTIFY_SOCKET", address);
        let mut process = Process::spawn(&mut command);
        process.stderr.wait("listening on ");
        process.stderr.wait(words);
        process.signal(Signal::TERM);
        assert_eq!(process.wait().code(), Some(0), "{}", process.stderr.text());
    }
}

#[test]
fn whatever_signal_would_end_it_ends_it_politely() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("notify");
    for signal in [Signal::QUIT, Signal::USR1, Signal::USR2, Signal::ALARM, Signal::HUP] {
        let _ = fs::remove_file(&socket);
        let mut manager = Manager::new(UnixDatagram::bind(&socket).unwrap());
        let mut command = program(home.path());
        command.args(QUIET_PEER).env("NOTIFY_SOCKET", &socket);
        let mut process = Process::spawn(&mut command);
        manager.wait("READY=1", 1);
        process.signal(signal);
        manager.wait("STOPPING=1", 1);
        assert_eq!(process.wait().code(), Some(0), "{signal:?}: {}", process.stderr.text());
    }
}

#[test]
fn with_too_few_files_it_says_so_and_with_few_it_answers() {
    let home = tempfile::tempdir().unwrap();
    let limited = |files: u32| {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_stonechat")]).args(QUIET_PEER);
        command.arg("--dir").arg(home.path()).env_remove("NOTIFY_SOCKET");
        command
    };
    for files in [8, 14, 15, 16, 20, 39] {
        let refused = limited(files).output().unwrap();
        let said = err(&refused);
        assert!(!refused.status.success(), "{files} files: {said}");
        let is_clear = said.contains(&format!("only {files} files may be open")) && said.contains("ulimit -n");
        // Below that the program cannot even say so in full, but it does not live on deaf.
        assert!(is_clear || files < 14, "{files} files: {said}");
    }
    let mut process = Process::spawn(&mut limited(44));
    let address = process.stderr.wait("listening on ").trim_start_matches("listening on ").to_string();
    let other = Peer::start(&["--bootstrap", &address]);
    other.wait_for_company(1);
    drop(other);
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr.text());
}

#[test]
fn a_named_socket_is_for_its_group_as_well_and_clients_find_it() {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("talk.sock");
    let named = ["--socket", socket.to_str().unwrap()];
    let peer = Peer::start(&named);
    let facts = fs::metadata(&socket).unwrap();
    assert!(facts.file_type().is_socket());
    assert_eq!(facts.permissions().mode() & 0o777, 0o660);
    assert!(!peer.socket().exists(), "one socket is enough");
    let elsewhere = tempfile::tempdir().unwrap();
    let status = run(elsewhere.path(), &["status", named[0], named[1]], "");
    assert_eq!(status.status.code(), Some(0), "{}", err(&status));
    let config = elsewhere.path().join("config.toml");
    fs::write(&config, format!("socket = {:?}\n", socket)).unwrap();
    let rooms = run(elsewhere.path(), &["rooms", "--config", config.to_str().unwrap()], "");
    assert!(out(&rooms).contains("lobby"), "{}{}", out(&rooms), err(&rooms));
    let second = run(elsewhere.path(), &["run", named[0], named[1]], "");
    assert_eq!(second.status.code(), Some(5), "a peer answers there: {}", err(&second));
    drop(peer);
    let status = run(elsewhere.path(), &["status", named[0], named[1]], "");
    assert_eq!(status.status.code(), Some(3), "{}", err(&status));
    assert!(err(&status).contains(&format!("no peer runs on {}", socket.display())), "{}", err(&status));
}

#[test]
fn the_memory_of_the_unit_is_the_boards() {
    let home = tempfile::tempdir().unwrap();
    let drop_in = |board: &str| out(&run(home.path(), &["board", "--systemd", "--board", board], ""));
    let bound = |text: &str| -> Option<String> {
        text.lines().find_map(|line| line.strip_prefix("MemoryMax=")).map(String::from)
    };
    let generic = drop_in("generic");
    assert!(generic.contains("\n[Service]\nMemoryMax="), "{generic}");
    assert_eq!(bound(UNIT), bound(&generic), "boards/systemd/stonechat.service holds for any computer");
    for board in stonechat::base::board::BOARDS {
        let text = bound(&drop_in(board.name)).unwrap();
        let mib: u64 = text.strip_suffix('M').unwrap().parse().unwrap();
        assert!(mib << 20 > board.memory_bytes, "{}: {text}", board.name);
        assert!(mib * 4 <= u64::from(board.ram_mib), "{}: {text} of {} MiB", board.name, board.ram_mib);
    }
}

/// Whether systemd's own programs are here. Elsewhere the tests of the unit say that they are skipped.
fn has_systemd() -> bool {
    let here = Command::new("systemd-analyze").arg("--version").output().is_ok_and(|output| output.status.success());
    if !here {
        assert_ne!(std::env::var("STONECHAT_TEST_SYSTEMD").as_deref(), Ok("must"), "systemd-analyze is missing");
        println!("skipped: systemd-analyze is missing (Debian's package systemd)");
    }
    here
}

fn analyze(arguments: &[&str], unit: &Path) -> Output {
    Command::new("systemd-analyze").args(arguments).arg(unit).env("SYSTEMD_COLORS", "0").output().unwrap()
}

#[test]
fn the_unit_is_understood_and_exposes_little() {
    if !has_systemd() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // systemd looks for the program, which need not be installed here.
    let unit = |text: &str| -> PathBuf {
        let path = dir.path().join("stonechat.service");
        fs::write(&path, text.replace("/usr/bin/stonechat", env!("CARGO_BIN_EXE_stonechat"))).unwrap();
        path
    };
    let said = |output: &Output| format!("{}{}", out(output), err(output));
    let path = unit(UNIT);
    let verified = analyze(&["verify", "--man=no"], &path);
    assert!(verified.status.success() && !said(&verified).contains("stonechat"), "{}", said(&verified));
    let measured = analyze(&["security", "--offline=yes", "--threshold=20", "--no-pager"], &path);
    let exposure = out(&measured).lines().find(|line| line.contains("exposure level")).map(String::from);
    println!("{}", exposure.as_deref().unwrap_or("no exposure level was told").trim());
    assert!(measured.status.success() && exposure.is_some(), "{}", said(&measured));

    // Both can say no.
    let path = unit(&UNIT.replace("ProtectSystem=strict", "ProtectSysten=strict"));
    assert!(said(&analyze(&["verify", "--man=no"], &path)).contains("ProtectSysten"));
    let open: Vec<&str> = UNIT.lines().filter(|line| !line.starts_with("SystemCall")).collect();
    let path = unit(&open.join("\n").replace("DynamicUser=yes", ""));
    assert!(!analyze(&["security", "--offline=yes", "--threshold=20", "--no-pager"], &path).status.success());
}

#[test]
fn the_configuration_of_the_service_is_accepted_also_when_its_lines_are_taken() {
    let home = tempfile::tempdir().unwrap();
    let text = include_str!("../boards/systemd/config.toml");
    assert!(text.lines().all(|line| line.is_empty() || line.starts_with('#')), "all of it are comments");
    let taken = |line: &str| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).map(String::from);
    let all: Vec<String> = text.lines().filter_map(taken).collect();
    assert_eq!(all.len(), 9, "{all:?}");
    let config = home.path().join("service.toml");
    for text in [text, &all.join("\n")] {
        fs::write(&config, text).unwrap();
        let board = run(home.path(), &["board", "--json", "--config", config.to_str().unwrap()], "");
        assert_eq!(board.status.code(), Some(0), "{}", err(&board));
    }
    fs::write(&config, all.join("\n").replace("mdns", "mnds")).unwrap();
    assert_eq!(run(home.path(), &["board", "--config", config.to_str().unwrap()], "").status.code(), Some(2));
}

/// What OpenWrt's procd would be told, by stand-ins for its functions.
const PROCD: &str = r#"
procd_open_instance() { echo open; }
procd_close_instance() { echo close; }
procd_set_param() { echo "$@"; }
procd_append_param() { echo "and $@"; }
procd_add_reload_trigger() { echo "trigger $@"; }
. "$1"
PROG=$2 DIR=$3/peer CONFIG=$3/config.toml SOCKET=$3/sock
echo "$USE_PROCD $START $STOP"
start_service || exit 7
service_triggers
"#;

#[test]
fn openwrt_starts_it_with_its_directory_and_its_configuration() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/boards/openwrt/stonechat.init");
    let mut first = [0; 24];
    fs::File::open(script).unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"#!/bin/sh /etc/rc.common");
    assert_ne!(fs::metadata(script).unwrap().permissions().mode() & 0o100, 0, "it is executable");
    assert!(Command::new("sh").args(["-n", script]).status().unwrap().success());
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    let start = |program: &str| {
        let output = Command::new("sh").args(["-c", PROCD, "sh", script, program, place]).output().unwrap();
        (output.status.code(), out(&output))
    };
    let program = env!("CARGO_BIN_EXE_stonechat");
    let command = format!("command {program} run --dir {place}/peer --socket {place}/sock\n");
    let rest = "respawn 3600 5 5\nstdout 1\nstderr 1\nterm_timeout 5\nclose\ntrigger stonechat\n";
    assert_eq!(start(program), (Some(0), format!("1 95 10\nopen\n{command}{rest}")));
    fs::write(dir.path().join("config.toml"), "nick = 'router'\n").unwrap();
    let config = format!("and command --config {place}/config.toml\nfile {place}/config.toml\n");
    assert_eq!(start(program), (Some(0), format!("1 95 10\nopen\n{command}{config}{rest}")));
    assert_eq!(start("/nowhere/stonechat"), (Some(7), "1 95 10\n".into()));

    // The program understands that command line.
    let words: Vec<String> = format!("run --dir {place}/peer --socket {place}/sock --config {place}/config.toml")
        .split(' ')
        .map(String::from)
        .collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.extend(["--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns"]);
    let mut process = Process::start(dir.path(), &words);
    process.stderr.wait("listening on ");
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr.text());
}
