//! What we say of ourselves: our names, and the packets that answer for them.
//!
//! The form is the one that go-, js-, py- and rust-libp2p all read: the PTR in the answers; SRV, one TXT with a
//! `dnsaddr=` string for each address and the A and AAAA of the SRV's target in the additionals; all in one packet.
//! py-libp2p reads the first string only, or the last record, so the best address is first *and* last. js-libp2p
//! drops a packet whose last PTR is not of its service, so there is a packet for each service name.

use std::net::IpAddr;

use hickory_proto::{
    op::Message,
    rr::{Name, RData, RecordType, rdata},
};
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

use super::{
    limits::{Config, ConfigError, LEGACY_TTL_S_MAX, OWN_TTL_S, SENT_BYTES_MAX, SERVICES_MAX},
    message::{Data, Packet, Question, encode, own_record, query, response},
};

/// The name whose PTR records list the services of a network. Source: RFC 6763 §9.
const TYPES: &str = "_services._dns-sd._udp.local";

/// Something that we can be asked. Services by their place in [`Config::services`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    /// Who offers this service?
    Service(usize),
    /// Is there this service?
    Type(usize),
    /// Where is our instance of this service?
    Instance(usize),
    /// Which addresses has our host name?
    Host,
}

impl Asked {
    /// Others can have an answer too, at the same moment.
    pub(super) fn is_shared(self) -> bool {
        matches!(self, Asked::Service(_) | Asked::Type(_))
    }
}

/// One address we can be dialled at: an IP, a TCP port and the multiaddr of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnAddress {
    pub ip: IpAddr,
    pub port: u16,
}

impl OwnAddress {
    /// Reads `/ip4|ip6/…/tcp/…` with or without our `/p2p/…`; anything else cannot be dialled by all who read us.
    pub(super) fn of(listen: &Multiaddr) -> Option<Self> {
        let mut parts = listen.iter();
        let ip = match parts.next()? {
            Protocol::Ip4(ip) => IpAddr::V4(ip),
            Protocol::Ip6(ip) => IpAddr::V6(ip),
            Protocol::Ip6zone(_) => match parts.next()? {
                Protocol::Ip6(ip) => IpAddr::V6(ip),
                _ => return None,
            },
            _ => return None,
        };
        let Protocol::Tcp(port) = parts.next()? else { return None };
        match parts.next() {
            None => Some(OwnAddress { ip, port }),
            Some(Protocol::P2p(_)) if parts.next().is_none() => Some(OwnAddress { ip, port }),
            Some(_) => None,
        }
    }

    /// Small is good: IPv4 first because every reader dials it.
    pub(super) fn rank(&self) -> u8 {
        match self.ip {
            IpAddr::V4(ip) if ip.is_loopback() => 4,
            IpAddr::V6(ip) if ip.is_loopback() => 5,
            IpAddr::V4(ip) if ip.is_link_local() => 2,
            IpAddr::V6(ip) if ip.is_unicast_link_local() => 3,
            IpAddr::V4(_) => 0,
            IpAddr::V6(_) => 1,
        }
    }

    fn text(&self, peer: &PeerId) -> String {
        let ip = match self.ip {
            IpAddr::V4(_) => "ip4",
            IpAddr::V6(_) => "ip6",
        };
        format!("dnsaddr=/{ip}/{}/tcp/{}/p2p/{peer}", self.ip, self.port)
    }
}

fn named(label: &str, name: &Name) -> Result<Name, ConfigError> {
    name.prepend_label(label).map_err(|_| ConfigError::Service(name.to_ascii()))
}

/// Our names. Their first label is random and new at each start, so nobody else has it and nobody is tracked by it.
#[derive(Debug)]
pub(super) struct Own {
    pub peer: PeerId,
    services: Vec<Name>,
    instances: Vec<Name>,
    label: String,
    host: Name,
    types: Name,
}

impl Own {
    pub(super) fn new(config: &Config, peer: PeerId, random: &mut fastrand::Rng) -> Result<Self, ConfigError> {
        if !(1..=SERVICES_MAX).contains(&config.services.len()) {
            return Err(ConfigError::ServiceCount(config.services.len()));
        }
        // 32 to 63 letters and digits: libp2p's mDNS specification.
        let label: String = (0..random.usize(32..=63))
            .map(|_| char::from(*random.choice(b"abcdefghijklmnopqrstuvwxyz0123456789").unwrap_or(&b'0')))
            .collect();
        let host = named(&label, &name_of("local"))?;
        let mut own = Own { peer, services: vec![], instances: vec![], label, host, types: name_of(TYPES) };
        for text in &config.services {
            own.add(text)?;
        }
        Ok(own)
    }

    /// One service name more; false if it is one of ours already.
    pub(super) fn add(&mut self, text: &str) -> Result<bool, ConfigError> {
        let name = service_name(text).ok_or_else(|| ConfigError::Service(text.to_owned()))?;
        if self.services.contains(&name) {
            return Ok(false);
        }
        if self.services.len() == SERVICES_MAX {
            return Err(ConfigError::ServiceCount(SERVICES_MAX + 1));
        }
        self.instances.push(named(&self.label, &name)?);
        self.services.push(name);
        Ok(true)
    }

    pub(super) fn services(&self) -> &[Name] {
        &self.services
    }

    pub(super) fn instance(&self, service: usize) -> &Name {
        &self.instances[service]
    }

    /// The service that an instance of this name belongs to.
    pub(super) fn service_of(&self, instance: &Name) -> Option<usize> {
        let labels = instance.iter().count();
        self.services.iter().position(|it| it.zone_of(instance) && it.iter().count() + 1 == labels)
    }

    pub(super) fn service(&self, name: &Name) -> Option<usize> {
        self.services.iter().position(|it| it == name)
    }

    /// What of ours a question is for.
    pub(super) fn asked(&self, question: &Question) -> Vec<Asked> {
        let Question { name, kind, .. } = question;
        let any = *kind == RecordType::ANY;
        if any || *kind == RecordType::PTR {
            if let Some(service) = self.service(name) {
                return vec![Asked::Service(service)];
            }
            if *name == self.types {
                let types = self.services.iter().enumerate().filter(|(_, name)| is_type(name));
                return types.map(|(service, _)| Asked::Type(service)).collect();
            }
        }
        let instance = self.instances.iter().position(|it| it == name);
        if let Some(service) = instance.filter(|_| any || matches!(kind, RecordType::SRV | RecordType::TXT)) {
            return vec![Asked::Instance(service)];
        }
        if (any || matches!(kind, RecordType::A | RecordType::AAAA)) && *name == self.host {
            return vec![Asked::Host];
        }
        Vec::new()
    }

    /// Whether the packet claims one of our names: it is our own probe that came back, since nobody else has them.
    pub(super) fn is_claimed(&self, packet: &Packet) -> bool {
        packet.authorities.iter().any(|it| self.instances.contains(it))
    }

    /// Whether the asker says that it knows the answer, and for longer than half its time (RFC 6762 §7.1).
    pub(super) fn is_known(&self, asked: Asked, packet: &Packet) -> bool {
        let (name, target) = match asked {
            Asked::Service(service) => (&self.services[service], &self.instances[service]),
            Asked::Type(service) => (&self.types, &self.services[service]),
            Asked::Instance(_) | Asked::Host => return false,
        };
        packet.answers.iter().any(|it| {
            it.ttl_s >= OWN_TTL_S / 2 && it.name == *name && matches!(&it.data, Data::Ptr(to) if to == target)
        })
    }

    /// The packets that answer; several if one cannot hold all addresses, each complete by itself. `addresses` with the
    /// best first. None without an address: then there is nothing to say.
    pub(super) fn answers(&self, asked: Asked, addresses: &[OwnAddress]) -> Vec<Vec<u8>> {
        self.packets(asked, addresses, &|message| message)
    }

    /// As [`answers`](Self::answers), for a plain DNS client: with its id and question, and without what it could
    /// not understand (RFC 6762 §6.7). One packet.
    pub(super) fn legacy_answer(
        &self,
        asked: Asked,
        addresses: &[OwnAddress],
        id: u16,
        question: &Question,
    ) -> Vec<u8> {
        let as_dns = |mut message: Message| {
            message.metadata.id = id;
            message.queries = query(&question.name, question.kind).queries;
            for record in message.answers.iter_mut().chain(&mut message.additionals) {
                record.ttl = record.ttl.min(LEGACY_TTL_S_MAX);
                record.dns_class = hickory_proto::rr::DNSClass::IN;
            }
            message
        };
        self.packets(asked, addresses, &as_dns).into_iter().next().unwrap_or_default()
    }

    /// Announces nothing but the end (TTL 0). Without the TXT, which js-libp2p would take for a discovery.
    pub(super) fn goodbye(&self, service: usize) -> Vec<u8> {
        let mut message = response();
        message.add_answer(self.pointer(service, 0));
        encode(&message)
    }

    /// Asks whether somebody has our name already (RFC 6762 §8.1).
    pub(super) fn probe(&self, service: usize, addresses: &[OwnAddress]) -> Vec<u8> {
        let mut message = query(&self.instances[service], RecordType::ANY);
        let port = addresses.first().map_or(0, |it| it.port);
        message.add_authority(own_record(&self.instances[service], OWN_TTL_S, false, self.srv(port)));
        encode(&message)
    }

    /// Asks who offers a service; `known` are the instances that need not answer and how long we know them.
    pub(super) fn query(&self, service: usize, known: impl Iterator<Item = (Name, u32)>) -> Vec<u8> {
        let mut message = query(&self.services[service], RecordType::PTR);
        let mut bytes = encode(&message);
        for (instance, ttl_s) in known {
            let pointer = RData::PTR(rdata::PTR(instance));
            message.add_answer(own_record(&self.services[service], ttl_s, false, pointer));
            // Who finds no place answers again; the flag that announces more packets would make all others wait.
            match encode(&message) {
                longer if longer.len() > SENT_BYTES_MAX => break,
                longer => bytes = longer,
            }
        }
        bytes
    }

    fn packets(&self, asked: Asked, addresses: &[OwnAddress], finish: &dyn Fn(Message) -> Message) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let Some((best, mut rest)) = addresses.split_first() else { return packets };
        loop {
            let mut count = 0;
            let mut bytes = encode(&finish(self.message(asked, best, &rest[..0])));
            while count < rest.len() {
                let longer = encode(&finish(self.message(asked, best, &rest[..count + 1])));
                if longer.len() > SENT_BYTES_MAX {
                    break;
                }
                (bytes, count) = (longer, count + 1);
            }
            packets.push(bytes);
            rest = &rest[count..];
            if count == 0 || rest.is_empty() {
                return packets;
            }
        }
    }

    fn message(&self, asked: Asked, best: &OwnAddress, rest: &[OwnAddress]) -> Message {
        let mut message = response();
        match asked {
            Asked::Service(service) => {
                message.add_answer(self.pointer(service, OWN_TTL_S));
                message.additionals.push(own_record(&self.instances[service], OWN_TTL_S, true, self.srv(best.port)));
                message.additionals.push(self.txt(service, best, rest));
                message.additionals.extend(self.hosts(best, rest));
            }
            Asked::Type(service) => {
                let data = RData::PTR(rdata::PTR(self.services[service].clone()));
                message.add_answer(own_record(&self.types, OWN_TTL_S, false, data));
            }
            Asked::Instance(service) => {
                message.add_answer(own_record(&self.instances[service], OWN_TTL_S, true, self.srv(best.port)));
                message.add_answer(self.txt(service, best, rest));
                message.additionals.extend(self.hosts(best, rest));
            }
            Asked::Host => message.answers.extend(self.hosts(best, rest)),
        }
        message
    }

    fn pointer(&self, service: usize, ttl_s: u32) -> hickory_proto::rr::Record {
        let data = RData::PTR(rdata::PTR(self.instances[service].clone()));
        own_record(&self.services[service], ttl_s, false, data)
    }

    fn srv(&self, port: u16) -> RData {
        RData::SRV(rdata::SRV::new(0, 0, port, self.host.clone()))
    }

    fn txt(&self, service: usize, best: &OwnAddress, rest: &[OwnAddress]) -> hickory_proto::rr::Record {
        let again = (!rest.is_empty()).then_some(best);
        let strings = [best].into_iter().chain(rest).chain(again).map(|it| it.text(&self.peer)).collect();
        own_record(&self.instances[service], OWN_TTL_S, true, RData::TXT(rdata::TXT::new(strings)))
    }

    fn hosts(&self, best: &OwnAddress, rest: &[OwnAddress]) -> Vec<hickory_proto::rr::Record> {
        let mut ips: Vec<IpAddr> = Vec::new();
        for it in [best].into_iter().chain(rest) {
            if !ips.contains(&it.ip) {
                ips.push(it.ip);
            }
        }
        let data = |ip| match ip {
            IpAddr::V4(ip) => RData::A(rdata::A(ip)),
            IpAddr::V6(ip) => RData::AAAA(rdata::AAAA(ip)),
        };
        ips.into_iter().map(|ip| own_record(&self.host, OWN_TTL_S, true, data(ip))).collect()
    }
}

/// `x` and `x.local.` are the service `x.local`; lower case, since go- and js-libp2p compare exactly.
fn service_name(text: &str) -> Option<Name> {
    let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let text = text.strip_suffix(".local").unwrap_or(&text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // 255 bytes hold a name; ours has one more label of 63 bytes before it.
    let is_name = text.len() <= 150 && text.split('.').all(is_label);
    is_name.then(|| name_of(&format!("{text}.local")))
}

/// Whether a name is a service type of DNS-SD (RFC 6763 §7), which alone may be listed as one: `_x._udp` or `_x._tcp`.
fn is_type(name: &Name) -> bool {
    let labels: Vec<&[u8]> = name.iter().collect();
    matches!(labels[..], [[b'_', _, ..], b"_udp" | b"_tcp", b"local"])
}

/// Only for text made of checked labels; else the root.
fn name_of(text: &str) -> Name {
    Name::from_labels(text.split('.').map(str::as_bytes)).unwrap_or_else(|_| Name::root())
}

#[cfg(test)]
mod tests;
