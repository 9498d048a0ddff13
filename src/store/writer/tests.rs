//! Tests of the thread that writes to disk.

use super::*;
use std::fs;

fn write(path: PathBuf, text: &str) -> Write {
    Write { path, bytes: text.into() }
}

#[test]
fn what_was_accepted_is_on_disk_after_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::start(100).unwrap();
    for at in 0..100 {
        writer.write(write(dir.path().join(at.to_string()), &format!("file {at}"))).unwrap();
    }
    let meter = writer.close();
    assert_eq!((meter.length, meter.written, meter.failed, meter.refused), (0, 100, 0, 0));
    for at in 0..100 {
        assert_eq!(fs::read_to_string(dir.path().join(at.to_string())).unwrap(), format!("file {at}"));
    }
}

#[test]
fn the_newest_of_one_file_is_the_one_that_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let writer = Writer::start(2).unwrap();
    // Two of one file may wait at most: the one under way and the newest.
    for at in 0..=1_000 {
        writer.write(write(path.clone(), &at.to_string())).unwrap();
    }
    drop(writer);
    assert_eq!(fs::read_to_string(path).unwrap(), "1000");
}

#[test]
fn a_full_queue_hands_the_write_back() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::start(1).unwrap();
    let mut busy = None;
    // A write costs two syncs, handing one over nothing: the queue fills long before the end.
    for at in 0..100_000 {
        if let Err(error) = writer.write(write(dir.path().join(at.to_string()), "x")) {
            busy = Some((at, error));
            break;
        }
    }
    let (at, error) = busy.expect("the queue never filled");
    assert_eq!(error.write, write(dir.path().join(at.to_string()), "x"));
    assert_eq!(error.to_string(), "1 writes already wait for the disk");
    let meter = writer.close();
    assert_eq!((meter.refused, meter.high_water, meter.capacity), (1, 1, 1));
    assert_eq!(meter.written, at, "all that was accepted before it");
}

#[test]
fn a_write_that_fails_is_told_and_the_next_one_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::start(4).unwrap();
    writer.write(write(dir.path().join("gone/file"), "x")).unwrap();
    writer.write(write(dir.path().join("file"), "x")).unwrap();
    let meter = writer.close();
    assert_eq!((meter.written, meter.length), (1, 0));
    assert!(meter.failed >= 1, "{meter:?}");
    assert!(dir.path().join("file").exists());
}

#[test]
fn a_write_that_failed_is_tried_until_it_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::start(4).unwrap();
    let (gone, path) = (dir.path().join("gone"), dir.path().join("gone/file"));
    writer.write(write(path.clone(), "old")).unwrap();
    let wait = |what: &str, is: &dyn Fn() -> bool| {
        let start = std::time::Instant::now();
        while !is() {
            assert!(start.elapsed() < Duration::from_secs(30), "{what}: {:?}", writer.meter());
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    wait("it fails", &|| writer.error().is_some());
    assert!(writer.error().unwrap().contains("gone/file"));
    writer.write(write(path.clone(), "new")).unwrap();
    fs::create_dir(gone).unwrap();
    wait("it is written", &|| writer.error().is_none());
    assert_eq!(fs::read_to_string(path).unwrap(), "new");
    let meter = writer.close();
    assert_eq!((meter.written, meter.length, meter.error), (1, 0, None));
}

#[test]
fn the_thread_has_its_name() {
    let writer = Writer::start(1).unwrap();
    assert_eq!(writer.thread.as_ref().unwrap().thread().name(), Some(THREAD_NAME));
    assert!(THREAD_NAME.len() <= 15);
}

/// Waits for what the log tells, and asks again and again: there is nobody to be woken.
fn wait_for(writer: &Writer, what: &LogEvent) {
    let start = Instant::now();
    loop {
        match writer.poll_log(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(event) if event == *what => return,
            Poll::Ready(_) => {}
            Poll::Pending => std::thread::sleep(Duration::from_millis(1)),
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{what:?} does not come: {:?}", writer.log_meter());
    }
}

#[test]
fn a_file_that_fails_does_not_hold_up_the_log_nor_the_log_a_file() {
    use crate::store::log;
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("log");
    // In the way of the log's directory.
    fs::write(&place, "").unwrap();
    let settings = log::Settings { sync_ms: 0, ..log::Settings::new([1, 2]) };
    assert!(log::open(RealDisk, &place, &settings, |_| {}).is_err(), "what is no directory cannot be read");
    fs::remove_file(&place).unwrap();
    let (log, _) = log::open(RealDisk, &place, &settings, |_| {}).unwrap();
    fs::write(&place, "").unwrap();
    let writer = Writer::start_with_log(4, log).unwrap();
    // Both fail.
    writer.write(write(dir.path().join("gone/file"), "x")).unwrap();
    assert_eq!(writer.append(b"one").unwrap().number, 1);
    let start = Instant::now();
    while writer.error().is_none() || writer.log_meter().unwrap().progress.trouble.is_none() {
        assert!(start.elapsed() < Duration::from_secs(30), "{:?} {:?}", writer.meter(), writer.log_meter());
        std::thread::sleep(Duration::from_millis(1));
    }
    // Another file is written all the same, and the log once its place is free, while the first file fails on.
    writer.write(write(dir.path().join("file"), "x")).unwrap();
    while !dir.path().join("file").exists() {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(1));
    }
    fs::remove_file(&place).unwrap();
    wait_for(&writer, &LogEvent::Stored(1));
    wait_for(&writer, &LogEvent::Resumed);
    assert!(!dir.path().join("gone/file").exists());
    let meter = writer.close();
    assert!(meter.failed >= 1 && meter.written == 1, "{meter:?}");
}

#[test]
fn who_asks_is_told_how_it_went() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::start(4).unwrap();
    let told = writer.write_and_tell(write(dir.path().join("file"), "x")).unwrap();
    assert_eq!(smol::block_on(told), Ok(Ok(())));
    assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"x", "it is there before it is told");
    let told = writer.write_and_tell(write(dir.path().join("gone/file"), "x")).unwrap();
    assert!(smol::block_on(told).unwrap().unwrap_err().contains("gone/file: "));
    // Nobody is told of a write that a newer one of the file took the place of.
    let all: Vec<_> =
        (0..50).map(|at| writer.write_and_tell(write(dir.path().join("file"), &at.to_string())).unwrap()).collect();
    let told: Vec<bool> = all.into_iter().map(|told| smol::block_on(told).is_ok()).collect();
    assert!(told[49], "{told:?}");
    assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"49");
}
