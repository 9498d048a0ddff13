//! The system's files: missing, changed, and enough by themselves.

use stonechat::net::dns;

use crate::{
    dialer::{Dialer, Files, listen},
    zone::{Zone, host},
};

#[test]
fn without_a_name_server_all_but_names_works() {
    let files = Files::new();
    let mut dialer = Dialer::new(files.config());
    let (_listener, port) = listen("127.0.0.1");
    let file = files.config().resolv_conf.display().to_string();
    for (text, reason) in [
        (None, "there is no such file"),
        (Some(""), "no line begins with `nameserver`"),
        (Some("# nothing\nsearch test\n"), "no line begins with `nameserver`"),
    ] {
        if let Some(text) = text {
            files.write("resolv.conf", text);
        }
        for address in ["/dns/a.test/tcp/1", "/dns4/a.test/tcp/1", "/dns6/a.test/tcp/1", "/dnsaddr/a.test"] {
            let wanted = format!(
                "cannot dial {address}: no name server is configured in {file}: {reason}; use an /ip4 or /ip6 address"
            );
            assert_eq!(dialer.fail(address), wanted);
        }
        assert_eq!(dialer.dial(&format!("/ip4/127.0.0.1/tcp/{port}")).unwrap().port(), port);
        assert_eq!(dialer.dial(&format!("/dns/localhost/tcp/{port}")).unwrap().port(), port);
        files.write("hosts", "127.0.0.1 board board.test\n");
        assert_eq!(dialer.dial(&format!("/dns4/Board.test/tcp/{port}")).unwrap().port(), port);
    }
    assert_eq!(dialer.executor.tasks(), [], "nothing was asked");
}

#[test]
fn a_changed_file_is_read_again() {
    let Some(zone) = Zone::new("changed") else { return };
    let _first = zone.serve("10.53.0.1", &[host("a.test", "10.53.0.1")]);
    let _second = zone.serve("10.53.0.2", &[host("a.test", "10.53.0.2")]);
    let files = Files::new();
    zone.enter(|| {
        let (_listener, port) = listen("0.0.0.0");
        let address = format!("/dns4/a.test/tcp/{port}");
        let mut dialer = Dialer::new(files.config());
        assert!(dialer.fail(&address).contains("no name server is configured"));
        for server in ["10.53.0.1", "10.53.0.2", "10.53.0.1"] {
            files.write("resolv.conf", &format!("nameserver {server}\n"));
            assert_eq!(dialer.dial(&address).unwrap().ip().to_string(), server);
        }
        files.write("hosts", "fd53::1 a.test\n10.53.0.2 a.test\n");
        assert_eq!(dialer.dial(&address).unwrap().ip().to_string(), "10.53.0.2", "hosts comes first");
    });
}

#[test]
fn a_link_local_name_server_is_reached_by_its_interface() {
    let Some(zone) = Zone::new("link") else { return };
    // More than fits into a packet: by UDP and by TCP.
    let many: Vec<_> = (1..=100).map(|at| host("a.test", &format!("127.0.1.{at}"))).collect();
    let _server = zone.serve("cable0", &many);
    let files = Files::new();
    files.write("resolv.conf", "nameserver fe80::53%cable0\n");
    zone.enter(|| {
        let (_listener, port) = listen("0.0.0.0");
        Dialer::new(files.config()).dial(&format!("/dns4/a.test/tcp/{port}")).unwrap();
        files.write("resolv.conf", "nameserver fe80::53\n");
        let failed = Dialer::new(files.config()).fail(&format!("/dns4/a.test/tcp/{port}"));
        assert!(failed.contains("cannot ask the name server fe80::53 about a.test"), "{failed}");
    });
}

#[test]
fn the_second_name_server_answers_for_a_dead_one() {
    let Some(zone) = Zone::new("second") else { return };
    let _server = zone.serve("10.53.0.2", &[host("a.test", "10.53.0.2")]);
    let files = Files::new();
    files.write("resolv.conf", "nameserver 10.53.0.1\nnameserver 10.53.0.2\n");
    zone.enter(|| {
        let (_listener, port) = listen("0.0.0.0");
        // Less than the one try that waits for the dead one.
        let config = dns::Config { lookups_timeout_ms: 4_500, ..files.config() };
        Dialer::new(config).dial(&format!("/dns4/a.test/tcp/{port}")).unwrap();
    });
}
