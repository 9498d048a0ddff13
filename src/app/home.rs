//! The directory and the identity a peer runs under.

use super::config::Settings;
use super::exit::Failure;
use crate::store::identity::{self, Identity, IdentityError};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Names tried for a throwaway directory: each is one of 10¹² and somebody would have to guess it.
const GUEST_NAMES_TRIED: u32 = 16;
/// The control socket in it is its owner's alone.
const DIR_MODE: u32 = 0o700;

/// Where a peer lives while it runs. A guest's is removed when this is dropped.
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) guest: bool,
}

impl Home {
    /// The directory of the settings with the identity in it, made on the first start; or a throwaway one.
    pub(crate) fn open(settings: &Settings, guest: bool) -> Result<Self, Failure> {
        match guest {
            true => Ok(Self { dir: throwaway()?, identity: Identity::guest(), guest }),
            false => {
                let identity = identity::load_or_create(&settings.dir).map_err(failure)?;
                Ok(Self { dir: settings.dir.clone(), identity, guest })
            }
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.guest {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// The identity of the directory, made if there is none. Also while a peer runs there.
pub(crate) fn peer_id(dir: &Path) -> Result<libp2p::PeerId, Failure> {
    let keypair = match identity::load(dir) {
        Err(IdentityError::Missing(_)) => identity::load_or_create(dir).map_err(failure)?.keypair,
        loaded => loaded.map_err(failure)?,
    };
    Ok(keypair.public().to_peer_id())
}

fn failure(error: IdentityError) -> Failure {
    match error {
        IdentityError::InUse(_) => Failure::in_use(error.to_string()),
        IdentityError::Disk { .. } => Failure::failed(format!("{error}: choose another --dir, or run as its owner")),
        _ => Failure::failed(error.to_string()),
    }
}

fn throwaway() -> Result<PathBuf, Failure> {
    let base = std::env::temp_dir();
    let mut last = None;
    for _ in 0..GUEST_NAMES_TRIED {
        let name: String = (0..8).map(|_| fastrand::alphanumeric().to_ascii_lowercase()).collect();
        let dir = base.join(format!("stonechat-{name}"));
        // Never into a directory that is there already: somebody else may have made it for us.
        match DirBuilder::new().mode(DIR_MODE).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = Some(error),
            Err(error) => {
                last = Some(error);
                break;
            }
        }
    }
    let error = last.map_or(String::new(), |error| error.to_string());
    Err(Failure::failed(format!("cannot make a directory in {} ({error}): set TMPDIR", base.display())))
}
