//! A peer of this process, from its start to its polite end: headless, or with a conversation.

use super::arguments::{Given, Verb};
use super::boards;
use super::chat::Chat;
use super::client::Client;
use super::config::Settings;
use super::connection::Connection;
use super::exit::Failure;
use super::files;
use super::home::Home;
use super::logging::say;
use super::notify::Notifier;
use super::shown::{name, printable};
use super::signals::Ending;
use super::socket::Socket;
use super::terminal::Terminal;
use crate::net::executor::Executor;
use crate::node::command::{Answer, Command};
use crate::node::{self, Config, Handle, Role, others};
use smol::future::FutureExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Milliseconds from a signal to the end of the process, whatever the network does.
const LEAVE_MS_MAX: u64 = 1_800;
/// Milliseconds between two looks at the addresses we listen on, at the start.
const ADDRESSES_LOOK_MS: u64 = 50;
/// Milliseconds after which we look no more. The kernel tells them at once, or never.
const ADDRESSES_LOOK_MS_MAX: u64 = 5_000;
/// Looks without a change after which the addresses are taken for complete.
const ADDRESSES_STILL_LOOKS: u32 = 5;
/// Messages of the past shown to a person who attaches.
const ATTACH_HISTORY: u32 = 10;

/// Runs a peer, or talks through the one that runs already.
pub(crate) fn run(verb: Verb, given: &Given, settings: Settings) -> Result<(), Failure> {
    files::check()?;
    let executor = Executor::new();
    let signals = Ending::new().map_err(|error| Failure::failed(format!("cannot catch signals ({error})")))?;
    executor.block_on(live(verb, given, settings, signals, &executor))
}

async fn live(
    verb: Verb,
    given: &Given,
    settings: Settings,
    mut ending: Ending,
    executor: &Executor,
) -> Result<(), Failure> {
    if verb == Verb::Chat
        && !given.guest
        && let Some(client) = Client::find(&settings.socket_in(&settings.dir)).await?
    {
        let end = async {
            ending.wait().await;
            Ok(())
        };
        return attach(client, given, &settings).or(end).await;
    }
    let board = boards::in_force(settings.board.as_deref())?;
    files::allow(board)?;
    let home = Home::open(&settings, given.guest)?;
    let socket = Socket::open(settings.socket_in(&home.dir), settings.socket.is_some())?;
    let config = Config {
        keypair: home.identity.keypair.clone(),
        board,
        role: if verb == Verb::Bootstrap { Role::Bootstrap } else { Role::Peer },
        nick: settings.nick.clone(),
        rooms: settings.rooms.clone(),
        listen: settings.listen.clone(),
        bootstrap: settings.bootstrap.clone(),
        mdns: settings.mdns,
        dht_protocol: settings.dht_protocol.clone(),
        clock: settings.clock.clone(),
        remembered: (!home.guest).then(|| home.dir.clone()),
    };
    let (handle, node) = node::start(config, executor).map_err(|error| Failure::failed(error.to_string()))?;
    let connection = Connection::own(handle.clone());
    let mut node = executor.spawn("node", node);
    let terminal = if verb == Verb::Chat { Some(Terminal::open()?) } else { None };
    introduce(&home, board.name, &settings, &socket, terminal.as_ref().is_some_and(Terminal::is_editor));
    if settings.verbosity >= 0 {
        tell_notices(&settings.rooms);
    }
    let quiet = settings.verbosity < 0 || terminal.as_ref().is_some_and(Terminal::is_editor);
    let control = socket.serve(handle.clone(), executor, board.limits.control_clients_max.into());
    let notifier = if verb == Verb::Chat { None } else { Notifier::of_process().map(Arc::new) };
    let told = notifier.clone().map(|notifier| {
        let handle = handle.clone();
        executor.spawn("notify", async move { notifier.tell(handle).await })
    });
    let _announce = (!quiet).then(|| executor.spawn("announce", announce(handle.clone())));

    let signal = async {
        ending.wait().await;
        Ok(())
    };
    let over = async {
        // Borrowed: a dropped task is cancelled, and it must live on to leave.
        (&mut node).await;
        Err(Failure::failed("the peer ended by itself: start it again with -v to see why"))
    };
    let talked = match terminal {
        Some(terminal) => {
            // A task like the others, so that it is counted; dropped by a signal, it gives the terminal back.
            let chat = executor.spawn("chat", Chat::new(connection, terminal, settings.rooms).talk());
            signal.or(over).or(chat).await
        }
        None => {
            drop(connection);
            signal.or(over).await
        }
    };
    drop(told);
    if let Some(notifier) = notifier {
        notifier.stopping();
    }
    // A second signal, or a network that keeps us waiting, ends it at once.
    let late = async {
        smol::Timer::after(Duration::from_millis(LEAVE_MS_MAX)).await;
    };
    handle.shutdown().or(late).or(ending.wait()).await;
    // Before the lock goes: who starts on this directory now finds no socket that still answers.
    control.cancel().await;
    talked
}

async fn attach(mut client: Client, given: &Given, settings: &Settings) -> Result<(), Failure> {
    let without_effect = [
        ("--nick", given.nick.is_some()),
        ("--listen", !given.listen.is_empty()),
        ("--bootstrap", !given.bootstrap.is_empty()),
        ("--no-mdns", given.no_mdns),
        ("--dht-protocol", given.dht_protocol.is_some()),
        ("--board", given.board.is_some()),
        ("--clock", given.clock.is_some()),
    ];
    let without_effect: Vec<&str> =
        without_effect.iter().filter(|(_, given)| *given).map(|(option, _)| *option).collect();
    let rooms = match given.rooms.is_empty() {
        false => {
            for room in &given.rooms {
                client.request(&Command::Join { room: room.clone() }).await?;
            }
            tell_notices(&given.rooms);
            given.rooms.clone()
        }
        true => match client.request(&Command::Rooms {}).await? {
            Answer::Rooms { rooms } => rooms.into_iter().map(|room| room.room).collect(),
            _ => Vec::new(),
        },
    };
    let terminal = Terminal::open()?;
    say(&format!("* attached to the peer that runs on {}; /help lists the commands", settings.dir.display()));
    if !without_effect.is_empty() {
        say(&format!("* without effect, for it runs already: {}", without_effect.join(", ")));
    }
    let history = if terminal.is_editor() { ATTACH_HISTORY } else { 0 };
    let connection = Connection::attach(client, history).await?;
    Chat::new(connection, terminal, rooms).talk().await
}

fn introduce(home: &Home, board: &str, settings: &Settings, socket: &Socket, person: bool) {
    let peer = home.identity.keypair.public().to_peer_id().to_base58();
    let rooms = printable(&settings.rooms.join(", ")).into_owned();
    if person {
        say(&format!("* you are {} in {rooms}; /help lists the commands", name(&settings.nick, &peer)));
    } else if settings.verbosity >= 0 {
        say(&format!("stonechat {} on board {board}, in {rooms}", env!("CARGO_PKG_VERSION")));
        say(&format!("peer {peer}"));
        say(&format!("control socket {}", socket.path().display()));
    }
}

/// Tells what is otherwise in rooms of other programs. The node said so before anyone here could read it.
fn tell_notices(rooms: &[String]) {
    rooms.iter().filter_map(|room| others::notice(room)).for_each(|text| say(&format!("* {}", printable(&text))));
}

/// Tells the addresses we listen on, once they are known.
async fn announce(handle: Handle) {
    let start = Instant::now();
    let mut told: Vec<String> = Vec::new();
    let mut still = 0;
    while still < ADDRESSES_STILL_LOOKS && start.elapsed() < Duration::from_millis(ADDRESSES_LOOK_MS_MAX) {
        let Ok(Answer::Status(status)) = handle.request(Command::Status { tasks: false }).await else { return };
        still = if told.is_empty() { 0 } else { still + 1 };
        for address in status.listening {
            if !told.contains(&address) {
                say(&format!("listening on {address}"));
                told.push(address);
                still = 0;
            }
        }
        smol::Timer::after(Duration::from_millis(ADDRESSES_LOOK_MS)).await;
    }
}
