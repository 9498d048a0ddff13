//! Dialing, listening, refusing, cleaning up.

use std::{error::Error as _, io};

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, join};
use libp2p::core::{
    Transport as _,
    transport::{ListenerId, PortUse, TransportError, TransportEvent},
};
use stonechat::net::{
    interfaces,
    tcp::{Config, Error},
};

use crate::drive::{accept, address, dial, listen, next, port, quiet_port, run, transport, try_dial, within};

#[test]
fn a_dialer_and_a_listener_talk() {
    for on in ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"] {
        run(async {
            let (mut ours, mut theirs) = (transport(), transport());
            let (_, to) = listen(&mut theirs, on).await;
            let listening = async {
                let (mut stream, remote) = accept(&mut theirs).await;
                assert_eq!(port(&remote), stream.peer_addr().unwrap().port());
                let mut buffer = [0; 3];
                stream.read_exact(&mut buffer).await.unwrap();
                assert_eq!(buffer, [1, 2, 3]);
                stream.write_all(&[4, 5, 6]).await.unwrap();
                stream.close().await.unwrap();
            };
            let dialing = async {
                let mut stream = dial(&mut ours, &to).await.unwrap();
                stream.write_all(&[1, 2, 3]).await.unwrap();
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                assert_eq!(all, [4, 5, 6], "closing one side ends what the other reads");
            };
            join!(listening, dialing);
            assert_eq!((ours.counters().counts().dialed, theirs.counters().counts().accepted), (1, 1));
            assert_eq!((ours.counters().counts().open, theirs.counters().counts().open), (0, 0));
        });
    }
}

#[test]
fn a_wildcard_reports_every_address_of_the_family() {
    for (on, is_v4) in [("/ip4/0.0.0.0/tcp/0", true), ("/ip6/::/tcp/0", false)] {
        run(async {
            let wanted: Vec<_> =
                interfaces::list().unwrap().into_iter().filter(|it| it.ip.is_ipv4() == is_v4).map(|it| it.ip).collect();
            assert!(!wanted.is_empty(), "no loopback address");
            let mut theirs = transport();
            let (id, first) = listen(&mut theirs, on).await;
            let mut reported = vec![first.clone()];
            while reported.len() < wanted.len() {
                match next(&mut theirs).await {
                    TransportEvent::NewAddress { listener_id, listen_addr } => {
                        assert_eq!(listener_id, id);
                        reported.push(listen_addr);
                    }
                    other => panic!("{other:?}"),
                }
            }
            let listening = port(&first);
            assert_ne!(listening, 0);
            for ip in wanted {
                let address = libp2p::Multiaddr::from(ip).with(libp2p::multiaddr::Protocol::Tcp(listening));
                assert!(reported.contains(&address), "{address} not in {reported:?}");
            }
            // A second listener on all interfaces learns them too, although the first has had the news.
            let (_, again) = listen(&mut theirs, on).await;
            assert_ne!(port(&again), listening);

            let loopback = reported.iter().find(|it| {
                let text = it.to_string();
                text.starts_with("/ip4/127.0.0.1/") || text.starts_with("/ip6/::1/")
            });
            let mut ours = transport();
            let (dialed, accepted) = join!(dial(&mut ours, loopback.unwrap()), accept(&mut theirs));
            assert_eq!(dialed.unwrap().local_addr().unwrap(), accepted.0.peer_addr().unwrap());
        });
    }
}

#[test]
fn port_zero_becomes_a_port() {
    run(async {
        for on in ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"] {
            let (_, listening) = listen(&mut transport(), on).await;
            assert_ne!(port(&listening), 0);
        }
    });
}

#[test]
fn one_port_serves_both_families_apart() {
    let free = quiet_port();
    run(async {
        let mut tcp = transport();
        let (v4, at_v4) = listen(&mut tcp, &format!("/ip4/127.0.0.1/tcp/{free}")).await;
        let (v6, at_v6) = listen(&mut tcp, &format!("/ip6/::1/tcp/{free}")).await;
        let mut ours = transport();
        for (at, id) in [(at_v4, v4), (at_v6, v6)] {
            let _stream = dial(&mut ours, &at).await.unwrap();
            match next(&mut tcp).await {
                TransportEvent::Incoming { listener_id, .. } => assert_eq!(listener_id, id),
                other => panic!("{other:?}"),
            }
        }
    });
    let mut tcp = transport();
    tcp.listen_on(ListenerId::next(), address(&format!("/ip4/0.0.0.0/tcp/{free}"))).unwrap();
    tcp.listen_on(ListenerId::next(), address(&format!("/ip6/::/tcp/{free}"))).unwrap();
}

#[test]
fn other_addresses_are_refused() {
    let mut tcp = transport();
    let never =
        ["/ip4/127.0.0.1/udp/1", "/ip4/127.0.0.1", "/ip4/127.0.0.1/tcp/12345/tcp/12345", "/dns4/localhost/tcp/1"];
    for text in never {
        let listened = tcp.listen_on(ListenerId::next(), address(text));
        assert!(matches!(listened, Err(TransportError::MultiaddrNotSupported(a)) if a == address(text)), "{text}");
    }
    for text in never.into_iter().chain(["/ip4/127.0.0.1/tcp/0", "/ip4/0.0.0.0/tcp/1", "/ip6/::/tcp/1"]) {
        let dialed = try_dial(&mut tcp, &address(text), PortUse::Reuse).map(|_| ());
        assert!(matches!(dialed, Err(TransportError::MultiaddrNotSupported(a)) if a == address(text)), "{text}");
    }
}

#[test]
fn a_listener_can_be_removed() {
    run(async {
        let mut tcp = transport();
        let (id, at) = listen(&mut tcp, &format!("/ip4/127.0.0.1/tcp/{}", quiet_port())).await;
        assert!(tcp.remove_listener(id));
        assert!(!tcp.remove_listener(id), "it is gone");
        assert!(!tcp.remove_listener(ListenerId::next()), "it never was");
        match next(&mut tcp).await {
            TransportEvent::ListenerClosed { listener_id, reason: Ok(()) } => assert_eq!(listener_id, id),
            other => panic!("{other:?}"),
        }
        let error = dial(&mut transport(), &at).await.unwrap_err();
        assert!(error.to_string().ends_with("nobody listens there"), "{error}");
        let (_, again) = listen(&mut tcp, &at.to_string()).await;
        assert_eq!(again, at);
        let (other, _) = listen(&mut tcp, "/ip4/0.0.0.0/tcp/0").await;
        assert!(tcp.remove_listener(other));
        let mut ours = transport();
        let (dialed, _accepted) = join!(dial(&mut ours, &at), async {
            loop {
                if let TransportEvent::Incoming { upgrade, .. } = next(&mut tcp).await {
                    return upgrade.await.unwrap();
                }
            }
        });
        drop(dialed.unwrap());
    });
}

#[test]
fn a_waiting_transport_hears_of_changes() {
    use std::{
        pin::Pin,
        sync::{Arc, Mutex},
    };
    run(async {
        let tcp = Arc::new(Mutex::new(transport()));
        let executor = smol::LocalExecutor::new();
        let polled = tcp.clone();
        let events = executor.spawn(std::future::poll_fn(move |cx| Pin::new(&mut *polled.lock().unwrap()).poll(cx)));
        executor
            .run(async {
                smol::future::yield_now().await;
                let id = ListenerId::next();
                tcp.lock().unwrap().listen_on(id, address("/ip4/127.0.0.1/tcp/0")).unwrap();
                assert!(matches!(events.await, TransportEvent::NewAddress { .. }));
                let polled = tcp.clone();
                let events =
                    executor.spawn(std::future::poll_fn(move |cx| Pin::new(&mut *polled.lock().unwrap()).poll(cx)));
                smol::future::yield_now().await;
                assert!(tcp.lock().unwrap().remove_listener(id));
                assert!(matches!(events.await, TransportEvent::ListenerClosed { .. }));
            })
            .await;
    });
}

/// The system's error behind ours.
fn kind(error: &Error) -> io::ErrorKind {
    error.source().and_then(|it| it.downcast_ref::<io::Error>()).expect("the system's error").kind()
}

#[test]
fn a_port_in_use_is_refused_with_a_sentence() {
    run(async {
        let mut one = transport();
        let (_, at) = listen(&mut one, "/ip4/127.0.0.1/tcp/0").await;
        // By another, by the same, and although all would be ready to share it.
        for tcp in [&mut transport(), &mut one] {
            match tcp.listen_on(ListenerId::next(), at.clone()) {
                Err(TransportError::Other(error)) => {
                    assert_eq!(kind(&error), io::ErrorKind::AddrInUse);
                    assert!(error.to_string().ends_with("the port is in use"), "{error}");
                }
                other => panic!("{other:?}"),
            }
        }
        match one.listen_on(ListenerId::next(), address("/ip4/192.0.2.77/tcp/0")) {
            Err(TransportError::Other(error)) => assert_eq!(kind(&error), io::ErrorKind::AddrNotAvailable),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_dial_says_why_it_failed() {
    run(async {
        let free = quiet_port();
        let error = dial(&mut transport(), &address(&format!("/ip4/127.0.0.1/tcp/{free}"))).await.unwrap_err();
        assert_eq!(kind(&error), io::ErrorKind::ConnectionRefused);
        assert_eq!(error.to_string(), format!("cannot dial 127.0.0.1:{free}: nobody listens there"));
        // TCP has no broadcast: the system finds no way there, whatever networks this host has.
        let error = dial(&mut transport(), &address("/ip4/255.255.255.255/tcp/1")).await.unwrap_err();
        assert_eq!(kind(&error), io::ErrorKind::NetworkUnreachable);
        assert!(error.to_string().ends_with("no network of this host leads there"), "{error}");
    });
}

#[test]
fn what_is_dropped_is_gone() {
    run(async {
        let mut theirs = transport();
        let (_, at) = listen(&mut theirs, &format!("/ip4/127.0.0.1/tcp/{}", quiet_port())).await;
        let mut ours = transport();

        // A dial that nobody polls does nothing.
        drop(try_dial(&mut ours, &at, PortUse::New).unwrap());
        // A dial dropped on the way leaves nothing behind.
        assert!(try_dial(&mut ours, &at, PortUse::New).unwrap().now_or_never().is_none_or(|it| it.is_ok()));
        let (stream, (accepted, _)) = join!(dial(&mut ours, &at), accept(&mut theirs));
        let counters = [ours.counters(), theirs.counters()];
        drop((ours, theirs));
        // The connection outlives both transports, the listener does not.
        assert!(dial(&mut transport(), &at).await.is_err());
        assert!(counters.iter().all(|it| it.counts().open >= 1));
        drop((stream.unwrap(), accepted));
        assert!(counters.iter().all(|it| it.counts().open == 0));
    });
}

#[test]
fn the_port_can_be_used_again_at_once() {
    run(async {
        let mut theirs = transport();
        let (_, at) = listen(&mut theirs, &format!("/ip4/127.0.0.1/tcp/{}", quiet_port())).await;
        let mut ours = transport();
        let (dialed, (accepted, _)) = join!(dial(&mut ours, &at), accept(&mut theirs));
        // Closed by the listening side: the system remembers the connection under the listening port for a minute.
        drop((accepted, theirs));
        let mut dialed = dialed.unwrap();
        assert_eq!(dialed.read(&mut [0]).await.unwrap(), 0);
        drop(dialed);
        let mut theirs = transport();
        let (_, again) = within(listen(&mut theirs, &at.to_string())).await;
        assert_eq!(again, at);
    });
}

#[test]
fn nagle_is_off_unless_wanted() {
    run(async {
        for nodelay in [true, false] {
            let config = Config { nodelay, ..Config::default() };
            let mut tcp = stonechat::net::tcp::Transport::new(config);
            let (_, at) = listen(&mut tcp, "/ip4/127.0.0.1/tcp/0").await;
            let dialed = try_dial(&mut tcp, &at, PortUse::New).unwrap();
            let (dialed, (accepted, _)) = join!(dialed, accept(&mut tcp));
            for stream in [&dialed.unwrap(), &accepted] {
                assert_eq!(socket2::SockRef::from(stream).tcp_nodelay().unwrap(), nodelay);
            }
        }
    });
}
