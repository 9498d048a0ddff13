//! The bytes that a user of each kind has to have.

use super::{
    kind::Kind,
    program::{self, Program},
    sheet::{Figure, Sheet},
    stranger::{self, Stranger},
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Folders that hold nothing of the program: what Python makes of its modules, and its installer.
const NOT_COUNTED: [&str; 2] = ["__pycache__", "pip"];

/// Measures a kind, running.
pub fn measure(kind: &'static Kind, sheet: &mut Sheet) -> Result<(), String> {
    let (mapped, own) = match kind.file {
        None => {
            let mut program = Program::start("beside", &["--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"])?;
            program.status()?;
            (mapped(program.pid())?, vec![program::path().to_owned()])
        }
        Some(file) => {
            let stranger = Stranger::start(file, "/ip4/127.0.0.1/tcp/0", false, kind.dht)?;
            sheet.version(kind, &stranger.version);
            (mapped(stranger.pid())?, made(file)?)
        }
    };
    let own = files(&own)?;
    let whole: BTreeSet<_> = own.iter().cloned().chain(mapped).chain(files(&library(kind)?)?).collect();
    sheet.take(Figure::Size, kind, megabytes(&own)?);
    sheet.take(Figure::SizeWhole, kind, megabytes(&whole)?);
    Ok(())
}

/// What is built or installed for a stranger alone.
fn made(file: &str) -> Result<Vec<PathBuf>, String> {
    let folder = stranger::folder();
    Ok(match file {
        "js" => vec![folder.join("js-modules")],
        "py" => vec![folder.join("py-modules"), folder.join("py-venv/lib")],
        file => vec![folder.join(file)],
    })
}

/// The library of the language that is no file of the program's, where there is one.
fn library(kind: &Kind) -> Result<Vec<PathBuf>, String> {
    if kind.file != Some("py") {
        return Ok(Vec::new());
    }
    let python = stranger::folder().join("py-venv/bin/python");
    let asked = Command::new(&python).args(["-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"]).output();
    let asked = asked.map_err(|error| format!("{}: {error}", python.display()))?;
    Ok(vec![PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim())])
}

/// The program file of a process and the shared libraries it uses.
fn mapped(pid: u32) -> Result<BTreeSet<PathBuf>, String> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).map_err(|error| error.to_string())?;
    let files = maps.lines().filter(|line| line.split_whitespace().nth(1).is_some_and(|rights| rights.contains('x')));
    Ok(files.filter_map(|line| line.split_whitespace().nth(5)).filter(|at| at.starts_with('/')).map(real).collect())
}

fn real(path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    path.canonicalize().unwrap_or(path.to_owned())
}

/// The files named, and those below the folders named.
fn files(named: &[PathBuf]) -> Result<BTreeSet<PathBuf>, String> {
    let (mut found, mut open) = (BTreeSet::new(), named.to_vec());
    while let Some(path) = open.pop() {
        let told = |error| format!("{}: {error}", path.display());
        if !path.is_dir() {
            found.insert(real(&path));
            continue;
        }
        for entry in fs::read_dir(&path).map_err(told)? {
            let entry = entry.map_err(told)?;
            let name = entry.file_name();
            // A link leads to what is counted where it is, or is part of the system.
            if !NOT_COUNTED.iter().any(|not| name == *not) && entry.file_type().is_ok_and(|kind| !kind.is_symlink()) {
                open.push(entry.path());
            }
        }
    }
    Ok(found)
}

fn megabytes(files: &BTreeSet<PathBuf>) -> Result<f64, String> {
    let mut sum = 0;
    for file in files {
        let size = if file.starts_with(real(stranger::folder()).join("go")) { stripped(file) } else { None };
        sum += match size {
            Some(size) => size,
            None => fs::metadata(file).map_err(|error| format!("{}: {error}", file.display()))?.len(),
        };
    }
    Ok(sum as f64 / 1e6)
}

/// Its size without symbols, if there is a program to take them away: Go leaves them in.
fn stripped(file: &Path) -> Option<u64> {
    let dir = tempfile::tempdir().ok()?;
    let out = dir.path().join("stripped");
    let status = Command::new("strip").arg("-o").arg(&out).arg(file).status().ok()?;
    status.success().then(|| fs::metadata(&out).ok())?.map(|file| file.len())
}
