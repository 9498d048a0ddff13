//! Records made to keep a peer busy: everything comes to an end, and early.

use stonechat::net::dns::{
    ADDRESSES_PER_ANSWER_MAX, DIAL_ATTEMPTS_MAX, Error, FAILURES_MAX, Failure, LOOKUPS_PER_DIAL_MAX,
};

use crate::{
    dialer::{Dialer, Files, listen},
    zone::{Zone, dnsaddr, host},
};

/// What a dial of `address` fails with, and how many TXT questions it took.
fn failures(test: &str, records: &[String], address: &str) -> Option<(String, Vec<String>, usize)> {
    let zone = Zone::new(test)?;
    let server = zone.serve("127.0.0.1", records);
    let files = Files::new();
    files.write("resolv.conf", "nameserver 127.0.0.1\n");
    let error = zone.enter(|| Dialer::new(files.config()).dial(address).unwrap_err());
    let Error::Dial { failures, .. } = &error else { panic!("{error}") };
    assert!(failures.len() <= FAILURES_MAX);
    Some((error.to_string(), failures.iter().map(Failure::to_string).collect(), server.questions("TXT")))
}

#[test]
fn a_dnsaddr_that_leads_to_itself_ends() {
    let records = ["--local-ttl=300".into(), dnsaddr("loop.test", "/dnsaddr/loop.test")];
    let Some((_, failures, questions)) = failures("loop", &records, "/dnsaddr/loop.test") else { return };
    assert_eq!(failures, ["a dnsaddr leads to another more than 3 times"]);
    assert_eq!(questions, 1, "the answer is remembered");
}

#[test]
fn a_dnsaddr_that_leads_to_many_of_its_kind_ends() {
    // 16 to the fourth power if nobody counted.
    let mut records = Vec::new();
    for at in 0..16 {
        for to in 0..16 {
            records.push(dnsaddr(&format!("n{at}.test"), &format!("/dnsaddr/n{to}.test")));
        }
    }
    let Some((_, failures, questions)) = failures("many", &records, "/dnsaddr/n0.test") else { return };
    assert_eq!(failures, ["a dnsaddr leads to another more than 3 times", "more than 32 lookups"]);
    // Without a time to live nothing is remembered. What does not fit into a packet is asked twice.
    assert!((2..=2 * LOOKUPS_PER_DIAL_MAX).contains(&questions), "{questions}");
}

#[test]
fn a_hundred_records_are_sixteen_dials() {
    let records: Vec<_> = (1..=100).map(|at| dnsaddr("many.test", &format!("/ip4/127.0.1.{at}/tcp/9"))).collect();
    let Some((_, failures, _)) = failures("hundred", &records, "/dnsaddr/many.test") else { return };
    assert_eq!(failures.len(), ADDRESSES_PER_ANSWER_MAX);
    assert!(failures.iter().all(|it| it.contains("nobody listens there")), "{failures:?}");
}

#[test]
fn more_addresses_than_dials_are_left_alone() {
    let mut records: Vec<_> = (1..=3).map(|at| dnsaddr("all.test", &format!("/dnsaddr/part{at}.test"))).collect();
    for part in 1..=3 {
        for at in 1..=10 {
            records.push(dnsaddr(&format!("part{part}.test"), &format!("/ip4/127.0.{part}.{at}/tcp/9")));
        }
    }
    let Some((text, failures, _)) = failures("attempts", &records, "/dnsaddr/all.test") else { return };
    assert_eq!(failures.iter().filter(|it| it.contains("nobody listens there")).count(), DIAL_ATTEMPTS_MAX);
    assert!(text.ends_with("; and 1 more"), "{text}");
}

#[test]
fn a_name_with_many_addresses_is_sixteen_dials() {
    let Some(zone) = Zone::new("addresses") else { return };
    let records: Vec<_> = (1..=40).map(|at| host("many.test", &format!("127.0.2.{at}"))).collect();
    let server = zone.serve("127.0.0.1", &records);
    let files = Files::new();
    files.write("resolv.conf", "nameserver 127.0.0.1\n");
    let failed = zone.enter(|| Dialer::new(files.config()).fail("/dns4/many.test/tcp/9"));
    assert_eq!(failed.matches("nobody listens there").count(), ADDRESSES_PER_ANSWER_MAX, "{failed}");
    assert_eq!(server.questions("A"), 1 + 1, "by UDP, and again by TCP because it is long");
}

#[test]
fn an_answer_is_remembered_and_the_tasks_end() {
    let Some(zone) = Zone::new("cache") else { return };
    let server = zone.serve("127.0.0.1", &["--local-ttl=300".into(), host("four.test", "10.53.0.1")]);
    let files = Files::new();
    files.write("resolv.conf", "nameserver 127.0.0.1\n");
    zone.enter(|| {
        let mut dialer = Dialer::new(files.config());
        let (_listener, port) = listen("10.53.0.1");
        for _ in 0..5 {
            dialer.dial(&format!("/dns4/four.test/tcp/{port}")).unwrap();
        }
        assert_eq!(dialer.executor.tasks(), [("dns", 1)], "one for the one server, by UDP");
        let Dialer { executor, transport } = dialer;
        drop(transport);
        executor.block_on(async {
            while !executor.tasks().is_empty() {
                smol::future::yield_now().await;
            }
        });
    });
    assert_eq!(server.questions("A"), 1);
}
