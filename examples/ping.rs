//! Two peers that ping each other, on the `net` floor alone.
//!
//! ```text
//! cargo run --example ping                                    both peers in one process
//! cargo run --example ping -- listen [ADDRESS]                one peer; prints its addresses
//! cargo run --example ping -- dial ADDRESS                    the other; prints the round-trip time
//! ```

use std::{error::Error, process::ExitCode, time::Duration};

use futures::StreamExt;
use libp2p::{
    Multiaddr, identity,
    swarm::{self, Swarm, SwarmEvent},
};
use stonechat::net::{self, executor::Executor, ping, tcp, yamux};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ping: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let executor = Executor::new();
    match arguments {
        [] => executor.block_on(both(&executor)),
        ["listen"] => executor.block_on(listen(&executor, "/ip4/0.0.0.0/tcp/0".parse()?)),
        ["listen", address] => executor.block_on(listen(&executor, address.parse()?)),
        ["dial", address] => executor.block_on(dial(&executor, address.parse()?)),
        _ => Err("usage: ping [listen [ADDRESS] | dial ADDRESS]".into()),
    }
}

fn peer(executor: &Executor) -> Result<Swarm<ping::Behaviour>, Box<dyn Error>> {
    let key = identity::Keypair::generate_ed25519();
    let transport = net::transport(&key, tcp::Config::default(), yamux::Config::default())?;
    let pinging = ping::Behaviour::new(ping::Config { interval: Duration::from_secs(1), ..ping::Config::default() });
    let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(Duration::from_secs(60));
    Ok(Swarm::new(transport, pinging, key.public().to_peer_id(), config))
}

async fn listen(executor: &Executor, address: Multiaddr) -> Result<(), Box<dyn Error>> {
    let mut peer = peer(executor)?;
    peer.listen_on(address)?;
    loop {
        match peer.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => {
                println!("listening on {address}/p2p/{}", peer.local_peer_id());
            }
            SwarmEvent::Behaviour(event) => report(&event),
            _ => {}
        }
    }
}

async fn dial(executor: &Executor, address: Multiaddr) -> Result<(), Box<dyn Error>> {
    let mut peer = peer(executor)?;
    peer.dial(address)?;
    loop {
        match peer.select_next_some().await {
            SwarmEvent::Behaviour(event) => report(&event),
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.into()),
            SwarmEvent::ConnectionClosed { .. } => return Ok(()),
            _ => {}
        }
    }
}

/// Ends with the first answer.
async fn both(executor: &Executor) -> Result<(), Box<dyn Error>> {
    let (mut one, mut other) = (peer(executor)?, peer(executor)?);
    one.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
    loop {
        let event = futures::select! {
            event = one.select_next_some() => event,
            event = other.select_next_some() => event,
        };
        match event {
            SwarmEvent::NewListenAddr { address, .. } => other.dial(address)?,
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.into()),
            SwarmEvent::Behaviour(event) => {
                report(&event);
                if event.result.is_ok() {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
}

fn report(event: &ping::Event) {
    match &event.result {
        Ok(rtt) => println!("{} answered in {rtt:?}", event.peer),
        Err(error) => println!("{} did not answer: {error}", event.peer),
    }
}
