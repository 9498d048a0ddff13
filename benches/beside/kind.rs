//! The kinds of peer that are compared, and what runs in each.

use super::stranger;
use std::{path::PathBuf, process::Command};

/// A kind of peer.
#[derive(PartialEq, Eq)]
pub struct Kind {
    /// The head of its column.
    pub name: &'static str,
    /// Its program in `target/interop`; none for stonechat.
    pub file: Option<&'static str>,
    /// How it is built: a script below `tests/interop`, and what that is told.
    build: &'static [&'static str],
    /// Whether it can run a client of the DHT.
    pub dht: bool,
    /// Whether it takes more than a few messages a second of one peer.
    pub fast: bool,
    /// Whether its heartbeat stops on a quiet peer unless somebody looks at its swarm.
    pub sleeps: bool,
    /// What runs in it.
    pub runs: &'static str,
}

const STONECHAT: Kind = Kind {
    name: "stonechat",
    file: None,
    build: &[],
    dht: true,
    fast: true,
    sleeps: false,
    runs: "idle and discovery: the program `stonechat run`; echoes: the node of the library; gossipsub, kad as a client, \
           identify, ping, and the rooms with their history",
};
const GO: Kind = Kind {
    name: "go",
    file: Some("go"),
    build: &["go/build"],
    dht: false,
    fast: true,
    sleeps: false,
    runs: "go-libp2p with gossipsub, identify and ping, and no kad: its module is not to be had everywhere",
};
const JS: Kind = Kind {
    name: "js",
    file: Some("js"),
    build: &["js/build"],
    dht: true,
    fast: true,
    sleeps: false,
    runs: "js-libp2p with gossipsub, kad as a client, identify and ping, on Node",
};
const RUST: Kind = Kind {
    name: "rust (tokio)",
    file: Some("rust"),
    build: &["rust/build"],
    dht: true,
    fast: true,
    sleeps: true,
    runs: "rust-libp2p on tokio's threads with gossipsub, kad as a client, identify and ping; optimised for speed (2)",
};
const RUST_SMALL: Kind = Kind {
    name: "rust (tokio), our profile",
    file: Some("rust-small"),
    build: &["rust/build", "small"],
    runs: "the same, built as stonechat is: optimised for size, as one unit",
    ..RUST
};
const PY: Kind = Kind {
    name: "py",
    file: Some("py"),
    build: &["py/build"],
    dht: true,
    fast: false,
    sleeps: false,
    runs: "py-libp2p with gossipsub, kad as a client, identify and ping. It takes 10 messages a second of a peer in a topic \
           and drops the rest without a word: its echoes are asked for one by one, and it has no round trips",
};

/// All, in the order of the columns.
pub static KINDS: [Kind; 6] = [STONECHAT, GO, JS, RUST, RUST_SMALL, PY];

impl Kind {
    /// Whether its program is there.
    pub fn is_built(&self) -> bool {
        self.file.is_none_or(|file| stranger::folder().join(file).exists())
    }

    fn script(&self) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
        self.build.first().map_or(folder.clone(), |script| folder.join(script))
    }

    /// How it is built, for people.
    pub fn command(&self) -> String {
        format!("tests/interop/{}", self.build.join(" "))
    }

    /// Builds it.
    pub fn make(&self) -> Result<(), String> {
        let arguments = self.build.get(1..).unwrap_or_default();
        let status = Command::new(self.script()).args(arguments).status();
        match status.map_err(|error| format!("{}: {error}", self.command()))? {
            status if status.success() => Ok(()),
            status => Err(format!("{} ended with {status}", self.command())),
        }
    }
}
