//! Floor 6. Stands on: base, wire, chat, net, store, node.
//!
//! The program: arguments, interactive chat, daemon and control socket. It is a client of `node`: everything it
//! knows of a peer it asks with the commands and events of the control socket.

mod exit;
mod nearest;

mod arguments;
mod help;

mod completions;
mod manual;

mod paths;

mod config;

mod lines;
mod shown;
mod stdio;

mod backlog;
mod logging;

mod boards;
mod files;
mod home;
mod signals;

mod protocol;

mod client;
mod connection;
mod notify;
mod socket;

mod render;
mod tables;
mod typed;

mod finding;

mod host;

mod doctor;

mod editor;
mod terminal;

mod chat;
mod send;
mod tail;

mod run;

mod program;

pub use program::main;
