//! The file `hosts`: names that need no name server.

use std::{
    collections::VecDeque,
    fs::File,
    io::{BufRead, BufReader, Read},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{
    config::{ADDRESSES_PER_ANSWER_MAX, HOSTS_BYTES_MAX, HOSTS_NAMES_MAX},
    system::Stamp,
};

/// A name that was looked up, by family, and what the file had for it.
type Known = (String, bool, Vec<IpAddr>);

/// The file, and what it had for the last names asked for: it is read again for another name, or when it changed. All of a
/// large one would cost a board many megabytes.
pub(super) struct Hosts {
    path: PathBuf,
    known: Mutex<(Option<Stamp>, VecDeque<Known>)>,
}

impl Hosts {
    /// Not read yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Hosts { path, known: Mutex::default() }
    }

    /// The addresses of `name`, IPv6 or IPv4 ones, at most [`ADDRESSES_PER_ANSWER_MAX`].
    pub(super) fn lookup(&self, name: &str, ipv6: bool) -> Vec<IpAddr> {
        let stamp = Stamp::of(&self.path);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (former, names) = &mut *known;
        if *former != stamp {
            (*former, *names) = (stamp, VecDeque::new());
        }
        let is_it = |it: &&Known| it.1 == ipv6 && it.0.eq_ignore_ascii_case(name);
        if let Some((.., found)) = names.iter().find(is_it) {
            return found.clone();
        }
        let found = lookup(&self.path, name, ipv6);
        if names.len() >= HOSTS_NAMES_MAX {
            names.pop_front();
        }
        names.push_back((name.to_owned(), ipv6, found.clone()));
        found
    }
}

/// The addresses of `name` in the file `path`. `localhost` and all below it need no file. Source: RFC 6761 §6.3.
fn lookup(path: &Path, name: &str, ipv6: bool) -> Vec<IpAddr> {
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
    fn a_name_is_looked_for_once_and_again_when_the_file_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hosts");
        let long: String = (0..5_000).map(|at| format!("10.1.0.1 name{at}\n")).collect();
        std::fs::write(&path, format!("{long}10.0.0.1 board\n")).unwrap();
        let hosts = Hosts::new(path.clone());
        let time = || {
            let start = std::time::Instant::now();
            assert_eq!(hosts.lookup("board", false), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
            start.elapsed()
        };
        let (first, again) = (time(), (0..10).map(|_| time()).min().unwrap());
        println!("{first:?}, then {again:?}");
        assert!(hosts.lookup("board", true).is_empty());
        (0..100).for_each(|at| drop(hosts.lookup(&format!("name{at}"), false)));
        assert!(hosts.known.lock().unwrap().1.len() <= HOSTS_NAMES_MAX);
        std::fs::write(&path, "10.0.0.2 board\n").unwrap();
        assert_eq!(hosts.lookup("board", false), ["10.0.0.2".parse::<IpAddr>().unwrap()]);
        std::fs::remove_file(&path).unwrap();
        assert!(hosts.lookup("board", false).is_empty());
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
