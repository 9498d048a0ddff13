//! Which board this is: named, found in the device tree, or chosen by the RAM there is.

use super::exit::Failure;
use super::nearest::suggest;
use crate::base::board::{self, BOARDS, Board, DEFAULT};
use std::path::Path;

/// Head room above the memory of a board: one part in so many of it. Guess.
const HEAD_ROOM_PART: u32 = 2;
/// Least head room in MiB: the program has 4, a socket's buffers up to some hundred KiB each. Guess.
const HEAD_ROOM_MIB_MIN: u32 = 24;

/// Where Linux tells how much RAM there is.
const MEMORY_FILE: &str = "/proc/meminfo";

/// Where Linux shows the device tree's model; the second is what the first links to.
const MODEL_FILES: [&str; 2] = ["/proc/device-tree/model", "/sys/firmware/devicetree/base/model"];

/// The board named, or the one found, or one that the RAM is enough for.
pub(crate) fn in_force(name: Option<&str>) -> Result<&'static Board, Failure> {
    match name {
        Some(name) => board::find(name).ok_or_else(|| {
            let names: Vec<&str> = BOARDS.iter().map(|board| board.name).collect();
            Failure::usage(format!("there is no board `{name}`: {}", suggest(name, &names)))
        }),
        None => model(&MODEL_FILES.map(Path::new))
            .and_then(|model| board::by_model(&model))
            .or_else(|| board::by_ram(ram_mib(Path::new(MEMORY_FILE))?))
            .or_else(|| board::find(DEFAULT))
            .ok_or_else(|| Failure::failed("this program holds no board: build it anew")),
    }
}

/// A drop-in for the systemd unit: the kernel ends a peer that takes more than its board's limits can need.
pub(crate) fn drop_in(board: &Board) -> String {
    let (name, sum) = (board.name, board.memory_mib_max);
    let room = (sum / HEAD_ROOM_PART).max(HEAD_ROOM_MIB_MIN);
    format!(
        "# {}: stonechat board --systemd --board {name}\n\
         # What the limits of the board may need, {sum} MiB, and {room} MiB of head room for what they do not count:\n\
         # the kernel's socket buffers, the program's own pages and what the allocator keeps.\n\
         [Service]\nMemoryMax={}M\n",
        board.title,
        sum + room
    )
}

/// The device tree's model: a C string in a file.
fn model(files: &[&Path]) -> Option<String> {
    let bytes = files.iter().find_map(|file| std::fs::read(file).ok())?;
    Some(String::from_utf8_lossy(&bytes).trim_end_matches(['\0', '\n']).to_string())
}

/// All of the RAM that the kernel has to give.
fn ram_mib(file: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(file).ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    u32::try_from(kib >> 10).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_named_or_the_nearest_is() {
        assert_eq!(in_force(Some("tiny")).unwrap().name, "tiny");
        let failure = in_force(Some("tini")).unwrap_err();
        assert_eq!(failure.sentence, "there is no board `tini`: did you mean `tiny`?");
        assert_eq!(failure.code, super::super::exit::Code::Usage);
    }

    #[test]
    fn a_model_is_read_as_the_device_tree_writes_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        std::fs::write(&path, "Raspberry Pi 4 Model B Rev 1.4\0").unwrap();
        let read = model(&[&dir.path().join("missing"), &path]).unwrap();
        assert_eq!(read, "Raspberry Pi 4 Model B Rev 1.4");
        assert_eq!(model(&[&dir.path().join("missing")]), None);
    }

    #[test]
    fn the_ram_is_read_as_the_kernel_tells_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("meminfo");
        std::fs::write(&path, "MemTotal:         441684 kB\nMemFree:           99000 kB\n").unwrap();
        assert_eq!(ram_mib(&path), Some(431));
        for wrong in ["", "MemTotal: lots\n", "MemFree: 5 kB\n", "MemTotal: 99999999999999 kB\n"] {
            std::fs::write(&path, wrong).unwrap();
            assert_eq!(ram_mib(&path), None, "{wrong}");
        }
        assert_eq!(ram_mib(&dir.path().join("missing")), None);
        assert!(ram_mib(Path::new(MEMORY_FILE)).is_some(), "this computer");
    }
}
