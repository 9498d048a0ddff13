//! What the kernel tells about a process: memory, threads, wake-ups.

use std::fs;

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

fn read(path: String) -> Result<String, String> {
    fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
}

/// Resident memory in MiB.
pub fn resident_mib(pid: u32) -> Result<f64, String> {
    mib(pid, "VmRSS")
}

/// What a line of the process's status has in KiB, in MiB.
pub fn mib(pid: u32, name: &str) -> Result<f64, String> {
    let kib = field(&read(format!("/proc/{pid}/status"))?, name).ok_or(format!("no {name} in /proc"))?;
    Ok(kib as f64 / 1024.0)
}

/// The names of its threads, sorted.
pub fn threads(pid: u32) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for task in tasks(pid)? {
        names.push(read(format!("{task}/comm"))?.trim().to_owned());
    }
    names.sort();
    Ok(names)
}

/// How often its threads were put on a processor: context switches, voluntary or not, of all of them.
pub fn wakeups(pid: u32) -> Result<u64, String> {
    let mut sum = 0;
    for task in tasks(pid)? {
        let status = read(format!("{task}/status"))?;
        for name in ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"] {
            sum += field(&status, name).ok_or("no context switches in /proc")?;
        }
    }
    Ok(sum)
}

fn tasks(pid: u32) -> Result<Vec<String>, String> {
    let path = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&path).map_err(|error| format!("{path}: {error}"))?;
    Ok(entries.flatten().map(|entry| entry.path().display().to_string()).collect())
}
