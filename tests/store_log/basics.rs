//! The log as the node uses it: through the writer's thread, on a real disk.

use crate::disk::SimDisk;
use crate::{body_of, is_body_of};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use stonechat::store::disk::{Disk, RealDisk};
use stonechat::store::log::queue::{AppendError, LogEvent};
use stonechat::store::log::reader::{ReadError, Reader};
use stonechat::store::log::ring::Position;
use stonechat::store::log::{self, Settings};
use stonechat::store::writer::{Write, Writer};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Wakes whoever waits for the writer.
#[derive(Default)]
struct Bell(Mutex<bool>, Condvar);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

/// Waits for events until one is wanted.
fn wait(writer: &Writer, mut wanted: impl FnMut(&LogEvent) -> bool) {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let start = Instant::now();
    loop {
        match writer.poll_log(&mut Context::from_waker(&waker)) {
            Poll::Ready(event) if wanted(&event) => return,
            Poll::Ready(_) => {}
            Poll::Pending => {
                let mut rung = bell.0.lock().unwrap();
                while !std::mem::take(&mut *rung) {
                    assert!(start.elapsed() < PATIENCE, "nothing came");
                    rung = bell.1.wait_timeout(rung, PATIENCE).unwrap().0;
                }
            }
        }
    }
}

fn start<D: Disk>(disk: D, dir: &Path, settings: &Settings) -> Writer {
    let (log, found) = log::open(disk, dir, settings, |_| {}).unwrap();
    assert_eq!(found.complaints, [""; 0]);
    Writer::start_with_log(4, log).unwrap()
}

#[test]
fn what_is_appended_is_written_then_stored_and_read_back_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("peer/log");
    let settings = Settings { segment_bytes: 64 * 1024, segments: 4, ..Settings::new([1, 2]) };
    let mut places = Vec::new();
    for run in 0..3 {
        let writer = start(RealDisk, &path, &settings);
        let mut last = 0;
        for _ in 0..40 {
            // Numbers grow, so what a run says follows from how many there are.
            let appended = writer.append(&body_of(places.len() as u64)).unwrap();
            assert!(appended.number > last);
            last = appended.number;
            places.push(appended);
        }
        // The same thread replaces whole files between.
        let file = dir.path().join("stamp");
        writer.write(Write { path: file.clone(), bytes: format!("{run}").into() }).unwrap();
        wait(&writer, |event| *event == LogEvent::Written(last));
        let mut reader = Reader::new(RealDisk, &path);
        for (at, appended) in places.iter().enumerate() {
            let (number, body) = reader.read(appended.position).unwrap();
            assert!(number == appended.number && is_body_of(at as u64, body));
        }
        writer.sync_log();
        wait(&writer, |event| *event == LogEvent::Stored(last));
        let meter = writer.log_meter().unwrap();
        assert_eq!((meter.records.length, meter.bytes.length, meter.progress.stored), (0, 0, last));
        writer.close();
        assert_eq!(std::fs::read_to_string(file).unwrap(), format!("{run}"));
        let mut seen = Vec::new();
        let found = log::replay(RealDisk, &path, |record| {
            assert!(is_body_of(seen.len() as u64, record.body));
            seen.push((record.number, record.position));
        })
        .unwrap();
        assert_eq!(seen, places.iter().map(|place| (place.number, place.position)).collect::<Vec<_>>());
        assert_eq!((found.records, found.last, found.torn, found.damaged), (seen.len() as u64, last, false, 0));
    }
}

#[test]
fn what_was_appended_is_stored_when_the_writer_ends() {
    let dir = tempfile::tempdir().unwrap();
    let writer = start(RealDisk, dir.path(), &Settings { sync_ms: 3_600_000, ..Settings::new([1, 2]) });
    for number in 1..=100 {
        writer.append(&body_of(number)).unwrap();
    }
    drop(writer);
    let mut next = 1;
    log::replay(RealDisk, dir.path(), |record| {
        assert!(record.number == next && is_body_of(next, record.body));
        next += 1;
    })
    .unwrap();
    assert_eq!(next, 101);
}

#[test]
fn the_ring_comes_round_and_says_what_left() {
    let (disk, dir) = (SimDisk::default(), Path::new("/log"));
    let settings = Settings { segment_bytes: 8_192, segments: 3, sync_ms: 0, ..Settings::new([1, 2]) };
    let writer = start(disk.clone(), dir, &settings);
    let (mut left, mut places) = (0, Vec::new());
    for number in 1..=400_u64 {
        places.push(writer.append(&body_of(number)).unwrap());
        wait(&writer, |event| {
            if let LogEvent::Left(before) = event {
                assert!(*before > left);
                left = *before;
            }
            *event == LogEvent::Stored(number)
        });
        assert!(disk.names().len() <= 3, "{:?}", disk.names());
    }
    assert!(left > 200, "{left}");
    let mut reader = Reader::new(disk.clone(), dir);
    // Back and forth over the segments, also where the file is another one's by now.
    for place in places.iter().chain(places.iter().rev()) {
        match reader.read(place.position) {
            Ok((number, body)) => assert!(number == place.number && is_body_of(number, body)),
            Err(ReadError::Gone) => assert!(place.number < left, "{} of {left}", place.number),
            Err(error) => panic!("{error}"),
        }
    }
    let mut next = left;
    log::replay(disk, dir, |record| {
        assert_eq!(record.number, next);
        next += 1;
    })
    .unwrap();
    assert_eq!(next, 401);
}

#[test]
fn what_is_wanted_of_a_segment_that_leaves_can_be_kept() {
    let (disk, dir) = (SimDisk::default(), Path::new("/log"));
    let settings = Settings { segment_bytes: 8_192, segments: 4, sync_ms: 0, ..Settings::new([1, 2]) };
    let (log, _) = log::open(disk.clone(), dir, &settings, |_| {}).unwrap();
    let (mut queue, mut engine) = log.into_parts();
    let mut reader = Reader::new(disk.clone(), dir);
    // Ten records are wanted, and a flood of others comes by.
    let mut wanted: Vec<(u64, Position)> = Vec::new();
    let (mut told, mut copied) = (Vec::new(), 0);
    for n in 0..2_000_u64 {
        let appended = queue.append(&body_of(n)).unwrap();
        if n < 10 {
            wanted.push((n, appended.position));
        }
        engine.accept(queue.take().0);
        engine.turn(false, 0);
        queue.note(engine.progress(), engine.held());
        while let Poll::Ready(event) = queue.poll(&mut Context::from_waker(Waker::noop())) {
            let LogEvent::Leaves(segment) = event else { continue };
            told.push(segment);
            for (n, place) in wanted.iter_mut().filter(|(_, place)| place.segment == segment) {
                let (_, body) = reader.read(*place).unwrap();
                assert!(is_body_of(*n, body));
                *place = queue.append(body).unwrap().position;
                copied += 1;
            }
        }
    }
    assert!(told.len() > 40 && told.is_sorted_by(|a, b| a + 1 == *b), "each is told once: {told:?}");
    assert!(copied > 100, "{copied}");
    engine.accept(queue.take().0);
    engine.turn(false, 0);
    for (n, place) in wanted {
        assert!(is_body_of(n, reader.read(place).unwrap().1));
    }
}

#[test]
fn a_reader_that_holds_a_recycled_file_reads_nothing_wrong() {
    let (disk, dir) = (SimDisk::default(), Path::new("/log"));
    let settings = Settings { segment_bytes: 8_192, segments: 2, sync_ms: 0, ..Settings::new([1, 2]) };
    let (log, _) = log::open(disk.clone(), dir, &settings, |_| {}).unwrap();
    let (mut queue, mut engine) = log.into_parts();
    let mut reader = Reader::new(disk, dir);
    let mut first = None;
    for number in 1..=300 {
        let appended = queue.append(&body_of(number)).unwrap();
        engine.accept(queue.take().0);
        engine.turn(false, 0);
        queue.note(engine.progress(), engine.held());
        let first = *first.get_or_insert(appended.position);
        match reader.read(first) {
            Ok((number, body)) => assert!(number == 1 && is_body_of(1, body)),
            Err(error) => assert!(matches!(error, ReadError::Gone) && engine.progress().oldest > 1, "{error}"),
        }
    }
    assert!(matches!(reader.read(first.unwrap()), Err(ReadError::Gone)));
}

#[test]
fn nothing_is_written_on_idle_and_the_sync_comes_after_its_interval() {
    let (disk, dir) = (SimDisk::default(), Path::new("/log"));
    let settings = Settings { sync_ms: 2_000, ..Settings::new([1, 2]) };
    let (log, _) = log::open(disk.clone(), dir, &settings, |_| {}).unwrap();
    let (mut queue, mut engine) = log.into_parts();
    assert_eq!((engine.due(), disk.changes()), (None, 0), "an empty log has no file");
    queue.append(b"one").unwrap();
    engine.accept(queue.take().0);
    engine.turn(false, 10_000);
    assert_eq!((engine.progress().written, engine.progress().stored, engine.due()), (1, 0, Some(12_000)));
    queue.append(b"two").unwrap();
    engine.accept(queue.take().0);
    engine.turn(false, 11_000);
    assert_eq!((engine.progress().written, engine.progress().stored, engine.due()), (2, 0, Some(12_000)));
    let before = disk.changes();
    engine.turn(false, 11_999);
    assert_eq!(disk.changes(), before);
    engine.turn(false, 12_000);
    assert_eq!((disk.changes(), engine.progress().stored, engine.due()), (before + 1, 2, None), "one sync");
    for hour in 1..1_000 {
        engine.turn(true, hour * 3_600_000);
    }
    assert_eq!(disk.changes(), before + 1);
    // And a start that writes nothing changes nothing but to sync what the last run may have left.
    drop(log::open(disk.clone(), dir, &settings, |_| {}).unwrap());
    assert_eq!(disk.changes(), before + 2);
}

#[test]
fn a_full_queue_and_a_record_too_long_are_ordinary_answers() {
    let (disk, dir) = (SimDisk::default(), Path::new("/log"));
    let settings = Settings { queue_records: 10, queue_bytes: 20_000, ..Settings::new([1, 2]) };
    let (log, _) = log::open(disk, dir, &settings, |_| {}).unwrap();
    let (mut queue, mut engine) = log.into_parts();
    assert_eq!(queue.append(&[0; 4_097]), Err(AppendError::TooLong));
    for _ in 0..4 {
        queue.append(&[7; 4_096]).unwrap();
    }
    assert_eq!(queue.append(&[7; 4_096]), Err(AppendError::Full { records: 4, bytes: 16_384 }));
    for _ in 4..10 {
        queue.append(b"").unwrap();
    }
    assert_eq!(queue.append(b""), Err(AppendError::Full { records: 10, bytes: 16_384 }));
    let (entries, urgent) = queue.take();
    assert!(urgent, "better to sync early than to refuse");
    engine.accept(entries);
    engine.turn(urgent, 0);
    queue.note(engine.progress(), engine.held());
    assert_eq!(queue.append(b"").unwrap().number, 11, "what was refused took no number");
    let meter = queue.meter();
    assert_eq!((meter.records.length, meter.records.high_water, meter.records.drops), (1, 10, 2));
    assert_eq!((meter.bytes.length, meter.bytes.high_water), (0, 16_384));
    let writer = Writer::start(1).unwrap();
    assert_eq!((writer.append(b"x"), writer.log_meter()), (Err(AppendError::Off), None));
}

#[test]
fn another_board_keeps_what_is_there_and_goes_on_in_its_own_way() {
    let (disk, dir) = (SimDisk::default(), Path::new("/log"));
    let mut kept = Vec::new();
    let mut said = 0;
    for (segment_bytes, segments) in [(8_192, 6), (16_384, 3), (8_192, 2), (32_768, 8)] {
        let settings = Settings { segment_bytes, segments, sync_ms: 0, ..Settings::new([1, 2]) };
        let mut found = Vec::new();
        let (log, recovered) = log::open(disk.clone(), dir, &settings, |record| found.push(record.number)).unwrap();
        assert_eq!((found, recovered.complaints.len()), (kept, 0));
        let (mut queue, mut engine) = log.into_parts();
        for _ in 0..200 {
            said += 1;
            queue.append(&body_of(said)).unwrap();
            engine.accept(queue.take().0);
            engine.turn(false, 0);
            queue.note(engine.progress(), engine.held());
            assert_eq!(engine.progress().trouble, None);
        }
        assert!(disk.names().len() <= segments as usize, "{:?}", disk.names());
        kept = Vec::new();
        log::replay(disk.clone(), dir, |record| kept.push(record.number)).unwrap();
        assert!(kept.len() > 5 && kept.is_sorted() && kept.last() == Some(&engine.progress().stored));
    }
}
