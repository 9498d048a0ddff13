//! Our own packets, byte by byte, and what each of the others needs in them.

use super::super::{
    forms,
    limits::RECORDS_PER_PACKET_MAX,
    message::{Found, decode, strings},
};
use super::*;

const PEER: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";

fn own(services: &[&str]) -> Own {
    let config = Config { services: services.iter().map(|it| (*it).into()).collect(), ..Config::default() };
    Own::new(&config, PEER.parse().unwrap(), &mut fastrand::Rng::with_seed(7)).unwrap()
}

fn addresses(texts: &[&str]) -> Vec<OwnAddress> {
    texts.iter().map(|it| OwnAddress::of(&it.parse().unwrap()).unwrap()).collect()
}

fn label(own: &Own) -> String {
    String::from_utf8(own.host.iter().next().unwrap().to_vec()).unwrap()
}

fn texts(record: &Found) -> Vec<String> {
    let Data::Txt(txt) = &record.data else { return vec![] };
    strings(txt).map(|it| String::from_utf8(it.to_vec()).unwrap()).collect()
}

#[test]
fn the_answer_byte_by_byte() {
    let own = own(&["_p2p._udp"]);
    let label = label(&own);
    let packets = own.answers(Asked::Service(0), &addresses(&["/ip4/10.9.0.1/tcp/4001", "/ip6/fd00::1/tcp/4002"]));
    let host = forms::name(&format!("{label}.local"));
    let best = format!("dnsaddr=/ip4/10.9.0.1/tcp/4001/p2p/{PEER}");
    let strings = [best.clone(), format!("dnsaddr=/ip6/fd00::1/tcp/4002/p2p/{PEER}"), best];
    // As on the wire: names point back to where they stood first, except in the SRV (RFC 2782).
    let instance = [&[label.len() as u8], label.as_bytes(), &[0xc0, 12]].concat();
    let service = forms::name("_p2p._udp.local");
    let instance_again = vec![0xc0, (12 + service.len() + 10) as u8];
    let srv = [&[0, 0, 0, 0, 15, 161], &host[..]].concat();
    let additionals = [
        (instance_again.clone(), forms::SRV, 0x8001, 120, srv),
        (instance_again, forms::TXT, 0x8001, 120, forms::txt(&strings)),
    ];
    let answers = [(service, forms::PTR, 1, 120, instance)];
    let mut packet = forms::packet(0, 0x8400, &[], [&answers, &[], &additionals]);
    packet[11] = 4;
    assert_eq!(packets.len(), 1);
    assert_eq!(packets[0][..packet.len()], packet, "PTR, SRV and TXT");
    let decoded = decode(&packets[0]).unwrap();
    assert_eq!(decoded.additionals.len(), 4, "and A and AAAA");
    assert!(packets[0].windows(6).any(|it| it == [0, 4, 10, 9, 0, 1]) && packets[0].ends_with(&[0, 1]));
    let host = Name::from_labels([label.as_bytes(), b"local"]).unwrap();
    assert!(decoded.additionals[2..].iter().all(|it| it.name == host && it.flushes && it.ttl_s == 120));
}

#[test]
fn many_addresses_take_several_packets_each_complete() {
    let own = own(&["universal-connectivity"]);
    let all: Vec<String> =
        (1..=32).map(|it| format!("/ip6/fd00:1111:2222:3333:4444:5555:6666:{it}/tcp/40001")).collect();
    let all = addresses(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let packets = own.answers(Asked::Service(0), &all);
    assert!(packets.len() > 1);
    let mut found = Vec::new();
    for bytes in &packets {
        assert!(bytes.len() <= SENT_BYTES_MAX, "{}", bytes.len());
        let packet = decode(bytes).unwrap();
        assert_eq!((packet.answers.len(), packet.questions.len(), packet.id), (1, 0, 0));
        let texts: Vec<_> = packet.additionals.iter().flat_map(texts).collect();
        assert_eq!(texts.first(), texts.last());
        assert_eq!(texts[0], all[0].text(&own.peer), "the best in each");
        // SRV, TXT, and an AAAA for each address but the repeated one.
        assert_eq!(packet.additionals.len(), 2 + texts.len() - 1);
        found.extend(texts);
    }
    assert!(all.iter().all(|it| found.contains(&it.text(&own.peer))));
    assert!(own.answers(Asked::Service(0), &[]).is_empty(), "nothing to say without an address");
}

#[test]
fn only_our_names_are_answered() {
    let own = own(&["_p2p._udp", "meetme"]);
    let label = label(&own);
    let asked = |text: &str, kind| {
        let packet = forms::packet(0, 0, &[(forms::name(text), kind, 1)], [&[], &[], &[]]);
        own.asked(&decode(&packet).unwrap().questions[0])
    };
    let any = 255;
    assert_eq!(asked("_P2P._UDP.Local", forms::PTR), [Asked::Service(0)]);
    assert_eq!(asked("meetme.local", any), [Asked::Service(1)]);
    assert_eq!(asked("_services._dns-sd._udp.local", forms::PTR), [Asked::Type(0)]);
    assert_eq!(asked(&format!("{label}._p2p._udp.local"), forms::SRV), [Asked::Instance(0)]);
    assert_eq!(asked(&format!("{label}.meetme.local"), forms::TXT), [Asked::Instance(1)]);
    assert_eq!(asked(&format!("{label}.local"), forms::AAAA), [Asked::Host]);
    for other in ["_p2p._tcp.local", "p2p.local", "local", "x._p2p._udp.local", "meetme.local.example"] {
        assert_eq!(asked(other, any), []);
    }
    assert_eq!(asked("meetme.local", forms::TXT), []);
    assert_eq!(asked(&format!("{label}.local"), forms::PTR), []);
}

#[test]
fn a_plain_dns_client_gets_its_id_and_question_back() {
    let own = own(&["_p2p._udp"]);
    let packet = decode(&forms::query(0xbeef, "_p2p._udp.local")).unwrap();
    let best = addresses(&["/ip4/10.9.0.1/tcp/4001"]);
    let bytes = own.legacy_answer(Asked::Service(0), &best, packet.id, &packet.questions[0]);
    let answer = decode(&bytes).unwrap();
    assert_eq!((answer.id, &answer.questions), (0xbeef, &packet.questions));
    assert!(answer.answers.iter().chain(&answer.additionals).all(|it| it.ttl_s <= 10 && !it.flushes));
}

#[test]
fn known_answers_fit_and_suppress() {
    let own = own(&["_p2p._udp"]);
    let mine = own.instance(0).clone();
    let query = |known: &[(Name, u32)]| decode(&own.query(0, known.iter().cloned())).unwrap();
    assert!(own.is_known(Asked::Service(0), &query(&[(mine.clone(), 60)])));
    assert!(!own.is_known(Asked::Service(0), &query(&[(mine.clone(), 59)])), "half of its time is over");
    assert!(!own.is_known(Asked::Service(0), &query(&[(own.host.clone(), 120)])));
    assert!(!own.is_known(Asked::Instance(0), &query(&[(mine, 120)])));
    let crowd: Vec<_> = (0..100)
        .map(|it| (Name::from_labels([format!("{it:0>63}").as_bytes(), b"_p2p", b"_udp", b"local"]).unwrap(), 100))
        .collect();
    let bytes = own.query(0, crowd.iter().cloned());
    let packet = decode(&bytes).unwrap();
    assert!(bytes.len() <= SENT_BYTES_MAX && packet.answers.len() > 10 && packet.answers.len() < 100);
    assert!(!packet.is_truncated && packet.answers.len() < RECORDS_PER_PACKET_MAX);
}

#[test]
fn a_goodbye_is_a_ptr_alone() {
    let own = own(&["_p2p._udp"]);
    let packet = decode(&own.goodbye(0)).unwrap();
    assert!(packet.is_response && packet.additionals.is_empty());
    assert_eq!(packet.answers.len(), 1);
    assert_eq!((packet.answers[0].ttl_s, &packet.answers[0].data), (0, &Data::Ptr(own.instance(0).clone())));
}

#[test]
fn a_probe_is_recognised_as_ours() {
    let own = own(&["_p2p._udp"]);
    let other = Own::new(&Config::default(), PeerId::random(), &mut fastrand::Rng::with_seed(8)).unwrap();
    let probe = decode(&own.probe(0, &addresses(&["/ip4/10.9.0.1/tcp/4001"]))).unwrap();
    assert!(own.is_claimed(&probe) && !other.is_claimed(&probe));
    assert_eq!(own.asked(&probe.questions[0]), [Asked::Instance(0)]);
}

#[test]
fn names_are_random_and_of_the_right_form() {
    for seed in 0..200 {
        let own = Own::new(&Config::default(), PeerId::random(), &mut fastrand::Rng::with_seed(seed)).unwrap();
        let label = label(&own);
        assert!((32..=63).contains(&label.len()), "{label}");
        assert!(label.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase()), "{label}");
    }
}

#[test]
fn service_names() {
    let refused = |services: &[&str]| {
        let config = Config { services: services.iter().map(|it| (*it).into()).collect(), ..Config::default() };
        Own::new(&config, PeerId::random(), &mut fastrand::Rng::with_seed(1)).unwrap_err()
    };
    for text in ["", ".", "a..b", "a b", "ä", ".local", &"x".repeat(64), &"x.".repeat(100)] {
        assert_eq!(refused(&[text]), ConfigError::Service(text.into()), "{text}");
    }
    assert_eq!(refused(&[]), ConfigError::ServiceCount(0));
    assert_eq!(refused(&["a", "b", "c", "d", "e", "f", "g", "h", "i"]), ConfigError::ServiceCount(9));
    let same = own(&["_p2p._udp", "_P2P._udp.local", "_p2p._udp.local."]);
    assert_eq!(same.services().len(), 1);
    assert_eq!(same.services()[0].to_ascii(), "_p2p._udp.local.");
}

/// RFC 6763 §9 lists types of the form `_x._udp` or `_x._tcp`; avahi logs an error at each browse for anything else.
#[test]
fn only_names_of_dns_sd_form_are_listed_as_types() {
    let own = own(&["_p2p._udp", "meetme", "universal-connectivity", "_chat._tcp", "_a._b._udp", "x._udp"]);
    let question = |kind| Question { name: name_of(TYPES), kind, wants_unicast: false };
    for kind in [RecordType::PTR, RecordType::ANY] {
        assert_eq!(own.asked(&question(kind)), [Asked::Type(0), Asked::Type(3)]);
    }
    let others = self::own(&["meetme"]);
    assert!(others.asked(&question(RecordType::PTR)).is_empty());
}
