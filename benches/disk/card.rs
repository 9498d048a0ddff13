//! An ext4 of its own on a loop device, gone when dropped.

use std::fs;
use std::io::{self, Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes of the file behind the device.
const CARD_BYTES: u64 = 64 * 1024 * 1024;

pub struct Card {
    /// The file behind it and the place where it is mounted.
    _home: tempfile::TempDir,
    mount: PathBuf,
    device: String,
}

/// Runs a program; what it printed.
fn run(program: &str, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| {
        let kind = if error.kind() == ErrorKind::NotFound { ErrorKind::Unsupported } else { error.kind() };
        Error::new(kind, format!("{program}: {error}"))
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
        // No loop devices or no mounts here, as in most containers.
        let kind = if program == "mkfs.ext4" { ErrorKind::Other } else { ErrorKind::Unsupported };
        return Err(Error::new(kind, format!("{program} {}: {said}", arguments.join(" "))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

impl Card {
    pub fn new() -> io::Result<Self> {
        let home = tempfile::tempdir()?;
        let (file, mount) = (home.path().join("card"), home.path().join("mount"));
        fs::create_dir(&mount)?;
        fs::File::create(&file)?.set_len(CARD_BYTES)?;
        let (file, at) = (file.to_string_lossy().into_owned(), mount.to_string_lossy().into_owned());
        // Cards have blocks of 4 KiB; a device this small would get smaller ones.
        run("mkfs.ext4", &["-q", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", &file])?;
        let device = run("losetup", &["--find", "--show", &file])?;
        if let Err(error) = run("mount", &["-o", "noatime", &device, &at]) {
            let _ = run("losetup", &["--detach", &device]);
            return Err(error);
        }
        Ok(Self { _home: home, mount, device })
    }

    pub fn dir(&self) -> &Path {
        &self.mount
    }

    /// Waits until the file system has nothing left to write.
    pub fn settle(&self) -> io::Result<()> {
        rustix::fs::syncfs(fs::File::open(&self.mount)?)?;
        Ok(())
    }

    /// Bytes that reached the device since it was made: the seventh figure counts sectors of 512 bytes.
    pub fn bytes_written(&self) -> io::Result<u64> {
        let name = self.device.trim_start_matches("/dev/");
        let stat = fs::read_to_string(format!("/sys/block/{name}/stat"))?;
        let sectors = stat.split_whitespace().nth(6).and_then(|word| word.parse::<u64>().ok());
        sectors.map(|sectors| sectors * 512).ok_or_else(|| Error::new(ErrorKind::InvalidData, stat))
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        let mount = self.mount.to_string_lossy().into_owned();
        for (program, arguments) in [("umount", [mount.as_str()].as_slice()), ("losetup", &["--detach", &self.device])]
        {
            if let Err(error) = run(program, arguments) {
                eprintln!("{error}");
            }
        }
    }
}
