//! The peer inside an async-std program: two of them, a line each way.
//!
//! ```text
//! cargo run --features async-std --example async_std
//! ```
//!
//! async-std runs the tasks; sockets and timers are driven by the one reactor thread that it shares with smol.

use libp2p::{Multiaddr, identity::Keypair};
use std::error::Error;
use stonechat::{
    base::board,
    net::executor::Executor,
    node::{
        self, Config, Handle, Role, Subscription,
        command::{Answer, Command},
        event::Event,
    },
};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    async_std::task::block_on(run())
}

async fn run() -> Result<(), Failure> {
    let executor = stonechat::async_std::executor();
    let (ann, mut ann_hears) = start(&executor, "ann", vec![])?;
    let (bob, mut bob_hears) = start(&executor, "bob", vec![address(&ann).await?])?;

    say(&ann, "hello from async-std").await?;
    println!("bob hears {}", line_of("ann", &mut bob_hears).await?);
    say(&bob, "and back").await?;
    println!("ann hears {}", line_of("bob", &mut ann_hears).await?);

    ann.shutdown().await;
    bob.shutdown().await;
    Ok(())
}

fn start(executor: &Executor, nick: &str, bootstrap: Vec<Multiaddr>) -> Result<(Handle, Subscription), Failure> {
    let config = Config {
        keypair: Keypair::generate_ed25519(),
        board: board::find(board::DEFAULT).ok_or("no board")?,
        role: Role::Peer,
        nick: nick.into(),
        rooms: vec![node::DEFAULT_ROOM.into()],
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse()?],
        bootstrap,
        mdns: false,
        dht_protocol: node::DEFAULT_DHT_PROTOCOL.into(),
        clock: Default::default(),
        remembered: None,
    };
    let (handle, running) = node::start(config, executor)?;
    let events = handle.subscribe();
    async_std::task::spawn(running);
    Ok((handle, events))
}

/// The first address a node listens on. It is known as soon as its loop has run.
async fn address(handle: &Handle) -> Result<Multiaddr, Failure> {
    loop {
        match handle.request(Command::Status { tasks: false }).await? {
            Answer::Status(status) if !status.listening.is_empty() => return Ok(status.listening[0].parse()?),
            _ => async_std::task::yield_now().await,
        }
    }
}

/// A line said while nobody is there waits until somebody comes.
async fn say(handle: &Handle, text: &str) -> Result<(), Failure> {
    handle.request(Command::Send { room: None, text: text.into() }).await?;
    Ok(())
}

async fn line_of(nick: &str, events: &mut Subscription) -> Result<String, Failure> {
    loop {
        if let Event::Message(message) = &*events.next().await.ok_or("the peer stopped")?
            && message.nick == nick
        {
            return Ok(message.text.clone());
        }
    }
}
