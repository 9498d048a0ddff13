//! A disk that is full, read-only or broken: the log says so, keeps what it can, and goes on by itself.

use crate::disk::{Faults, SimDisk};
use crate::{body_of, is_body_of};
use std::io::ErrorKind::{self, Other, PermissionDenied, ReadOnlyFilesystem, StorageFull};
use std::path::Path;
use stonechat::store::disk::Disk;
use stonechat::store::log::engine::Engine;
use stonechat::store::log::queue::{AppendError, Queue};
use stonechat::store::log::{self, Settings};

const DIR: &str = "/log";

fn settings() -> Settings {
    Settings { segment_bytes: 8_192, segments: 9, queue_bytes: 20_000, sync_ms: 0, ..Settings::new([1, 2]) }
}

fn open(disk: &SimDisk) -> (Queue, Engine<SimDisk>) {
    log::open(disk.clone(), Path::new(DIR), &settings(), |_| {}).unwrap().0.into_parts()
}

fn turn(queue: &mut Queue, engine: &mut Engine<impl Disk>, now: u64) {
    let (entries, urgent) = queue.take();
    engine.accept(entries);
    engine.turn(urgent, now);
    queue.note(engine.progress(), engine.held());
}

fn all(kind: ErrorKind) -> Faults {
    Faults { write: Some(kind), sync: Some(kind), create: Some(kind), rename: Some(kind), read_at: None }
}

fn numbers(disk: &SimDisk) -> Vec<u64> {
    let mut numbers = Vec::new();
    log::replay(disk.clone(), Path::new(DIR), |record| {
        assert!(is_body_of(record.number, record.body));
        numbers.push(record.number);
    })
    .unwrap();
    numbers
}

#[test]
fn it_tells_the_trouble_keeps_what_fits_and_writes_it_when_the_disk_is_back() {
    let of = |what: fn(&mut Faults, ErrorKind), kind| {
        let mut faults = Faults::default();
        what(&mut faults, kind);
        faults
    };
    let cases = [
        all(StorageFull),
        all(ReadOnlyFilesystem),
        all(PermissionDenied),
        all(Other),
        of(|faults, kind| faults.write = Some(kind), Other),
        of(|faults, kind| faults.sync = Some(kind), Other),
    ];
    for before in [0, 5, 60] {
        for faults in cases {
            let disk = SimDisk::default();
            let (mut queue, mut engine) = open(&disk);
            let mut given = 0;
            while given < before {
                given = queue.append(&body_of(given + 1)).unwrap().number;
                turn(&mut queue, &mut engine, 0);
            }
            disk.set_faults(faults);
            // As many as fit are accepted, then the answer is an ordinary one.
            let refused = loop {
                match queue.append(&body_of(given + 1)) {
                    Ok(appended) => given = appended.number,
                    Err(error) => break error,
                }
                turn(&mut queue, &mut engine, 100);
            };
            assert!(matches!(refused, AppendError::Full { records, .. } if records as u64 == given - before));
            let progress = engine.progress().clone();
            let trouble = progress.trouble.clone().expect("it is told");
            let kinds = [faults.write, faults.sync];
            assert!(kinds.contains(&Some(trouble.kind)) && trouble.text.contains(DIR), "{faults:?} {trouble:?}");
            assert_eq!(progress.stored, before, "{faults:?}");
            assert_eq!((trouble.tries, engine.due()), (1, Some(1_100)), "one try, and the next after a second");
            // Each further try waits longer, up to a minute.
            let (mut now, mut waits) = (100, Vec::new());
            for _ in 0..10 {
                let due = engine.due().unwrap();
                waits.push(due - now);
                now = due;
                turn(&mut queue, &mut engine, now);
            }
            assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]);
            disk.set_faults(Faults::default());
            now = engine.due().unwrap();
            turn(&mut queue, &mut engine, now);
            let progress = engine.progress();
            assert_eq!((progress.stored, &progress.trouble, engine.due()), (given, &None, None), "{faults:?}");
            queue.append(&body_of(given + 1)).unwrap();
            turn(&mut queue, &mut engine, now);
            // On the card, not only in the cache: the pages of a sync that failed are lost.
            let image = crate::image::Image::plain(&disk.state(), false, false);
            let kept = numbers(&SimDisk::after(image));
            assert_eq!(kept, (1..=given + 1).collect::<Vec<_>>(), "{faults:?}");
        }
    }
}

#[test]
fn where_no_further_segment_fits_the_oldest_is_recycled() {
    let disk = SimDisk::default();
    let (mut queue, mut engine) = open(&disk);
    let mut given = 0;
    let mut fill = |queue: &mut Queue, engine: &mut Engine<SimDisk>, segments: usize| {
        let mut turns = 0;
        while disk.names().len() < segments && turns < 200 {
            given = queue.append(&body_of(given + 1)).unwrap().number;
            turn(queue, engine, 0);
            turns += 1;
        }
        given
    };
    fill(&mut queue, &mut engine, 2);
    disk.set_faults(Faults { create: Some(StorageFull), ..Faults::default() });
    let given = fill(&mut queue, &mut engine, 3);
    let progress = engine.progress();
    assert_eq!((progress.stored, &progress.trouble, disk.names().len()), (given, &None, 2));
    assert_eq!(numbers(&disk), (progress.oldest..=given).collect::<Vec<_>>());
    disk.set_faults(Faults::default());
    let mut queue_and_engine = (queue, engine);
    let mut more = given;
    while disk.names().len() < 3 {
        more = queue_and_engine.0.append(&body_of(more + 1)).unwrap().number;
        turn(&mut queue_and_engine.0, &mut queue_and_engine.1, 0);
        assert!(more < given + 200, "space came back and is used");
    }
}

#[test]
fn a_log_that_somebody_removes_goes_on() {
    let disk = SimDisk::default();
    let (mut queue, mut engine) = open(&disk);
    for number in 1..=10 {
        queue.append(&body_of(number)).unwrap();
        turn(&mut queue, &mut engine, 0);
    }
    for name in disk.names() {
        disk.remove(&Path::new(DIR).join(name)).unwrap();
    }
    // The open file is still there; trouble makes it look again.
    disk.set_faults(all(Other));
    queue.append(&body_of(11)).unwrap();
    turn(&mut queue, &mut engine, 0);
    disk.set_faults(Faults::default());
    for _ in 0..3 {
        let now = engine.due().unwrap_or_default();
        turn(&mut queue, &mut engine, now);
    }
    assert_eq!((engine.progress().stored, &engine.progress().trouble), (11, &None));
    assert_eq!(numbers(&disk), [11]);
}

#[test]
fn a_log_on_a_read_only_disk_can_be_read() {
    let disk = SimDisk::default();
    let (mut queue, mut engine) = open(&disk);
    for number in 1..=30 {
        queue.append(&body_of(number)).unwrap();
        turn(&mut queue, &mut engine, 0);
    }
    disk.damage("00000001.log", |bytes| bytes[1_024 + 40] ^= 1);
    disk.set_faults(all(ReadOnlyFilesystem));
    let mut count = 0;
    let (log, found) = log::open(disk.clone(), Path::new(DIR), &settings(), |_| count += 1).unwrap();
    assert!(count == 29 && found.records == 29 && found.damaged == 1, "{found:?}");
    assert!(found.complaints.iter().any(|complaint| complaint.contains("cannot be set aside")), "{found:?}");
    let (mut queue, mut engine) = log.into_parts();
    let number = queue.append(b"later").unwrap().number;
    turn(&mut queue, &mut engine, 0);
    assert_eq!(engine.progress().trouble.as_ref().unwrap().kind, ReadOnlyFilesystem);
    disk.set_faults(Faults::default());
    turn(&mut queue, &mut engine, 1_000);
    assert_eq!((engine.progress().stored, &engine.progress().trouble), (number, &None));
}
