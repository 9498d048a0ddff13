//! The size of the program.

use super::{
    program,
    sheet::{Figure, Sheet, Side},
};

/// Measures it.
pub fn measure(sheet: &mut Sheet) {
    match std::fs::metadata(program::path()) {
        Ok(file) => sheet.take(Figure::Size, Side::Ours, file.len() as f64 / 1e6),
        Err(error) => sheet.fail("size", &format!("{}: {error}", program::path().display())),
    }
    let linked = if cfg!(target_env = "musl") { "statically" } else { "dynamically to the C library" };
    let stripped = if cfg!(debug_assertions) { "not stripped" } else { "stripped" };
    sheet.note(format!("The program measured is for {}, {stripped}, linked {linked}.", std::env::consts::ARCH));
}
