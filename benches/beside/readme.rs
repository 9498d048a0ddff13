//! The table's place in the README.

use std::{fs, path::Path};

const BEGIN: &str = "<!-- beside: cargo bench --bench beside -->\n";
const END: &str = "<!-- end of beside -->\n";

/// Puts the table there.
pub fn write(table: &str) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let told = |error| format!("{}: {error}", path.display());
    let readme = fs::read_to_string(&path).map_err(told)?;
    let parts = readme.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or("the README has no place for the table")?;
    fs::write(&path, [before, BEGIN, table, END, after].concat()).map_err(told)
}
