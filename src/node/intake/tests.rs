//! What is taken of a peer's gossip, and what is not.

use super::*;

fn intake() -> (Intake, PeerId, Instant) {
    let (now, peer) = (Instant::now(), PeerId::random());
    let mut intake = Intake::new([1, 2], now);
    intake.on_connected(peer, now);
    (intake, peer, now)
}

fn id(number: u32) -> MessageId {
    MessageId::new(&number.to_be_bytes())
}

/// A control message with the form of gossipsub's: the variant is what counts.
#[derive(Hash)]
#[allow(dead_code)]
enum Sent {
    IHave(String, Vec<Vec<u8>>),
    IWant(Vec<Vec<u8>>),
    Graft(String),
    Prune(String, Option<u64>),
    IDontWant(Vec<Vec<u8>>),
}

fn ids(numbers: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    numbers.map(|number| number.to_be_bytes().to_vec()).collect()
}

fn offer(numbers: std::ops::Range<u32>) -> Sent {
    Sent::IHave("lobby".into(), ids(numbers))
}

#[test]
fn a_message_is_taken_once_and_no_more_of_them_than_a_moment_holds() {
    let (mut intake, _, now) = intake();
    assert!(intake.take(&id(0), false, now) && !intake.take(&id(0), false, now));
    let taken = (1..=TAKEN_MAX + 99).filter(|number| intake.take(&id(*number), false, now)).count();
    assert_eq!(taken, TAKEN_MAX as usize - 1);
    let dropped = intake.dropped();
    assert_eq!((dropped.seen, dropped.too_many), (1, 100));
    let later = now + Duration::from_millis(TAKEN_MS);
    assert!(intake.take(&id(TAKEN_MAX + 99), false, later), "what had no place then has one now");
}

#[test]
fn where_the_same_words_are_the_same_message_they_are_new_again_after_a_while() {
    let (mut intake, _, now) = intake();
    assert!(intake.take(&id(7), true, now) && !intake.take(&id(7), true, now));
    assert!(intake.is_same(&id(7), now + Duration::from_millis(SAME_MS - 1)));
    assert!(intake.take(&id(7), true, now + Duration::from_millis(SAME_MS)));
    for number in 0..10_000 {
        intake.note(&id(number), true, now);
    }
    assert!(intake.same.len() <= SAME_IDS_MAX);
}

#[test]
fn what_is_known_is_not_asked_for_and_what_is_asked_for_is_forgotten_in_time() {
    let (mut intake, peer, now) = intake();
    (0..10).for_each(|number| assert!(intake.note(&id(number), false, now)));
    assert!(!intake.take_control(&peer, &offer(0..10), now), "all of it is known");
    assert!(intake.take_control(&peer, &offer(5..13), now), "three are new");
    let known: Vec<_> = std::iter::from_fn(|| intake.pop_known()).collect();
    assert_eq!(known.len(), 5, "gossipsub is told of the others: {known:?}");
    assert_eq!(intake.pop_asked(now), None);
    let later = now + Duration::from_millis(ASKED_MS);
    let forgotten: Vec<_> = std::iter::from_fn(|| intake.pop_asked(later)).collect();
    assert_eq!(forgotten, [id(10), id(11), id(12)]);
}

#[test]
fn however_much_is_offered_only_so_much_is_waited_for() {
    let (mut intake, first, now) = intake();
    let peers: Vec<PeerId> = std::iter::once(first).chain((0..20).map(|_| PeerId::random())).collect();
    peers.iter().for_each(|peer| intake.on_connected(*peer, now));
    for (at, peer) in peers.iter().enumerate() {
        for start in (0..100_000).step_by(200) {
            let start = at as u32 * 1_000_000 + start;
            intake.take_control(peer, &offer(start..start + 200), now);
            while intake.pop_asked(now).is_some() || intake.pop_known().is_some() {}
        }
    }
    assert!(intake.asked.len() <= ASKED_IDS_MAX);
    assert!(intake.dropped().control > 0);
}

#[test]
fn ids_longer_than_any_are_not_read() {
    let (mut intake, peer, now) = intake();
    let long = || vec![vec![7; ID_BYTES_MAX + 1]];
    assert!(!intake.take_control(&peer, &Sent::IHave("lobby".into(), long()), now));
    assert!(!intake.take_control(&peer, &Sent::IWant(long()), now));
    assert!(!intake.take_control(&peer, &Sent::IDontWant(long()), now));
    assert!(intake.take_control(&peer, &Sent::IWant(ids(0..3)), now));
    assert!(intake.asked.is_empty());
}

#[test]
fn refusals_and_changes_of_the_mesh_are_taken_at_a_pace() {
    let (mut intake, peer, now) = intake();
    let taken = (0..1_000).filter(|_| intake.take_control(&peer, &Sent::IDontWant(ids(0..8)), now)).count();
    assert_eq!(taken as u32, IDS_MAX / 8);
    let leave = |backoff| Sent::Prune("lobby".into(), backoff);
    assert!(!intake.take_control(&peer, &leave(Some(BACKOFF_S_MAX + 1)), now), "for ever is too long");
    assert!(intake.take_control(&peer, &leave(Some(60)), now) && intake.take_control(&peer, &leave(None), now));
    let graft = || Sent::Graft("lobby".into());
    let taken = (0..1_000).filter(|_| intake.take_control(&peer, &graft(), now)).count();
    assert_eq!(taken as u32, MESH_CHANGES_MAX - 2);
    assert!(intake.is_deaf_to(&peer, now), "who goes on for so long is not heard");
    let other = PeerId::random();
    intake.on_connected(other, now);
    assert!(intake.take_control(&other, &graft(), now), "others are");
}

#[test]
fn an_offender_is_not_heard_and_not_let_in_again_until_that_is_forgotten() {
    let (mut intake, peer, now) = intake();
    intake.offend(&peer, OFFENCES_MAX - 1.0, now);
    assert!(!intake.is_deaf_to(&peer, now));
    intake.offend(&peer, 100.0, now);
    assert!(intake.is_deaf_to(&peer, now) && !intake.is_shut_out(&peer, now));
    intake.on_disconnected(&peer, now);
    assert!(intake.is_shut_out(&peer, now) && intake.is_shut_out(&peer, now + Duration::from_secs(60)));
    let later = now + Duration::from_secs_f32(3.1 * FORGET_HALF_S);
    assert!(!intake.is_shut_out(&peer, later), "a hundred offences count as twice too many");
    intake.on_connected(peer, now);
    assert!(intake.is_deaf_to(&peer, now), "nor does it start anew before");
}

#[test]
fn of_those_who_left_only_so_many_offenders_are_remembered() {
    let (mut intake, _, now) = intake();
    for bad in (0..4 * OFFENDERS_MAX).map(|number| number % 2 == 0) {
        let peer = PeerId::random();
        intake.on_connected(peer, now);
        intake.offend(&peer, if bad { 9.0 } else { 0.5 }, now);
        intake.on_disconnected(&peer, now);
    }
    assert_eq!((intake.left.len(), intake.conducts.len()), (OFFENDERS_MAX, 1));
}

#[test]
fn an_allowance_grows_back() {
    let now = Instant::now();
    let mut allowance = Allowance::new(3, 100, now);
    assert!(allowance.take(3, now) && !allowance.take(1, now));
    let after = |ms| now + Duration::from_millis(ms);
    assert!(!allowance.take(1, after(99)) && allowance.take(1, after(100)) && !allowance.take(1, after(150)));
    assert!(allowance.take(1, after(200)), "what is left of the time counts on");
    assert!(allowance.take(3, after(1_000)) && !allowance.take(1, after(1_000)));
}
