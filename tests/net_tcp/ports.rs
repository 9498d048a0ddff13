//! Dials that leave from the listening port.

use futures::{AsyncReadExt, AsyncWriteExt, join};
use libp2p::core::{
    Transport as _,
    transport::{PortUse, TransportEvent},
};

use crate::drive::{accept, dial, dial_reusing, listen, next, port, run, transport, try_dial};

const LOOPBACK: [&str; 2] = ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"];

#[test]
fn a_dial_leaves_from_the_listening_port() {
    for (ours_on, theirs_on) in [
        (LOOPBACK[0], LOOPBACK[0]),
        (LOOPBACK[1], LOOPBACK[1]),
        ("/ip4/0.0.0.0/tcp/0", LOOPBACK[0]),
        ("/ip6/::/tcp/0", LOOPBACK[1]),
    ] {
        run(async {
            let (mut ours, mut theirs) = (transport(), transport());
            let (_, from) = listen(&mut ours, ours_on).await;
            let (_, to) = listen(&mut theirs, theirs_on).await;
            let (dialed, (mut accepted, remote)) = join!(dial_reusing(&mut ours, &to), accept(&mut theirs));
            assert_eq!(port(&remote), port(&from));
            dialed.unwrap().write_all(&[1, 2, 3]).await.unwrap();
            let mut buffer = [0; 3];
            accepted.read_exact(&mut buffer).await.unwrap();
            assert_eq!(buffer, [1, 2, 3]);
            assert_eq!(ours.counters().counts().fresh_port, 0);
        });
    }
}

#[test]
fn one_port_dials_many() {
    run(async {
        let mut ours = transport();
        let (_, from) = listen(&mut ours, LOOPBACK[0]).await;
        let mut theirs = Vec::new();
        for _ in 0..4 {
            let mut tcp = transport();
            let (_, to) = listen(&mut tcp, LOOPBACK[0]).await;
            theirs.push((tcp, to));
        }
        let mut held = Vec::new();
        for (tcp, to) in &mut theirs {
            let (dialed, (accepted, remote)) = join!(dial_reusing(&mut ours, to), accept(tcp));
            assert_eq!(port(&remote), port(&from));
            held.push((dialed.unwrap(), accepted));
        }
        // And it still listens.
        let (to_us, (accepted, _)) = join!(dial_reusing(&mut theirs[0].0, &from), accept(&mut ours));
        // That very connection exists already, dialed from here.
        assert_ne!(to_us.unwrap().local_addr().unwrap().port(), port(&theirs[0].1));
        assert_eq!(accepted.local_addr().unwrap().port(), port(&from));
        assert_eq!(theirs[0].0.counters().counts().fresh_port, 1);
    });
}

#[test]
fn a_second_connection_takes_a_fresh_port() {
    for on in LOOPBACK {
        run(async {
            let (mut ours, mut theirs) = (transport(), transport());
            let (_, from) = listen(&mut ours, on).await;
            let (_, to) = listen(&mut theirs, on).await;
            let (first, (_first, remote)) = join!(dial_reusing(&mut ours, &to), accept(&mut theirs));
            assert_eq!(port(&remote), port(&from));
            let (second, (_second, remote)) = join!(dial_reusing(&mut ours, &to), accept(&mut theirs));
            assert_ne!(port(&remote), port(&from));
            assert_eq!(ours.counters().counts().fresh_port, 1);
            drop((first.unwrap(), second.unwrap()));
        });
    }
}

#[test]
fn without_a_fitting_listener_any_port_will_do() {
    run(async {
        let (mut ours, mut theirs) = (transport(), transport());
        let (_, to) = listen(&mut theirs, LOOPBACK[0]).await;
        let (dialed, _accepted) = join!(dial_reusing(&mut ours, &to), accept(&mut theirs));
        drop(dialed.unwrap());
        // Of the other family.
        let (_, from) = listen(&mut ours, LOOPBACK[1]).await;
        let (dialed, (_, remote)) = join!(dial_reusing(&mut ours, &to), accept(&mut theirs));
        assert_ne!(port(&remote), port(&from));
        drop(dialed.unwrap());
        // No longer listening.
        let (id, from) = listen(&mut ours, LOOPBACK[0]).await;
        assert!(ours.remove_listener(id));
        assert!(matches!(next(&mut ours).await, TransportEvent::ListenerClosed { .. }));
        let (dialed, (_, remote)) = join!(dial_reusing(&mut ours, &to), accept(&mut theirs));
        assert_ne!(port(&remote), port(&from));
        drop(dialed.unwrap());
        // Not wanted.
        let (_, from) = listen(&mut ours, LOOPBACK[0]).await;
        let (dialed, (_, remote)) = join!(dial(&mut ours, &to), accept(&mut theirs));
        assert_ne!(port(&remote), port(&from));
        drop(dialed.unwrap());
        assert_eq!(ours.counters().counts().fresh_port, 0, "none of these wanted a port that there was");
    });
}

#[test]
fn who_dials_himself_reaches_his_listener() {
    run(async {
        let mut tcp = transport();
        let (_, at) = listen(&mut tcp, LOOPBACK[0]).await;
        let dialing = try_dial(&mut tcp, &at, PortUse::Reuse).unwrap();
        let (dialed, (accepted, remote)) = join!(dialing, accept(&mut tcp));
        let dialed = dialed.unwrap();
        assert_ne!(dialed.local_addr().unwrap(), dialed.peer_addr().unwrap(), "connected to itself");
        assert_eq!(accepted.peer_addr().unwrap(), dialed.local_addr().unwrap());
        assert_eq!(port(&remote), dialed.local_addr().unwrap().port());
    });
}
