//! A node of the library in the role of a talker.

use super::talker::{Heard, Talker};
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, poll_fn},
    stream::FuturesUnordered,
};
use libp2p::{Multiaddr, identity::Keypair};
use std::{sync::Arc, task::Poll, time::Duration};
use stonechat::{
    base::board,
    net::executor::Executor,
    node::{
        self, Config, Handle, Refused, Role, Subscription,
        command::{Answer, Command, Status},
        event::Event,
    },
};

const KIND: &str = "bench";

/// A node and the events not read yet.
pub struct Node {
    handle: Handle,
    events: Subscription,
    /// Records whose answers have not come yet: several may be under way, as messages are with the bare peer.
    published: FuturesUnordered<BoxFuture<'static, Result<Answer, Refused>>>,
    own: String,
    address: Option<String>,
}

/// Starts a node on loopback that dials `bootstrap`.
pub async fn start(executor: &Executor, bootstrap: Vec<Multiaddr>) -> Result<Node, String> {
    let config = Config {
        keypair: Keypair::generate_ed25519(),
        board: board::find(board::DEFAULT).ok_or("no board")?,
        role: Role::Peer,
        nick: "bench".into(),
        rooms: vec!["bench".into()],
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().map_err(|e| format!("{e}"))?],
        bootstrap,
        mdns: false,
        dht_protocol: "/bench/kad/1.0.0".into(),
        clock: Default::default(),
        remembered: None,
    };
    let (handle, running) = node::start(config, executor).map_err(|error| error.to_string())?;
    let events = handle.subscribe();
    executor.spawn("node", running).detach();
    let mut node = Node { handle, events, published: FuturesUnordered::new(), own: String::new(), address: None };
    let mut status = node.status().await?;
    while status.listening.is_empty() {
        smol::Timer::after(Duration::from_millis(10)).await;
        status = node.status().await?;
    }
    node.own = status.peer;
    node.address = status.listening.into_iter().next();
    Ok(node)
}

impl Node {
    async fn status(&self) -> Result<Status, String> {
        match self.handle.request(Command::Status { tasks: false }).await {
            Ok(Answer::Status(status)) => Ok(*status),
            other => Err(format!("no status: {other:?}")),
        }
    }

    /// The next event; meanwhile records are handed over and their answers taken.
    async fn event(&mut self) -> Result<Arc<Event>, String> {
        poll_fn(|cx| {
            while let Poll::Ready(Some(answer)) = self.published.poll_next_unpin(cx) {
                if let Err(refused) = answer {
                    return Poll::Ready(Err(refused.to_string()));
                }
            }
            self.events.poll_next(cx).map(|event| event.ok_or("the node has ended".to_owned()))
        })
        .await
    }
}

impl Talker for Node {
    async fn publish(&mut self, message: Vec<u8>) -> Result<(), String> {
        let record = Command::Record { room: None, kind: KIND.into(), data: hex(&message)? };
        let handle = self.handle.clone();
        self.published.push(async move { handle.request(record).await }.boxed());
        Ok(())
    }

    async fn next(&mut self) -> Result<Heard, String> {
        if let Some(address) = self.address.take() {
            return Ok(Heard::Listening(address));
        }
        loop {
            match self.event().await?.as_ref() {
                Event::Joined { .. } => return Ok(Heard::Joined),
                Event::Record(record) if record.from != self.own && record.kind == KIND => {
                    return Ok(Heard::Message(unhex(&record.data)));
                }
                Event::Missed { count } => return Err(format!("{count} events missed")),
                _ => {}
            }
        }
    }

    async fn heartbeats(&mut self) -> Result<u64, String> {
        let status = self.status().await?;
        let counter = status.counters.iter().find(|counter| counter.name == "heartbeats");
        counter.map(|counter| counter.count).ok_or("the status counts no heartbeats".into())
    }
}

fn hex(bytes: &[u8]) -> Result<String, String> {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble };
    let mut text = Vec::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    String::from_utf8(text).map_err(|error| error.to_string())
}

fn unhex(text: &str) -> Vec<u8> {
    let nibble = |digit: u8| if digit > b'9' { digit - b'a' + 10 } else { digit - b'0' };
    text.as_bytes().chunks_exact(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
}
