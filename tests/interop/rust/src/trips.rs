//! Round trips by gossip: what asks begins with `q` and a number, what answers has `r` in its place.

use crate::lines::{Failure, Request, Tag, failure};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

const ASK: u8 = b'q';
const REPLY: u8 = b'r';
const HEAD_BYTES: usize = 9;
/// An answer that takes longer counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct Trips {
    echoed: HashSet<String>,
    quiet: HashSet<String>,
    measured: Option<Measured>,
}

struct Measured {
    tag: Tag,
    topic: String,
    count: u64,
    in_flight: usize,
    bytes: usize,
    next: u64,
    start: Instant,
    end: Instant,
    open: HashMap<u64, Instant>,
    times: Vec<Duration>,
    lost: u64,
}

impl Trips {
    fn silence(&mut self, request: &Request, topic: &str) {
        if request.is("quiet") {
            self.quiet.insert(topic.into());
        }
    }

    pub fn echo(&mut self, request: &Request) -> Result<(), Failure> {
        let topic = request.need("topic")?;
        self.silence(request, topic);
        self.echoed.insert(topic.into());
        Ok(())
    }

    pub fn is_quiet(&self, topic: &str) -> bool {
        self.quiet.contains(topic)
    }

    pub fn is_measuring(&self) -> bool {
        self.measured.is_some()
    }

    pub fn measure(&mut self, request: &Request) -> Result<(), Failure> {
        let (count, in_flight) = (request.number("count"), request.number("in_flight") as usize);
        if count == 0 || in_flight == 0 {
            return Err(failure("count and in_flight must be positive"));
        }
        if self.measured.is_some() {
            return Err(failure("a measurement is under way"));
        }
        let topic = request.need("topic")?;
        self.silence(request, topic);
        self.measured = Some(Measured {
            tag: request.tag,
            topic: topic.into(),
            count,
            in_flight,
            bytes: (request.number("bytes") as usize).max(HEAD_BYTES),
            next: 0,
            start: Instant::now(),
            end: Instant::now(),
            open: HashMap::new(),
            times: Vec::new(),
            lost: 0,
        });
        Ok(())
    }

    /// Takes a message; returns what is to be published for it.
    pub fn hear(&mut self, topic: &str, data: &[u8]) -> Option<Vec<u8>> {
        match *data.first()? {
            ASK if self.echoed.contains(topic) => {
                let mut answer = data.to_vec();
                answer[0] = REPLY;
                return Some(answer);
            }
            REPLY => {
                let measured = self.measured.as_mut().filter(|measured| measured.topic == topic)?;
                let number = u64::from_be_bytes(data.get(1..HEAD_BYTES)?.try_into().ok()?);
                let sent = measured.open.remove(&number)?;
                measured.end = Instant::now();
                measured.times.push(measured.end - sent);
            }
            _ => {}
        }
        None
    }

    /// The next question, if it is time for one.
    pub fn next(&mut self) -> Option<(String, Vec<u8>)> {
        let measured = self.measured.as_mut()?;
        if measured.next == measured.count || measured.open.len() >= measured.in_flight {
            return None;
        }
        let mut data = vec![0; measured.bytes];
        data[0] = ASK;
        data[1..HEAD_BYTES].copy_from_slice(&measured.next.to_be_bytes());
        measured.open.insert(measured.next, Instant::now());
        measured.next += 1;
        Some((measured.topic.clone(), data))
    }

    /// Gives up what takes too long.
    pub fn tick(&mut self) {
        if let Some(measured) = &mut self.measured {
            let before = measured.open.len();
            measured.open.retain(|_, sent| sent.elapsed() <= LOST_AFTER);
            measured.lost += (before - measured.open.len()) as u64;
        }
    }

    /// Ends the measurement early.
    pub fn fail(&mut self) -> Option<Tag> {
        Some(self.measured.take()?.tag)
    }

    /// The figures, once all is heard or lost.
    pub fn done(&mut self) -> Option<(Tag, Value)> {
        let Measured { tag, start, end, mut times, lost, .. } =
            self.measured.take_if(|measured| measured.next == measured.count && measured.open.is_empty())?;
        times.sort_unstable();
        let quantile = |percent: usize| {
            let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(at).map(|time| time.as_micros() as u64)
        };
        let seconds = (!times.is_empty()).then(|| (end - start).as_secs_f64());
        Some((tag, json!({ "seconds": seconds, "p50_us": quantile(50), "p99_us": quantile(99), "lost": lost })))
    }
}
