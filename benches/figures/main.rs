//! Figures: what a peer costs, beside a bare libp2p peer on the same net floor, both measured in this run.
//!
//! ```text
//! cargo bench                        everything, some four minutes
//! cargo bench -- --short             less of everything, for a quick look; also by STONECHAT_BENCH=short
//! cargo bench -- --only echo         one group: echo, idle, discovery or size
//! cargo bench -- --repeat 5          more rounds; the two kinds of peer take turns in each
//! ```
//!
//! Each peer is a process of its own: this program again, in the role of a node of the library or of a bare peer, or
//! the program `stonechat` itself. Nothing is known beforehand; what could not be measured is printed as failed, and
//! then the exit code is not zero.

mod process;
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
}

const FULL: Plan = Plan {
    echoes: 2_000,
    trips: 10_000,
    window: Duration::from_secs(40),
    settle: Duration::from_secs(15),
    repeat: 2,
    only: None,
};
const SHORT: Plan = Plan {
    echoes: 200,
    trips: 1_000,
    window: Duration::from_secs(5),
    settle: Duration::from_secs(6),
    repeat: 1,
    only: None,
};

enum Asked {
    Measure(Plan),
    Work { role: String, options: Vec<String> },
}

fn main() -> ExitCode {
    match arguments() {
        Ok(Asked::Measure(plan)) => measure(&plan),
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
    let (mut short, mut repeat, mut only) = (short, None, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            worker::ROLE => return Ok(Asked::Work { role: value()?, options: arguments.collect() }),
            "--bench" => {} // From cargo.
            "--short" => short = true,
            "--repeat" => {
                repeat = Some(value()?.parse::<u32>().ok().filter(|n| *n > 0).ok_or("--repeat needs a number")?)
            }
            "--only" => only = Some(Group::named(&value()?).ok_or("--only knows echo, idle, discovery and size")?),
            other => return Err(format!("there is no option {other}: --short, --only GROUP, --repeat N")),
        }
    }
    let plan = if short { SHORT } else { FULL };
    Ok(Asked::Measure(Plan { repeat: repeat.unwrap_or(plan.repeat), only, ..plan }))
}

fn measure(plan: &Plan) -> ExitCode {
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
    print!("{}", sheet.markdown());
    if sheet.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
