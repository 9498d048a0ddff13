//! `stonechat tail`: what is said in the rooms of the running peer.

use super::client::Client;
use super::exit::Failure;
use super::logging::say;
use super::protocol::{self, Subscribe};
use super::render::Painter;
use super::signals::Ending;
use super::stdio::Output;
use crate::node::command::{Answer, Command};
use crate::node::event::Event;
use smol::future::FutureExt;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

/// What to follow.
pub(crate) struct Wanted {
    /// These rooms only; all if empty.
    pub(crate) rooms: Vec<String>,
    /// First so many of the past.
    pub(crate) history: u32,
    /// End after so many.
    pub(crate) count: Option<u32>,
    /// As JSON.
    pub(crate) json: bool,
}

/// Follows until the count is reached, the reader goes away or a signal comes.
pub(crate) async fn tail(sockets: &[PathBuf], wanted: Wanted) -> Result<(), Failure> {
    let signals = Ending::new();
    let mut ending = signals.map_err(|error| Failure::failed(format!("cannot catch signals ({error})")))?;
    let client = Client::connect(sockets).await?;
    let mut output = Output::stdout().map_err(Failure::output)?;
    let gone = output.reader_gone();
    let end = async {
        ending.wait().await;
        Ok(())
    };
    let gone = async {
        gone.await;
        Ok(())
    };
    follow(client, &mut output, wanted).or(end).or(gone).await
}

async fn follow(mut client: Client, output: &mut Output, wanted: Wanted) -> Result<(), Failure> {
    joined(&mut client, &wanted.rooms).await?;
    let all = wanted.rooms.is_empty();
    let rooms = (!wanted.rooms.is_empty()).then_some(wanted.rooms);
    client.subscribe(&Subscribe { rooms, history: wanted.history }).await?;
    let mut painter = Painter::new(io::stdout().is_terminal());
    let mut left = wanted.count;
    loop {
        let Some(event) = client.next().await? else {
            return Err(Failure::no_peer("the peer has ended: start it again"));
        };
        let line = match &event {
            // It belongs to no room.
            Event::Dm(_) if !all => continue,
            Event::Message(_) | Event::Record(_) | Event::Dm(_) if !wanted.json => {
                painter.line(&event).unwrap_or_default()
            }
            Event::Message(_) | Event::Record(_) | Event::Dm(_) => protocol::event(&event),
            Event::Missed { .. } | Event::Restamped { .. } if wanted.json => {
                output.line(&protocol::event(&event)).await.map_err(Failure::output)?;
                continue;
            }
            Event::Missed { count } => {
                say(&format!("stonechat: {count} events were missed: this reader was too slow"));
                continue;
            }
            _ => continue,
        };
        output.line(&line).await.map_err(Failure::output)?;
        left = left.map(|left| left - 1);
        if left == Some(0) {
            return Ok(());
        }
    }
}

/// A room nobody joined stays silent for ever: better to say so.
async fn joined(client: &mut Client, wanted: &[String]) -> Result<(), Failure> {
    if wanted.is_empty() {
        return Ok(());
    }
    let Answer::Rooms { rooms } = client.request(&Command::Rooms {}).await? else { return Ok(()) };
    match wanted.iter().find(|wanted| !rooms.iter().any(|room| room.room == **wanted)) {
        Some(room) => Err(Failure::refused(format!("the peer is not in {room}: start it with --room {room}"))),
        None => Ok(()),
    }
}
