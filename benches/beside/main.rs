//! Beside others: what a peer costs, and what peers on go-libp2p, js-libp2p, py-libp2p and rust-libp2p with tokio cost that
//! do the same, all measured in this run.
//!
//! ```text
//! cargo bench --bench beside                  everything, some five minutes
//! cargo bench --bench beside -- --build       first builds those of tests/interop that are missing
//! cargo bench --bench beside -- --short       less of everything; also --only GROUP and --repeat N, as with `figures`
//! STONECHAT_WRITE=1 cargo bench --bench beside    puts the table into the README
//! ```
//!
//! Each kind of peer is measured against its own kind. What is not built has no column, and is said; what could not be
//! measured is printed as failed, and then the exit code is not zero.

#[allow(dead_code, reason = "what `figures` asks for besides")]
#[path = "../figures"]
mod figures {
    pub mod bare;
    pub mod meeting;
    pub mod node;
    pub mod plan;
    pub mod process;
    pub mod program;
    pub mod rounds;
    pub mod talker;
    pub mod worker;
}
use figures::{meeting, plan, process, program, rounds, worker};

mod kind;
mod readme;
mod sheet;
mod stranger;

mod discovery;
mod echo;
mod idle;
mod size;

use kind::{KINDS, Kind};
use plan::{Group, Plan};
use sheet::Sheet;
use std::process::ExitCode;

fn main() -> ExitCode {
    plan::run("beside", measure)
}

/// Those that are there, after building those that are not if that was asked for; and what is to be said of the others.
fn present() -> (Vec<&'static Kind>, Vec<String>) {
    let build = std::env::args().any(|argument| argument == plan::BUILD);
    let mut missing = Vec::new();
    let mut there = |kind: &&'static Kind| {
        let made = if build && !kind.is_built() { kind.make() } else { Ok(()) };
        let built = kind.is_built();
        if !built {
            let why = made.err().unwrap_or(format!("{} builds it, or `-- {}`", kind.command(), plan::BUILD));
            missing.push(format!("{} is not built: {why}", kind.name));
        }
        built
    };
    let kinds = KINDS.iter().filter(&mut there).collect();
    (kinds, missing)
}

fn measure(plan: &Plan) -> ExitCode {
    if plan.worker.is_some() || plan.values {
        println!("beside: skipped: --worker and --values are for `figures`");
        return ExitCode::SUCCESS;
    }
    let (kinds, missing) = present();
    missing.iter().for_each(|line| eprintln!("beside: {line}"));
    if kinds.len() < 2 {
        println!("beside: skipped: none of the programs of others is built below target/interop");
        return ExitCode::SUCCESS;
    }
    let mut sheet = Sheet::new(plan, &kinds);
    let all = missing.is_empty();
    missing.into_iter().for_each(|line| sheet.note(format!("{line}.")));
    notes(plan, &mut sheet);
    for round in 1..=plan.repeat {
        let told = |what: &str| eprintln!("round {round} of {}: {what}", plan.repeat);
        type Measure<'a> = &'a dyn Fn(&'static Kind, &mut Sheet) -> Result<(), String>;
        let mut each = |group: Group, what: &str, measure: Measure| {
            for kind in kinds.iter().filter(|_| plan.wants(group)) {
                told(&format!("{what} of {}", kind.name));
                if let Err(error) = measure(kind, &mut sheet) {
                    sheet.fail(kind, what, &error);
                }
            }
        };
        each(Group::Echo, "echoes", &|kind, sheet| echo::measure(plan, kind, sheet));
        each(Group::Discovery, "discovery", &discovery::measure);
        if round == 1 {
            each(Group::Size, "size", &size::measure);
            if plan.wants(Group::Size) {
                size::note_static(&mut sheet);
            }
        }
        if plan.wants(Group::Idle) {
            told("idle");
            idle::measure(plan, &kinds, &mut sheet);
        }
    }
    let table = sheet.markdown();
    print!("{table}\n{}", sheet.rounds_told());
    let wrote = match std::env::var_os("STONECHAT_WRITE") {
        Some(_) if all && sheet.is_whole() => readme::write(&table),
        Some(_) => Err("the table is not whole, and was not put into the README".into()),
        None => Ok(()),
    };
    match wrote {
        Ok(()) if sheet.is_whole() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("beside: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What must be known to read the table.
fn notes(plan: &Plan, sheet: &mut Sheet) {
    for note in [
        "Every peer is a process of its own, against its own kind: TCP, Noise and Yamux on loopback, message ids of the \
         specification, signatures made and checked. stonechat's 32 bytes travel as a record in a frame and go into the \
         history; the others' are the message itself."
            .to_owned(),
        format!(
            "Echoes: {} of 32 bytes one after the other, then {} with 32 in flight; what takes 10 s is lost. The memory \
             after them is the asking peer's.",
            plan.echoes, plan.trips
        ),
        format!(
            "Idle: 1 and 8 peers dialled the one that is watched and are in its topic; no mDNS. All were left alone for \
             {} s and then watched for {} s, at the same time. Memory is what the kernel calls resident, files included; \
             wake-ups are the context switches of all threads. The heartbeat of rust's gossipsub stops on a quiet peer \
             (stonechat's beats when something needs it); kept alive, its swarm is looked at each second.",
            plan.settle.as_secs(),
            plan.window.as_secs()
        ),
        "Discovery: two started at once, until the later one knows the other, on this machine's network.".to_owned(),
        "Sizes: go's program without symbols, js's and py's with all that was installed for it; the runtime is the \
         interpreter with its library, and every shared library of the system that the running program uses."
            .to_owned(),
    ] {
        sheet.note(note);
    }
}
