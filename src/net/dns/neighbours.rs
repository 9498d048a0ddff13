//! Names under `.local`: the neighbours are asked, by one multicast question for which they answer this host alone.
//!
//! Source: RFC 6762 §5.1, one-shot queries; §3, what the names are for.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket},
    time::Duration,
};

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query},
    rr::{Name, RData, RecordType},
};
use smol::{Async, Timer, future::or};
use socket2::{Domain, Protocol, Socket, Type};

use super::config::ADDRESSES_PER_ANSWER_MAX;
use crate::net::interfaces::{self, Interface};

/// The port of multicast DNS. Source: RFC 6762 §3.
const PORT: u16 = 5353;
/// Its group over IPv4. Source: RFC 6762 §3.
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// Its group over IPv6. Source: RFC 6762 §3.
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// Interfaces asked (interfaces), the best first: each is a packet. Source: as many as discovery speaks on.
const INTERFACES_ASKED_MAX: usize = 8;
/// How often is asked (times). Source: guess, one packet may be lost.
const TRIES: u32 = 2;
/// How long a try waits for an answer (ms). Source: RFC 6762 §6 has answers wait up to 120; a radio that sleeps, longer.
const TRY_MS: u64 = 750;
/// The largest answer that is read (bytes). Source: RFC 6762 §17.
const ANSWER_BYTES_MAX: usize = 9_000;

/// Whether a name is one that the neighbours are asked for.
pub(super) fn is_local(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).as_bytes();
    name.len() > 6 && name[name.len() - 6..].eq_ignore_ascii_case(b".local")
}

/// The IPv4 or IPv6 addresses that a neighbour says a name has; none if nobody answers. Link-local ones of IPv6 are passed
/// over, for an address alone does not say on which interface.
pub(super) async fn lookup(name: &str, ipv6: bool) -> Vec<IpAddr> {
    let Ok(mut name) = Name::from_str_relaxed(name) else { return Vec::new() };
    name.set_fqdn(true);
    let mut message = Message::new(fastrand::u16(1..), MessageType::Query, OpCode::Query);
    message.add_query(Query::query(name.clone(), if ipv6 { RecordType::AAAA } else { RecordType::A }));
    let Ok(question) = message.to_vec() else { return Vec::new() };
    let sockets = open();
    for _ in 0..TRIES {
        ask(&sockets, &question);
        let answer = async {
            let answers = sockets.iter().map(|socket| Box::pin(receive(socket, message.metadata.id, &name, ipv6)));
            let (found, ..) = futures::future::select_all(answers).await;
            found
        };
        let late = async {
            Timer::after(Duration::from_millis(TRY_MS)).await;
            Vec::new()
        };
        let found = if sockets.is_empty() { late.await } else { or(answer, late).await };
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// A socket for each IP version that this host has.
fn open() -> Vec<Async<UdpSocket>> {
    let open = |domain, any: SocketAddr| -> io::Result<Async<UdpSocket>> {
        let socket = Socket::new(domain, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
        if any.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&any.into())?;
        Async::new_nonblocking(UdpSocket::from(socket))
    };
    let v4 = open(Domain::IPV4, (Ipv4Addr::UNSPECIFIED, 0).into());
    let v6 = open(Domain::IPV6, (Ipv6Addr::UNSPECIFIED, 0).into());
    [v4, v6].into_iter().flatten().collect()
}

/// Sends the question out of each interface. Where it cannot be sent, nobody will answer.
fn ask(sockets: &[Async<UdpSocket>], question: &[u8]) {
    let all = interfaces::list().unwrap_or_default();
    let mut asked: Vec<(u32, bool)> = Vec::new();
    for Interface { index, ip, .. } in all.iter().filter(|it| it.is_multicast) {
        let is_new = !asked.contains(&(*index, ip.is_ipv4()));
        if !is_new || asked.len() >= 2 * INTERFACES_ASKED_MAX {
            continue;
        }
        asked.push((*index, ip.is_ipv4()));
        for socket in sockets.iter().map(Async::get_ref) {
            let options = socket2::SockRef::from(socket);
            let is_v4 = socket.local_addr().is_ok_and(|local| local.is_ipv4());
            let sent = match ip {
                IpAddr::V4(ip) if is_v4 => {
                    options.set_multicast_if_v4(ip).and_then(|()| socket.send_to(question, (GROUP_V4, PORT)))
                }
                IpAddr::V6(_) if !is_v4 => options
                    .set_multicast_if_v6(*index)
                    .and_then(|()| socket.send_to(question, SocketAddrV6::new(GROUP_V6, PORT, 0, *index))),
                _ => continue,
            };
            if let Err(error) = sent {
                log::debug!("dns: cannot ask the neighbours at {ip}: {error}");
            }
        }
    }
}

/// The first answer that has an address. Never ends without.
async fn receive(socket: &Async<UdpSocket>, id: u16, name: &Name, ipv6: bool) -> Vec<IpAddr> {
    let mut buffer = vec![0; ANSWER_BYTES_MAX];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, from)) if from.port() == PORT => {
                let found = addresses(&buffer[..length], id, name, ipv6);
                if !found.is_empty() {
                    return found;
                }
            }
            Ok(_) => {}
            // Errors of what was sent before come out here.
            Err(error) => {
                log::debug!("dns: the neighbours' answers: {error}");
                smol::future::yield_now().await;
            }
        }
    }
}

fn addresses(bytes: &[u8], id: u16, name: &Name, ipv6: bool) -> Vec<IpAddr> {
    let Ok(message) = Message::from_vec(bytes) else { return Vec::new() };
    if message.metadata.message_type != MessageType::Response || message.metadata.id != id {
        return Vec::new();
    }
    let of = |data: &RData| match data {
        RData::A(a) if !ipv6 => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) if ipv6 && !aaaa.0.is_unicast_link_local() => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    };
    let records = message.answers.iter().filter(|record| record.name == *name);
    records.filter_map(|record| of(&record.data)).take(ADDRESSES_PER_ANSWER_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::{Record, rdata::A, rdata::AAAA};

    #[test]
    fn which_names_are_the_neighbours() {
        for name in ["pi.local", "Pi.LOCAL.", "a.b.local"] {
            assert!(is_local(name), "{name}");
        }
        for name in ["local", ".local", "pi.localhost", "pi.local.example.org", "xlocal", ""] {
            assert!(!is_local(name), "{name}");
        }
    }

    #[test]
    fn only_the_answer_to_our_question_is_taken() {
        let name = |text: &str| Name::from_ascii(text).unwrap();
        let mut message = Message::new(7, MessageType::Response, OpCode::Query);
        let record = |of: &str, data| Record::from_rdata(name(of), 120, data);
        message.add_answer(record("pi.local.", RData::A(A::new(192, 0, 2, 7))));
        message.add_answer(record("other.local.", RData::A(A::new(192, 0, 2, 8))));
        message.add_answer(record("pi.local.", RData::AAAA(AAAA(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)))));
        message.add_answer(record("pi.local.", RData::AAAA(AAAA(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 7)))));
        let bytes = message.to_vec().unwrap();
        let pi = name("pi.local.");
        assert_eq!(addresses(&bytes, 7, &pi, false), ["192.0.2.7".parse::<IpAddr>().unwrap()]);
        assert_eq!(addresses(&bytes, 7, &pi, true), ["fd00::7".parse::<IpAddr>().unwrap()]);
        assert!(addresses(&bytes, 8, &pi, false).is_empty(), "another question's");
        assert!(addresses(&bytes[..bytes.len() - 3], 7, &pi, false).is_empty(), "cut off");
        assert!(addresses(b"garbage", 7, &pi, false).is_empty());
        message.metadata.message_type = MessageType::Query;
        assert!(addresses(&message.to_vec().unwrap(), 7, &pi, false).is_empty(), "no answer");
    }
}
