//! The world of the other tests is what they take it for: multicast stays in its subnet, cables can be pulled.

#[allow(dead_code, unused_imports)]
mod world;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;
use world::{Host, World};

/// What must not arrive has this long for it.
const A_MOMENT: Duration = Duration::from_millis(300);

/// Whether what `from` sends reaches `to`.
fn reaches(from: &Host, to: &Host, port: u16) -> bool {
    let address = to.address();
    let listener = to.enter(|| TcpListener::bind(("0.0.0.0", port)).unwrap());
    let target = format!("{address}:{port}").parse().unwrap();
    let Ok(mut stream) = from.enter(|| TcpStream::connect_timeout(&target, A_MOMENT)) else { return false };
    stream.write_all(b"x").unwrap();
    let mut byte = [0];
    listener.accept().unwrap().0.read_exact(&mut byte).unwrap();
    byte == *b"x"
}

/// Whether multicast of `from` reaches `to`.
fn multicast_reaches(from: &Host, to: &Host) -> bool {
    const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
    let address: Ipv4Addr = to.address().parse().unwrap();
    let listener = to.enter(|| UdpSocket::bind((GROUP, 5353)).unwrap());
    listener.join_multicast_v4(&GROUP, &address).unwrap();
    listener.set_read_timeout(Some(A_MOMENT)).unwrap();
    from.enter(|| UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"x", (GROUP, 5353)).unwrap());
    listener.recv(&mut [0; 8]).is_ok()
}

#[test]
fn a_world_is_what_it_says() {
    let Some(world) = World::new() else { return };
    let (near, far) = (world.subnet(), world.subnet());
    let (a, b, c) = (world.host("a", &near), world.host("b", &near), world.host("c", &far));
    assert!(reaches(&a, &b, 1000) && multicast_reaches(&a, &b));
    assert!(!reaches(&a, &c, 1000), "there is no router yet");
    let _router = world.router("router", &[&near, &far]);
    // What waited in vain for the router's address fails once more before the kernel asks again.
    world::until("the router answers", world::GENEROUS, || reaches(&a, &c, 1001).then_some(()));
    assert!(reaches(&c, &b, 1001));
    assert!(!multicast_reaches(&a, &c) && !multicast_reaches(&c, &a));

    b.unplug();
    assert!(!reaches(&a, &b, 1002) && !multicast_reaches(&a, &b));
    let before = b.address();
    b.take_address(&near);
    assert_ne!(before, b.address());
    b.plug();
    assert!(reaches(&a, &b, 1003) && reaches(&b, &c, 1003));

    let arrives = |bytes: usize| {
        let listener = b.enter(|| UdpSocket::bind("0.0.0.0:0").unwrap());
        listener.set_read_timeout(Some(A_MOMENT)).unwrap();
        let to = (b.address(), listener.local_addr().unwrap().port());
        a.enter(|| UdpSocket::bind("0.0.0.0:0").unwrap().send_to(&vec![7; bytes], to).unwrap());
        listener.recv(&mut [0; 2_000]).is_ok()
    };
    a.swallow_above(1_300);
    assert!(arrives(1_200) && !arrives(1_300), "with its headers it is longer than that");
    assert_eq!(a.swallowed(), 1);

    a.silence();
    assert!(!reaches(&a, &b, 1010) && !reaches(&b, &a, 1010) && !multicast_reaches(&b, &a));
    a.end_silence();
    assert!(reaches(&a, &b, 1011));

    b.lose(99);
    assert!((0..5).any(|n| !reaches(&a, &b, 1004 + n)));
    assert!(b.lost() > 0);
    c.slow("64kbit");
    assert!(reaches(&a, &c, 1009));
}

#[test]
fn nothing_of_a_world_is_left() {
    let Some(world) = World::new() else { return };
    let host = world.host("h", &world.subnet());
    let mut sleeper = host.command("sleep").arg("1000").spawn().unwrap();
    world::until("the sleeper sleeps in its host", world::GENEROUS, || {
        (!host.run("ip", &["netns", "pids", &host.namespace]).stdout.is_empty()).then_some(())
    });
    let namespace = host.namespace.clone();
    drop(world);
    let list = world::ip(&["netns", "list"]);
    assert!(!String::from_utf8_lossy(&list.stdout).contains(&namespace));
    assert!(!sleeper.wait().unwrap().success(), "the process went with its host");
}
