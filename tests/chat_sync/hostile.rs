//! Peers that lie, forge, promise what they have not and ask for everything: they are left, and cost no more than their share.

use crate::network::{Network, SIGNED};
use stonechat::chat::sync::compare::Opening;
use stonechat::chat::sync::quota::Allowance;
use stonechat::chat::sync::session::Session;
use stonechat::chat::sync::sessions::{
    ANSWER_TIMEOUT_MS, BARRED_MS, BeginError, Input, Limits, Output, SESSION_MS_MAX, Sessions,
};
use stonechat::wire::sync::frame::{Refusal, Request, Response, Span, put_message};
use stonechat::wire::sync::item::{SessionKey, Tag};

const START: u64 = 1_790_000_000_000;

fn limits() -> Limits {
    Limits::for_history(16, 20_000, 16 << 20)
}

/// A peer of our own making that answers what it likes.
fn duel(answer: impl Fn(&Request<'_>) -> Vec<u8>) -> (Sessions<usize>, Vec<Output<usize>>, usize) {
    let mut network = Network::new(7, 1, limits());
    for n in 0..500 {
        network.say(0, START + n * 100, 50);
    }
    let topic = network.topic();
    let node = &mut network.nodes[0];
    let mut sessions = Sessions::new(0, limits());
    let begin = Input::Begin { peer: 9, topic, opening: Opening::Newest, key: SessionKey([1, 2]) };
    sessions.handle(begin, &mut node.rooms, 0).unwrap();
    let (mut seen, mut rounds, mut now) = (Vec::new(), 0, 0);
    while let Some(output) = sessions.poll_output() {
        now += 1;
        match &output {
            Output::Request { bytes, .. } => {
                rounds += 1;
                assert!(rounds < 5_000);
                let response = answer(&Request::decode(bytes).unwrap());
                sessions.handle(Input::Response { peer: 9, bytes: &response }, &mut node.rooms, now).unwrap();
            }
            Output::Deliver { messages, .. } => {
                assert!(messages.len() <= 512);
                let refused = messages.iter().filter(|message| message[0] != SIGNED).count() as u32;
                sessions.handle(Input::Judged { peer: 9, id: None, refused }, &mut node.rooms, now).unwrap();
            }
            _ => {}
        }
        seen.push(output);
    }
    (sessions, seen, rounds)
}

fn lists_for_ever(request: &Request<'_>) -> Option<Vec<u8>> {
    let Request::Compare { .. } = request else { return None };
    let mut out = vec![0; 8_192];
    let begun = Response::begin_compared(&mut out, 0).unwrap();
    let mut writer = stonechat::wire::sync::range::RangesWriter::new(&mut out, begun);
    let tags: Vec<_> = (0..500_u16).map(|n| Tag::from_bytes([n as u8, (n >> 8) as u8, 0, 0, 0, 0])).collect();
    writer.list(Some(stonechat::wire::sync::item::Item::before(START + 10)), tags.into_iter()).unwrap();
    let rest = stonechat::wire::sync::item::Print { count: 5, sum: 5 };
    let used = writer.finish(Some(rest)).unwrap();
    out.truncate(used);
    Some(out)
}

#[test]
fn a_peer_that_promises_what_it_has_not_is_left() {
    let (sessions, seen, rounds) = duel(|request| {
        lists_for_ever(request).unwrap_or_else(|| {
            let mut out = vec![0; 8];
            let used = match request {
                Request::Fetch { tags, .. } => Response::begin_messages(&mut out, tags.len() as u16),
                Request::Give { messages, .. } => Response::taken(&mut out, messages.count() as u16, 0),
                Request::Compare { .. } => unreachable!(),
            };
            out[..used.unwrap()].to_vec()
        })
    });
    assert!(seen.contains(&Output::Misbehaved { peer: 9 }) && sessions.counts().misbehaved.value() == 1);
    assert!(rounds < 60, "{rounds}");
}

#[test]
fn a_peer_that_brings_forged_messages_is_left_and_not_listened_to_for_a_while() {
    let (mut sessions, seen, rounds) = duel(|request| {
        lists_for_ever(request).unwrap_or_else(|| {
            let Request::Fetch { .. } = request else { return vec![2, 1, 0] };
            let mut out = vec![0; 4_096];
            let mut used = Response::begin_messages(&mut out, 5).unwrap();
            for _ in 0..5 {
                used = put_message(&mut out, used, b"forged").unwrap();
            }
            out[..used].to_vec()
        })
    });
    assert!(seen.contains(&Output::Misbehaved { peer: 9 }) && rounds < 20, "{rounds}");
    let mut network = Network::new(7, 1, limits());
    let topic = network.topic();
    let rooms = &mut network.nodes[0].rooms;
    let begin = |topic| Input::Begin { peer: 9, topic, opening: Opening::Newest, key: SessionKey([1, 2]) };
    assert_eq!(sessions.handle(begin(topic.clone()), rooms, 1_000), Err(BeginError::Barred));
    let asks =
        Session::begin(&rooms.index[topic.as_str()], &topic, SessionKey([3, 4]), 4_096, 0, Opening::Newest).unwrap();
    sessions.handle(Input::Request { peer: 9, id: 5, bytes: asks.request() }, rooms, 1_000).unwrap();
    let busy = Response::Refused(Refusal::Busy);
    match sessions.poll_output() {
        Some(Output::Response { id: 5, bytes, .. }) => assert_eq!(Response::decode(&bytes), Ok(busy)),
        other => panic!("{other:?}"),
    }
    assert_eq!(sessions.handle(begin(topic), rooms, 2_000 + BARRED_MS), Ok(()));
}

#[test]
fn answers_to_other_questions_and_more_than_was_asked_for_are_misbehaviour() {
    let too_many = |request: &Request<'_>| {
        lists_for_ever(request).unwrap_or_else(|| {
            let mut out = vec![0; 64];
            let used = Response::begin_messages(&mut out, 513).unwrap();
            out[..used].to_vec()
        })
    };
    let wrong_kind = |request: &Request<'_>| lists_for_ever(request).unwrap_or_else(|| vec![2, 0, 0]);
    let nothing_answered = |request: &Request<'_>| lists_for_ever(request).unwrap_or_else(|| vec![1, 0]);
    type Answer<'a> = &'a dyn Fn(&Request<'_>) -> Vec<u8>;
    let answers: [Answer<'_>; 3] = [&too_many, &wrong_kind, &nothing_answered];
    for answer in answers {
        let (sessions, seen, rounds) = duel(answer);
        assert!(seen.contains(&Output::Misbehaved { peer: 9 }) && rounds == 2, "{rounds}");
        assert_eq!((sessions.sessions().length, sessions.counts().failed.value()), (0, 1));
    }
}

#[test]
fn one_that_asks_for_everything_again_and_again_gets_its_share_and_no_more() {
    let mut network = Network::new(8, 1, limits());
    for n in 0..1_000 {
        network.say(0, START + n * 100, 300);
    }
    let (topic, key) = (network.topic(), SessionKey([1, 2]));
    let rooms = &mut network.nodes[0].rooms;
    let tags: Vec<Tag> = rooms.index[topic.as_str()].items.iter().take(500).map(|item| key.tag(item)).collect();
    let mut shares = limits().shares;
    shares.sent_messages = Allowance { burst: 2_000, per_hour: 600 };
    shares.sent_bytes = Allowance { burst: 1 << 30, per_hour: 0 };
    let mut sessions = Sessions::new(0, Limits { shares, ..limits() });
    let question = stonechat::wire::sync::frame::Question { topic: &topic, key, limit: 16_384 };
    let mut request = vec![0; 16_384];
    let used = Request::fetch(&mut request, &question, Span { upper: None, lower: None }, tags.into_iter()).unwrap();
    let (mut sent, mut busy) = (0, 0);
    // For an hour, three times a second.
    for turn in 0..10_800_u64 {
        let input = Input::Request { peer: 1, id: turn, bytes: &request[..used] };
        sessions.handle(input, rooms, turn * 333).unwrap();
        let Some(Output::Response { bytes, .. }) = sessions.poll_output() else { panic!("no answer") };
        match Response::decode(&bytes).unwrap() {
            Response::Messages { messages, .. } => sent += messages.count(),
            Response::Refused(Refusal::Busy) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!((2_400..=2_700).contains(&sent) && busy > 9_000, "{sent} sent, {busy} times busy");
    // Another peer has its own.
    sessions.handle(Input::Request { peer: 2, id: 0, bytes: &request[..used] }, rooms, 3_600_000).unwrap();
    let Some(Output::Response { bytes, .. }) = sessions.poll_output() else { panic!("no answer") };
    assert!(matches!(Response::decode(&bytes), Ok(Response::Messages { .. })));
}

#[test]
fn a_session_has_an_end_whatever_the_peer_does() {
    let mut network = Network::new(10, 2, Limits { frame_bytes_max: 4_096, ..limits() });
    network.delay_ms = 1;
    for n in 0..500 {
        network.say(0, START + n * 100, 300);
    }
    let topic = network.topic();
    let (serving, asking) = network.nodes.split_at_mut(1);
    let mut sessions = Sessions::new(1, limits());
    let begin = Input::Begin { peer: 0, topic, opening: Opening::Newest, key: SessionKey([1, 2]) };
    sessions.handle(begin, &mut asking[0].rooms, 0).unwrap();
    // Every answer comes, but late.
    let (mut now, mut end) = (0, None);
    while end.is_none() {
        match sessions.poll_output() {
            Some(Output::Request { bytes, .. }) => {
                now += ANSWER_TIMEOUT_MS - 1;
                serving[0]
                    .sessions
                    .handle(Input::Request { peer: 1, id: 0, bytes: &bytes }, &mut serving[0].rooms, now)
                    .unwrap();
                let response = loop {
                    match serving[0].sessions.poll_output() {
                        Some(Output::Response { bytes, .. }) => break bytes,
                        Some(_) => {}
                        None => panic!("no answer"),
                    }
                };
                sessions.handle_timeout(now);
                sessions.handle(Input::Response { peer: 0, bytes: &response }, &mut asking[0].rooms, now).unwrap();
            }
            Some(Output::Deliver { topic, messages, .. }) => {
                messages.iter().for_each(|message| assert_eq!(asking[0].rooms.keep(&topic, message), Ok(true)));
                sessions.handle(Input::Judged { peer: 0, id: None, refused: 0 }, &mut asking[0].rooms, now).unwrap();
            }
            Some(Output::Ended { end: ended, fetched, .. }) => {
                end = Some((ended.map_err(|why| why.to_string()), fetched))
            }
            Some(_) => {}
            None => panic!("nothing to do, and no end"),
        }
    }
    let (end, fetched) = end.unwrap();
    assert_eq!(end, Err("it took too long".into()));
    assert!(now >= SESSION_MS_MAX && fetched > 100, "{now} {fetched}");
}
