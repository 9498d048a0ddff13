//! The packets of other implementations, and garbage.

use super::super::forms;
use super::*;

const SERVICE: &str = "_p2p._udp.local";

fn texts(records: &[Found]) -> Vec<String> {
    let all = records.iter().filter_map(|it| match &it.data {
        Data::Txt(txt) => Some(strings(txt).map(|it| String::from_utf8_lossy(it).into_owned()).collect::<Vec<_>>()),
        _ => None,
    });
    all.flatten().collect()
}

fn pointers(records: &[Found]) -> Vec<String> {
    let all = records.iter().filter_map(|it| match &it.data {
        Data::Ptr(name) => Some(format!("{} {}", it.name.to_ascii(), name.to_ascii())),
        _ => None,
    });
    all.collect()
}

#[test]
fn go_writes_so() {
    let packet = decode(&forms::go(SERVICE, "aaa", &["/x", "/y"], 3200)).unwrap();
    assert!(packet.is_response && packet.id == 77);
    assert_eq!(pointers(&packet.answers), ["_p2p._udp.local. aaa._p2p._udp.local."]);
    assert_eq!(texts(&packet.additionals), ["dnsaddr=/x", "dnsaddr=/y"]);
    assert_eq!(packet.additionals[1].name.to_ascii(), "aaa._p2p._udp.local.");
    assert_eq!(packet.additionals[1].ttl_s, 3200);
    let bye = decode(&forms::go_announcement(SERVICE, "aaa", &["/x"], 0)).unwrap();
    assert!(bye.answers.iter().all(|it| it.ttl_s == 0) && bye.answers[0].flushes && bye.answers.len() == 5);
}

#[test]
fn js_py_and_rust_write_so() {
    let js = decode(&forms::js(SERVICE, "bbb", &["/x", "/y"])).unwrap();
    assert_eq!(texts(&js.answers), ["dnsaddr=/x", "dnsaddr=/y"]);
    assert_eq!(pointers(&js.answers), ["_p2p._udp.local. bbb._p2p._udp.local."]);
    let py = decode(&forms::py(SERVICE, "ccc", &["/x", "/y"])).unwrap();
    assert_eq!(texts(&py.answers), ["id=ignored", "dnsaddr=/x", "dnsaddr2=/y"]);
    assert_eq!(py.answers.len(), 5);
    let rust = decode(&forms::rust(SERVICE, "ddd", &["/x", "/y"])).unwrap();
    assert_eq!(texts(&rust.additionals), ["dnsaddr=/x", "dnsaddr=/y"]);
    assert_eq!(pointers(&rust.answers), ["_p2p._udp.local. ddd."]);
}

#[test]
fn questions() {
    let unicast = forms::packet(3, 0x0200, &[(forms::name("a.local"), 255, 0x8001)], [&[], &[], &[]]);
    let packet = decode(&unicast).unwrap();
    assert!(!packet.is_response && packet.is_truncated && packet.id == 3);
    assert!(packet.questions[0].wants_unicast && packet.questions[0].kind == RecordType::ANY);
    let chaos = forms::packet(3, 0, &[(forms::name("a.local"), 16, 3)], [&[], &[], &[]]);
    assert!(decode(&chaos).unwrap().questions.is_empty());
}

#[test]
fn strange_records_of_others_cost_nothing() {
    let strange: Vec<forms::Record> = [0u16, 41, 43, 47, 64, 65, 250, 65_535]
        .map(|kind| (forms::name("x.local"), kind, 0x8001, 1, vec![0xff; 9]))
        .to_vec();
    let chaos =
        [(forms::name("x.local"), forms::TXT, 3, 1, vec![3, 1]), (forms::name("x.local"), forms::TXT, 1, 1, vec![])];
    let bytes = forms::packet(0, 0x8400, &[], [&strange, &chaos, &chaos]);
    let packet = decode(&bytes).unwrap();
    assert!(packet.answers.iter().all(|it| it.data == Data::Other));
    assert_eq!((packet.answers.len(), packet.authorities.len()), (8, 1));
    assert_eq!(packet.additionals.len(), 1, "the other is of another class");
    assert!(texts(&packet.additionals).is_empty());
}

#[test]
fn what_is_no_packet_is_refused() {
    let good = forms::go(SERVICE, "aaa", &["/x"], 120);
    for length in 0..good.len() {
        assert!(decode(&good[..length]).is_err(), "cut at {length}");
    }
    for flags in [0x8401, 0x2800, 0x7fff] {
        assert_eq!(decode(&forms::packet(0, flags, &[], [&[], &[], &[]])), Err(Malformed::Operation));
    }
    for at in [4, 6, 8, 10] {
        let mut claims = good.clone();
        claims[at] = 0xff;
        assert_eq!(decode(&claims), Err(Malformed::Records));
    }
    // A name that points at itself, one that points ahead, a PTR longer than its data.
    for tail in [&[0xc0, 12, 0, 12, 0, 1][..], &[0xc0, 40, 0, 12, 0, 1], &[64, 1, 0, 12, 0, 1]] {
        let bytes = [&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], tail].concat();
        assert_eq!(decode(&bytes), Err(Malformed::Bytes));
    }
    let short = forms::packet(0, 0x8400, &[], [&[(forms::name("a"), forms::PTR, 1, 1, forms::name("b"))], &[], &[]]);
    let mut lies = short.clone();
    let length_at = short.len() - 4;
    lies[length_at] = 1;
    assert_eq!(decode(&lies), Err(Malformed::Bytes));
}

#[test]
fn strings_end_where_their_lengths_lie() {
    let all = |txt: &[u8]| strings(txt).map(<[u8]>::to_vec).collect::<Vec<_>>();
    assert_eq!(all(b"\x01a\x00\x02bc"), [&b"a"[..], b"", b"bc"]);
    assert_eq!(all(b"\x01a\x03bc"), [b"a"]);
    assert!(all(b"").is_empty() && all(b"\xff").is_empty());
}

/// Mutations of good packets: no panic, no more than was sent.
#[test]
fn garbage_never_panics() {
    let mut random = fastrand::Rng::with_seed(20_261_123);
    let good = [
        forms::go(SERVICE, "aaa", &["/x", "/y"], 3200),
        forms::js(SERVICE, "bbb", &["/x"]),
        forms::py(SERVICE, "ccc", &["/x", "/y"]),
        forms::rust(SERVICE, "ddd", &["/x"]),
        forms::query(1, SERVICE),
    ];
    let mut read = 0;
    for _ in 0..200_000 {
        let mut bytes = good[random.usize(..good.len())].clone();
        for _ in 0..random.usize(1..8) {
            match random.u8(..4) {
                0 => bytes.truncate(random.usize(..=bytes.len())),
                1 => bytes.extend(std::iter::repeat_with(|| random.u8(..)).take(9)),
                _ if bytes.is_empty() => {}
                2 => {
                    let at = random.usize(..bytes.len());
                    bytes[at] = random.u8(..);
                }
                _ => {
                    let at = random.usize(..bytes.len());
                    bytes[at] ^= 1 << random.u8(..8);
                }
            }
        }
        if let Ok(packet) = decode(&bytes) {
            read += 1;
            assert!(packet.answers.len() + packet.additionals.len() + packet.questions.len() <= RECORDS_PER_PACKET_MAX);
        }
    }
    assert!(read > 10_000, "only {read} of the mutations could be read: the test tests nothing");
}
