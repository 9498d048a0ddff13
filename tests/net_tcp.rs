//! The TCP transport on real sockets: what libp2p-tcp's own tests check, and what ours does beyond.

#[path = "net_tcp/basics.rs"]
mod basics;
#[path = "net_tcp/drive.rs"]
mod drive;
#[path = "net_tcp/ends.rs"]
mod ends;
#[path = "net_tcp/limits.rs"]
mod limits;
#[path = "net_tcp/ports.rs"]
mod ports;
