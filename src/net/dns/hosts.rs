//! The file `hosts`: names that need no name server.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use super::config::{ADDRESSES_PER_ANSWER_MAX, HOSTS_BYTES_MAX};

/// The addresses of `name` in the file `path`, IPv6 or IPv4 ones, at most [`ADDRESSES_PER_ANSWER_MAX`].
///
/// The file is read anew, because it is small as a rule, and keeping one of the large ones would cost a board many
/// megabytes. `localhost` and all below it need no file. Source: RFC 6761 §6.3.
pub(super) fn lookup(path: &Path, name: &str, ipv6: bool) -> Vec<IpAddr> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if let Ok(ip) = name.parse::<IpAddr>() {
        return if ip.is_ipv6() == ipv6 { vec![ip] } else { Vec::new() };
    }
    let found = File::open(path).map(|file| find(file.take(HOSTS_BYTES_MAX), name, ipv6)).unwrap_or_default();
    let top = name.rsplit('.').next().unwrap_or_default();
    if found.is_empty() && top.eq_ignore_ascii_case("localhost") {
        return vec![if ipv6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() }];
    }
    found
}

fn find(file: impl Read, name: &str, ipv6: bool) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut line = Vec::new();
    let mut reader = BufReader::new(file);
    while found.len() < ADDRESSES_PER_ANSWER_MAX && reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        found.extend(address(&line, name).filter(|ip| ip.is_ipv6() == ipv6));
        line.clear();
    }
    found
}

/// The address that this line has for `name`.
fn address(line: &[u8], name: &str) -> Option<IpAddr> {
    let text = str::from_utf8(line.split(|byte| *byte == b'#').next()?).ok()?;
    let mut words = text.split_whitespace();
    let address = words.next()?;
    words.any(|word| word.eq_ignore_ascii_case(name)).then_some(())?;
    address.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
127.0.0.1\tlocalhost
10.0.0.1   Board.lan board # board.two
# 10.0.0.9 board
not-an-address board
fd00::1 board
10.0.0.2 board
fe80::1%eth0 link";

    #[test]
    fn names_are_found_by_family_whatever_their_case() {
        let find = |name, ipv6| find(FILE.as_bytes(), name, ipv6).iter().map(IpAddr::to_string).collect::<Vec<_>>();
        assert_eq!(find("BOARD", false), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(find("board", true), ["fd00::1"]);
        assert_eq!(find("board.lan", false), ["10.0.0.1"]);
        for name in ["board.two", "boar", "10.0.0.1", "", "link"] {
            assert_eq!(find(name, false), [""; 0], "{name:?}");
        }
    }

    #[test]
    fn an_answer_is_bounded() {
        let file: String = (0..100).map(|at| format!("10.0.0.{at} many\n")).collect();
        assert_eq!(find(file.as_bytes(), "many", false).len(), ADDRESSES_PER_ANSWER_MAX);
    }

    #[test]
    fn some_names_need_no_file() {
        let none = Path::new("/nonexistent/hosts");
        assert_eq!(lookup(none, "localhost.", false), ["127.0.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(lookup(none, "a.LocalHost", true), ["::1".parse::<IpAddr>().unwrap()]);
        assert_eq!(lookup(none, "10.1.2.3", false), ["10.1.2.3".parse::<IpAddr>().unwrap()]);
        assert!(lookup(none, "10.1.2.3", true).is_empty());
        assert!(lookup(none, "example.org", false).is_empty());
    }
}
