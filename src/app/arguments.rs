//! The command line: commands, options, and what each option is good for.

use super::nearest::suggest;
use lexopt::Arg;
use std::ffi::OsString;
use std::path::PathBuf;

/// The commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Chat,
    Run,
    Bootstrap,
    Send,
    Dm,
    Tail,
    Peers,
    Rooms,
    Status,
    Limits,
    Doctor,
    Id,
    Board,
    Man,
    Completions,
}

use Verb::{Board, Bootstrap, Chat, Completions, Dm, Doctor, Id, Limits, Man, Peers, Rooms, Run, Send, Status, Tail};

/// Every command with its name, in the order of `--help`.
pub(crate) const VERBS: &[(Verb, &str, &str)] = &[
    (Chat, "chat", "talk: a line editor on a terminal, plain lines when piped; attaches to a peer that already runs"),
    (Run, "run", "run a peer without a terminal, with the control socket"),
    (Bootstrap, "bootstrap", "run a peer that others start from: a DHT server with a larger table"),
    (Send, "send", "send TEXT through the running peer, or each line of standard input"),
    (Dm, "dm", "send TEXT to one PEER alone, by its id or the end of it; universal-connectivity's, in a room uc:"),
    (Tail, "tail", "follow what is said in the rooms of the running peer"),
    (Peers, "peers", "the connected peers of the running peer"),
    (Rooms, "rooms", "its rooms"),
    (Status, "status", "its state: how far it came in joining, and why"),
    (Limits, "limits", "its limits, and how near they are"),
    (
        Doctor,
        "doctor",
        "what keeps a peer from others, running or not, and what helps; exits with 1 if something is wrong",
    ),
    (Id, "id", "the peer id of the directory; makes the identity if there is none"),
    (Board, "board", "the board in force and what a peer may hold on it"),
    (Man, "man", "this help as a manual page: stonechat man | man -l -"),
    (Completions, "completions", "the completion of commands and options for a SHELL: bash, zsh or fish"),
];

impl Verb {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        VERBS.iter().find(|(verb, ..)| *verb == self).map_or("", |(_, name, _)| name)
    }
}

/// An option of the command line.
pub(crate) struct Flag {
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
    /// The name of its value in `--help`, if it takes one.
    pub(crate) value: Option<&'static str>,
    pub(crate) what: &'static str,
    /// Whether it may be given more than once.
    pub(crate) many: bool,
    pub(crate) verbs: &'static [Verb],
}

const EVERY: &[Verb] = &[Chat, Run, Bootstrap, Send, Dm, Tail, Peers, Rooms, Status, Limits, Doctor, Id, Board];
const ALL: &[Verb] =
    &[Chat, Run, Bootstrap, Send, Dm, Tail, Peers, Rooms, Status, Limits, Doctor, Id, Board, Man, Completions];
const SOCKETS: &[Verb] = &[Chat, Run, Bootstrap, Send, Dm, Tail, Peers, Rooms, Status, Limits, Doctor];
const RUNNING: &[Verb] = &[Chat, Run, Bootstrap];
const LOOKING: &[Verb] = &[Chat, Run, Bootstrap, Doctor];

const fn flag(long: &'static str, value: Option<&'static str>, verbs: &'static [Verb], what: &'static str) -> Flag {
    Flag { long, short: None, value, what, many: false, verbs }
}

const fn many(flag: Flag) -> Flag {
    Flag { many: true, ..flag }
}

/// Every option, in the order of `--help`.
pub(crate) const FLAGS: &[Flag] = &[
    many(flag(
        "room",
        Some("ROOM"),
        &[Chat, Run, Bootstrap, Send, Tail],
        "a room (default: lobby); of others: uc:, go-chat:ROOM, text:TOPIC",
    )),
    flag("json", None, &[Tail, Peers, Rooms, Status, Limits, Doctor, Id, Board], "one JSON object a line"),
    flag("systemd", None, &[Board], "a drop-in for the unit that bounds its memory by the board"),
    flag("history", Some("N"), &[Tail], "first the last N messages"),
    flag("count", Some("N"), &[Tail], "end after N messages"),
    flag("tasks", None, &[Status], "also every task and every bounded queue"),
    flag("nick", Some("NAME"), RUNNING, "how others see you (default: the end of the peer id)"),
    many(flag("listen", Some("ADDR"), LOOKING, "a multiaddr to listen on (default: every interface, one fixed port)")),
    many(flag("bootstrap", Some("ADDR"), LOOKING, "a multiaddr to start from, with or without /p2p/…, or /dnsaddr/…")),
    flag("no-mdns", None, LOOKING, "neither look for peers on the local network nor be found there"),
    flag("dht-protocol", Some("P"), RUNNING, "the DHT's protocol name, to keep a network of one's own"),
    flag("clock", Some("WHO"), LOOKING, "whose word counts for the clock: system (the kernel's), trusted, untrusted"),
    flag("guest", None, RUNNING, "a throwaway identity and directory, gone at the end"),
    flag("dir", Some("DIR"), EVERY, "the peer's directory"),
    flag(
        "socket",
        Some("PATH"),
        SOCKETS,
        "the control socket, for owner and group (default: DIR/control.sock, owner alone)",
    ),
    flag("config", Some("FILE"), EVERY, "the configuration file"),
    flag("board", Some("NAME"), EVERY, "the board whose limits hold (default: found at start)"),
    Flag { short: Some('v'), ..many(flag("verbose", None, EVERY, "log more; twice: still more")) },
    Flag { short: Some('q'), ..many(flag("quiet", None, EVERY, "log less; twice: nothing")) },
    Flag { short: Some('h'), ..flag("help", None, ALL, "this help") },
];

/// What was asked on the command line. `None` and empty mean that the configuration or a default decides.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) rooms: Vec<String>,
    pub(crate) text: Vec<String>,
    pub(crate) json: bool,
    pub(crate) systemd: bool,
    pub(crate) history: Option<u32>,
    pub(crate) count: Option<u32>,
    pub(crate) tasks: bool,
    pub(crate) nick: Option<String>,
    pub(crate) listen: Vec<String>,
    pub(crate) bootstrap: Vec<String>,
    pub(crate) no_mdns: bool,
    pub(crate) dht_protocol: Option<String>,
    pub(crate) clock: Option<String>,
    pub(crate) guest: bool,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) board: Option<String>,
    /// `-v` counts up, `-q` down.
    pub(crate) verbosity: i8,
}

/// What the command line comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `--help`, of the program or of one command.
    Help(Option<Verb>),
    /// `--version`.
    Version,
    /// A command.
    Do(Verb, Box<Given>),
}

/// Why a command line is not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error("there is no command `{0}`: {1}")]
    Command(String, String),
    #[error("there is no option {0}: {1}")]
    Flag(String, String),
    #[error("--{0} means nothing to `{1}`: see stonechat {1} --help")]
    Meaningless(&'static str, &'static str),
    #[error("--{0} is given twice: once is enough")]
    Twice(&'static str),
    #[error("--{0} needs a value: --{0} {1}")]
    Value(&'static str, &'static str),
    #[error("--{0} takes no value")]
    NoValue(&'static str),
    #[error("--{0} needs a number from {1} to 4294967295, not `{2}`")]
    Number(&'static str, u32, String),
    #[error("`{0}` is too much: `{1}` takes no further words, see stonechat {1} --help")]
    Word(String, &'static str),
    #[error("{0} is not UTF-8")]
    Utf8(&'static str),
    #[error("--guest has a directory of its own: leave --dir away")]
    GuestDir,
    #[error("`send` takes one --room: call it once for each")]
    OneRoom,
    #[error("{0}")]
    Other(String),
}

/// Reads the command line, the program's name left away.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, ArgumentError> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut verb = None;
    let mut help = false;
    let mut used: Vec<&'static Flag> = Vec::new();
    let mut given = Given::default();
    loop {
        let flag = match parser.next().map_err(|error| lexical(error, used.last().copied()))? {
            None => break,
            Some(Arg::Value(word)) => {
                let word = word.into_string().map_err(|_| ArgumentError::Utf8("a word of the command line"))?;
                match verb {
                    None if word == "help" => help = true,
                    None => verb = Some(command(&word)?),
                    Some(Send | Dm | Completions) => given.text.push(word),
                    Some(verb) => return Err(ArgumentError::Word(word, verb.name())),
                }
                continue;
            }
            Some(Arg::Long("version") | Arg::Short('V')) => return Ok(Asked::Version),
            Some(Arg::Long(long)) => FLAGS.iter().find(|flag| flag.long == long).ok_or_else(|| unknown(long))?,
            Some(Arg::Short(short)) => FLAGS
                .iter()
                .find(|flag| flag.short == Some(short))
                .ok_or_else(|| ArgumentError::Flag(format!("-{short}"), "see stonechat --help".into()))?,
        };
        if !flag.many && used.iter().any(|other| other.long == flag.long) && flag.long != "help" {
            return Err(ArgumentError::Twice(flag.long));
        }
        used.push(flag);
        let value = match flag.value {
            None => OsString::new(),
            Some(name) => match parser.value() {
                // `--room --json`: a forgotten value, not a room of that name.
                Ok(value) if !value.is_empty() => value,
                _ => return Err(ArgumentError::Value(flag.long, name)),
            },
        };
        take(&mut given, &mut help, flag.long, value)?;
    }
    let verb_or_chat = verb.unwrap_or(Chat);
    if let Some(flag) = used.iter().find(|flag| !flag.verbs.contains(&verb_or_chat)) {
        return Err(ArgumentError::Meaningless(flag.long, verb_or_chat.name()));
    }
    if help {
        return Ok(Asked::Help(verb));
    }
    if given.guest && given.dir.is_some() {
        return Err(ArgumentError::GuestDir);
    }
    if verb == Some(Send) && given.rooms.len() > 1 {
        return Err(ArgumentError::OneRoom);
    }
    Ok(Asked::Do(verb_or_chat, Box::new(given)))
}

fn take(given: &mut Given, help: &mut bool, long: &'static str, value: OsString) -> Result<(), ArgumentError> {
    let text = |value: OsString| value.into_string().map_err(|_| ArgumentError::Utf8("the value of an option"));
    match long {
        "room" => given.rooms.push(text(value)?),
        "json" => given.json = true,
        "systemd" => given.systemd = true,
        "history" => given.history = Some(number(long, 0, text(value)?)?),
        "count" => given.count = Some(number(long, 1, text(value)?)?),
        "tasks" => given.tasks = true,
        "nick" => given.nick = Some(text(value)?),
        "listen" => given.listen.push(text(value)?),
        "bootstrap" => given.bootstrap.push(text(value)?),
        "no-mdns" => given.no_mdns = true,
        "dht-protocol" => given.dht_protocol = Some(text(value)?),
        "clock" => given.clock = Some(text(value)?),
        "guest" => given.guest = true,
        "dir" => given.dir = Some(value.into()),
        "socket" => given.socket = Some(value.into()),
        "config" => given.config = Some(value.into()),
        "board" => given.board = Some(text(value)?),
        "verbose" => given.verbosity = given.verbosity.saturating_add(1),
        "quiet" => given.verbosity = given.verbosity.saturating_sub(1),
        _ => *help = true,
    }
    Ok(())
}

fn number(long: &'static str, min: u32, text: String) -> Result<u32, ArgumentError> {
    text.parse().ok().filter(|number| *number >= min).ok_or(ArgumentError::Number(long, min, text))
}

fn command(word: &str) -> Result<Verb, ArgumentError> {
    let found = VERBS.iter().find(|(_, name, _)| *name == word).map(|(verb, ..)| *verb);
    found.ok_or_else(|| {
        let names: Vec<&str> = VERBS.iter().map(|(_, name, _)| *name).collect();
        ArgumentError::Command(word.into(), suggest(word, &names))
    })
}

fn unknown(long: &str) -> ArgumentError {
    let names: Vec<&str> = FLAGS.iter().map(|flag| flag.long).collect();
    let hint = match super::nearest::nearest(long, names) {
        Some(nearest) => format!("did you mean --{nearest}?"),
        None => "see stonechat --help".into(),
    };
    ArgumentError::Flag(format!("--{long}"), hint)
}

fn lexical(error: lexopt::Error, last: Option<&'static Flag>) -> ArgumentError {
    match (error, last) {
        (lexopt::Error::UnexpectedValue { .. }, Some(flag)) => ArgumentError::NoValue(flag.long),
        (error, _) => ArgumentError::Other(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
