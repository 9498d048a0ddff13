//! Which board this is: named, or found in the device tree.

use super::exit::Failure;
use super::nearest::suggest;
use crate::base::board::{self, BOARDS, Board, DEFAULT};
use std::path::Path;

/// Where Linux shows the device tree's model; the second is what the first links to.
const MODEL_FILES: [&str; 2] = ["/proc/device-tree/model", "/sys/firmware/devicetree/base/model"];

/// The board named, or the one found, or the generic one.
pub(crate) fn in_force(name: Option<&str>) -> Result<&'static Board, Failure> {
    match name {
        Some(name) => board::find(name).ok_or_else(|| {
            let names: Vec<&str> = BOARDS.iter().map(|board| board.name).collect();
            Failure::usage(format!("there is no board `{name}`: {}", suggest(name, &names)))
        }),
        None => model(&MODEL_FILES.map(Path::new))
            .and_then(|model| board::by_model(&model))
            .or_else(|| board::find(DEFAULT))
            .ok_or_else(|| Failure::failed("this program holds no board: build it anew")),
    }
}

/// The device tree's model: a C string in a file.
fn model(files: &[&Path]) -> Option<String> {
    let bytes = files.iter().find_map(|file| std::fs::read(file).ok())?;
    Some(String::from_utf8_lossy(&bytes).trim_end_matches(['\0', '\n']).to_string())
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
        assert_eq!(board::by_model(&read).map(|board| board.name), Some("raspberry-pi-4"));
        assert_eq!(model(&[&dir.path().join("missing")]), None);
    }
}
