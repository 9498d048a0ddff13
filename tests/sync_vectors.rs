//! Frames of catch-up, byte for byte: what `tests/vectors/sync.txt` and `sync_refused.txt` say holds in both directions.

#[allow(dead_code)]
#[path = "vectors/notation.rs"]
mod notation;
#[allow(dead_code)]
#[path = "chat_sim/random.rs"]
mod random;

use notation::{hex, lines};
use random::Random;
use std::collections::BTreeSet;
use std::fmt::Write;
use stonechat::wire::bounds::SYNC_FRAME_BYTES_MAX;
use stonechat::wire::sync::error::{DecodeError, NoRoom};
use stonechat::wire::sync::frame::{Refusal, Request, Response, Span, put_message};
use stonechat::wire::sync::item::{Item, SessionKey, Tag, Tags};
use stonechat::wire::sync::range::{Body, Ranges, RangesWriter};

fn bound(bound: Option<Item>) -> String {
    bound.map_or("end".into(), |item| {
        let length = item.hash.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let hash: String = item.hash[..length].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}/{hash}", item.stamp)
    })
}

fn tags(tags: Tags<'_>) -> String {
    let number = |tag: Tag| tag.to_bytes().iter().rev().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    tags.iter().map(|tag| format!(" {:x}", number(tag))).collect()
}

fn ranges(ranges: Ranges<'_>) -> String {
    let mut out = String::new();
    for range in ranges {
        let end = bound(range.end);
        match range.body {
            Body::Same => write!(out, "; same to {end}"),
            Body::Print(print) => write!(out, "; print {} {:x} to {end}", print.count, print.sum),
            Body::List(list) => write!(out, "; list{} to {end}", tags(list)),
            Body::Difference { lacks, extra } => write!(out, "; lacks{} extra{} to {end}", tags(lacks), tags(extra)),
        }
        .unwrap();
    }
    out
}

fn in_words(request: &Request<'_>) -> String {
    let key = |SessionKey([k0, k1])| format!("{k0:x} {k1:x}");
    match request {
        Request::Compare { question, since, ranges: list } => {
            let (key, list) = (key(question.key), ranges(*list));
            format!("compare {} key {key} limit {} since {since}{list}", question.topic, question.limit)
        }
        Request::Fetch { question, span: Span { upper, lower }, tags: list } => {
            let (key, from) = (key(question.key), upper.map_or("begin".into(), |upper| bound(Some(upper))));
            let list = tags(*list);
            format!(
                "fetch {} key {key} limit {} from {from} to {}:{list}",
                question.topic,
                question.limit,
                bound(*lower)
            )
        }
        Request::Give { topic, messages } => {
            let list: String = messages.map(|message| format!(" {}", String::from_utf8_lossy(message))).collect();
            format!("give {topic}:{list}")
        }
    }
}

fn response_in_words(response: &Response<'_>) -> String {
    match response {
        Response::Compared { since, ranges: list } => format!("compared since {since}{}", ranges(*list)),
        Response::Messages { answered, messages } => {
            let list: String = messages.map(|message| format!(" {}", String::from_utf8_lossy(message))).collect();
            format!("messages {answered}:{list}")
        }
        Response::Taken { looked_at, refused } => format!("taken {looked_at} refused {refused}"),
        Response::Refused(Refusal::UnknownRoom) => "unknown room".into(),
        Response::Refused(Refusal::Busy) => "busy".into(),
    }
}

/// Writes the ranges again, behind what begins a frame.
fn write_ranges(out: &mut [u8], begun: usize, list: Ranges<'_>) -> Result<usize, NoRoom> {
    let mut writer = RangesWriter::new(out, begun);
    let mut rest = None;
    for range in list {
        match (range.end, range.body) {
            (end, Body::Same) => writer.same(end),
            (None, Body::Print(print)) => rest = Some(print),
            (end, Body::Print(print)) => writer.print(end, print)?,
            (end, Body::List(list)) => writer.list(end, list.iter().collect::<Vec<_>>().into_iter())?,
            (end, Body::Difference { lacks, extra }) => {
                let vec = |tags: Tags<'_>| tags.iter().collect::<Vec<_>>().into_iter();
                writer.difference(end, vec(lacks), vec(extra))?;
            }
        }
    }
    writer.finish(rest)
}

fn write_request(request: &Request<'_>) -> Result<Vec<u8>, NoRoom> {
    let mut out = vec![0; SYNC_FRAME_BYTES_MAX];
    let used = match request {
        Request::Compare { question, since, ranges } => {
            let begun = Request::begin_compare(&mut out, question, *since)?;
            write_ranges(&mut out, begun, *ranges)?
        }
        Request::Fetch { question, span, tags } => {
            Request::fetch(&mut out, question, *span, tags.iter().collect::<Vec<_>>().into_iter())?
        }
        Request::Give { topic, messages } => {
            let mut used = Request::begin_give(&mut out, topic)?;
            for message in *messages {
                used = put_message(&mut out, used, message)?;
            }
            used
        }
    };
    out.truncate(used);
    Ok(out)
}

fn write_response(response: &Response<'_>) -> Result<Vec<u8>, NoRoom> {
    let mut out = vec![0; SYNC_FRAME_BYTES_MAX];
    let used = match response {
        Response::Compared { since, ranges } => {
            let begun = Response::begin_compared(&mut out, *since)?;
            write_ranges(&mut out, begun, *ranges)?
        }
        Response::Messages { answered, messages } => {
            let mut used = Response::begin_messages(&mut out, *answered)?;
            for message in *messages {
                used = put_message(&mut out, used, message)?;
            }
            used
        }
        Response::Taken { looked_at, refused } => Response::taken(&mut out, *looked_at, *refused)?,
        Response::Refused(refusal) => Response::refused(&mut out, *refusal)?,
    };
    out.truncate(used);
    Ok(out)
}

#[test]
fn accepted_frames_hold_both_ways() {
    let lines = lines(include_str!("vectors/sync.txt"));
    assert!(lines.len() >= 12);
    for line in &lines {
        let [kind, bytes, words] = line.as_slice() else { panic!("three fields: {line:?}") };
        let bytes = hex(bytes);
        let (said, written) = match *kind {
            "request" => {
                let request = Request::decode(&bytes).unwrap_or_else(|error| panic!("{error}: {line:?}"));
                (in_words(&request), write_request(&request))
            }
            _ => {
                let response = Response::decode(&bytes).unwrap_or_else(|error| panic!("{error}: {line:?}"));
                (response_in_words(&response), write_response(&response))
            }
        };
        assert_eq!((said.as_str(), written.as_deref()), (*words, Ok(bytes.as_slice())));
        for cut in 0..bytes.len() {
            let short = &bytes[..cut];
            let whole =
                if *kind == "request" { Request::decode(short).is_ok() } else { Response::decode(short).is_ok() };
            // Messages may end behind any of them.
            assert!(!whole || words.contains(':'), "cut after {cut}: {line:?}");
        }
    }
}

#[test]
fn refused_frames_name_the_rule() {
    let lines = lines(include_str!("vectors/sync_refused.txt"));
    assert!(lines.len() >= 20);
    let mut met = BTreeSet::new();
    for line in &lines {
        let [kind, bytes, why] = line.as_slice() else { panic!("three fields: {line:?}") };
        let bytes = hex(bytes);
        let error = match *kind {
            "request" => Request::decode(&bytes).map(|_| ()).unwrap_err(),
            _ => Response::decode(&bytes).map(|_| ()).unwrap_err(),
        };
        assert_eq!(format!("{error:?}"), *why, "{line:?}");
        met.insert(format!("{error:?}"));
    }
    assert_eq!(met.len(), 10, "each way to be refused is shown: {met:?}");
}

#[test]
fn no_bytes_do_harm() {
    let originals: Vec<(bool, Vec<u8>)> =
        lines(include_str!("vectors/sync.txt")).iter().map(|line| (line[0] == "request", hex(line[1]))).collect();
    let mut random = Random::new(0x57_0e_c4_a7);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..200_000 {
        let (is_request, mut bytes) = originals[random.index(originals.len())].clone();
        for _ in 0..=random.below(3) {
            let at = random.index(bytes.len());
            match random.below(5) {
                0 => bytes.insert(at, random.next() as u8),
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                2 => bytes.truncate(at.max(1)),
                _ => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, random.next() as u8][random.index(6)],
            }
        }
        // What can be read can be said, and written again.
        let written = if is_request {
            Request::decode(&bytes).map(|request| (in_words(&request).len(), write_request(&request).is_ok()))
        } else {
            Response::decode(&bytes)
                .map(|response| (response_in_words(&response).len(), write_response(&response).is_ok()))
        };
        match written {
            Ok((words, again)) => {
                assert!(words > 0 && again, "{bytes:02x?}");
                read += 1;
            }
            Err(DecodeError::FrameTooLong) => panic!("none is too long"),
            Err(_) => refused += 1,
        }
    }
    assert!(read > 20_000 && refused > 20_000, "{read} {refused}");
}
