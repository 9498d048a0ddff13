//! How a run ends: the exit code, and the one sentence on stderr that says what to do about it.

use std::io;

/// The exit codes, as documented in `--help` and the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Done as asked; also a polite end by SIGINT or SIGTERM, or a closed pipe.
    Done = 0,
    /// It failed: a file, a socket, the network.
    Failed = 1,
    /// The command line or the configuration is not understood.
    Usage = 2,
    /// No peer runs on the directory.
    NoPeer = 3,
    /// The running peer said no.
    Refused = 4,
    /// A peer already runs on the directory.
    InUse = 5,
}

/// The codes in words, for `--help`.
pub(crate) const CODES: &str = "\
Exit codes: 0 done (also ended by SIGINT or SIGTERM, or the reader went away), 1 failed, 2 usage or configuration,
            3 no peer runs on the directory, 4 the running peer refused, 5 a peer already runs on the directory
";

/// Why a command ends early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: Code,
    /// One sentence with the way out; empty when nobody is left to read it.
    pub(crate) sentence: String,
}

impl Failure {
    /// Something outside the program failed.
    pub(crate) fn failed(sentence: impl Into<String>) -> Self {
        Self { code: Code::Failed, sentence: sentence.into() }
    }

    /// The command line or the configuration is not understood.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self { code: Code::Usage, sentence: sentence.into() }
    }

    /// No peer runs where one is needed.
    pub(crate) fn no_peer(sentence: impl Into<String>) -> Self {
        Self { code: Code::NoPeer, sentence: sentence.into() }
    }

    /// The running peer said no.
    pub(crate) fn refused(sentence: impl Into<String>) -> Self {
        Self { code: Code::Refused, sentence: sentence.into() }
    }

    /// Another peer has the directory.
    pub(crate) fn in_use(sentence: impl Into<String>) -> Self {
        Self { code: Code::InUse, sentence: sentence.into() }
    }

    /// Writing to standard output failed. A reader that went away (`stonechat tail | head`) is an ordinary end.
    pub(crate) fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { code: Code::Done, sentence: String::new() },
            _ => Self::failed(format!("cannot write to standard output ({error}): see where it leads")),
        }
    }
}
