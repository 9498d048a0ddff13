//! What runs in a namespace: a peer (the behaviour without a swarm, fed with the host's addresses), and those who
//! disturb it.

use std::{
    future::poll_fn,
    io::BufRead,
    net::{IpAddr, UdpSocket},
    task::Poll,
    thread,
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId,
    core::transport::ListenerId,
    swarm::{
        FromSwarm, NetworkBehaviour, ToSwarm,
        behaviour::{ExpiredListenAddr, NewListenAddr},
    },
};
use smol::channel::unbounded;
use stonechat::net::{
    interfaces::{Change, Watcher},
    mdns::{Behaviour, Config, Event},
};

/// Runs `port id service,service…` until told to leave, or until its input ends; or `squat` or `flood`.
pub fn run(arguments: &str) {
    match arguments.split(' ').collect::<Vec<_>>()[..] {
        ["squat"] => squat(),
        ["flood"] => flood(),
        [port, id, services] => peer(port.parse().unwrap(), id.parse().unwrap(), services),
        _ => panic!("{arguments}"),
    }
}

/// Keeps the port for itself until its input ends.
fn squat() {
    let socket = UdpSocket::bind("0.0.0.0:5353").unwrap();
    println!("\n@ started");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    drop(socket);
}

/// Sends garbage, questions and invented peers to the group, as fast as it can, until its input ends.
fn flood() {
    let socket = UdpSocket::bind("0.0.0.0:5353").unwrap();
    let question = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x04_p2p\x04_udp\x05local\0\0\x0c\0\x01";
    let (sender, stop) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let _ = std::io::stdin().read_line(&mut String::new());
        let _ = sender.send(());
    });
    println!("\n@ started");
    let mut random = fastrand::Rng::with_seed(1);
    while stop.try_recv().is_err() {
        let length = random.usize(..1_400);
        let garbage: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        for bytes in [&garbage, &question[..], &invented(&mut random)] {
            let _ = socket.send_to(bytes, "224.0.0.251:5353");
        }
    }
}

/// js-libp2p's form, for a peer that does not exist.
fn invented(random: &mut fastrand::Rng) -> Vec<u8> {
    let service = b"\x04_p2p\x04_udp\x05local\0";
    let label: String = (0..32).map(|_| random.lowercase()).collect();
    let instance = [&[32], label.as_bytes(), service].concat();
    let text = format!("dnsaddr=/ip4/10.9.0.9/tcp/{}/p2p/{}", random.u16(1..), PeerId::random());
    let mut bytes = b"\0\0\x84\0\0\0\0\x02\0\0\0\0".to_vec();
    for (name, kind, data) in
        [(&service[..], 12, instance.clone()), (&instance[..], 16, [&[text.len() as u8], text.as_bytes()].concat())]
    {
        bytes.extend([name, &[0, kind, 0, 1, 0, 0, 0, 120, 0, data.len() as u8], &data].concat());
    }
    bytes
}

fn peer(port: u16, id: PeerId, services: &str) {
    let services = services.split(',').map(str::to_owned).collect();
    let (sender, commands) = unbounded();
    let mut commands = Box::pin(commands);
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = sender.try_send(line);
        }
        let _ = sender.try_send("end".into());
    });
    let mut mdns = Behaviour::new(Config { services, ..Config::default() }, id).unwrap();
    let mut watcher = Watcher::new();
    let listener_id = ListenerId::next();
    let mut polls = 0u64;
    println!("\n@ started");
    smol::block_on(async {
        loop {
            let said = poll_fn(|cx| {
                while let Poll::Ready(change) = watcher.poll_change(cx) {
                    let (Change::Up(it) | Change::Down(it)) = &change;
                    let Some(addr) = listen_address(it.ip, port) else { continue };
                    let event = match change {
                        Change::Up(_) => FromSwarm::NewListenAddr(NewListenAddr { listener_id, addr: &addr }),
                        Change::Down(_) => FromSwarm::ExpiredListenAddr(ExpiredListenAddr { listener_id, addr: &addr }),
                    };
                    mdns.on_swarm_event(event);
                }
                if let Poll::Ready(Some(line)) = commands.poll_next_unpin(cx) {
                    return Poll::Ready(Some(line));
                }
                polls += 1;
                match mdns.poll(cx) {
                    Poll::Ready(ToSwarm::GenerateEvent(event)) => print(event, &mdns),
                    _ => return Poll::Pending,
                }
                Poll::Ready(None)
            })
            .await;
            match said.as_deref() {
                None => {}
                Some("count") => {
                    let mut line = format!("@ count polls {polls} cpu_ms {}", cpu_ms());
                    mdns.counters().iter().for_each(|(name, value)| line.push_str(&format!(" {name} {value}")));
                    println!("{line}");
                }
                Some("leave") => {
                    mdns.leave().await;
                    println!("@ left");
                    return;
                }
                Some(_) => return,
            }
        }
    });
}

fn print(event: Event, mdns: &Behaviour) {
    let (word, list) = match event {
        Event::Discovered(list) => ("found", list),
        Event::Expired(list) => ("gone", list),
        Event::Twin(address) => return println!("@ twin {address}"),
        Event::State => return println!("@ state {:?}", mdns.state()),
    };
    list.into_iter().for_each(|(peer, address)| println!("@ {word} {peer} {address}"));
}

fn listen_address(ip: IpAddr, port: u16) -> Option<Multiaddr> {
    Some(Multiaddr::from(ip).with(libp2p::multiaddr::Protocol::Tcp(port)))
}

/// Processor time used by this process, in ticks of 10 ms.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let words: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let [user, system] = [words[11], words[12]].map(|word| word.parse::<u64>().unwrap());
    (user + system) * 10
}
