//! Reads `boards/*.toml` by the schema and writes the table that `base::board` includes.

#[path = "memory.rs"]
mod memory;
#[path = "schema.rs"]
mod schema;
#[path = "table.rs"]
mod table;

use std::{
    env, fs,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

fn main() {
    if let Err(error) = run() {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), String> {
    println!("cargo:rerun-if-changed=boards");
    println!("cargo:rerun-if-env-changed=STONECHAT_BOARD");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).ok_or(format!("{name} is not set"));
    let (root, out) = (folder("CARGO_MANIFEST_DIR")?, folder("OUT_DIR")?.join("boards.rs"));
    let only = env::var("STONECHAT_BOARD").ok();
    let (boards, default) = table::select(table::read(&root.join("boards"))?, only.as_deref())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let built = table::built(env::var("SOURCE_DATE_EPOCH").ok().as_deref(), now)?;
    fs::write(&out, table::source(&boards, &default, built)).map_err(|e| format!("{}: {e}", out.display()))
}
