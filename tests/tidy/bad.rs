//! Houses that are not tidy: each rule must be able to say no.

use super::{Source, complaints};

fn look(files: &[(&str, &str)]) -> Vec<String> {
    let source = |(path, text): &(&str, &str)| Source { path: path.to_string(), text: text.to_string() };
    complaints(&files.iter().map(source).collect::<Vec<_>>())
}

/// A house of three floors with `text` as `src/net/tcp.rs`, which `src/net/mod.rs` declares second of three.
fn with_tcp(text: &str) -> Vec<String> {
    let text = format!("//! TCP.\n{text}");
    look(&[
        ("src/lib.rs", "//! Map.\npub mod base; pub mod net; pub mod store; pub mod node;"),
        ("src/base/mod.rs", "//! Floor 0. Stands on: nothing.\npub mod queue;"),
        ("src/base/queue.rs", "//! Queue."),
        (
            "src/net/mod.rs",
            "//! Floor 3. Stands on: base.\npub mod executor; pub mod tcp; pub mod dns;\npub use dns::Resolver;",
        ),
        ("src/net/executor.rs", "//! Executor."),
        ("src/net/tcp.rs", &text),
        ("src/net/dns.rs", "//! DNS.\npub struct Resolver;"),
        ("src/store/mod.rs", "//! Floor 3. Stands on: base."),
        ("src/node/mod.rs", "//! Floor 5. Stands on: base, net.\nuse crate::net::{dns, tcp::Tcp};"),
    ])
}

fn refused(complaints: Vec<String>, part: &str) {
    assert_eq!(complaints.len(), 1, "{complaints:#?}");
    assert!(complaints[0].contains(part), "{complaints:#?}");
}

#[test]
fn a_tidy_house_has_no_complaints() {
    for fine in [
        "use crate::base::queue; use super::executor; use super::{executor::Tasks as T, Config}; use std::io::{self};",
        "fn f() { crate::base::queue::Queue::<u8>::new(); super::executor::spawn(); self::g(); }",
        "// crate::node\n/* super::dns /* nested */ crate::app */ const S: &str = \"crate::node \\\" super::dns\";",
        "const R: &str = r#\"crate::node \" \"#; const C: char = '\"'; fn f<'a>(x: &'a str) -> char { '\\'' }",
        "#[cfg(test)]\nmod tests { use super::*; use super::super::executor; }",
        "pub(crate) struct A; pub(in crate::net) struct B; fn f() -> impl Sized + use<> {}",
        "/// Bytes of a thing, because of that.\n#[rustfmt::skip]\nconst THING_BYTES_MAX: usize = 3;",
    ] {
        assert_eq!(with_tcp(fine), Vec::<String>::new(), "{fine}");
    }
}

#[test]
fn an_upper_or_equal_floor_is_refused_however_it_is_written() {
    for bad in [
        "use crate::node;",
        "use crate::{base::queue, node::{a, b}};",
        "use crate::{node as n};",
        "use super::super::node::Node;",
        "use {crate::node::Node, std::io};",
        "fn f() { let n = crate::node::Node::new(); }",
        "mod inner { fn f() { super::super::super::node::f() } }",
        "macro_rules! m { () => { $crate::node::f() } }",
        "#[cfg(test)]\nmod tests { use crate::node::Node; }",
    ] {
        let all = with_tcp(bad);
        assert!(all.iter().any(|one| one.contains("src/net/tcp.rs:") && one.contains("floor 5")), "{bad}: {all:#?}");
        assert!(all.iter().any(|one| one.contains("not among what it stands on")), "{bad}: {all:#?}");
    }
    let all = with_tcp("use crate::store;");
    assert!(all.iter().any(|one| one.contains("stands not on store, which is on floor 3")), "{all:#?}");
}

#[test]
fn what_is_declared_below_is_refused_also_through_the_parent() {
    for bad in [
        "use super::dns;",
        "use super::{executor, dns::{Resolver}};",
        "use crate::net::dns::Resolver;",
        "use super::Resolver;",
        "fn f() -> super::Resolver { loop {} }",
        "mod inner { use super::super::dns; }",
    ] {
        refused(with_tcp(bad), "tcp uses dns, which net declares below it");
    }
    refused(with_tcp("use super::*;"), "a glob of the parent");
}

#[test]
fn a_floor_must_say_what_it_stands_on() {
    let net = |first: &str| look(&[("src/net/mod.rs", &format!("{first}\nuse crate::base;"))]);
    assert!(net("//! Floor 3. Stands on: base.").is_empty());
    assert!(net("//! Floor 3. Stands on: base, wire.").is_empty());
    refused(net("//! Floor 2. Stands on: base."), "must begin `//! Floor 3.");
    refused(net("//! The network."), "must begin");
    refused(net("//! Floor 3. Stands on: base"), "full stop");
    refused(net("//! Floor 3. Stands on: base, store."), "cannot stand on store");
    refused(net("//! Floor 3. Stands on: nothing."), "not among what it stands on");
    refused(look(&[("src/attic/mod.rs", "//! Floor 9. Stands on: base.")]), "attic is on no floor");
    refused(look(&[("src/net/tcp/mod.rs", "//! TCP.")]), "must begin `//! Floor 3.");
}

#[test]
fn a_file_outside_the_house_is_noticed() {
    let all = look(&[("src/lib.rs", "//! Map.\nmod base;"), ("src/base.rs", "//! B."), ("src/chat.rs", "//! C.")]);
    refused(all, "src/chat.rs:1: no module declares");
}

#[test]
fn a_limit_needs_a_comment() {
    for bad in [
        "const LINE_BYTES: usize = 9;",
        "pub const ACK_TIMEOUT: Duration = X;",
        "// Not documentation, though long enough.\nconst PEERS_MAX: u8 = 1;",
        "/// Peers.\nconst PEERS_MAX: u8 = 1;",
        "impl A { pub(crate) const WAIT_MS: u64 = 3; }",
    ] {
        refused(with_tcp(bad), "needs a comment");
    }
    assert!(
        with_tcp("const NAME: u8 = 1; const fn bytes() {}\n#[cfg(test)] mod tests { const A_MAX: u8 = 1; }").is_empty()
    );
}

#[test]
fn lengths_are_bounded() {
    let lines = |count: usize| "//! Long.\n".repeat(count);
    assert!(look(&[("src/net/a.rs", &lines(400)), ("tests/a.rs", &lines(400)), ("README.md", &lines(999))]).is_empty());
    for path in ["src/net/a.rs", "tests/world/a.rs", "benches/a.rs", "boards/a.toml", ".ci/run"] {
        refused(look(&[(path, &lines(401))]), "401 lines");
    }
    let tests = |count: usize| with_tcp(&format!("mod tests {{{}}}", "\n".repeat(count)));
    assert!(tests(150).is_empty());
    refused(tests(151), "a file of their own");
}

#[test]
fn first_lines_features_words_and_names() {
    for path in ["src/a.rs", "tests/a.rs", "benches/a.rs", "examples/a.rs", "boards/build.rs"] {
        refused(look(&[(path, "// What for?")]), "first line");
    }
    for bad in ["#[cfg(feature = \"x\")] fn f() {}", "fn f() { if cfg!(all(test, feature = \"x\")) {} }"] {
        refused(with_tcp(bad), "features are for src/lib.rs");
    }
    for word in [concat!("// TO", "DO: later"), concat!("/* FIX", "ME */"), concat!("fn f() { db", "g!(1); }")] {
        refused(with_tcp(word), "is left");
    }
    refused(look(&[("README.md", concat!("see https://crates", ".io/x"))]), "package registry");
    refused(look(&[(".cargo/config.toml", concat!("registry = \"sparse", "+https://x/\""))]), "package registry");
    assert!(look(&[("Cargo.lock", concat!("source = \"registry", "+https://x\""))]).is_empty());
    for path in ["tests/common/mod.rs", "src/utils.rs", "examples/helpers.rs"] {
        let all = look(&[(path, "//! Floor.")]);
        assert!(all.iter().any(|one| one.contains("says nothing")), "{all:#?}");
    }
}

#[test]
fn the_low_floors_keep_off_what_they_never_do() {
    let wire = |text: &str| look(&[("src/wire/frame.rs", &format!("//! Frames.\n{text}"))]);
    for (bad, rule) in [
        ("fn f() { x.unwrap(); }", "cannot panic"),
        ("fn f() { x.expect(\"y\"); }", "cannot panic"),
        ("fn f() { panic!(); }", "cannot panic"),
        ("use std::vec::Vec;", "operating system"),
        ("fn f() { log::warn!(\"x\"); }", "log nothing"),
        ("use x::HashMap;", "order"),
    ] {
        refused(wire(bad), rule);
    }
    assert!(
        wire("fn f() { x.unwrap_or(1).log(); }\nmod tests { fn g() { x.unwrap(); std::io::stdin(); } }").is_empty()
    );
}
