//! stonechat against other implementations of libp2p: go, js, rust with tokio, and py, each as a real process in a
//! host of its own. Prints the whole matrix; what an implementation cannot do is a cell that says so.
//!
//!     cargo test --test interop -- --nocapture
//!
//! needs root, and the strangers that tests/interop/build makes. `STONECHAT_TEST_INTEROP=must` makes a failure of what
//! would be skipped, `STONECHAT_INTEROP_ROWS=meet,mdns` runs a part, `STONECHAT_WRITE=1` writes the README.

#[path = "interop_matrix/mod.rs"]
mod matrix;
#[allow(dead_code)]
mod world;

#[test]
fn the_matrix() {
    if !world::foreign::are_built(&world::foreign::KINDS) {
        return;
    }
    let Some(world) = world::World::new() else { return };
    matrix::run(&world);
}
