//! The file `resolv.conf`: whom to ask.

use std::{
    fs::{self, File},
    io::{self, Read},
    net::Ipv6Addr,
    os::unix::fs::MetadataExt,
    path::Path,
};

use hickory_resolver::{
    config::{NameServerConfig, ResolverConfig, ResolverOpts},
    system_conf::parse_resolv_conf,
};

use super::config::{RESOLV_CONF_BYTES_MAX, SEARCH_DOMAINS_MAX, SERVERS_MAX};
use crate::net::interfaces;

/// What a changed file differs in: its time, its length, or that it is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    seconds: i64,
    nanoseconds: i64,
    bytes: u64,
    inode: u64,
}

impl Stamp {
    /// `None` when there is no such file.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let it = fs::metadata(path).ok()?;
        Some(Stamp { seconds: it.mtime(), nanoseconds: it.mtime_nsec(), bytes: it.len(), inode: it.ino() })
    }
}

/// On which interface a link-local name server is: `nameserver fe80::1%eth0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone {
    pub(super) ip: Ipv6Addr,
    name: String,
}

impl Zone {
    /// The interface's index at this moment, zero when there is none: an interface that comes back has another.
    pub(super) fn index(&self) -> u32 {
        let named = || interfaces::list().ok()?.into_iter().find(|it| it.name == self.name).map(|it| it.index);
        self.name.parse().ok().or_else(named).unwrap_or_default()
    }
}

/// What the file says.
#[derive(Debug)]
pub(super) struct System {
    /// The name servers, and the search domains as [`ResolverConfig::search`].
    pub(super) config: ResolverConfig,
    pub(super) options: ResolverOpts,
    pub(super) zones: Vec<Zone>,
}

impl System {
    /// These name servers, and what holds where a file says no more.
    pub(super) fn of(servers: Vec<NameServerConfig>) -> Self {
        let mut options = ResolverOpts::default();
        options.edns0 = false;
        System { config: ResolverConfig::from_parts(None, Vec::new(), servers), options, zones: Vec::new() }
    }
}

/// Reads the file; an error says why no name server is known from it.
pub(super) fn read(path: &Path) -> Result<System, String> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(RESOLV_CONF_BYTES_MAX).read_to_end(&mut text));
    match read {
        Ok(_) => parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("there is no such file".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn parse(text: &[u8]) -> Result<System, String> {
    let zones = zones(text);
    // Its only errors: no name server, or a search domain that is none.
    let (mut config, options) = parse_resolv_conf(text).map_err(|error| match servers(text).next() {
        None => "no line begins with `nameserver`".to_string(),
        Some(_) => error.to_string(),
    })?;
    config.name_servers.truncate(SERVERS_MAX);
    // With neither `search` nor `domain` in the file, the domain is that of this host's name.
    let own = config.domain.take().filter(|_| config.search.is_empty());
    config.search.extend(own);
    config.search.truncate(SEARCH_DOMAINS_MAX);
    Ok(System { config, options, zones })
}

fn servers(text: &[u8]) -> impl Iterator<Item = &str> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut words = str::from_utf8(line).ok()?.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next())?
    })
}

fn zones(text: &[u8]) -> Vec<Zone> {
    let zone = |server: &str| {
        let (ip, name) = server.split_once('%')?;
        Some(Zone { ip: ip.parse().ok()?, name: name.into() })
    };
    servers(text).filter_map(zone).take(SERVERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_understood_and_bounded() {
        let many: String = (0..9).map(|at| format!("nameserver 10.0.0.{at}\n")).collect();
        let text = format!("search a b c d e f g h\noptions timeout:2 ndots:3\n# nameserver 1.1.1.1\n{many}");
        let system = parse(text.as_bytes()).unwrap();
        let servers: Vec<_> = system.config.name_servers.iter().map(|it| it.ip.to_string()).collect();
        assert_eq!(servers, ["10.0.0.0", "10.0.0.1", "10.0.0.2"]);
        assert!(system.config.search.len() <= SEARCH_DOMAINS_MAX);
        assert_eq!((system.options.timeout.as_secs(), system.options.ndots), (2, 3));
        assert_eq!(system.zones, []);
    }

    #[test]
    fn the_interface_of_a_link_local_server_is_kept() {
        let system = parse(b"nameserver fe80::1%lo\nnameserver fe80::2%7\nnameserver 10.0.0.1\n").unwrap();
        let zones: Vec<_> = system.zones.iter().map(|it| (it.ip.to_string(), it.name.as_str())).collect();
        assert_eq!(zones, [("fe80::1".to_string(), "lo"), ("fe80::2".to_string(), "7")]);
        assert_eq!(system.zones[1].index(), 7);
        assert_eq!(system.zones[0].index(), 1, "the loopback interface is always the first");
    }

    #[test]
    fn a_file_without_a_server_says_so() {
        let none = "no line begins with `nameserver`";
        for text in [&b""[..], b"# nameserver 10.0.0.1\n", b"search lan\noptions rotate\n", b"\xff\xfe\0garbage"] {
            assert_eq!(parse(text).unwrap_err(), none, "{text:?}");
        }
        assert_eq!(read(Path::new("/nonexistent/resolv.conf")).unwrap_err(), "there is no such file");
        assert!(read(Path::new("/")).unwrap_err().contains("directory"));
    }
}
