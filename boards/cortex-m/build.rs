//! Links the programs by the map of the memory beside this file.

fn main() {
    let map = concat!(env!("CARGO_MANIFEST_DIR"), "/memory.ld");
    println!("cargo:rerun-if-changed={map}");
    println!("cargo:rustc-link-arg-bins=-T{map}");
}
