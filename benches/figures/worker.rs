//! This program again as a child process in the role of one peer. It takes orders on its standard input and answers
//! on its standard output, a line each, and ends with its input.

use super::{bare, node, talker};
use futures::{AsyncBufReadExt, SinkExt, StreamExt, channel::mpsc, io::BufReader};
use libp2p::Multiaddr;
use std::{
    io::{BufRead, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc as std_mpsc,
    time::{Duration, Instant},
};
use stonechat::net::executor::Executor;

/// The option that makes this program a worker.
pub const ROLE: &str = "--role";
/// How long an answer may take; ten thousand round trips on a slow machine.
const PATIENCE: Duration = Duration::from_secs(180);
const TICK: &str = "tick";
const COUNT: &str = "count";

/// The kinds of peer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A node of the library.
    Node,
    /// A bare libp2p peer.
    Bare(bare::Extra),
}

/// The child's side.
pub fn work(role: &str, options: &[String]) -> Result<(), String> {
    let executor = Executor::new();
    let (mut give, orders) = mpsc::channel(1);
    let input = smol::Async::new(std::io::stdin()).map_err(|error| error.to_string())?;
    let reader = executor.spawn("orders", async move {
        let mut lines = BufReader::new(input).lines();
        while let Some(Ok(line)) = lines.next().await {
            if give.send(line).await.is_err() {
                return;
            }
        }
    });
    reader.detach();
    let addresses = options.iter().filter(|option| option.starts_with('/'));
    let addresses: Vec<Multiaddr> = addresses.map(|a| a.parse().map_err(|_| a.clone())).collect::<Result<_, _>>()?;
    let has = |name: &str| options.iter().any(|option| option == name);
    match role {
        "node" => executor.block_on(async {
            let node = node::start(&executor, addresses).await?;
            talker::serve(node, orders).await
        }),
        "bare" => {
            let extra = bare::Extra { tick: has(TICK), count: has(COUNT) };
            executor.block_on(talker::serve(bare::start(&executor, addresses, extra)?, orders))
        }
        _ => Err("no such role".into()),
    }
}

/// The parent's side.
pub struct Worker {
    child: Child,
    orders: ChildStdin,
    answers: std_mpsc::Receiver<String>,
    joined: usize,
    /// Where it can be dialled.
    pub address: String,
}

impl Worker {
    /// Starts a worker that dials `address`.
    pub fn start(role: Role, address: Option<&str>) -> Result<Worker, String> {
        Worker::start_by(None, role, address)
    }

    /// The same by another command than this program's.
    pub fn start_by(by: Option<&[String]>, role: Role, address: Option<&str>) -> Result<Worker, String> {
        let mut command = match by.and_then(<[String]>::split_first) {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
            None => Command::new(std::env::current_exe().map_err(|error| error.to_string())?),
        };
        match role {
            Role::Node => command.args([ROLE, "node"]),
            Role::Bare(extra) => {
                command.args([ROLE, "bare"]);
                let options = [(extra.tick, TICK), (extra.count, COUNT)];
                command.args(options.iter().filter(|(on, _)| *on).map(|(_, name)| name))
            }
        };
        let command = command.args(address).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("a worker did not start: {error}"))?;
        let (Some(orders), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a worker has no pipes".into());
        };
        let (give, answers) = std_mpsc::channel();
        std::thread::spawn(move || {
            for line in std::io::BufReader::new(output).lines().map_while(Result::ok) {
                if give.send(line).is_err() {
                    return;
                }
            }
        });
        let mut worker = Worker { child, orders, answers, joined: 0, address: String::new() };
        worker.address = worker.answer("listening")?;
        Ok(worker)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it met so many others.
    pub fn wait_joined(&mut self, count: usize) -> Result<(), String> {
        while self.joined < count {
            self.answer("joined")?;
            self.joined += 1;
        }
        Ok(())
    }

    /// Orders something and waits for the answer's numbers.
    pub fn order(&mut self, order: &str) -> Result<Vec<f64>, String> {
        writeln!(self.orders, "{order}").map_err(|error| format!("a worker takes no orders: {error}"))?;
        let first = order.split(' ').next().unwrap_or_default();
        let answer = self.answer(first)?;
        answer.split(' ').map(|number| number.parse().map_err(|_| format!("{order}: answered {answer}"))).collect()
    }

    fn answer(&mut self, first: &str) -> Result<String, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.answers.recv_timeout(left).map_err(|_| format!("a worker never said {first}"))?;
            if let Some(rest) = line.strip_prefix(first) {
                return Ok(rest.trim().to_owned());
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
