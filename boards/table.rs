//! From board files to the Rust source that `base::board` includes.

use super::memory;
use super::schema::{self, BoardFile, LIMITS};
use std::{fmt::Write, fs, path::Path};

/// The board of a computer that nobody described.
const GENERIC: &str = "generic";

/// Every board of a folder, by name. No two may claim the same model.
pub fn read(folder: &Path) -> Result<Vec<BoardFile>, String> {
    let fail = |e: std::io::Error| format!("{}: {e}", folder.display());
    let entries = fs::read_dir(folder).map_err(fail)?;
    let mut paths = entries.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(fail)?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    paths.sort();
    let mut boards = Vec::new();
    for path in paths {
        let name = path.file_stem().and_then(|n| n.to_str()).ok_or("a board's file name must be UTF-8")?;
        boards.push(schema::parse(name, &fs::read_to_string(&path).map_err(fail)?)?);
    }
    boards.sort_by(|a: &BoardFile, b| a.name.cmp(&b.name));
    distinct(&boards)?;
    Ok(boards)
}

/// Refuses a model that is listed twice.
pub fn distinct(boards: &[BoardFile]) -> Result<(), String> {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for board in boards {
        for model in &board.models {
            if let Some((_, other)) = seen.iter().find(|(known, _)| known == model) {
                return Err(format!("boards/{}.toml: the model {model:?} is in {other}.toml already", board.name));
            }
            seen.push((model, &board.name));
        }
    }
    Ok(())
}

/// The boards of a build, and the name of the one to use when nothing tells which it is. With `only`, a build for one
/// board: it, and those that fit within its limits.
pub fn select(boards: Vec<BoardFile>, only: Option<&str>) -> Result<(Vec<BoardFile>, String), String> {
    let wanted = only.unwrap_or(GENERIC);
    let Some(ceiling) = boards.iter().find(|board| board.name == wanted).map(|board| board.limits.clone()) else {
        let names: Vec<&str> = boards.iter().map(|board| board.name.as_str()).collect();
        return Err(format!("STONECHAT_BOARD: there is no board {wanted:?}. Legal: {}", names.join(", ")));
    };
    let fits = |board: &BoardFile| board.limits.iter().zip(&ceiling).all(|(ours, most)| ours <= most);
    let boards = boards.into_iter().filter(|board| only.is_none() || fits(board)).collect();
    Ok((boards, wanted.to_owned()))
}

/// The source: boards, ceilings, the list of limits, the build's time.
pub fn source(boards: &[BoardFile], default: &str, built_unix_seconds: u64) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").unwrap_or_default();
    line("/// Every board of this build, by name.\npub const BOARDS: &[Board] = &[".into());
    for board in boards {
        line(format!("Board {{ name: {:?}, models: &{:?},", board.name, board.models));
        for (fact, text) in &board.facts {
            line(format!("{fact}: {text:?},"));
        }
        line(format!("ram_mib: {}, memory_mib_max: {},", board.ram_mib, board.memory_mib_max));
        line(format!("memory_bytes: {}, limits: Limits {{", memory::total(board)));
        for (key, value) in LIMITS.iter().zip(&board.limits) {
            line(format!("{}: {value},", key.name));
        }
        line("} },".into());
    }
    line("];".into());
    line(format!("/// The board to use when nothing tells which one this is.\npub const DEFAULT: &str = {default:?};"));
    line("/// The largest value of each limit over the boards of this build: what fixed containers hold.".into());
    line("pub mod ceilings {".into());
    for (at, key) in LIMITS.iter().enumerate() {
        let most = boards.iter().filter_map(|b| b.limits.get(at)).max().copied().unwrap_or(key.min);
        line(format!(
            "/// The most, on any board, of: {}.\npub const {}: usize = {most};",
            key.what,
            key.name.to_uppercase()
        ));
    }
    line("}".into());
    line(format!("/// How many limits a board sets.\npub const LIMITS_COUNT: usize = {};", LIMITS.len()));
    line("/// Name, value and meaning of each limit.".into());
    line("fn list(limits: &Limits) -> [(&'static str, u64, &'static str); LIMITS_COUNT] { [".into());
    for key in LIMITS {
        line(format!("({:?}, limits.{} as u64, {:?}),", key.name, key.name, key.what));
    }
    line("] }".into());
    line("/// When this program was built, in seconds since 1970. No wall clock can be earlier.".into());
    line(format!("pub const BUILD_UNIX_SECONDS: u64 = {built_unix_seconds};"));
    out
}

/// When the build is: `SOURCE_DATE_EPOCH` if given (a build that can be repeated), else now.
pub fn built(source_date_epoch: Option<&str>, now: u64) -> Result<u64, String> {
    let Some(given) = source_date_epoch else { return Ok(now) };
    given.trim().parse().map_err(|_| format!("SOURCE_DATE_EPOCH={given} is not a number of seconds since 1970"))
}
