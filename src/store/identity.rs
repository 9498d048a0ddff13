//! The peer's key, and the lock that keeps a second peer from running under it.

use super::replace::{read_bounded, replace};
use libp2p::identity::{KeyType, Keypair};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The key's file in the peer's directory.
pub const KEY_FILE: &str = "identity.key";
/// The lock's file in the peer's directory. It stays empty and is never removed: removing it would race.
pub const LOCK_FILE: &str = "lock";

/// Mode of a directory made here: the control socket and the key are the owner's alone.
const DIR_MODE: u32 = 0o700;
/// Bytes of a key file read at most. libp2p's encoding of an Ed25519 key has 68.
const KEY_BYTES_MAX: usize = 1024;

/// The key a peer runs under. While it lives, no other peer can load the same directory.
#[derive(Debug)]
pub struct Identity {
    /// The Ed25519 key.
    pub keypair: Keypair,
    /// Held until the identity is dropped; the kernel frees it when the process dies, however it dies.
    _lock: Option<File>,
}

impl Identity {
    /// A key that is nowhere on disk, for a peer that leaves no trace.
    pub fn guest() -> Self {
        Self { keypair: Keypair::generate_ed25519(), _lock: None }
    }
}

/// Why a peer cannot run under the identity of a directory. Each sentence says the way out.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Another process holds the lock.
    #[error("a peer already runs in {0}: give this one another --dir, or --guest for a throwaway identity")]
    InUse(PathBuf),
    /// Others could have copied the key.
    #[error("{path} can be read by others (mode {mode:04o}): run chmod 600 {path} if nobody has copied it")]
    ReadableByOthers {
        /// The key's file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is no Ed25519 key in libp2p's encoding.
    #[error("{path} is damaged ({why}): put a copy of it back, or remove it to start as a new peer")]
    Damaged {
        /// The key's file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is no identity yet.
    #[error("{0} holds no identity yet: the first start of a peer creates it")]
    Missing(PathBuf),
    /// The disk said no.
    #[error("cannot {verb} {path}: {error}")]
    Disk {
        /// What was tried.
        verb: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system answered.
        error: io::Error,
    },
}

/// Locks `dir` and loads its identity; makes both on the first start.
pub fn load_or_create(dir: &Path) -> Result<Identity, IdentityError> {
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir).map_err(disk("create", dir))?;
    let lock = lock(dir)?;
    let path = dir.join(KEY_FILE);
    let keypair = match read(&path) {
        Err(IdentityError::Missing(_)) => create(&path)?,
        read => read?,
    };
    Ok(Identity { keypair, _lock: Some(lock) })
}

/// Reads the key of `dir` and changes nothing: also while a peer runs there.
pub fn load(dir: &Path) -> Result<Keypair, IdentityError> {
    read(&dir.join(KEY_FILE)).map_err(|error| match error {
        IdentityError::Missing(_) => IdentityError::Missing(dir.to_path_buf()),
        error => error,
    })
}

fn lock(dir: &Path) -> Result<File, IdentityError> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(super::replace::FILE_MODE)
        .open(&path)
        .map_err(disk("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(IdentityError::InUse(dir.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(disk("lock", &path)(error)),
    }
}

fn create(path: &Path) -> Result<Keypair, IdentityError> {
    let keypair = Keypair::generate_ed25519();
    let bytes = encode(&keypair).map_err(disk("encode", path))?;
    replace(path, &bytes).map_err(disk("write", path))?;
    Ok(keypair)
}

fn encode(keypair: &Keypair) -> io::Result<Vec<u8>> {
    keypair.to_protobuf_encoding().map_err(io::Error::other)
}

fn read(path: &Path) -> Result<Keypair, IdentityError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(IdentityError::Missing(path.to_path_buf()));
        }
        opened => opened.map_err(disk("read", path))?,
    };
    let damaged = |why: String| IdentityError::Damaged { path: path.to_path_buf(), why };
    // Asked of the open file: the name could point elsewhere a moment later.
    let facts = file.metadata().map_err(disk("read", path))?;
    if !facts.is_file() {
        return Err(damaged("it is not a file".into()));
    }
    let mode = facts.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(IdentityError::ReadableByOthers { path: path.to_path_buf(), mode });
    }
    let bytes = match read_bounded(file, KEY_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(damaged(error.to_string())),
        read => read.map_err(disk("read", path))?,
    };
    if bytes.is_empty() {
        return Err(damaged("it is empty".into()));
    }
    let keypair = Keypair::from_protobuf_encoding(&bytes).map_err(|error| damaged(error.to_string()))?;
    if keypair.key_type() != KeyType::Ed25519 {
        return Err(damaged(format!("its key is {:?}, not Ed25519", keypair.key_type())));
    }
    Ok(keypair)
}

fn disk(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IdentityError {
    move |error| IdentityError::Disk { verb, path: path.to_path_buf(), error }
}

#[cfg(test)]
mod tests;
