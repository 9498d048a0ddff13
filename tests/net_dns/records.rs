//! Each kind of record, from a real name server.

use std::net::{IpAddr, SocketAddr};

use crate::{
    dialer::{Dialer, Files, listen},
    zone::{Zone, dnsaddr, host},
};

const A: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
const B: &str = "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X";

/// In a namespace, with a server at 127.0.0.1 that has these records.
fn with(test: &str, options: &[String], work: impl FnOnce(&mut Dialer) + Send) {
    let Some(zone) = Zone::new(test) else { return };
    let _server = zone.serve("127.0.0.1", options);
    let files = Files::new();
    files.write("resolv.conf", "search domain.test\nnameserver 127.0.0.1\n");
    zone.enter(|| work(&mut Dialer::new(files.config())));
}

fn socket(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port)
}

#[test]
fn addresses_are_found_by_family() {
    let records = [
        host("both.test", "10.53.0.1"),
        host("both.test", "fd53::1"),
        host("four.test", "10.53.0.2"),
        host("six.test", "fd53::2"),
        host("short.domain.test", "10.53.0.2"),
        "--cname=alias.test,four.test".into(),
    ];
    with("family", &records, |dialer| {
        let (four, six) = (listen("0.0.0.0"), listen("::"));
        for (address, ip) in [
            ("/dns4/both.test", "10.53.0.1"),
            ("/dns6/both.test", "fd53::1"),
            ("/dns/both.test", "10.53.0.1"),
            ("/dns/four.test", "10.53.0.2"),
            ("/dns/six.test", "fd53::2"),
            ("/dns4/FOUR.Test.", "10.53.0.2"),
            ("/dns4/alias.test", "10.53.0.2"),
            ("/dns4/short", "10.53.0.2"),
            ("/dns4/10.53.0.2", "10.53.0.2"),
            ("/dns6/fd53::2", "fd53::2"),
        ] {
            let port = if ip.contains(':') { six.1 } else { four.1 };
            assert_eq!(dialer.dial(&format!("{address}/tcp/{port}")).unwrap(), socket(ip, port), "{address}");
        }
        assert_eq!(
            dialer.fail("/dns6/four.test/tcp/1"),
            "cannot dial /dns6/four.test/tcp/1: four.test has no IPv6 address"
        );
        assert_eq!(
            dialer.fail("/dns4/six.test/tcp/1"),
            "cannot dial /dns4/six.test/tcp/1: six.test has no IPv4 address"
        );
        assert!(dialer.fail("/dns6/10.53.0.2/tcp/1").ends_with("10.53.0.2 has no IPv6 address"));
    });
}

#[test]
fn the_other_family_is_tried_when_the_first_cannot_be_reached() {
    let records = [host("both.test", "10.53.0.1"), host("both.test", "fd53::1")];
    with("other", &records, |dialer| {
        let (_listener, port) = listen("fd53::1");
        assert_eq!(dialer.dial(&format!("/dns/both.test/tcp/{port}")).unwrap(), socket("fd53::1", port));
        let failed = dialer.fail("/dns/both.test/tcp/9");
        let wanted = "cannot dial /dns/both.test/tcp/9: \
             /ip4/10.53.0.1/tcp/9: cannot dial 10.53.0.1:9: nobody listens there; \
             /ip6/fd53::1/tcp/9: cannot dial [fd53::1]:9: nobody listens there";
        assert_eq!(failed, wanted);
    });
}

#[test]
fn a_name_that_does_not_exist_is_an_answer() {
    with("nx", &[], |dialer| {
        for kind in ["dns", "dns4", "dns6"] {
            let address = format!("/{kind}/nobody.test/tcp/1");
            assert_eq!(dialer.fail(&address), format!("cannot dial {address}: nobody.test does not exist"));
        }
        assert_eq!(
            dialer.fail("/dnsaddr/nobody.test"),
            "cannot dial /dnsaddr/nobody.test: _dnsaddr.nobody.test does not exist"
        );
        let long = "x".repeat(64);
        assert_eq!(
            dialer.fail(&format!("/dns4/{long}.test/tcp/1")),
            format!("cannot dial /dns4/{long}.test/tcp/1: \"{long}.test\" is no name in DNS")
        );
    });
}

#[test]
fn dnsaddr_records_are_followed_and_filtered() {
    let Some(zone) = Zone::new("dnsaddr") else { return };
    let (four, six) = zone.enter(|| (listen("0.0.0.0"), listen("::")));
    let (port, port6) = (four.1, six.1);
    let records = [
        // The first record leads nowhere, two are none, the last works.
        dnsaddr("list.test", "/ip4/10.53.0.1/tcp/9"),
        "--txt-record=_dnsaddr.list.test,v=spf1 -all".into(),
        dnsaddr("list.test", "nonsense"),
        dnsaddr("list.test", &format!("/ip4/10.53.0.2/tcp/{port}/p2p/{A}")),
        // One name for two peers.
        dnsaddr("peers.test", &format!("/ip4/10.53.0.1/tcp/{port}/p2p/{A}")),
        dnsaddr("peers.test", &format!("/ip6/fd53::2/tcp/{port6}/p2p/{B}")),
        // Through another dnsaddr, as bootstrap.libp2p.io does, and then through a name.
        dnsaddr("outer.test", &format!("/dnsaddr/inner.test/p2p/{A}")),
        dnsaddr("outer.test", &format!("/dnsaddr/inner.test/p2p/{B}")),
        dnsaddr("inner.test", &format!("/dns4/four.test/tcp/{port}/p2p/{A}")),
        dnsaddr("inner.test", &format!("/dns6/six.test/tcp/{port6}/p2p/{B}")),
        host("four.test", "10.53.0.2"),
        host("six.test", "fd53::1"),
        // Not for TCP.
        dnsaddr("udp.test", "/ip4/10.53.0.1/udp/9/quic-v1"),
        dnsaddr("udp.test", "/ip4/10.53.0.2/udp/9/quic-v1"),
        // A record's strings are one text.
        format!("--txt-record=_dnsaddr.split.test,dnsaddr=/ip4/10.5,3.0.1/tcp/{port}"),
        "--txt-record=_dnsaddr.text.test,v=spf1 -all".into(),
    ];
    let _server = zone.serve("127.0.0.1", &records);
    let files = Files::new();
    files.write("resolv.conf", "nameserver 127.0.0.1\n");
    zone.enter(|| {
        let mut dialer = Dialer::new(files.config());
        let mut leads = |address: String, ip: &str| {
            let port = if ip.contains(':') { port6 } else { port };
            assert_eq!(dialer.dial(&address).unwrap(), socket(ip, port), "{address}");
        };
        leads("/dnsaddr/list.test".into(), "10.53.0.2");
        leads(format!("/dnsaddr/list.test/p2p/{A}"), "10.53.0.2");
        leads(format!("/dnsaddr/peers.test/p2p/{A}"), "10.53.0.1");
        leads(format!("/dnsaddr/peers.test/p2p/{B}"), "fd53::2");
        leads(format!("/dnsaddr/outer.test/p2p/{A}"), "10.53.0.2");
        leads(format!("/dnsaddr/outer.test/p2p/{B}"), "fd53::1");
        leads("/dnsaddr/split.test".into(), "10.53.0.1");

        let because = |address: &str, why: &str| format!("cannot dial {address}: {why}");
        let none = format!("/dnsaddr/list.test/p2p/{B}");
        let why = format!("no dnsaddr record of list.test ends in /p2p/{B}");
        assert_eq!(dialer.fail(&none), because(&none, &why));
        let udp = "/dnsaddr/udp.test";
        let failed = dialer.fail(udp);
        assert!(failed.starts_with(&because(udp, "2 addresses that cannot be dialed here, such as /ip4/")), "{failed}");
        let text = "/dnsaddr/text.test";
        assert_eq!(dialer.fail(text), because(text, "_dnsaddr.text.test has no TXT record `dnsaddr=…`"));
    });
}

#[test]
fn names_below_a_record_are_complete() {
    let records = [dnsaddr("list.test", "/dns4/short/tcp/9"), host("short.domain.test", "10.53.0.1")];
    with("complete", &records, |dialer| {
        assert!(dialer.fail("/dns4/short/tcp/9").contains("nobody listens there"));
        assert_eq!(dialer.fail("/dnsaddr/list.test"), "cannot dial /dnsaddr/list.test: short does not exist");
    });
}
