//! How much is measured, as the command line says.

use super::worker;
use std::{process::ExitCode, time::Duration};

/// The option to build first what is missing of others' programs: the bench `beside` does so.
pub const BUILD: &str = "--build";

/// What is measured together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Echoes through a room, and the memory after them.
    Echo,
    /// Peers with nothing to do.
    Idle,
    /// Finding each other.
    Discovery,
    /// The program's size.
    Size,
}

impl Group {
    fn named(name: &str) -> Option<Group> {
        let all =
            [("echo", Group::Echo), ("idle", Group::Idle), ("discovery", Group::Discovery), ("size", Group::Size)];
        all.into_iter().find(|(known, _)| *known == name).map(|(_, group)| group)
    }
}

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
    /// Numbers for scripts in place of a table.
    pub values: bool,
}

const FULL: Plan = Plan {
    echoes: 2_000,
    trips: 10_000,
    window: Duration::from_secs(40),
    settle: Duration::from_secs(15),
    repeat: 2,
    only: None,
    worker: None,
    values: false,
};
const SHORT: Plan = Plan {
    echoes: 200,
    trips: 1_000,
    // A ping of each connection falls into it.
    window: Duration::from_secs(20),
    settle: Duration::from_secs(6),
    repeat: 1,
    only: None,
    worker: None,
    values: false,
};

/// What the program is started for.
enum Asked {
    /// To measure.
    Measure(Plan),
    /// To be measured, as a peer of some kind.
    Work { role: String, options: Vec<String> },
}

/// Does what the command line says: measures, or is measured.
pub fn run(name: &str, measure: impl FnOnce(&Plan) -> ExitCode) -> ExitCode {
    let (who, error, code) = match arguments() {
        Ok(Asked::Measure(plan)) => return measure(&plan),
        Ok(Asked::Work { role, options }) => match worker::work(&role, &options) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => (role, error, ExitCode::FAILURE),
        },
        Err(error) => (name.to_owned(), error, ExitCode::from(2)),
    };
    eprintln!("{who}: {error}");
    code
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
            BUILD => {} // Whoever builds asks.
            "--repeat" => {
                repeat = Some(value()?.parse::<u32>().ok().filter(|n| *n > 0).ok_or("--repeat needs a number")?)
            }
            "--only" => only = Some(Group::named(&value()?).ok_or("--only knows echo, idle, discovery and size")?),
            other => {
                let known = "--short, --only, --repeat, --values, --worker, --build";
                return Err(format!("there is no option {other}: {known}"));
            }
        }
    }
    let plan = if short { SHORT } else { FULL };
    Ok(Asked::Measure(Plan { repeat: repeat.unwrap_or(plan.repeat), only, worker, values, ..plan }))
}

impl Plan {
    /// Whether this group is wanted.
    pub fn wants(&self, group: Group) -> bool {
        self.only.is_none_or(|only| only == group)
    }
}
