//! The program: from the command line to the exit code.

use super::arguments::{self, Asked, Given, Verb};
use super::client::Client;
use super::config::{self, Settings};
use super::exit::{Code, Failure};
use super::paths::Environment;
use super::{boards, completions, doctor, help, home, logging, manual, protocol, run, send, tables, tail};
use crate::base::board::Board;
use crate::node::command::Command;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::process::ExitCode;

/// Does what the command line asks.
pub fn main() -> ExitCode {
    let done = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Asked::Help(verb)) => print(&help::page(verb)),
        Ok(Asked::Version) => print(&format!("{}\n", help::version())),
        Ok(Asked::Do(verb, given)) => act(verb, &given),
        Err(error) => Err(Failure::usage(error.to_string())),
    };
    let code = match done {
        Ok(()) => Code::Done,
        Err(failure) => {
            if !failure.sentence.is_empty() {
                logging::say(&format!("stonechat: {}", failure.sentence));
            }
            failure.code
        }
    };
    ExitCode::from(code as u8)
}

fn act(verb: Verb, given: &Given) -> Result<(), Failure> {
    let settings = match verb {
        // Texts that no configuration changes, also where there is no home.
        Verb::Man => return print(&manual::page()),
        Verb::Completions => return print(&completions::script(&given.text).map_err(Failure::usage)?),
        _ => config::settle(given, &Environment::of_process()).map_err(|error| Failure::usage(error.to_string()))?,
    };
    logging::start(settings.verbosity);
    let rooms = || given.rooms.clone();
    match verb {
        Verb::Chat | Verb::Run | Verb::Bootstrap => run::run(verb, given, settings),
        Verb::Send => {
            let room = rooms().pop();
            smol::block_on(send::send(&settings.sockets(), room, &given.text, settings.verbosity < 0))
        }
        Verb::Dm => match given.text.split_first() {
            Some((peer, text)) if !text.is_empty() => {
                ask(&settings, Command::Dm { peer: peer.clone(), text: text.join(" ") }, false)
            }
            _ => Err(Failure::usage("dm needs a peer and a text: stonechat dm PEER TEXT…")),
        },
        Verb::Tail => {
            let wanted = tail::Wanted {
                rooms: rooms(),
                history: given.history.unwrap_or(0),
                count: given.count,
                json: given.json,
            };
            smol::block_on(tail::tail(&settings.sockets(), wanted))
        }
        Verb::Peers => ask(&settings, Command::Peers {}, given.json),
        Verb::Rooms => ask(&settings, Command::Rooms {}, given.json),
        Verb::Status => ask(&settings, Command::Status { tasks: given.tasks }, given.json),
        Verb::Limits => ask(&settings, Command::Limits {}, given.json),
        Verb::Doctor => {
            let (text, is_wrong) = doctor::examine(&settings, given.json);
            print(&text)?;
            // What is wrong has been told.
            if is_wrong { Err(Failure::failed(String::new())) } else { Ok(()) }
        }
        Verb::Id => id(&settings, given.json),
        Verb::Board if given.systemd => print(&boards::drop_in(boards::in_force(settings.board.as_deref())?)),
        Verb::Board => board(&settings, given.json),
        Verb::Man | Verb::Completions => Ok(()),
    }
}

/// Asks the running peer and prints its answer: a table, or the JSON of the control socket.
fn ask(settings: &Settings, command: Command, json: bool) -> Result<(), Failure> {
    let text = smol::block_on(async {
        let mut client = Client::connect(&settings.sockets()).await?;
        let answer = client.request(&command).await?;
        Ok(match json {
            true => format!("{}\n", protocol::good(None, &answer)),
            false => tables::describe(&answer),
        })
    })?;
    print(&text)
}

fn id(settings: &Settings, json: bool) -> Result<(), Failure> {
    let peer = home::peer_id(&settings.dir)?.to_base58();
    match json {
        true => print(&format!("{}\n", json!({"peer": peer, "dir": settings.dir}))),
        false => print(&format!("{peer}\n")),
    }
}

fn board(settings: &Settings, json: bool) -> Result<(), Failure> {
    let board = boards::in_force(settings.board.as_deref())?;
    match json {
        true => print(&format!("{}\n", facts(board))),
        false => print(&tables::board(board)),
    }
}

fn facts(board: &Board) -> Value {
    let limits: serde_json::Map<String, Value> =
        board.limits_list().map(|(name, value, _)| (name.to_string(), value.into())).collect();
    json!({
        "name": board.name,
        "title": board.title,
        "models": board.models,
        "target": board.target,
        "cpu": board.cpu,
        "ram_mib": board.ram_mib,
        "storage": board.storage,
        "wifi": board.wifi,
        "limits": limits,
    })
}

fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::output)
}
