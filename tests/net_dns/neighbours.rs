//! Names under `.local`, with a neighbour that has one and with none.

use std::{
    net::{Ipv4Addr, UdpSocket},
    sync::mpsc,
    thread,
};

use crate::{
    dialer::{Dialer, Files, listen},
    zone::Zone,
};

/// Names and record kinds of a DNS question, as far as this test needs them.
const QUESTION_FIXED_BYTES: usize = 12;

/// Answers like avahi a question of one that is not on the port itself: by unicast, with its id and question. Until it has
/// answered one.
fn neighbour(socket: &UdpSocket, name: &[u8], ip: Ipv4Addr) {
    let mut buffer = [0; 512];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        let question = &buffer[QUESTION_FIXED_BYTES..length];
        let is_ours = question.starts_with(name) && question[name.len()..] == [0, 1, 0, 1];
        if !is_ours {
            continue;
        }
        assert_ne!(from.port(), 5353, "it would have to answer to all");
        let mut answer = buffer[..2].to_vec();
        answer.extend([0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
        answer.extend(question);
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 10, 0, 4]);
        answer.extend(ip.octets());
        socket.send_to(&answer, from).unwrap();
        return;
    }
}

#[test]
fn a_neighbour_is_found_by_its_local_name_and_a_missing_one_is_told() {
    let Some(zone) = Zone::new("local") else { return };
    zone.ip("addr add 10.54.0.1/24 dev cable0");
    let files = Files::new();
    zone.enter(|| {
        let (_listener, port) = listen("0.0.0.0");
        let mut dialer = Dialer::new(files.config());
        let missing = dialer.fail(&format!("/dns4/pi.local/tcp/{port}"));
        assert!(missing.contains("no neighbour answers for pi.local: see whether it is on"), "{missing}");
        assert!(missing.contains("no name server is configured"), "{missing}");
        let socket = UdpSocket::bind("0.0.0.0:5353").unwrap();
        socket.join_multicast_v4(&Ipv4Addr::new(224, 0, 0, 251), &Ipv4Addr::new(10, 54, 0, 1)).unwrap();
        let (done, is_done) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                neighbour(&socket, b"\x02pi\x05local\0", Ipv4Addr::new(10, 53, 0, 2));
                done.send(()).unwrap();
            });
            let reached = dialer.dial(&format!("/dns4/pi.local/tcp/{port}")).unwrap();
            assert_eq!(reached.ip().to_string(), "10.53.0.2");
        });
        is_done.recv().unwrap();
        // The file is asked first, as ever.
        files.write("hosts", "10.53.0.1 pi.local\n");
        assert_eq!(dialer.dial(&format!("/dns4/pi.local/tcp/{port}")).unwrap().ip().to_string(), "10.53.0.1");
    });
}
