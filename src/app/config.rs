//! `config.toml`: it holds what the flags hold, and a flag wins.
//!
//! ```toml
//! nick = "ann"
//! rooms = ["lobby", "kitchen"]
//! listen = ["/ip4/0.0.0.0/tcp/4470"]
//! bootstrap = ["/dns4/boot.example.org/tcp/4470", "/dnsaddr/boot.example.org"]
//! mdns = true
//! dht-protocol = "/ipfs/kad/1.0.0"
//! clock = "system"                # trusted: right without NTP; untrusted: whatever the kernel says
//! board = "raspberry-pi-4"
//! dir = "/var/lib/stonechat"      # a relative one starts at this file's directory
//! socket = "/run/stonechat/control.sock"
//! verbosity = 0                   # 1 like -v, -1 like -q
//! ```

use super::arguments::Given;
use super::nearest::suggest;
use super::paths::{Environment, SOCKET_FILE, SYSTEM_SOCKET};
use crate::node::config::{DEFAULT_DHT_PROTOCOL, DEFAULT_ROOM};
use crate::node::wall::{CLOCKS, WallClock};
use crate::wire::bounds::{NICK_BYTES_MAX, ROOM_BYTES_MAX};
use libp2p::Multiaddr;
use serde::Deserialize;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes of a configuration file read at most. Guess: a hundred bootstrap addresses fill a tenth of it.
const CONFIG_BYTES_MAX: u64 = 65_536;

/// The keys of the file.
const KEYS: &[&str] =
    &["nick", "rooms", "listen", "bootstrap", "mdns", "dht-protocol", "clock", "board", "dir", "socket", "verbosity"];

/// The file as written.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct File {
    nick: Option<String>,
    rooms: Option<Vec<String>>,
    listen: Option<Vec<String>>,
    bootstrap: Option<Vec<String>>,
    mdns: Option<bool>,
    dht_protocol: Option<String>,
    /// Read by hand: as one more field it takes ten KB of program.
    #[serde(skip)]
    clock: Option<String>,
    board: Option<String>,
    dir: Option<PathBuf>,
    socket: Option<PathBuf>,
    verbosity: Option<i8>,
}

/// Flags, file and defaults taken together.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) nick: String,
    pub(crate) rooms: Vec<String>,
    pub(crate) listen: Vec<Multiaddr>,
    pub(crate) bootstrap: Vec<Multiaddr>,
    pub(crate) mdns: bool,
    pub(crate) dht_protocol: String,
    /// Whose word counts for the clock of this machine.
    pub(crate) clock: WallClock,
    /// By name; found at start if absent.
    pub(crate) board: Option<String>,
    pub(crate) dir: PathBuf,
    /// Whether the directory was named by a flag or the file.
    pub(crate) dir_named: bool,
    /// The control socket's file, if it was named.
    pub(crate) socket: Option<PathBuf>,
    pub(crate) verbosity: i8,
}

impl Settings {
    /// The control socket of a peer that lives in `dir`.
    pub(crate) fn socket_in(&self, dir: &Path) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| dir.join(SOCKET_FILE))
    }

    /// Where a client looks for the running peer: where it was told to, else in its user's directory and at the system's.
    pub(crate) fn sockets(&self) -> Vec<PathBuf> {
        let mut sockets = vec![self.socket_in(&self.dir)];
        if self.socket.is_none() && !self.dir_named {
            sockets.push(SYSTEM_SOCKET.into());
        }
        sockets
    }
}

/// Why a configuration is not understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read {0} ({1}): name another with --config")]
    Read(PathBuf, io::Error),
    #[error("{0} is longer than {CONFIG_BYTES_MAX} bytes: that is no configuration of stonechat")]
    TooLong(PathBuf),
    #[error("{0} has the unknown key `{1}`: {2}")]
    Key(PathBuf, String, String),
    #[error("{0}, line {1}: {2}")]
    Syntax(PathBuf, usize, String),
    #[error("there is no home directory: say where with --dir")]
    NoDir,
    #[error("`{0}` is no multiaddr ({1}): write it like /ip4/192.0.2.1/tcp/4470")]
    Address(String, String),
    #[error("the {0} `{1}` has {2} bytes: up to {3} are possible, and at least 1")]
    Length(&'static str, String, usize, usize),
    #[error("the DHT protocol `{0}` must begin with a slash, like {DEFAULT_DHT_PROTOCOL}")]
    Protocol(String),
    #[error("the clock cannot be `{0}`: {1}")]
    Clock(String, String),
}

/// Takes flags, file and defaults together.
pub(crate) fn settle(given: &Given, environment: &Environment) -> Result<Settings, ConfigError> {
    let file = match (&given.config, environment.config()) {
        (Some(path), _) => read(path, true)?,
        (None, Some(path)) => read(&path, false)?,
        (None, None) => File::default(),
    };
    combine(given, file, environment)
}

fn read(path: &Path, must_exist: bool) -> Result<File, ConfigError> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => return Ok(File::default()),
        read => read.map_err(|error| ConfigError::Read(path.into(), error))?,
    };
    if text.len() as u64 > CONFIG_BYTES_MAX {
        return Err(ConfigError::TooLong(path.into()));
    }
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<File, ConfigError> {
    let syntax = |error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        ConfigError::Syntax(path.into(), before.lines().count().max(1), error.message().trim().replace('\n', ", "))
    };
    let table: toml::Table = toml::from_str(text).map_err(syntax)?;
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(ConfigError::Key(path.into(), key.clone(), suggest(key, KEYS)));
    }
    let mut file: File = toml::from_str(text).map_err(syntax)?;
    file.clock = match table.get("clock") {
        Some(toml::Value::String(name)) => Some(name.clone()),
        Some(other) => return Err(no_clock(other.type_str())),
        None => None,
    };
    let absolute = |relative| path.parent().unwrap_or(Path::new("")).join(relative);
    file.dir = file.dir.map(absolute);
    file.socket = file.socket.map(absolute);
    Ok(file)
}

fn combine(given: &Given, file: File, environment: &Environment) -> Result<Settings, ConfigError> {
    let list = |flags: &Vec<String>, file: Option<Vec<String>>| match flags.is_empty() {
        true => file.unwrap_or_default(),
        false => flags.clone(),
    };
    let mut rooms = list(&given.rooms, file.rooms);
    if rooms.is_empty() {
        rooms.push(DEFAULT_ROOM.into());
    }
    for room in &rooms {
        bounded("room", room, 1, ROOM_BYTES_MAX)?;
    }
    let nick = given.nick.clone().or(file.nick);
    if let Some(nick) = &nick {
        bounded("nick", nick, 1, NICK_BYTES_MAX)?;
    }
    let dht_protocol = given.dht_protocol.clone().or(file.dht_protocol).unwrap_or_else(|| DEFAULT_DHT_PROTOCOL.into());
    if !dht_protocol.starts_with('/') {
        return Err(ConfigError::Protocol(dht_protocol));
    }
    let clock = given.clock.clone().or(file.clock).unwrap_or_else(|| WallClock::default().name().into());
    let clock = WallClock::named(&clock).ok_or_else(|| no_clock(&clock))?;
    let named = given.dir.clone().or(file.dir);
    let dir_named = named.is_some();
    let dir = named.or_else(|| environment.dir());
    // A guest has a directory of its own and needs no home.
    let dir = dir.or_else(|| given.guest.then(PathBuf::new));
    Ok(Settings {
        nick: nick.unwrap_or_default(),
        rooms,
        listen: addresses(list(&given.listen, file.listen))?,
        bootstrap: addresses(list(&given.bootstrap, file.bootstrap))?,
        mdns: !given.no_mdns && file.mdns.unwrap_or(true),
        dht_protocol,
        clock,
        board: given.board.clone().or(file.board),
        dir: dir.ok_or(ConfigError::NoDir)?,
        dir_named,
        socket: given.socket.clone().or(file.socket),
        verbosity: file.verbosity.unwrap_or(0).saturating_add(given.verbosity),
    })
}

fn no_clock(name: &str) -> ConfigError {
    ConfigError::Clock(name.into(), suggest(name, CLOCKS))
}

fn bounded(what: &'static str, text: &str, min: usize, max: usize) -> Result<(), ConfigError> {
    if (min..=max).contains(&text.len()) {
        return Ok(());
    }
    let shown: String = text.chars().take(16).collect();
    Err(ConfigError::Length(what, shown, text.len(), max))
}

fn addresses(texts: Vec<String>) -> Result<Vec<Multiaddr>, ConfigError> {
    let parse = |text: String| text.parse().map_err(|error| ConfigError::Address(text, format!("{error}")));
    texts.into_iter().map(parse).collect()
}

#[cfg(test)]
mod tests;
