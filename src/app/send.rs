//! `stonechat send`: lines through the running peer, each answered before the next goes.

use super::client::Client;
use super::connection::{Connection, HELD_LINES_MAX, OUTBOX_LOOK_MS, Patience};
use super::exit::{Code, Failure};
use super::lines::{Line, LineReader};
use super::logging::say;
use super::shown::printable;
use super::stdio::Input;
use super::terminal::TYPED_BYTES_MAX;
use crate::node::command::{Answer, Command};
use std::path::PathBuf;
use std::time::Duration;

/// Sends `words` as one line, or each line of standard input if there are none.
pub(crate) async fn send(
    sockets: &[PathBuf],
    room: Option<String>,
    words: &[String],
    quiet: bool,
) -> Result<(), Failure> {
    let connection = Connection::Attached(Box::new(Client::connect(sockets).await?));
    let mut sender = Sender { connection, room, told: quiet, held: 0 };
    if !words.is_empty() {
        return sender.line(words.join(" ")).await;
    }
    let broken = |error| Failure::failed(format!("cannot read standard input ({error}): see where it comes from"));
    let mut lines = LineReader::new(Input::stdin().map_err(broken)?, TYPED_BYTES_MAX);
    let (mut number, mut refused) = (0_u64, 0_u64);
    while let Some(read) = lines.next().await.map_err(broken)? {
        number += 1;
        let sent = match read {
            Line::Text(text) if text.trim().is_empty() => continue,
            Line::Text(text) => sender.line(text).await,
            Line::TooLong => Err(Failure::refused(format!("it is longer than {TYPED_BYTES_MAX} bytes"))),
            Line::NotUtf8 => Err(Failure::refused("it is not UTF-8")),
        };
        match sent {
            Err(no) if no.code == Code::Refused => {
                refused += 1;
                say(&format!("stonechat: line {number} was not sent: {}", printable(&no.sentence)));
            }
            sent => sent?,
        }
    }
    match refused {
        0 => Ok(()),
        _ => Err(Failure::refused(format!("{refused} of {number} lines were not sent"))),
    }
}

struct Sender {
    connection: Connection,
    room: Option<String>,
    /// Whether it was said that lines wait.
    told: bool,
    /// Lines that wait since none did.
    held: u32,
}

impl Sender {
    async fn line(&mut self, text: String) -> Result<(), Failure> {
        let answer = self.connection.request(Command::Send { room: self.room.clone(), text }).await?;
        match answer {
            Answer::Sent(sent) if sent.peers == 0 => {
                if !std::mem::replace(&mut self.told, true) {
                    say("stonechat: nobody takes it now; the peer keeps what is sent until somebody does");
                }
                self.held += 1;
                if self.held >= HELD_LINES_MAX {
                    self.drain().await?;
                }
            }
            _ => self.held = 0,
        }
        Ok(())
    }

    /// Waits until no line waits at the peer, or none has left for a while.
    async fn drain(&mut self) -> Result<(), Failure> {
        let mut patience = Patience::default();
        while patience.after(self.connection.waiting().await?).is_none() {
            smol::Timer::after(Duration::from_millis(OUTBOX_LOOK_MS)).await;
        }
        self.held = 0;
        Ok(())
    }
}
