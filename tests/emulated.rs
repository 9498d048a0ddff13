//! The program built for the processors of boards, run by qemu's user emulation: such peers find each other and the
//! native one, understand each other, and read each other's files.
//!
//! `boards/build` makes the binaries, `boards/run-emulated` runs this. Skipped where binaries or qemu are missing,
//! unless the variable `STONECHAT_TEST_EMULATED` is `must`.

#[allow(dead_code)]
mod world;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use stonechat::node::command;
use stonechat::node::event::MessageEvent;
use stonechat::store::clock_mark;
use stonechat::store::remembered::Remembered;
use world::peer::{become_one_room, copy_identity, directory};
use world::{Host, Peer, World};

/// Emulated, all is some ten times slower, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(90);

/// How the binaries of a target run here. The first two are those that must be there to test anything.
const MACHINES: [(&str, &str, &[&str]); 4] = [
    ("aarch64-unknown-linux-musl", "aarch64", &["qemu-aarch64-static", "-cpu", "cortex-a53"]),
    ("arm-unknown-linux-musleabihf", "armv6", &["qemu-arm-static", "-cpu", "arm1176"]),
    ("armv7-unknown-linux-musleabihf", "armv7", &["qemu-arm-static", "-cpu", "cortex-a7"]),
    ("riscv64gc-unknown-linux-musl", "riscv64", &["qemu-riscv64-static"]),
];

struct Machine {
    name: &'static str,
    /// What starts it: an emulator and a binary, or the native binary alone.
    program: Vec<String>,
}

impl Machine {
    fn native() -> Self {
        Self { name: "native", program: vec![env!("CARGO_BIN_EXE_stonechat").into()] }
    }

    fn run(&self, host: &Host, dir: &Path, args: &[&str]) -> Peer {
        let program: Vec<&str> = self.program.iter().map(String::as_str).collect();
        Peer::start_as(&program, host, "run", self.name, dir, args)
    }
}

/// A binary that `boards/build` made for some board of this target.
fn binary(target: &str) -> Option<String> {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("boards");
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("boards")).ok()?;
    let mut binaries: Vec<_> = files
        .filter_map(|file| {
            let file = file.ok()?.path();
            let is_board = file.extension().is_some_and(|end| end == "toml");
            let text = if is_board { fs::read_to_string(&file).ok()? } else { return None };
            let binary = built.join(file.file_stem()?).join("stonechat");
            let fits = text.lines().any(|line| line == format!("target = {target:?}")) && binary.is_file();
            // The newest: a board may have been built long ago.
            fits.then(|| Some((fs::metadata(&binary).ok()?.modified().ok()?, binary.to_str()?.to_string())))?
        })
        .collect();
    binaries.sort();
    binaries.pop().map(|(_, binary)| binary)
}

/// The emulated machines, or nothing (and a line that says why).
fn machines() -> Option<Vec<Machine>> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for (at, (target, name, emulator)) in MACHINES.into_iter().enumerate() {
        let quiet = Command::new(emulator[0]).arg("--version").stdout(Stdio::null()).status();
        let why = match (quiet, binary(target)) {
            (Ok(_), Some(binary)) => {
                let program = emulator.iter().map(|word| word.to_string()).chain([binary]).collect();
                found.push(Machine { name, program });
                continue;
            }
            (Err(error), _) => format!("{}: {error}", emulator[0]),
            (_, None) => format!("no binary for {target}: boards/build makes one"),
        };
        println!("without {name}: {why}");
        missing.extend((at < 2).then_some(why));
    }
    if missing.is_empty() {
        return Some(found);
    }
    let missing = missing.join("; ");
    assert!(std::env::var_os("STONECHAT_TEST_EMULATED").is_none_or(|v| v != "must"), "{missing}");
    println!("skipped: {missing}");
    None
}

/// The line as `listener` heard it.
fn heard(listener: &Peer, author: &Peer, text: &str) -> MessageEvent {
    listener.wait_line(author, text, PATIENCE).1
}

#[test]
fn peers_of_all_machines_find_and_understand_each_other() {
    let Some(mut machines) = machines() else { return };
    let Some(world) = World::new() else { return };
    machines.push(Machine::native());
    let lan = world.subnet();
    let dirs: Vec<_> = machines.iter().map(|_| directory()).collect();
    let hosts: Vec<_> = machines.iter().map(|machine| world.host(machine.name, &lan)).collect();
    let start = Instant::now();
    let run = |((machine, host), dir): ((&Machine, &Host), &tempfile::TempDir)| machine.run(host, dir.path(), &[]);
    let peers: Vec<_> = machines.iter().zip(&hosts).zip(&dirs).map(run).collect();
    for peer in &peers {
        let others: Vec<_> = peers.iter().filter(|other| other.id != peer.id).collect();
        peer.wait_joined(&others, PATIENCE);
        println!("{} shares its room with all others after {:.1?}", peer.name, start.elapsed());
    }
    become_one_room(&peers.iter().collect::<Vec<_>>(), PATIENCE);

    // With any of the names before it, near the 1024 bytes that a line may have.
    let long = "ß👋".repeat(168);
    for author in &peers {
        for text in [format!("from {}", author.name), format!("{}{long}", author.name)] {
            let sent = Instant::now();
            let id = author.send(&text);
            let copies = peers.iter().filter(|peer| peer.id != author.id).map(|peer| heard(peer, author, &text));
            let copies: Vec<_> = copies.collect();
            println!("{} bytes by {} are everywhere after {:.1?}", text.len(), author.name, sent.elapsed());
            for copy in &copies {
                assert_eq!((&copy.id, copy.stamp, &copy.nick), (&id, copies[0].stamp, &author.name));
            }
        }
    }
    for peer in &peers {
        let status = peer.status();
        let bad = |name: &str| name.contains("malformed") || name.contains("other version");
        let counters = status.counters.iter().filter(|counter| bad(counter.name.as_ref()));
        let counters: Vec<_> = counters.map(|counter| (counter.name.to_string(), counter.count)).collect();
        assert!(counters.len() >= 2 && counters.iter().all(|(_, count)| *count == 0), "{}: {counters:?}", peer.name);
        let (ended, took) = peer.terminate();
        assert!(ended.success(), "{}: {ended} after {took:.1?}", peer.name);
    }
}

#[test]
fn machines_read_the_files_of_one_another() {
    let Some(machines) = machines() else { return };
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let (here, there) = (world.host("here", &lan), world.host("there", &lan));
    let [wide, narrow] = [&machines[0], &machines[1]];
    let native = Machine::native();
    let dir = directory();
    let (mut id, mut partner_dir) = (None, directory());
    for (run, machine) in [narrow, wide, narrow, &native, narrow, wide, &native].into_iter().enumerate() {
        // Who dials remembers: the one whose files are looked at. In the first run it is told where to, from the second
        // on only its file of remembered peers leads to the other one, which remembers nobody.
        if run > 0 {
            let fresh = directory();
            copy_identity(partner_dir.path(), fresh.path());
            partner_dir = fresh;
        }
        let partner = native.run(&there, partner_dir.path(), &["--no-mdns"]);
        let mark = clock_mark::load(dir.path()).newest();
        let known = format!("/ip4/{}/tcp/4470/p2p/{}", there.address(), partner.id);
        let args = ["--no-mdns", "--bootstrap", &known];
        let peer = machine.run(&here, dir.path(), if run == 0 { &args } else { &args[..1] });
        assert_eq!(*id.get_or_insert(peer.id.clone()), peer.id, "the identity, read by {}", machine.name);
        peer.wait_joined(&[&partner], PATIENCE);
        partner.wait_joined(&[&peer], PATIENCE);
        become_one_room(&[&peer, &partner], PATIENCE);
        let text = format!("run {run} by {}", machine.name);
        peer.send(&text);
        let line = heard(&partner, &peer, &text);
        let first =
            partner.events().iter().filter_map(command::as_message).find(|line| line.from == peer.id).map(|l| l.stamp);
        assert!(first > Some(mark), "{text}: first stamp {first:?}, but up to {mark} may be used");
        let (ended, _) = peer.terminate();
        assert!(ended.success(), "{text}: {ended}");
        assert!(clock_mark::load(dir.path()).newest() >= line.stamp, "{text}: the stamp is kept");
        let remembered = Remembered::load(dir.path(), 8, 8);
        assert!(remembered.list().iter().any(|peer| peer.peer.to_string() == partner.id), "{text}: {remembered:?}");
        assert!(partner.terminate().0.success());
        println!("{text}: same identity, stamps go on from {mark}, {} remembered", remembered.list().len());
    }
}
