//! The work both kinds of peer do: answering, and measuring how long answers take.

use futures::{StreamExt, channel::mpsc};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// An echo that takes longer counts as lost.
const LOST: Duration = Duration::from_secs(10);
/// Bytes of a message: a short line of chat.
const MESSAGE_BYTES: usize = 32;
const ASK: u8 = 0;
const ANSWER: u8 = 1;

/// What a peer hears.
pub enum Heard {
    /// It can be dialled here.
    Listening(String),
    /// Somebody is in the room.
    Joined,
    /// Another's message.
    Message(Vec<u8>),
}

/// A peer that talks in one room.
pub trait Talker {
    /// Says something to the room.
    async fn publish(&mut self, message: Vec<u8>) -> Result<(), String>;
    /// Waits for what comes next. May be dropped while it waits.
    async fn next(&mut self) -> Result<Heard, String>;
    /// Heartbeats of gossipsub since the start.
    async fn heartbeats(&mut self) -> Result<u64, String>;
}

enum Turn {
    Order(Option<String>),
    Heard(Result<Heard, String>),
}

/// Answers every message, and does as ordered, a line an order, until there are no more.
pub async fn serve(mut talker: impl Talker, mut orders: mpsc::Receiver<String>) -> Result<(), String> {
    loop {
        let heard = async { Turn::Heard(talker.next().await) };
        let order = async { Turn::Order(orders.next().await) };
        match smol::future::or(heard, order).await {
            Turn::Heard(heard) => match heard? {
                Heard::Listening(address) => println!("listening {address}"),
                Heard::Joined => println!("joined"),
                Heard::Message(message) => answer(&mut talker, &message).await?,
            },
            Turn::Order(None) => return Ok(()),
            Turn::Order(Some(order)) => obey(&mut talker, &order).await?,
        }
    }
}

async fn answer(talker: &mut impl Talker, message: &[u8]) -> Result<(), String> {
    match number(message) {
        Some((ASK, number)) => talker.publish(message_of(ANSWER, number)).await,
        _ => Ok(()),
    }
}

async fn obey(talker: &mut impl Talker, order: &str) -> Result<(), String> {
    let words: Vec<&str> = order.split_whitespace().collect();
    let count = |text: &str| text.parse::<u64>().map_err(|_| format!("no number: {text}"));
    match words.as_slice() {
        ["echo", trips] => {
            let done = trip(talker, count(trips)?, 1).await?;
            println!("echo {} {} {}", done.quantile_ms(50), done.quantile_ms(99), done.lost);
        }
        ["flight", trips, at_once] => {
            let done = trip(talker, count(trips)?, count(at_once)? as usize).await?;
            println!("flight {} {}", done.times.len() as f64 / done.took.as_secs_f64(), done.lost);
        }
        ["heartbeats"] => println!("heartbeats {}", talker.heartbeats().await?),
        _ => return Err(format!("no such order: {order}")),
    }
    Ok(())
}

struct Trips {
    /// In microseconds.
    times: Vec<u32>,
    lost: u64,
    took: Duration,
}

impl Trips {
    fn quantile_ms(&self, percent: usize) -> f64 {
        let mut times = self.times.clone();
        times.sort();
        let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(at).map_or(f64::NAN, |time| f64::from(*time) / 1000.0)
    }
}

/// Sends messages and waits for their answers, so many at once.
async fn trip(talker: &mut impl Talker, trips: u64, at_once: usize) -> Result<Trips, String> {
    let start = Instant::now();
    // As small as it can be: it is in the memory that is measured.
    let mut done = Trips { times: Vec::with_capacity(trips as usize), lost: 0, took: Duration::ZERO };
    let mut open = BTreeMap::new();
    // One timer for all: a timer for each message would wake the reactor's thread each time.
    let mut ticks = smol::Timer::interval(Duration::from_secs(1));
    let mut next = 0;
    while next < trips || !open.is_empty() {
        while next < trips && open.len() < at_once {
            open.insert(next, Instant::now());
            talker.publish(message_of(ASK, next)).await?;
            next += 1;
        }
        let heard = async { Some(talker.next().await) };
        let tick = async {
            ticks.next().await;
            None
        };
        match smol::future::or(heard, tick).await {
            Some(heard) => {
                if let Heard::Message(message) = heard?
                    && let Some((ANSWER, number)) = number(&message)
                    && let Some(sent) = open.remove(&number)
                {
                    done.times.push(sent.elapsed().as_micros() as u32);
                    done.took = start.elapsed();
                }
            }
            None => {
                let before = open.len();
                open.retain(|_, sent| sent.elapsed() < LOST);
                done.lost += (before - open.len()) as u64;
            }
        }
    }
    Ok(done)
}

fn message_of(kind: u8, number: u64) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend_from_slice(&number.to_be_bytes());
    message.resize(MESSAGE_BYTES, 0);
    message
}

fn number(message: &[u8]) -> Option<(u8, u64)> {
    let (kind, rest) = message.split_first()?;
    Some((*kind, u64::from_be_bytes(rest.get(..8)?.try_into().ok()?)))
}
