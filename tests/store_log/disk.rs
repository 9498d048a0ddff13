//! A disk in memory that remembers what was synced, loses its power at a chosen moment, and fails when told to.

use crate::image::Image;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use stonechat::store::disk::{Disk, DiskFile};

/// A change of a name that no directory sync has stored yet.
#[derive(Clone, Debug)]
pub enum NameChange {
    Set(PathBuf, usize),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, usize),
}

impl NameChange {
    pub fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Set(path, node) => drop(names.insert(path.clone(), *node)),
            Self::Remove(path) => drop(names.remove(path)),
            Self::Rename(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }
}

/// A file's bytes: on the card, and as a process sees them.
#[derive(Clone, Default, Debug)]
pub struct Node {
    pub stored: Vec<u8>,
    pub seen: Vec<u8>,
    /// Writes since the last sync, in their order.
    pub unsynced: Vec<(u64, Vec<u8>)>,
}

#[derive(Clone, Default, Debug)]
pub struct State {
    pub nodes: Vec<Node>,
    pub names: BTreeMap<PathBuf, usize>,
    pub stored_names: BTreeMap<PathBuf, usize>,
    pub unsynced_names: Vec<NameChange>,
}

/// What the next calls answer instead of doing their work.
#[derive(Clone, Copy, Default, Debug)]
pub struct Faults {
    pub write: Option<ErrorKind>,
    pub sync: Option<ErrorKind>,
    pub create: Option<ErrorKind>,
    pub rename: Option<ErrorKind>,
    /// Reads that touch this place of any file fail.
    pub read_at: Option<u64>,
}

/// Called after each change with what is on the disk then, and whether the last change was a write.
type Witness = Box<dyn FnMut(&State, bool) + Send>;

#[derive(Default)]
struct World {
    state: State,
    faults: Faults,
    changes: u64,
    witness: Option<Witness>,
}

#[derive(Clone, Default)]
pub struct SimDisk(Arc<Mutex<World>>);

pub struct SimFile {
    disk: SimDisk,
    node: usize,
}

impl SimDisk {
    /// A disk that holds what a power cut left.
    pub fn after(image: Image) -> Self {
        let mut state = State::default();
        for (path, bytes) in image.files {
            let node = state.nodes.len();
            state.nodes.push(Node { stored: bytes.clone(), seen: bytes, unsynced: Vec::new() });
            state.names.insert(path.clone(), node);
            state.stored_names.insert(path, node);
        }
        Self(Arc::new(Mutex::new(World { state, ..World::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn watch(&self, witness: impl FnMut(&State, bool) + Send + 'static) {
        self.lock().witness = Some(Box::new(witness));
    }

    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Changes of any kind so far.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    pub fn names(&self) -> Vec<String> {
        self.lock().state.names.keys().map(|path| path.file_name().unwrap().to_str().unwrap().into()).collect()
    }

    /// Changes the bytes of a file behind the program's back.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.lock();
        let node = *world.state.names.iter().find(|(path, _)| path.ends_with(name)).expect("the file is there").1;
        let node = &mut world.state.nodes[node];
        change(&mut node.seen);
        node.stored.clone_from(&node.seen);
    }

    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    fn change<T>(
        &self,
        write: bool,
        fault: impl Fn(&Faults) -> Option<ErrorKind>,
        change: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut world = self.lock();
        if let Some(kind) = fault(&world.faults) {
            return Err(kind.into());
        }
        let done = change(&mut world.state)?;
        world.changes += 1;
        let World { state, witness, .. } = &mut *world;
        if let Some(witness) = witness {
            witness(state, write);
        }
        Ok(done)
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn create(&self, path: &Path) -> io::Result<SimFile> {
        let node = self.change(
            false,
            |faults| faults.create,
            |state| {
                if state.names.contains_key(path) {
                    return Err(ErrorKind::AlreadyExists.into());
                }
                let node = state.nodes.len();
                state.nodes.push(Node::default());
                state.names.insert(path.into(), node);
                state.unsynced_names.push(NameChange::Set(path.into(), node));
                Ok(node)
            },
        )?;
        Ok(SimFile { disk: self.clone(), node })
    }

    fn open(&self, path: &Path, _write: bool) -> io::Result<SimFile> {
        let node = *self.lock().state.names.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(SimFile { disk: self.clone(), node })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(
            false,
            |faults| faults.rename,
            |state| {
                let node = state.names.remove(from).ok_or(ErrorKind::NotFound)?;
                state.names.insert(to.into(), node);
                state.unsynced_names.push(NameChange::Rename(from.into(), to.into(), node));
                Ok(())
            },
        )
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(
            false,
            |faults| faults.rename,
            |state| {
                state.names.remove(path).ok_or(ErrorKind::NotFound)?;
                state.unsynced_names.push(NameChange::Remove(path.into()));
                Ok(())
            },
        )
    }

    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        self.lock().faults.create.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let world = self.lock();
        let names = world.state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(names.filter_map(|path| path.file_name()?.to_str().map(String::from)).collect())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        self.change(
            false,
            |faults| faults.sync,
            |state| {
                state.stored_names.clone_from(&state.names);
                state.unsynced_names.clear();
                Ok(())
            },
        )
    }
}

impl DiskFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.lock().state.nodes[self.node].seen.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let world = self.disk.lock();
        if world.faults.read_at.is_some_and(|at| (offset..offset + bytes.len() as u64).contains(&at)) {
            return Err(io::Error::from_raw_os_error(5));
        }
        let seen = &world.state.nodes[self.node].seen;
        let from = seen.len().min(offset as usize);
        let read = bytes.len().min(seen.len() - from);
        bytes[..read].copy_from_slice(&seen[from..from + read]);
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.change(
            true,
            |faults| faults.write,
            |state| {
                let node = &mut state.nodes[self.node];
                lay(&mut node.seen, offset, bytes);
                node.unsynced.push((offset, bytes.to_vec()));
                Ok(())
            },
        )
    }

    fn sync(&self) -> io::Result<()> {
        let mut fault = None;
        let done = self.disk.change(
            false,
            |faults| faults.sync,
            |state| {
                let node = &mut state.nodes[self.node];
                for (offset, bytes) in std::mem::take(&mut node.unsynced) {
                    lay(&mut node.stored, offset, &bytes);
                }
                Ok(())
            },
        );
        if let Err(error) = &done {
            fault = Some(error.kind());
        }
        if fault == Some(ErrorKind::Other) {
            // What Linux does with pages it could not write: they are clean now, and not on the card.
            self.disk.lock().state.nodes[self.node].unsynced.clear();
        }
        done
    }
}

/// Writes into a file that grows with zeros where it is too short.
pub fn lay(file: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (from, to) = (offset as usize, offset as usize + bytes.len());
    if file.len() < to {
        file.resize(to, 0);
    }
    file[from..to].copy_from_slice(bytes);
}
