//! Echoes between two peers of one kind: one publishes, the other publishes an answer, the first receives it.

use super::{
    kind::Kind,
    plan::Plan,
    process,
    sheet::{Figure, Sheet},
    stranger::{Stranger, Trips},
    worker::{Role, Worker},
};
use std::{thread::sleep, time::Duration};

/// Bytes that are said: those of `figures::talker`.
const MESSAGE_BYTES: usize = 32;
/// Before the first is asked: a mesh stands after a heartbeat or two, and until then go loses the first ones.
const MESH: Duration = Duration::from_millis(2_500);
/// Round trips at a time.
const IN_FLIGHT: u32 = 32;
/// Between two echoes of who takes ten messages a second.
const SLOWLY: Duration = Duration::from_millis(250);
/// Echoes of such a one, for each hundred of another.
const SLOW_PERCENT: u32 = 2;

/// Two peers, of which the first asks and the second answers.
trait Pair {
    fn pid(&self) -> u32;
    /// Median, 99 of 100, and how many were lost.
    fn echo(&mut self, count: u32) -> Result<[f64; 3], String>;
    /// A second, and lost.
    fn flight(&mut self, count: u32) -> Result<[f64; 2], String>;
}

struct Ours(Worker, #[expect(dead_code, reason = "it answers as long as it is there")] Worker);

impl Pair for Ours {
    fn pid(&self) -> u32 {
        self.0.pid()
    }

    fn echo(&mut self, count: u32) -> Result<[f64; 3], String> {
        numbers(self.0.order(&format!("echo {count}"))?)
    }

    fn flight(&mut self, count: u32) -> Result<[f64; 2], String> {
        numbers(self.0.order(&format!("flight {count} {IN_FLIGHT}"))?)
    }
}

fn numbers<const N: usize>(answer: Vec<f64>) -> Result<[f64; N], String> {
    answer.try_into().map_err(|answer| format!("a worker answered {answer:?}"))
}

struct Theirs {
    pair: Vec<Stranger>,
    fast: bool,
}

impl Pair for Theirs {
    fn pid(&self) -> u32 {
        self.pair[1].pid()
    }

    fn echo(&mut self, count: u32) -> Result<[f64; 3], String> {
        if self.fast {
            let Trips { p50_ms, p99_ms, lost, .. } = self.pair[1].measure(count, 1, MESSAGE_BYTES)?;
            return Ok([p50_ms, p99_ms, lost]);
        }
        let (mut times, mut lost) = (Vec::new(), 0.0);
        for _ in 0..(count * SLOW_PERCENT / 100).max(1) {
            let trip = self.pair[1].measure(1, 1, MESSAGE_BYTES)?;
            times.push(trip.p50_ms);
            lost += trip.lost;
            sleep(SLOWLY);
        }
        times.sort_by(f64::total_cmp);
        let quantile = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        Ok([quantile(50), quantile(99), lost])
    }

    fn flight(&mut self, count: u32) -> Result<[f64; 2], String> {
        let trips = self.pair[1].measure(count, IN_FLIGHT, MESSAGE_BYTES)?;
        Ok([trips.rate, trips.lost])
    }
}

fn start(kind: &Kind, sheet: &mut Sheet) -> Result<Box<dyn Pair>, String> {
    let Some(file) = kind.file else {
        let mut echo = Worker::start(Role::Node, None)?;
        let mut ask = Worker::start(Role::Node, Some(&echo.address.clone()))?;
        echo.wait_joined(1)?;
        ask.wait_joined(1)?;
        return Ok(Box::new(Ours(ask, echo)));
    };
    let mut pair = Stranger::company(file, 1, kind.dht, false)?;
    sheet.version(kind, &pair[0].version);
    pair[0].echo()?;
    Ok(Box::new(Theirs { pair, fast: kind.fast }))
}

/// Measures one round of a kind.
pub fn measure(plan: &Plan, kind: &'static Kind, sheet: &mut Sheet) -> Result<(), String> {
    let mut pair = start(kind, sheet)?;
    sleep(MESH);
    let [p50, p99, lost_one] = pair.echo(plan.echoes)?;
    sheet.take(Figure::EchoP50, kind, p50);
    sheet.take(Figure::EchoP99, kind, p99);
    if kind.fast {
        let [rate, lost] = pair.flight(plan.trips)?;
        sheet.take(Figure::Rate, kind, rate);
        sheet.take(Figure::Lost, kind, lost);
        sheet.take(Figure::MemoryAfter, kind, process::resident_mib(pair.pid())?);
    }
    if lost_one > 0.0 {
        return Err(format!("{lost_one} echoes were lost with one in flight"));
    }
    Ok(())
}
