//! For tests: the packets of other implementations, byte by byte as they were seen on a wire.

/// The class `IN` with the flag that flushes.
const FLUSH: u16 = 0x8001;

pub(super) const A: u16 = 1;
pub(super) const PTR: u16 = 12;
pub(super) const TXT: u16 = 16;
pub(super) const AAAA: u16 = 28;
pub(super) const SRV: u16 = 33;
pub(super) const NSEC: u16 = 47;

/// A record: name, type, class, TTL, data.
pub(super) type Record = (Vec<u8>, u16, u16, u32, Vec<u8>);

/// A name without compression.
pub(super) fn name(text: &str) -> Vec<u8> {
    let labels = text.split('.').filter(|label| !label.is_empty());
    let mut bytes: Vec<u8> = labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    bytes.push(0);
    bytes
}

/// The data of a TXT record.
pub(super) fn txt(strings: &[String]) -> Vec<u8> {
    strings.iter().flat_map(|it| [&[it.len() as u8], it.as_bytes()].concat()).collect()
}

/// A packet with these questions (name, type, class) and sections.
pub(super) fn packet(id: u16, flags: u16, questions: &[(Vec<u8>, u16, u16)], sections: [&[Record]; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let counts = [questions.len(), sections[0].len(), sections[1].len(), sections[2].len()];
    for word in [id, flags].into_iter().chain(counts.map(|it| it as u16)) {
        bytes.extend(word.to_be_bytes());
    }
    for (name, kind, class) in questions {
        bytes.extend(name);
        bytes.extend(kind.to_be_bytes());
        bytes.extend(class.to_be_bytes());
    }
    for (name, kind, class, ttl, data) in sections.into_iter().flatten() {
        bytes.extend(name);
        bytes.extend(kind.to_be_bytes());
        bytes.extend(class.to_be_bytes());
        bytes.extend(ttl.to_be_bytes());
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(data);
    }
    bytes
}

/// A question for the PTR of a service: go's with an id, js' without.
pub(super) fn query(id: u16, service: &str) -> Vec<u8> {
    packet(id, 0, &[(name(service), PTR, 1)], [&[], &[], &[]])
}

/// `dnsaddr=` before each.
fn dnsaddrs(addresses: &[&str]) -> Vec<String> {
    addresses.iter().map(|it| format!("dnsaddr={it}")).collect()
}

/// go-libp2p (zeroconf): names compressed; PTR in the answers, SRV, one TXT, A and AAAA in the additionals.
pub(super) fn go(service: &str, label: &str, addresses: &[&str], ttl: u32) -> Vec<u8> {
    let instance = [&[label.len() as u8], label.as_bytes(), &[0xc0, 12]].concat();
    // The PTR's data begins after the header, its name, and ten bytes.
    let at = (12 + name(service).len() + 10) as u16;
    let same = (0xc000 | at).to_be_bytes().to_vec();
    let host = name(&format!("{label}.local"));
    let srv = [&[0, 0, 0, 0, 15, 161], &host[..]].concat();
    let additionals = [
        (same.clone(), SRV, 1, ttl, srv),
        (same, TXT, 1, ttl, txt(&dnsaddrs(addresses))),
        (host.clone(), A, 1, ttl.min(120), vec![10, 9, 0, 1]),
        (host, AAAA, 1, ttl.min(120), vec![0xfd; 16]),
    ];
    packet(77, 0x8400, &[], [&[(name(service), PTR, 1, ttl, instance)], &[], &additionals])
}

/// go-libp2p announces, and takes leave (TTL 0), with everything in the answers, flushing.
pub(super) fn go_announcement(service: &str, label: &str, addresses: &[&str], ttl: u32) -> Vec<u8> {
    let instance = name(&format!("{label}.{service}"));
    let host = name(&format!("{label}.local"));
    let srv = [&[0, 0, 0, 0, 15, 161], &host[..]].concat();
    let answers = [
        (instance.clone(), SRV, FLUSH, ttl, srv),
        (instance.clone(), TXT, FLUSH, ttl, txt(&dnsaddrs(addresses))),
        (name(service), PTR, 1, ttl, instance),
        (name("_services._dns-sd._udp.local"), PTR, 1, ttl, name(service)),
        (host, A, FLUSH, ttl.min(120), vec![10, 9, 0, 1]),
    ];
    packet(0, 0x8000, &[], [&answers, &[], &[]])
}

/// js-libp2p (multicast-dns): PTR and a TXT for each address, all in the answers.
pub(super) fn js(service: &str, label: &str, addresses: &[&str]) -> Vec<u8> {
    let instance = name(&format!("{label}.{service}"));
    let mut answers = vec![(name(service), PTR, 1, 120, instance.clone())];
    answers.extend(dnsaddrs(addresses).into_iter().map(|it| (instance.clone(), TXT, 1, 120, txt(&[it]))));
    packet(0, 0x8400, &[], [&answers, &[], &[]])
}

/// py-libp2p (zeroconf): everything in the answers, keys `dnsaddr`, `dnsaddr2`, …, NSEC among them.
pub(super) fn py(service: &str, label: &str, addresses: &[&str]) -> Vec<u8> {
    let instance = name(&format!("{label}.{service}"));
    let host = name(&format!("{label}.local"));
    let key = |at: usize| if at == 0 { String::new() } else { (at + 1).to_string() };
    let mut strings = vec!["id=ignored".to_owned()];
    strings.extend(addresses.iter().enumerate().map(|(at, it)| format!("dnsaddr{}={it}", key(at))));
    let answers = [
        (name(service), PTR, 1, 4500, instance.clone()),
        (instance.clone(), SRV, FLUSH, 120, [&[0, 0, 0, 0, 15, 161], &host[..]].concat()),
        (instance, TXT, FLUSH, 4500, txt(&strings)),
        (host.clone(), A, FLUSH, 120, vec![127, 0, 0, 1]),
        (host.clone(), NSEC, FLUSH, 120, [&host[..], &[0, 1, 0x40]].concat()),
    ];
    packet(0, 0x8400, &[], [&answers, &[], &[]])
}

/// rust-libp2p: an instance name of one label; a TXT for each address, in the additionals.
pub(super) fn rust(service: &str, label: &str, addresses: &[&str]) -> Vec<u8> {
    let texts = dnsaddrs(addresses).into_iter().map(|it| (name(label), TXT, FLUSH, 360, txt(&[it])));
    let additionals: Vec<Record> = texts.collect();
    packet(0x1234, 0x8400, &[], [&[(name(service), PTR, 1, 360, name(label))], &[], &additionals])
}
