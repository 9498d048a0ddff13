//! Figures: what a peer costs, beside a bare libp2p peer on the same net floor, both measured in this run.
//!
//! ```text
//! cargo bench                        everything, some four minutes
//! cargo bench -- --short             less of everything, for a quick look; also by STONECHAT_BENCH=short
//! cargo bench -- --only echo         one group: echo, idle, discovery or size
//! cargo bench -- --repeat 5          more rounds; the two kinds of peer take turns in each
//! cargo bench -- --values            no table, but a line for each figure: name, ours, the bare peer's, between tabs
//! cargo bench -- --worker COMMAND    echoes alone, between peers started by this command: of an emulator and a program
//!                                    that was built from this file for another processor
//! ```
//!
//! Each peer is a process of its own: this program again, in the role of a node of the library or of a bare peer, or
//! the program `stonechat` itself. Nothing is known beforehand; what could not be measured is printed as failed, and
//! then the exit code is not zero.

mod process;
mod row;
mod sheet;

mod talker;

mod bare;
mod node;

mod worker;

mod program;

mod discovery;
mod echo;
mod idle;
mod size;

use sheet::{Group, Sheet};
use std::{process::ExitCode, time::Duration};

/// How much is measured.
pub struct Plan {
    /// Echoes one after the other.
    pub echoes: u32,
    /// Round trips with many in flight.
    pub trips: u32,
    /// How long wake-ups are counted.
    pub window: Duration,
    /// How long peers are left alone before that.
    pub settle: Duration,
    /// Rounds of everything.
    pub repeat: u32,
    /// This group alone.
    pub only: Option<Group>,
    /// The command that starts a worker, if that is not this program.
    pub worker: Option<Vec<String>>,
}

const FULL: Plan = Plan {
    echoes: 2_000,
    trips: 10_000,
    window: Duration::from_secs(40),
    settle: Duration::from_secs(15),
    repeat: 2,
    only: None,
    worker: None,
};
const SHORT: Plan = Plan {
    echoes: 200,
    trips: 1_000,
    window: Duration::from_secs(5),
    settle: Duration::from_secs(6),
    repeat: 1,
    only: None,
    worker: None,
};

enum Asked {
    Measure { plan: Plan, values: bool },
    Work { role: String, options: Vec<String> },
}

fn main() -> ExitCode {
    match arguments() {
        Ok(Asked::Measure { plan, values }) => measure(&plan, values),
        Ok(Asked::Work { role, options }) => match worker::work(&role, &options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{role}: {error}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("figures: {error}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Result<Asked, String> {
    let mut arguments = std::env::args().skip(1);
    let short = std::env::var("STONECHAT_BENCH").is_ok_and(|how| how == "short");
    let (mut short, mut repeat, mut only, mut values, mut worker) = (short, None, None, false, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            worker::ROLE => return Ok(Asked::Work { role: value()?, options: arguments.collect() }),
            "--bench" => {} // From cargo.
            "--short" => short = true,
            "--values" => values = true,
            "--worker" => {
                worker = Some(value()?.split_whitespace().map(str::to_owned).collect());
                only = Some(Group::Echo);
            }
            "--repeat" => {
                repeat = Some(value()?.parse::<u32>().ok().filter(|n| *n > 0).ok_or("--repeat needs a number")?)
            }
            "--only" => only = Some(Group::named(&value()?).ok_or("--only knows echo, idle, discovery and size")?),
            other => return Err(format!("there is no option {other}: --short, --only, --repeat, --values, --worker")),
        }
    }
    let plan = if short { SHORT } else { FULL };
    let plan = Plan { repeat: repeat.unwrap_or(plan.repeat), only, worker, ..plan };
    Ok(Asked::Measure { plan, values })
}

fn measure(plan: &Plan, values: bool) -> ExitCode {
    let mut sheet = Sheet::new(plan);
    let wanted = |group| plan.only.is_none_or(|only| only == group);
    for round in 1..=plan.repeat {
        let told = |what: &str| eprintln!("round {round} of {}: {what}", plan.repeat);
        if wanted(Group::Echo) {
            told("echo");
            echo::measure(plan, &mut sheet);
        }
        if wanted(Group::Idle) {
            told("idle");
            idle::measure(plan, &mut sheet);
        }
        if wanted(Group::Discovery) {
            told("discovery");
            discovery::measure(&mut sheet);
        }
    }
    if wanted(Group::Size) {
        size::measure(&mut sheet);
    }
    print!("{}", if values { sheet.values() } else { sheet.markdown() });
    if sheet.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
