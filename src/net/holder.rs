//! Which programs of this host have a port, as far as the system lets us see: root sees all, others see their own.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read,
};

/// Sockets of a port whose owner is looked for (sockets): one that is in our way is among the first.
const SOCKETS_MAX: usize = 64;
/// Programs named (programs): a sentence holds no more.
const HOLDERS_MAX: usize = 4;
/// Bytes of a table of sockets that are read (bytes): some 8,000 sockets.
const TABLE_BYTES_MAX: u64 = 1024 * 1024;
/// Characters of a program's name. Source: Linux keeps 15 bytes of it.
const NAME_CHARS_MAX: usize = 15;

/// What a port belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// TCP, where somebody listens.
    Tcp,
    /// UDP.
    Udp,
}

/// The programs but this one that have a port, each as `name (process 123)`. Looks through `/proc`, which takes some
/// milliseconds: for a sentence, not for a loop.
pub fn holders(of: Of, port: u16) -> Vec<String> {
    let tables = match of {
        Of::Tcp => ["tcp", "tcp6"],
        Of::Udp => ["udp", "udp6"],
    };
    let mut wanted = BTreeSet::new();
    for table in tables {
        let mut text = Vec::new();
        // `thread-self`, because a thread may live in a network namespace of its own.
        let file = File::open(format!("/proc/thread-self/net/{table}"));
        let _ = file.and_then(|file| file.take(TABLE_BYTES_MAX).read_to_end(&mut text));
        wanted.extend(inodes(&String::from_utf8_lossy(&text), of, port).take(SOCKETS_MAX));
    }
    if wanted.is_empty() {
        return Vec::new();
    }
    let sockets: BTreeSet<String> = wanted.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let ours = std::process::id();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).filter(|pid| *pid != ours);
    let has = |pid: &u32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|to| to.to_str().is_some_and(|to| sockets.contains(to)))
    };
    let name = |pid: u32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let name: String = name.trim_end().chars().take(NAME_CHARS_MAX).collect();
        format!("{name} (process {pid})")
    };
    pids.filter(has).take(HOLDERS_MAX).map(name).collect()
}

/// The inodes of a port's sockets in a table of the kernel: local address and port at the second place, the state at the
/// fourth, the inode at the tenth.
fn inodes(table: &str, of: Of, port: u16) -> impl Iterator<Item = u64> {
    /// `TCP_LISTEN`, from Linux's `tcp_states.h`.
    const LISTENS: &str = "0A";
    table.lines().filter_map(move |line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, local, _, state, _, _, _, _, _, inode, ..] = words[..] else { return None };
        let (_, hex) = local.rsplit_once(':')?;
        let is_it = u16::from_str_radix(hex, 16).ok()? == port && (of == Of::Udp || state == LISTENS);
        is_it.then(|| inode.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_sockets_of_a_port_are_found_in_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 00000000:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0\n\
             1: FB0000E0:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0 0\n\
             2: 00000000:14EA 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4713 2 0 0\n";
        assert_eq!(inodes(table, Of::Udp, 5353).collect::<Vec<_>>(), [4711, 4712]);
        assert_eq!(inodes(table, Of::Tcp, 5353).count(), 0, "nobody listens");
        assert_eq!(inodes(&table.replace(" 07 ", " 0A "), Of::Tcp, 5354).collect::<Vec<_>>(), [4713]);
    }

    #[test]
    fn another_program_with_our_port_is_named() {
        // The port is handed to a child, which keeps it.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(holders(Of::Tcp, port), Vec::<String>::new(), "this one is not named");
        let socket = std::os::fd::OwnedFd::from(listener);
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::from(socket)).spawn().unwrap();
        let named = holders(Of::Tcp, port);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(named, [format!("sleep (process {})", child.id())]);
    }
}
