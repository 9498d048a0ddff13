//! How many files may be open at once: enough for every connection the board allows, or a word about it.

use super::exit::Failure;
use crate::base::board::{Board, Limits};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors of a peer without a connection (count): terminal or log, executor, signals, identity and lock, control
/// socket, listeners, the kernel's word of interfaces, multicast DNS on a handful of them. Measured with `/proc/PID/fd`: 22
/// on two interfaces.
const FILES_BASE: u64 = 32;
/// Those without which nobody is answered: the base, and a few connections. Below that it does not start.
const FILES_MIN: u64 = FILES_BASE + 8;

/// What a board's peer may open.
fn wanted(limits: &Limits) -> u64 {
    let connections = u64::from(limits.connections_max) + 2 * u64::from(limits.connections_pending_max);
    FILES_BASE + connections + u64::from(limits.control_clients_max)
}

/// What is left to do with so many that may be open, and so many that are wanted.
#[derive(Debug, PartialEq, Eq)]
enum Enough {
    Yes,
    Fewer,
    No,
}

fn enough(limit: u64, wanted: u64) -> Enough {
    match limit {
        _ if limit >= wanted => Enough::Yes,
        FILES_MIN.. => Enough::Fewer,
        _ => Enough::No,
    }
}

/// Refuses to go on with fewer files than anybody could be answered with. The first thing that is asked, for all else opens
/// some.
pub(crate) fn check() -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX).max(limit.current.unwrap_or(u64::MAX));
    if enough(most, FILES_MIN) == Enough::Yes { Ok(()) } else { Err(too_few(most)) }
}

fn too_few(current: u64) -> Failure {
    Failure::failed(format!(
        "only {current} files may be open at once, and a peer that is to answer anybody needs {FILES_MIN}: raise the limit \
         with `ulimit -n`, or LimitNOFILE= in a systemd unit"
    ))
}

/// Sees to it that as many files may be open as the board's limits need, as far as that is allowed.
pub(crate) fn allow(board: &Board) -> Result<(), Failure> {
    let wanted = wanted(&board.limits);
    let limit = getrlimit(Resource::Nofile);
    let mut current = limit.current.unwrap_or(u64::MAX);
    if current < wanted {
        let raised = limit.maximum.map_or(wanted, |most| most.min(wanted));
        if raised > current && setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit }).is_ok() {
            current = raised;
        }
    }
    match enough(current, wanted) {
        Enough::Yes => Ok(()),
        Enough::Fewer => {
            log::warn!(
                "only {current} files may be open at once, and this board's limits need {wanted}: the last peers that \
                        come will find no place (see `ulimit -n`, or LimitNOFILE= in a systemd unit)"
            );
            Ok(())
        }
        Enough::No => Err(too_few(current)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::board::BOARDS;

    #[test]
    fn every_board_does_with_what_every_system_gives() {
        // The soft limit that Linux, systemd and busybox start with.
        assert!(BOARDS.iter().all(|board| (FILES_MIN..=256).contains(&wanted(&board.limits))));
        assert_eq!([15, FILES_MIN - 1].map(|limit| enough(limit, 90)), [Enough::No, Enough::No]);
        assert_eq!([FILES_MIN, 89].map(|limit| enough(limit, 90)), [Enough::Fewer, Enough::Fewer]);
        assert_eq!([90, u64::MAX].map(|limit| enough(limit, 90)), [Enough::Yes, Enough::Yes]);
    }
}
