//! Network namespaces, gone with the test.

use std::{
    env,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::CHILD;

/// Tests run side by side: each namespace has its own name.
static NEXT: AtomicU32 = AtomicU32::new(0);

pub struct Namespace(pub String);

impl Namespace {
    /// `None` when not root.
    pub fn create(purpose: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: needs root: a network namespace");
            return None;
        }
        let namespace =
            Namespace(format!("sc{purpose}{}n{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        assert!(Command::new("ip").args(["netns", "add", &namespace.0]).status().expect("ip").success());
        Some(namespace)
    }

    /// `ip` with these arguments.
    pub fn ip(&self, args: &str) {
        let status = Command::new("ip").args(["-n", &self.0]).args(args.split(' ')).status().expect("ip");
        assert!(status.success(), "ip {args}");
    }

    /// Any program with these arguments.
    pub fn run(&self, args: &str) {
        self.output(args);
    }

    /// The same, and what it prints.
    pub fn output(&self, args: &str) -> String {
        let output = Command::new("ip").args(["netns", "exec", &self.0]).args(args.split(' ')).output().expect("ip");
        assert!(output.status.success(), "{args}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A test marked as ignored, which prints to a pipe.
    pub fn child(&self, test: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0]).arg(env::current_exe().unwrap());
        command.args(["--exact", "--ignored", "--nocapture", test]).env(CHILD, "1").stdout(Stdio::piped());
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}
