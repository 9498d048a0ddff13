//! How the board is found: by every model that a kernel or a firmware is known to report, else by the RAM there is.

use super::{folder, table};
use crate::schema::BoardFile;
use stonechat::base::board::{self, BOARDS, Board};

/// Models as Linux shows them and the board of each; which kernel or firmware does is said in the board's file.
const MODELS: &[(&str, &[&str])] = &[
    ("beaglebone-black", &["TI AM335x BeagleBone Black", "TI AM335x BeagleBone Black Wireless"]),
    ("nanopi-neo", &["FriendlyARM NanoPi NEO", "FriendlyARM NanoPi NEO Air"]),
    ("odroid-c4", &["Hardkernel ODROID-C4"]),
    ("orange-pi-zero", &["Xunlong Orange Pi Zero"]),
    ("orange-pi-zero-3", &["OrangePi Zero3"]),
    ("radxa-zero-3", &["Radxa ZERO 3W", "Radxa ZERO 3E"]),
    (
        "raspberry-pi-1",
        &[
            "Raspberry Pi Model A",
            "Raspberry Pi Model A+",
            "Raspberry Pi Model A Plus Rev 1.1",
            "Raspberry Pi Model B",
            "Raspberry Pi Model B+",
            "Raspberry Pi Model B rev2",
            "Raspberry Pi Model B Rev 2",
            "Raspberry Pi Model B Plus Rev 1.2",
            "Raspberry Pi Compute Module Rev 1.1",
            "Raspberry Pi Compute Module IO board rev1",
        ],
    ),
    ("raspberry-pi-2", &["Raspberry Pi 2 Model B", "Raspberry Pi 2 Model B rev 1.2", "Raspberry Pi 2 Model B Rev 1.1"]),
    (
        "raspberry-pi-3",
        &[
            "Raspberry Pi 3 Model B",
            "Raspberry Pi 3 Model B Rev 1.2",
            "Raspberry Pi 3 Model B+",
            "Raspberry Pi 3 Model B Plus Rev 1.3",
            "Raspberry Pi Compute Module 3 Rev 1.0",
            "Raspberry Pi Compute Module 3 Plus Rev 1.0",
            "Raspberry Pi Compute Module 3 IO board V3.0",
        ],
    ),
    ("raspberry-pi-3-a-plus", &["Raspberry Pi 3 Model A+", "Raspberry Pi 3 Model A Plus Rev 1.0"]),
    (
        "raspberry-pi-4",
        &[
            "Raspberry Pi 4 Model B",
            "Raspberry Pi 4 Model B Rev 1.4",
            "Raspberry Pi 400",
            "Raspberry Pi 400 Rev 1.0",
            "Raspberry Pi Compute Module 4 IO Board",
            "Raspberry Pi Compute Module 4 Rev 1.0",
            "Raspberry Pi Compute Module 4S Rev 1.0",
        ],
    ),
    (
        "raspberry-pi-5",
        &[
            "Raspberry Pi 5",
            "Raspberry Pi 5 Model B Rev 1.0",
            "Raspberry Pi 500 Rev 1.0",
            "Raspberry Pi 500 Plus Rev 1.0",
            "Raspberry Pi Compute Module 5 Rev 1.0",
            "Raspberry Pi Compute Module 5 Lite Rev 1.0",
        ],
    ),
    ("raspberry-pi-zero", &["Raspberry Pi Zero", "Raspberry Pi Zero Rev 1.3"]),
    ("raspberry-pi-zero-w", &["Raspberry Pi Zero W", "Raspberry Pi Zero W Rev 1.1"]),
    (
        "raspberry-pi-zero-2-w",
        &["Raspberry Pi Zero 2 W", "Raspberry Pi Zero 2 W Rev 1.0", "Raspberry Pi Compute Module 0 Rev 1.0"],
    ),
    ("rock64", &["Pine64 Rock64"]),
    (
        "visionfive-2",
        &[
            "StarFive VisionFive 2 v1.2A",
            "StarFive VisionFive 2 v1.3B",
            "StarFive VisionFive V2",
            "StarFive VisionFive 2 Lite",
            "StarFive VisionFive 2 Lite eMMC",
        ],
    ),
];

/// Models that begin like one of ours and are other boards, or that nobody has.
const STRANGERS: &[&str] = &[
    "",
    "Raspberry Pi",
    "raspberry pi 4 model b",
    "Raspberry Pi 55",
    "Raspberry Pi Compute Module 9",
    "Raspberry Pi Compute Module 4 CANOPi Board",
    "OrangePi Zero2 W",
    "OrangePi Zero3 Plus",
    "Xunlong Orange Pi Zero Plus",
    "Xunlong Orange Pi Zero Plus2 H3",
    "FriendlyARM NanoPi NEO 2",
    "FriendlyARM NanoPi NEO4",
    "Radxa ZERO 3",
    "StarFive VisionFive V1",
    "Radxa ZERO 3W Rev",
];

fn name(model: &str) -> Option<&'static str> {
    board::by_model(model).map(|board| board.name)
}

#[test]
fn a_board_is_found_by_its_model() {
    for (board, models) in MODELS {
        let expected = board::find(board).map(|board| board.name);
        assert!(expected.is_some() || option_env!("STONECHAT_BOARD").is_some(), "{board}");
        for model in *models {
            assert_eq!(name(model), expected, "{model}");
        }
    }
    for model in STRANGERS {
        assert_eq!(name(model), None, "{model}");
    }
}

#[test]
fn every_model_of_every_file_finds_it_and_is_in_the_list_above() {
    for Board { name: board, models, .. } in BOARDS {
        for model in *models {
            assert_eq!(name(model), Some(*board), "{model}, hidden by another's");
        }
    }
    let files = table::read(&folder()).unwrap();
    let known = |file: &BoardFile| MODELS.iter().any(|(board, _)| *board == file.name);
    let missing: Vec<&str> = files.iter().filter(|f| !f.models.is_empty() && !known(f)).map(|f| &*f.name).collect();
    assert!(missing.is_empty(), "no model of these is tried: {missing:?}");
}

#[test]
fn a_computer_that_nobody_knows_gets_what_its_ram_is_enough_for() {
    let by_ram = |ram_mib| board::by_ram(ram_mib).map(|board| board.name);
    let Some(only) = option_env!("STONECHAT_BOARD") else {
        // As much as the kernel shows on a machine of 64 MiB, 256 MiB, 512 MiB (the graphics have some), 1 GiB, 2 GiB.
        let sizes = [(56, "tiny"), (240, "tiny"), (427, "generic-512"), (906, "generic-1024"), (1_870, "generic")];
        for (ram_mib, expected) in sizes {
            assert_eq!(by_ram(ram_mib), Some(expected), "{ram_mib} MiB");
        }
        for ram_mib in [0, u32::MAX] {
            assert!(by_ram(ram_mib).is_some());
        }
        return;
    };
    assert_eq!(by_ram(u32::MAX), Some(only), "a build for one board");
}

#[test]
fn boards_without_models_differ_in_ram() {
    let files = table::read(&folder()).unwrap();
    let mut sizes: Vec<u64> = files.iter().filter(|file| file.models.is_empty()).map(|file| file.ram_mib).collect();
    sizes.sort();
    assert_eq!(sizes, [256, 512, 1_024, 2_048]);
}
