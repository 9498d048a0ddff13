//! What a service manager is told by the protocol of sd_notify(3): readiness, state, signs of life, the end.

use crate::node::Handle;
use crate::node::command::{Answer, Command, Status};
use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// Seconds between two looks at the node, or half of the watchdog's time if that is less. A look costs one wake-up.
const LOOK_INTERVAL_S: u64 = 10;
/// Milliseconds between two looks until the node listens.
const READY_LOOK_MS: u64 = 50;
/// Milliseconds after which a node without an address counts as ready: a board that boots before its network.
const READY_MS_MAX: u64 = 5_000;

/// The way to the service manager that started us.
pub(crate) struct Notifier {
    socket: UnixDatagram,
    manager: SocketAddr,
    /// How long it waits for a sign of life before it takes us for dead.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// To the manager that the environment names; none if there is none.
    pub(crate) fn of_process() -> Option<Self> {
        let address = env::var_os("NOTIFY_SOCKET")?;
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| ours && *usec > 0).map(Duration::from_micros);
        let notifier = open().and_then(|socket| Ok(Self { socket, manager: manager(&address)?, watchdog }));
        notifier.inspect_err(|error| log::warn!("NOTIFY_SOCKET cannot be used ({error}): systemd is told nothing")).ok()
    }

    /// Tells the manager about the node until the node ends. Each sign of life follows an answer of the node's own
    /// loop: a node that hangs gives none.
    pub(crate) async fn tell(&self, handle: Handle) {
        let half = self.watchdog.map_or(Duration::MAX, |watchdog| watchdog / 2);
        let pause = half.min(Duration::from_secs(LOOK_INTERVAL_S));
        let start = Instant::now();
        let (mut ready, mut told) = (false, String::new());
        loop {
            let Ok(Answer::Status(status)) = handle.request(Command::Status { tasks: false }).await else { return };
            let in_time = start.elapsed() < Duration::from_millis(READY_MS_MAX);
            if !ready && status.listening.is_empty() && in_time {
                smol::Timer::after(Duration::from_millis(READY_LOOK_MS)).await;
                continue;
            }
            let words = words(&status);
            let mut lines = String::new();
            if !ready {
                lines.push_str("READY=1\n");
            }
            if words != told {
                lines.push_str(&format!("STATUS={words}\n"));
            }
            if self.watchdog.is_some() {
                lines.push_str("WATCHDOG=1\n");
            }
            // What did not reach a manager that is busy is said again at the next look.
            if lines.is_empty() || self.send(&lines) {
                (ready, told) = (true, words);
            }
            smol::Timer::after(pause).await;
        }
    }

    /// Tells the manager that we are about to end.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1\n");
    }

    fn send(&self, lines: &str) -> bool {
        let sent = self.socket.send_to_addr(lines.as_bytes(), &self.manager);
        sent.inspect_err(|error| log::warn!("the service manager was not reached: {error}")).is_ok()
    }
}

/// Never waits: the node runs on the same thread.
fn open() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A path, or with `@` before it a name without a file.
fn manager(address: &OsStr) -> io::Result<SocketAddr> {
    match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(address),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract name")),
    }
}

fn words(status: &Status) -> String {
    let count = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let words = format!("{}, {}", count(status.peers as usize, "peer"), count(status.rooms.len(), "room"));
    match status.listening.is_empty() {
        true => format!("{words}, no address yet"),
        false => words,
    }
}
