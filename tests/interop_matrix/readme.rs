//! The matrix in the README, with the day.

use std::path::Path;
use std::process::Command;

const BEGIN: &str = "<!-- interop: STONECHAT_WRITE=1 .ci/interop -->\n";
const END: &str = "<!-- end of interop -->\n";

/// Puts what was found between the two marks.
pub fn write(found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).expect("the README");
    let (before, rest) = readme.split_once(BEGIN).expect("the line where the matrix begins");
    let (_, after) = rest.split_once(END).expect("the line where the matrix ends");
    let day = Command::new("date").args(["-u", "+%F"]).output().expect("`date`").stdout;
    let day = String::from_utf8_lossy(&day).trim().to_string();
    let version = env!("CARGO_PKG_VERSION");
    let text = format!("Of {day}, stonechat {version} (debug build), on one machine.\n\n{found}");
    std::fs::write(&path, [before, BEGIN, &text, END, after].concat()).expect("the README is written");
}
