//! A process that appends at full speed is killed: everything that it was told to be written is there, once.

use crate::random::Random;
use crate::{body_of, is_body_of, variable};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use stonechat::store::disk::RealDisk;
use stonechat::store::log::queue::LogEvent;
use stonechat::store::log::{self, Settings};
use stonechat::store::writer::Writer;

/// Where the child finds the log; a test without it does nothing of its own.
const DIR_VARIABLE: &str = "STONECHAT_TEST_LOG_DIR";

fn settings() -> Settings {
    Settings { segment_bytes: 256 * 1024, segments: 64, ..Settings::new([5, 6]) }
}

/// The child: appends as fast as it is let, and says each number up to which all is written.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR_VARIABLE) else { return };
    let (log, _) = log::open(RealDisk, Path::new(&dir), &settings(), |_| {}).unwrap();
    let writer = Writer::start_with_log(1, log).unwrap();
    let mut out = std::io::stdout().lock();
    let mut first = None;
    let mut next = None;
    loop {
        // Numbers follow each other within a run.
        let body = next.map(body_of);
        let appended = writer.append(body.as_deref().unwrap_or(b"begin"));
        if let Ok(appended) = appended {
            first.get_or_insert(appended.number);
            next = Some(appended.number + 1);
        }
        while let Poll::Ready(event) = writer.poll_log(&mut Context::from_waker(Waker::noop())) {
            if let LogEvent::Written(upto) = event {
                writeln!(out, "written {} {upto}", first.unwrap()).unwrap();
                out.flush().unwrap();
            }
        }
    }
}

#[test]
fn what_is_written_survives_kill_9_and_is_there_once() {
    let kills = variable("STONECHAT_KILLS", 20);
    let mut random = Random::new(variable("STONECHAT_SEED", 1));
    let dir = tempfile::tempdir().unwrap();
    let (mut reported, mut empty) = (0, 0);
    for kill in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child", "--nocapture", "--test-threads", "1"])
            .env(DIR_VARIABLE, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        // From its first word on it lives for some random time.
        while !line.contains("written ") {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "the child ended by itself");
        }
        std::thread::sleep(Duration::from_micros(random.below(20_000)));
        child.kill().unwrap();
        let (mut from, mut upto) = (0, 0);
        loop {
            let words: Vec<_> = line.trim_end().split("written ").last().unwrap_or_default().split(' ').collect();
            // The last line may be cut.
            if line.ends_with('\n')
                && let [first, last] = words[..]
                && let (Ok(first), Ok(last)) = (first.parse(), last.parse())
            {
                (from, upto) = (first, last);
            }
            line.clear();
            if lines.read_line(&mut line).unwrap() == 0 {
                break;
            }
        }
        child.wait().unwrap();
        let mut found = BTreeMap::<u64, u32>::new();
        let mut last = 0;
        let recovered = log::replay(RealDisk, dir.path(), |record| {
            assert!(record.number > last, "kill {kill}: {} after {last}", record.number);
            last = record.number;
            assert!(record.body == b"begin" || is_body_of(record.number, record.body), "kill {kill}");
            *found.entry(record.number).or_default() += 1;
        })
        .unwrap();
        assert_eq!(recovered.damaged, 0, "kill {kill}: {recovered:?}");
        for number in from..=upto {
            assert_eq!(found.get(&number), Some(&1), "kill {kill}: {number} of {from} to {upto}");
        }
        reported += upto + 1 - from;
        empty += u32::from(upto == 0);
    }
    println!("killed {kills} times: {reported} records told to be written, lost 0, doubled 0");
    assert!(empty == 0 && reported > kills, "{reported} in {kills} runs");
}
