//! The program `stonechat`.

use std::process::ExitCode;

fn main() -> ExitCode {
    stonechat::app::main()
}
