//! Damage of every kind: what is damaged is set aside and told, all the rest is read.

use crate::disk::{Faults, SimDisk};
use crate::random::Random;
use crate::{body_of, is_body_of, variable};
use std::collections::BTreeSet;
use std::path::Path;
use stonechat::store::log::{self, Settings, open::Recovered};

const DIR: &str = "/log";

fn settings() -> Settings {
    Settings { segment_bytes: 8_192, segments: 4, sync_ms: 0, ..Settings::new([1, 2]) }
}

/// A log of several segments and what is in it, as numbers with their places.
fn filled(records: u64) -> (SimDisk, Vec<(u64, u32, u32, usize)>) {
    let disk = SimDisk::default();
    append(&disk, 1..=records);
    let mut places = Vec::new();
    log::replay(disk.clone(), Path::new(DIR), |record| {
        places.push((record.number, record.position.segment, record.position.offset, record.body.len()));
    })
    .unwrap();
    (disk, places)
}

fn append(disk: &SimDisk, numbers: impl Iterator<Item = u64>) {
    let (log, _) = log::open(disk.clone(), Path::new(DIR), &settings(), |_| {}).unwrap();
    let (mut queue, mut engine) = log.into_parts();
    for number in numbers {
        queue.append(&body_of(number)).unwrap();
        engine.accept(queue.take().0);
        engine.turn(false, 0);
        queue.note(engine.progress(), engine.held());
        assert_eq!(engine.progress().trouble, None);
    }
}

fn open(disk: &SimDisk) -> (BTreeSet<u64>, Recovered) {
    let mut numbers = BTreeSet::new();
    let (_, found) = log::open(disk.clone(), Path::new(DIR), &settings(), |record| {
        assert!(is_body_of(record.number, record.body), "record {} is not as it was written", record.number);
        assert!(numbers.insert(record.number), "{} twice", record.number);
    })
    .unwrap();
    (numbers, found)
}

fn file(segment: u32) -> String {
    format!("{segment:08x}.log")
}

#[test]
fn a_changed_bit_costs_one_record_and_is_told() {
    let mut random = Random::new(variable("STONECHAT_SEED", 1));
    for _ in 0..200 {
        let (disk, places) = filled(80);
        let (number, segment, offset, length) = places[random.index(places.len())];
        let newest = places.last().unwrap();
        let bit = random.index((16 + length) * 8);
        disk.damage(&file(segment), |bytes| bytes[offset as usize + bit / 8] ^= 1 << (bit % 8));
        let (numbers, found) = open(&disk);
        let missing: Vec<_> = places.iter().map(|place| place.0).filter(|number| !numbers.contains(number)).collect();
        assert_eq!(missing, [number], "bit {bit}");
        if number == newest.0 {
            // Where nothing follows it is a torn end like any other.
            assert_eq!(found.damaged, 0);
        } else {
            assert_eq!((found.damaged, found.complaints.len()), (1, 1), "{found:?}");
            let aside = format!("{segment:08x}-{offset:08x}.damaged");
            assert!(disk.names().contains(&aside), "{:?}", disk.names());
        }
        assert_eq!(found.records as usize, numbers.len());
    }
}

#[test]
fn any_damage_leaves_the_rest_and_never_harms() {
    let mut random = Random::new(variable("STONECHAT_SEED", 1));
    let mut lost_records = 0;
    for round in 0..300 {
        let (disk, places) = filled(60 + random.below(60));
        let mut hit = BTreeSet::new();
        for _ in 0..=random.below(3) {
            let segment = places[random.index(places.len())].1;
            let from = random.index(8_192);
            let reach = [8, 600, 3_000][random.index(3)];
            let length = random.index(reach);
            let to = (from + length).min(8_192);
            disk.damage(&file(segment), |bytes| {
                // Cut short before, perhaps.
                bytes.resize(8_192, 0);
                match random.below(3) {
                    0 => bytes[from..to].fill(0),
                    1 => bytes[from..to].iter_mut().for_each(|byte| *byte = random.next() as u8),
                    _ => bytes.truncate(from.max(1_024)),
                }
            });
            hit.insert(segment);
        }
        let (numbers, found) = open(&disk);
        for (number, segment, ..) in &places {
            assert!(
                hit.contains(segment) || numbers.contains(number),
                "round {round}: {number} in {segment} {found:?}"
            );
        }
        lost_records += places.len() - numbers.len();
        assert!(disk.names().iter().filter(|name| name.ends_with(".damaged")).count() <= 4);
        // It goes on behind it.
        let before = numbers.len();
        append(&disk, std::iter::empty());
        let again = open(&disk).0;
        assert_eq!(again.len(), before, "round {round}");
    }
    assert!(lost_records > 300, "{lost_records}: the test damages too little");
}

#[test]
fn a_file_cut_short_is_read_up_to_there() {
    let (disk, places) = filled(40);
    let (_, segment, ..) = places[0];
    disk.damage(&file(segment), |bytes| bytes.truncate(bytes.len() - 1_000));
    let (numbers, found) = open(&disk);
    let gone: Vec<_> = places.iter().filter(|place| !numbers.contains(&place.0)).collect();
    assert!(!gone.is_empty() && gone.iter().all(|(_, s, at, length)| *s == segment && *at as usize + length > 7_100));
    assert_eq!(found.damaged, 1, "{found:?}");
}

#[test]
fn one_head_is_enough_and_without_any_the_file_is_set_aside() {
    let (disk, places) = filled(400);
    let (_, segment, ..) = places[0];
    let head_at = |disk: &SimDisk| {
        let state = disk.state();
        let node = state.names[&Path::new(DIR).join(file(segment))];
        // The place of the newer of both heads: recycled files have two.
        usize::from(state.nodes[node].seen[512 + 16..][..4] == segment.to_le_bytes()) * 512
    };
    let at = head_at(&disk);
    disk.damage(&file(segment), |bytes| bytes[at + 30] ^= 1);
    let (numbers, found) = open(&disk);
    assert!(places.iter().all(|(number, s, ..)| *s == segment || numbers.contains(number)));
    assert!(found.damaged >= 1 && numbers.len() < places.len(), "{found:?}");

    let (disk, places) = filled(30);
    let (_, segment, ..) = places[0];
    disk.damage(&file(segment), |bytes| bytes[..1_024].fill(0xff));
    let (numbers, found) = open(&disk);
    assert!(places.iter().all(|(number, s, ..)| (*s == segment) != numbers.contains(number)));
    assert_eq!(found.damaged, 1, "{found:?}");
    assert!(disk.names().contains(&format!("{segment:08x}.damaged")), "{:?}", disk.names());
    assert_eq!(open(&disk).1.damaged, 0, "told once: it is out of the way");
}

#[test]
fn a_place_that_cannot_be_read_costs_what_stands_there() {
    let (disk, places) = filled(90);
    // The same place of every segment.
    disk.set_faults(Faults { read_at: Some(6_000), ..Faults::default() });
    let (numbers, found) = open(&disk);
    let lost = places.iter().filter(|(number, ..)| !numbers.contains(number)).count();
    assert!(numbers.len() * 3 > places.len() && lost > 5 && found.damaged > 0, "{lost} of {} {found:?}", places.len());
}

#[test]
fn a_body_that_holds_records_does_not_pass_for_them() {
    // What the attacker knows: the format, and for once even a whole segment of another log.
    let other = SimDisk::default();
    append(&other, 1..=20);
    let state = other.state();
    let segment = &state.nodes[state.names[&Path::new(DIR).join(file(1))]].seen;
    let disk = SimDisk::default();
    // Another seed, so another salt.
    let settings = Settings { seed: [9, 9], ..settings() };
    let (log, _) = log::open(disk.clone(), Path::new(DIR), &settings, |_| {}).unwrap();
    let (mut queue, mut engine) = log.into_parts();
    queue.append(&segment[1_024..1_024 + 3_000]).unwrap();
    queue.append(b"the next one").unwrap();
    engine.accept(queue.take().0);
    engine.turn(false, 0);
    // The head in front of it is hurt, and the search goes through the body.
    disk.damage(&file(1), |bytes| bytes[1_024] ^= 1);
    let mut bodies = Vec::new();
    log::replay(disk, Path::new(DIR), |record| bodies.push(record.body.to_vec())).unwrap();
    assert_eq!(bodies, [b"the next one"]);
}

#[test]
fn no_bytes_do_harm() {
    let mut random = Random::new(variable("STONECHAT_SEED", 1));
    for _ in 0..300 {
        let (disk, _) = filled(20);
        let names = disk.names();
        let name = &names[random.index(names.len())];
        disk.damage(name, |bytes| {
            for _ in 0..random.below(200) {
                let reach = if random.below(2) == 0 { 1_100 } else { bytes.len() };
                let at = random.index(reach);
                bytes[at] = [0, 0xff, random.next() as u8][random.index(3)];
            }
        });
        // A later version is the one thing that stops it, before anything is changed.
        let mut seen = 0;
        if log::open(disk.clone(), Path::new(DIR), &settings(), |_| seen += 1).is_ok() {
            append(&disk, 1..=2);
        }
    }
}
